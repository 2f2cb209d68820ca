"""``shibori segment`` from masks, clicks, boxes and absences together, in the order in which they are given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shibori.media.mask import read_ids

RUN = "segment clip.mp4 --out out"


def shown(index: int) -> np.ndarray:
    return read_ids(f"out/{index:05d}.png")


def test_a_clip_begun_with_a_mask_goes_on_with_clicks_and_boxes(shibori, place):
    result = shibori(f"{RUN} --mask first.png --click 6:55,10:3 --box 9:40,0,50,6:4 --absent 3-5:2 --absent 10-:1")
    assert result.exit_code == 0, result.stderr
    assert "12 frames, 4 objects" in result.stdout
    assert [2 in shown(index) for index in range(2, 6)] == [True, False, False, False]
    assert [1 in shown(index) for index in (9, 10, 11)] == [True, False, False]
    assert (shown(6) == 3).sum() == 25
    assert (shown(9) == 4).sum() == 60
    tracks = json.loads(Path("out/tracks.json").read_text())
    assert tracks["system"] == "interactive"
    assert tracks["frames"][4]["objects"]["2"] == {"state": "absent", "confidence": 1.0}


def test_the_order_across_options_counts(shibori, place):
    shibori(f"{RUN} --mask first.png --box 0:0,0,64,48:3")
    assert (shown(0) == 3).all()
    shibori(f"{RUN} --box 0:0,0,64,48:3 --mask first.png --overwrite")
    assert set(np.unique(shown(0)).tolist()) == {1, 2, 3}


def test_what_contradicts_itself_is_said_and_the_later_counts(shibori, place):
    result = shibori(f"{RUN} --mask first.png --absent 4:2 --mask 4:fix.png")
    assert result.exit_code == 0
    assert result.stderr.strip() == (
        "shibori: of object 2 in frame 4 the later one counts, a mask, and not the earlier one, an absence"
    )
    assert 2 in shown(4)
    result = shibori(f"{RUN} --mask first.png --mask 4:fix.png --absent 4:2 --overwrite --json")
    assert json.loads(result.stdout)["notes"] == [result.stderr.strip().removeprefix("shibori: ")]
    assert 2 not in shown(4)


def test_marks_that_contradict_each_other_are_said_and_the_later_counts(shibori, place):
    result = shibori(f"{RUN} --mask first.png --click 4:40,30:2 --click 4:40,30:0")
    assert result.exit_code == 0
    assert result.stderr.strip() == (
        "shibori: where two marks in frame 4 meet the later one counts, one on the background, and not one on object 2"
    )
    assert shown(4)[30, 40] == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("--mask first.png --click 3:64,20", "the click '3:64,20' is outside the frame"),
        ("--mask first.png --box 3:50,20,70,30:2", "the box '3:50,20,70,30:2' is no rectangle in the frame"),
        ("--mask first.png --absent 4:7", "object 7 is only ever said to be absent"),
        ("--absent 4:1", "object 1 is only ever said to be absent"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(shibori, place, given, sentence):
    result = shibori(f"{RUN} {given}")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert sentence in result.stderr
    assert not Path("out").exists()


def test_tracks_say_where_each_object_comes_from(shibori, place):
    assert shibori(f"{RUN} --mask 2:first.png --click 8:40,30:2 --absent 10-:1 --format palette").exit_code == 0
    tracks = json.loads(Path("out/tracks.json").read_text())
    froms = [{i: entry.get("from") for i, entry in each["objects"].items()} for each in tracks["frames"]]
    assert froms[0] == {"1": [2], "2": [2]}
    assert froms[2] == {"1": [2], "2": [2]}
    assert froms[5] == {"1": [2], "2": [2, 8]}
    assert froms[11] == {"1": None, "2": [8]}
    assert tracks["origins"]["1"] == {
        "first_marked": 2, "marked": [[2, 2]], "forward": [[3, 9]], "backward": [[0, 1]], "both_ways": [],
        "seen_before": [[0, 1]],
    }  # fmt: skip
    assert tracks["origins"]["2"]["both_ways"] == [[3, 7]]
    assert tracks["origins"]["2"]["marked"] == [[2, 2], [8, 8]]


def test_what_was_not_found_before_the_first_marked_frame_is_not_seen_before(shibori, place):
    assert shibori(f"{RUN} --mask 9:first.png --every 2 --start 1").exit_code == 0
    origin = json.loads(Path("out/tracks.json").read_text())["origins"]["1"]
    assert origin["backward"] == [[1, 7]]
    assert origin["seen_before"] == [[1, 3], [7, 7]]


def test_a_later_mask_counts_for_the_frames_before_it(shibori, place):
    assert shibori(f"{RUN} --mask 8:first.png").exit_code == 0
    assert 1 in shown(0)
    assert shibori(f"{RUN} --mask 8:first.png --forward-only --overwrite").exit_code == 0
    assert 1 not in shown(0)


def test_a_job_by_itself_takes_option_by_option(place):
    from shibori.run.job import SegmentJob

    job = SegmentJob(clip=Path("c"), out=Path("o"), mask=("a", "b"), click=("c",), found=Path("f"))
    assert [*job.said()] == [("mask", "a"), ("mask", "b"), ("click", "c"), ("found", Path("f"))]
    ordered = SegmentJob(
        clip=Path("c"), out=Path("o"), mask=("a", "b"), click=("c",), order=("out", "mask", "click", "mask", "clip")
    )
    assert [*ordered.said()] == [("mask", "a"), ("click", "c"), ("mask", "b")]
