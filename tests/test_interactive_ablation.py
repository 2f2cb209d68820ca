"""Rows of an interactive ablation, side by side through the same rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from shibori import systems
from shibori.cli import app
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.interactive_ablation import InteractiveRow, run_interactive_ablation

from .datasets.made import moving_disk, write_davis
from .evaluation.made import moving_boxes
from .systems.trackprop.rounds import ColourNetwork


def coloured(weak: bool = False):
    import torch

    from shibori.systems.trackprop.inference import TrackpropSegmenter
    from shibori.systems.trackprop.rule import RULES

    network = ColourNetwork()
    if weak:
        network.propagate = lambda seen, previous, matched: previous * 0 - 4
    return TrackpropSegmenter(network, RULES["tiny"], None, torch.device("cpu"))


def test_every_row_goes_through_the_same_rounds():
    rows = [InteractiveRow("weak", (0.1, 0.2), lambda: coloured(weak=True)), InteractiveRow("good", None, coloured)]
    weak, good = run_interactive_ablation(rows, [moving_boxes()], InteractiveRules(2, num_starts=1))
    assert (weak.text, weak.published, good.published) == ("weak", (0.1, 0.2), None)
    assert good.scores.j_and_f > weak.scores.j_and_f + 0.2
    first = [result.scores.samples[0].rounds[0].marked_frames for result in (weak, good)]
    assert first[0] == first[1]


def test_the_command_prints_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_davis(tmp_path, {"disk": moving_disk(5)}, "dev")
    rows = [("coloured", (0.5, 0.6), coloured)]
    monkeypatch.setattr(systems, "INTERACTIVE_ABLATIONS", {"trackprop": lambda *_: rows})
    found = CliRunner().invoke(app, ["ablate", "trackprop", "--data", str(tmp_path), "--interactions", "2"])
    assert found.exit_code == 0, found.output
    assert "| coloured | " in found.stdout
    assert "| 0.500 | 0.600 |" in found.stdout
