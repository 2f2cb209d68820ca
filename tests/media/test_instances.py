"""Results files: what is written is read again, has every field the official tool wants, and bad ones are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coco

from shibori.errors import InputError
from shibori.media.instances import InstanceTrack, read_instances, write_instances
from shibori.media.rle import encode_rle

SIZE = (20, 30)


def made_track(track_id: int, first: int, category_id: int = 3) -> InstanceTrack:
    codes = []
    for index in range(4):
        mask = np.zeros(SIZE, bool)
        mask[2 : 8 + index, 5 * track_id : 5 * track_id + 4] = True
        codes.append(encode_rle(mask) if index >= first else None)
    return InstanceTrack(track_id, category_id, "dog", 0.25 * track_id, tuple(codes))


TRACKS = {7: [made_track(1, 0), made_track(3, 2)], 2: [made_track(2, 1, category_id=9)]}


@pytest.fixture
def written(tmp_path):
    write_instances(tmp_path / "results.json", TRACKS)
    return tmp_path / "results.json"


def test_round_trip(written):
    assert read_instances(written) == TRACKS
    assert read_instances(written, {7: SIZE, 2: SIZE}) == TRACKS
    write_instances(written, {})
    assert read_instances(written) == {}


def test_fields_are_those_the_official_tool_reads(written):
    """``loadRes`` takes a list; of each entry the ids, the score, and area and box of every mask that is not null."""
    results = json.loads(written.read_text())
    assert isinstance(results, list)
    assert [result["video_id"] for result in results] == [7, 7, 2]
    for result in results:
        assert isinstance(result["category_id"], int)
        assert isinstance(result["score"], float)
        assert not {"id", "areas", "bboxes", "avg_area", "iscrowd"} & set(result)  # it adds these
        for index, code in enumerate(result["segmentations"]):
            if code is not None:
                assert set(code) == {"size", "counts"}
                assert code["size"] == list(SIZE)
                assert coco.area(code) == (6 + index) * 4
                assert coco.toBbox(code).tolist()[1:] == [2, 4, 6 + index]


def test_what_others_write_has_no_track_numbers(tmp_path):
    code = encode_rle(np.ones(SIZE, bool))
    records = [{"video_id": 1, "category_id": 2, "score": 1, "segmentations": [code, None]} for _ in range(3)]
    (tmp_path / "r.json").write_text(json.dumps(records))
    tracks = read_instances(tmp_path / "r.json")[1]
    assert [track.track_id for track in tracks] == [1, 2, 3]
    assert tracks[0].category == ""
    assert tracks[0].score == 1.0


def test_values_of_a_track():
    track = made_track(1, 2)
    assert track.num_frames == 4
    assert track.mask(0) is None
    assert track.mask(3).sum() == 9 * 4


GOOD = {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [encode_rle(np.ones((4, 4), bool))]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1', "is no JSON"),
        ('{"annotations": []}', "holds annotations: expected results"),
        ("3", "holds int"),
        ("[4]", "result 1 has no video_id and no category_id"),
        ([GOOD, {"video_id": 1}], "result 2 has no category_id"),
        ([GOOD | {"category_id": "dog"}], "result 1 has the category_id 'dog'"),
        ([GOOD | {"score": None}], "result 1 has the score None"),
        ([GOOD | {"segmentations": None}], "NoneType for segmentations"),
        ([GOOD | {"segmentations": [3]}], "result 1, frame 0 is no segmentation"),
        (
            [GOOD, GOOD | {"segmentations": [None, None]}],
            "result 2 has 2 segmentations, an earlier one of video 1 has 1",
        ),
        (
            [GOOD | {"segmentations": [{"size": [4, 5], "counts": "0"}]}],
            "result 1, frame 0 has a run-length code for 0",
        ),
        ([GOOD, GOOD | {"segmentations": [encode_rle(np.ones((5, 4), bool))]}], "4x4 and 4x5 pixels for video 1"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, sentence):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_instances(tmp_path / "r.json")


def test_score_that_is_no_number(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([GOOD | {"score": float("nan")}]))
    with pytest.raises(InputError, match="score nan"):
        read_instances(tmp_path / "r.json")


def test_missing_file_and_closed_folder(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_instances(tmp_path / "none.json")
    with pytest.raises(InputError, match="none"):
        write_instances(tmp_path / "none" / "r.json", TRACKS)


def test_an_interrupted_write_leaves_what_was_there(written, monkeypatch):
    before = written.read_bytes()
    with pytest.raises(TypeError):
        write_instances(written, {1: [made_track(1, 0), InstanceTrack(2, 1, "", object(), ())]})
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["results.json"]
