"""``shibori ablate`` on the command line, with rows and clips made by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

import shibori.systems as systems
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.instance_composites import InstanceComposite
from shibori.evaluation.ablation_clips import InstanceClips
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.rle import encode_rle

from ..datasets.made import moving_disk, write_davis
from ..holder import Holder
from ..squares import Squares

SIZE, FRAMES = (30, 40), 3
MASK = np.zeros(SIZE, bool)
MASK[5:20, 5:25] = True


@pytest.fixture
def asked(monkeypatch) -> list[InstanceClips]:
    """What clips were asked for; there is one, with a dog in it, that the first row finds and the second does not."""
    wanted: list[InstanceClips] = []
    compose = lambda index: (np.zeros((*SIZE, 3), np.uint8), MASK.astype(np.uint8))  # noqa: E731
    clip = InstanceComposite(CompositeSequence("one", FRAMES, (1,), SIZE, compose), {1: "dog"})

    def read(self):
        wanted.append(self)
        return [clip]

    def rows(preset, device, weights, tracker_weights, most_tracked):
        assert most_tracked == 6
        track = InstanceTrack(1, 2, "dog", 0.5, (encode_rle(MASK),) * FRAMES)
        return [
            ("finds it", 0.45, lambda frames: Discovery((track,), 3, 1, 0)),
            ("finds nothing", None, lambda frames: Discovery((), 3, 0, 0)),
        ]

    monkeypatch.setattr(InstanceClips, "read", read)
    monkeypatch.setattr(systems, "INSTANCE_ABLATIONS", {"ipdt": rows})
    return wanted


def test_the_table_has_a_line_for_each_row(shibori, asked):
    result = shibori("ablate ipdt --data there --height 120 --clips 7")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "| variant | mAP | AP50 | AP75 | AR1 | AR10 | one class: AP | AP50 | paper mAP | s |"
    assert lines[2].startswith("| finds it | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 0.450 |")
    assert lines[3].startswith("| finds nothing | 0.000 |")
    assert (asked[0].size_hw, asked[0].clips) == ((120, 214), 7)


def test_rows_for_machines(shibori, asked):
    rows = json.loads(shibori("ablate ipdt --data there --json").stdout)["rows"]
    assert [(row["variant"], row["AP"], row["paper_map"]) for row in rows] == [
        ("finds it", pytest.approx(1), 0.45),
        ("finds nothing", 0.0, None),
    ]


def test_a_folder_without_material_is_refused(shibori, place):
    result = shibori("ablate ipdt --data nowhere --weights a.safetensors")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_marks(shibori, tmp_path, monkeypatch):
    write_davis(tmp_path, {"disk": moving_disk(5)}, "dev")
    monkeypatch.setattr(systems, "INTERACTIVE_ABLATIONS", {"trackprop": lambda *_: [("squares", (0.5, 0.6), Squares)]})
    found = shibori(f"ablate trackprop --data {tmp_path} --interactions 2")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[0] == (
        "| variant | J&F at first | J&F | AUC | J&F@60s | paper AUC | paper J&F@60s |"
    )
    assert "| squares | " in found.stdout
    assert "| 0.500 | 0.600 |" in found.stdout


def test_masks(shibori, tmp_path, monkeypatch):
    write_davis(tmp_path, {"disk": moving_disk(5)}, "dev")
    monkeypatch.setattr(systems, "ABLATIONS", {"dyenet": lambda *_: [("held", 0.5, Holder), ("again", 0.6, Holder)]})
    line = f"ablate dyenet --data {tmp_path} --on sequences"
    assert "| +0.000 | 0.600 | +0.100 |" in shibori(line).stdout
    found = json.loads(shibori(f"{line} --json").stdout)
    assert found["on"] == "sequences"
    assert [(row["variant"], row["paper_j_and_f"]) for row in found["rows"]] == [("held", 0.5), ("again", 0.6)]
    refused = shibori(f"{line} --on films")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "shibori: expected clips of the kind hidden, composites, sequences, found 'films'; choose one\n",
    )
