"""Tracklets: their rules, their file, and what the diagram shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.palette import davis_palette
from shibori.media.track import Tracklet, draw_tracklets, read_tracklets, write_tracklets


def made(object_id: int = 1, first: int = 0, last: int = 19, **fields: Any) -> Tracklet:
    values: dict[str, Any] = {
        "start": first,
        "similarity": 1.0,
        "origin": "given",
        "iteration": 0,
        "linked": True,
        "confidences": (1.0,) * (last - first + 1),
    }
    return Tracklet(object_id=object_id, first=first, last=last, **(values | fields))


TRACKLETS = (
    made(1, 0, 3, confidences=(1.0, 0.9, 0.8125, 0.25)),
    made(7, 2, 4, start=3, similarity=0.75, origin="found", iteration=2, linked=False, confidences=(0.5, 0.6, 0.7)),
    made(300, 5, 5, similarity=-0.25, origin="found", iteration=1, confidences=(0.0,)),
)


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "tracklets.json"
    write_tracklets(path, "dogs-jump", 6, TRACKLETS)
    found = read_tracklets(path)
    assert found.tracklets == TRACKLETS
    assert found.clip_name == "dogs-jump"
    assert found.num_frames == 6
    assert [file.name for file in tmp_path.iterdir()] == ["tracklets.json"]


def test_the_file_is_as_documented(tmp_path: Path):
    path = tmp_path / "tracklets.json"
    write_tracklets(path, "dogs-jump", 6, [made(1, 0, 1, similarity=2 / 3, confidences=(1.0, 1 / 3))])
    assert json.loads(path.read_text()) == {
        "format": "shibori tracklets",
        "version": 1,
        "clip": "dogs-jump",
        "num_frames": 6,
        "tracklets": [
            {
                "object_id": 1,
                "start": 0,
                "first": 0,
                "last": 1,
                "similarity": 0.6667,
                "origin": "given",
                "iteration": 0,
                "linked": True,
                "confidences": [1.0, 0.3333],
            }
        ],
    }


def test_a_clip_may_have_none(tmp_path: Path):
    write_tracklets(tmp_path / "none.json", "still", 3, [])
    assert read_tracklets(tmp_path / "none.json").tracklets == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"object_id": 0}, "object id of a tracklet is 1 or more, got 0"),
        ({"start": 20}, "start 20 in frames 0 to 19"),
        ({"first": 5, "last": 4, "confidences": ()}, "start 5 in frames 5 to 4"),
        ({"first": -1}, "start -1 in frames -1 to 19"),
        ({"origin": "dreamt"}, "one of given, found, got 'dreamt'"),
        ({"iteration": -1}, "iteration of a tracklet is 0 or more, got -1"),
        ({"similarity": 1.5}, "is a cosine, got 1.5"),
        ({"similarity": float("nan")}, "is a cosine, got nan"),
        ({"confidences": (1.0,) * 19}, "frames 0 to 19 has 20 confidences, got 19"),
        ({"confidences": (1.0,) * 19 + (1.1,)}, "lie in 0..1"),
        ({"confidences": (1.0,) * 19 + (float("nan"),)}, "lie in 0..1"),
    ],
)
def test_a_tracklet_does_not_contradict_itself(fields: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        made(**fields)


def test_rounding_of_single_precision_is_no_contradiction():
    assert made(similarity=float(np.float32(1.0000001)), confidences=(1.0000001,) * 20).num_frames == 20


def test_tracklets_end_within_their_clip(tmp_path: Path):
    with pytest.raises(ValueError, match="object 1 ends at frame 19, and there are 19 frames"):
        write_tracklets(tmp_path / "t.json", "short", 19, [made()])
    assert list(tmp_path.iterdir()) == []


def broken(**changes: Any) -> dict[str, Any]:
    """The content of a file with one tracklet, with fields of the file or of the tracklet changed or (None) missing."""
    tracklet: dict[str, Any] = {"object_id": 1, "start": 0, "first": 0, "last": 0, "similarity": 1.0}
    tracklet |= {"origin": "given", "iteration": 0, "linked": True, "confidences": [1.0]}
    content: dict[str, Any] = {"format": "shibori tracklets", "version": 1, "clip": "a", "num_frames": 2}
    content["tracklets"] = [tracklet]
    for name, value in changes.items():
        place = tracklet if name in tracklet else content
        place[name] = value
        if value is None:
            del place[name]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (broken(format="COCO"), 'expected a JSON object with "format": "shibori tracklets"'),
        ([], 'expected a JSON object with "format": "shibori tracklets"'),
        (broken(version=2), "of version 2, and this version of shibori reads 1"),
        (broken(num_frames=None), "'num_frames' is missing"),
        (broken(confidences=None), "'confidences' is missing"),
        (broken(last=1), "tracklet 0, counted from 0: .* has 2 confidences, got 1"),
        (broken(object_id="dog"), "tracklet 0, counted from 0: .*'dog'"),
        (broken(origin="dreamt"), "tracklet 0, counted from 0: .*got 'dreamt'"),
        (broken(confidences=3), "tracklet 0, counted from 0: .*not iterable"),
        (broken(tracklets=5), "not iterable"),
        (broken(num_frames=0), "ends at frame 0, and there are 0 frames"),
    ],
)
def test_another_file_is_bad_input(tmp_path: Path, content: object, message: str):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        read_tracklets(path)
    assert "other.json" in str(caught.value)


def test_no_file_or_no_json_is_bad_input(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no file of tracklets .*none\.json"):
        read_tracklets(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"format": "shibori tracklets", "tracklets": [')
    with pytest.raises(InputError, match=r"cut\.json is not a JSON file of tracklets"):
        read_tracklets(tmp_path / "cut.json")
    with pytest.raises(InputError, match="is not a JSON file of tracklets"):
        read_tracklets(tmp_path)


def test_a_folder_in_the_way_is_bad_input(tmp_path: Path):
    (tmp_path / "t.json").mkdir()
    with pytest.raises(InputError, match=r"t\.json could not be written"):
        write_tracklets(tmp_path / "t.json", "clip", 20, [made()])


def area_of(picture: NDArray[np.uint8], colour: NDArray[Any]) -> int:
    return int((picture == colour).all(2).sum())


RED, GREEN = davis_palette()[1], davis_palette()[2]


def test_bars_are_as_long_as_spans_and_in_the_objects_colours():
    picture = draw_tracklets([made(1, 0, 39, start=10), made(2, 20, 29)], 50)
    assert picture.dtype == np.uint8
    empty = area_of(draw_tracklets([made(1, 0, 19, start=10), made(2, 20, 29)], 50), RED)
    frame = (area_of(picture, RED) - empty) / 20
    assert frame == 14 * 18  # pixels a frame, where there is room, times the height of a bar
    assert 10 * frame - 150 < area_of(picture, GREEN) < 10 * frame + 150  # the mark covers some, the name's field adds
    assert area_of(picture, davis_palette()[3]) == 0


def test_less_confident_is_paler():
    def colour_with(confidence: float) -> NDArray[np.int64]:
        fields: dict[str, Any] = {"confidences": (1.0,) * 5 + (confidence,) * 15}
        picture = draw_tracklets([made(1, 0, 19, **fields)], 50)
        return picture[picture.shape[0] // 4, picture.shape[1] // 4].astype(np.int64)

    colours = [colour_with(confidence) for confidence in (1.0, 0.7, 0.4, 0.0)]
    assert colours[0].tolist() == RED.tolist()
    distances = [int(np.abs(colour - RED).sum()) for colour in colours]
    assert distances == sorted(set(distances))
    assert np.abs(colours[-1] - 250).sum() > 20  # still seen on the paper


def test_what_is_not_linked_is_hollow():
    filled, hollow = (area_of(draw_tracklets([made(linked=linked)], 50), RED) for linked in (True, False))
    assert 0 < hollow < 0.4 * filled


@pytest.mark.parametrize("origin", ["given", "found"])
def test_the_mark_is_at_the_starting_point(origin: str):
    def first_column(start: int) -> int:
        pictures = [draw_tracklets([made(1, 0, 39, start=s, origin=origin)], 50) for s in (start, 39)]
        return int(np.nonzero((pictures[0] != pictures[1]).any(2))[1].min())

    assert first_column(25) - first_column(10) == 15 * 14


def test_given_and_found_have_marks_of_their_own():
    pictures = [draw_tracklets([made(1, 0, 3, origin=origin)], 50) for origin in ("given", "found")]
    assert (pictures[0] != pictures[1]).any()


def test_overlapping_tracklets_of_an_object_stand_in_rows():
    apart = draw_tracklets([made(1, 0, 19), made(1, 20, 39)], 50)
    over = draw_tracklets([made(1, 0, 20), made(1, 20, 39)], 50)
    others = draw_tracklets([made(1, 0, 20), made(2, 20, 39)], 50)
    assert apart.shape[0] < over.shape[0] < others.shape[0]


def test_the_order_of_the_list_does_not_matter():
    tracklets = [made(1, 0, 20), made(1, 15, 39, similarity=0.8), made(3, 5, 9), made(1, 30, 49, linked=False)]
    np.testing.assert_array_equal(draw_tracklets(tracklets, 50), draw_tracklets(tracklets[::-1], 50))


@pytest.mark.parametrize("num_frames", [1, 2, 50, 5000])
def test_any_number_of_frames_fits(num_frames: int):
    picture = draw_tracklets([made(1, 0, num_frames - 1)], num_frames)
    assert 400 < picture.shape[1] <= 1412
    assert area_of(picture, RED) > 400 * 18
    assert draw_tracklets([], num_frames).shape[1] == picture.shape[1]
