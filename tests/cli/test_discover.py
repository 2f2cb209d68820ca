"""``shibori discover``, ``segment --from`` and ``evaluate unsupervised`` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import shibori.systems as systems
from shibori.interfaces import InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack, write_instances
from shibori.media.mask import read_ids
from shibori.media.rle import encode_rle

from ..datasets.made import moving_disk, write_davis
from .conftest import NUM_FRAMES, SIZE_HW


def square(left: int) -> dict:
    mask = np.zeros(SIZE_HW, bool)
    mask[5:20, left : left + 15] = True
    return encode_rle(mask)


class Finder(InstanceSegmenter):
    def __init__(self, count: int, left_out: int) -> None:
        self.count, self.left_out = count, left_out

    @property
    def categories(self) -> dict[int, str]:
        return {1: "person", 2: "dog"}

    def discover(self, frames, progress=None) -> Discovery:
        height, width = frames.size_hw
        mask = np.zeros((height, width), bool)
        mask[5:20, 5:20] = True
        codes = [encode_rle(np.roll(mask, 20 * number, 1)) for number in range(self.count)]
        tracks = [
            InstanceTrack(
                number, 1 + number % 2, self.categories[1 + number % 2], 0.9 / number, (code,) * frames.num_frames
            )
            for number, code in enumerate(codes, 1)
        ]
        return Discovery(tuple(tracks), 200, 24, self.left_out)


@pytest.fixture
def found(monkeypatch):
    """The table of instance segmenters holds only the fake; ``found["count"]`` and ``found["left_out"]`` are its."""
    said = {"count": 2, "left_out": 0}
    build = lambda **options: Finder(said["count"], said["left_out"])  # noqa: E731
    monkeypatch.setattr(systems, "INSTANCE_SEGMENTERS", {"ipdt": build})
    return said


def test_what_was_found_is_said(shibori, place, found):
    result = shibori("discover clip.mp4 --out found.json")
    assert result.exit_code == 0, result.stderr
    assert "1: dog, score 0.90" in result.stdout
    assert "2: person, score 0.45" in result.stdout
    assert (place / "found" / "overlay.mp4").is_file()
    assert "limit" not in result.stdout


def test_nothing_found_is_said_and_is_no_failure(shibori, place, found):
    found["count"] = 0
    result = shibori("discover clip.mp4 --out found.json")
    assert result.exit_code == 0, result.stderr
    assert "nothing was found" in result.stdout
    assert json.loads((place / "found.json").read_text()) == []


def test_work_that_was_not_done_is_said(shibori, place, found):
    found["left_out"] = 170
    result = shibori("discover clip.mp4 --out found.json")
    assert "170 of 200 candidates were beyond the limit of work and not tracked; the best 24 were" in result.stdout


def test_a_summary_for_machines(shibori, place, found):
    result = shibori("discover clip.mp4 --out found.json --classes dog --json")
    summary = json.loads(result.stdout)
    assert [each["category"] for each in summary["instances"]] == ["dog"]
    assert summary["candidates"] == 200


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("discover clip.mp4 --out found.json --classes unicorn", "expected a class of this system (person, dog)"),
        ("discover missing.mp4 --out found.json", "missing.mp4"),
        ("discover clip.mp4 --out found.json --system pixel", "no system 'pixel' that finds instances"),
        ("segment clip.mp4 --out masks", "There is nothing to start from"),
        ("segment clip.mp4 --out masks --mask first.png --keep 1", "expected --keep beside --from"),
        ("segment clip.mp4 --out masks --from none.json", "no file none.json"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(shibori, place, found, line, sentence):
    result = shibori(line)
    assert result.exit_code == 2, result.stdout
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_found_instances_are_segmented_from(shibori, place, found):
    assert shibori("discover clip.mp4 --out found.json").exit_code == 0
    result = shibori("segment clip.mp4 --from found.json --keep 2 --out masks")
    assert result.exit_code == 0, result.stderr
    ids = read_ids(place / "masks" / f"{NUM_FRAMES - 1:05d}.png")
    assert np.unique(ids).tolist() == [0, 2]
    result = shibori("segment clip.mp4 --from found.json --keep 7 --out other")
    assert result.exit_code == 2
    assert "found.json has no instance 7: it has 1, 2" in result.stderr


def test_results_of_another_clip_are_refused(shibori, place, found):
    track = InstanceTrack(1, 1, "person", 0.5, (square(4),) * 3)
    write_instances("other.json", {1: [track]})
    result = shibori("segment clip.mp4 --from other.json --out masks")
    assert result.exit_code == 2
    assert "it was made for another clip" in result.stderr


def test_the_unsupervised_protocol(shibori, place, found):
    write_davis(place / "davis", {"disk": moving_disk(3)}, "dev")
    result = shibori("evaluate unsupervised davis --out report --split dev --year 2016 --json")
    assert result.exit_code == 0, result.stderr
    scores = json.loads(result.stdout)
    assert scores["protocol"] == "unsupervised"
    assert (place / "report" / "report.html").is_file()
    assert (place / "report" / "masks" / "disk" / "00002.png").is_file()
