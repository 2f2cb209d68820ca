"""The YouTube-VIS reader, on files made here and on the reference set."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest

from shibori.datasets.youtube_vis import read_vis_results, read_youtube_vis, write_youtube_vis
from shibori.errors import InputError
from shibori.media.instances import InstanceTrack, write_instances
from shibori.media.rle import decode_rle, encode_rle

SIZE = (10, 12)


def block(x: int) -> dict:
    mask = np.zeros(SIZE, bool)
    mask[2:6, x : x + 3] = True
    return encode_rle(mask)


CONTENT = {
    "videos": [
        {"id": 5, "width": 12, "height": 10, "length": 3, "file_names": ["cat/0.jpg", "cat/1.jpg", "cat/2.jpg"]},
        {"id": 2, "width": 12, "height": 10, "file_names": ["dog/0.jpg", "dog/1.jpg"]},
    ],
    "categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}],
    "annotations": [
        {
            "id": 1,
            "video_id": 5,
            "category_id": 4,
            "iscrowd": 0,
            "segmentations": [block(0), None, [[2, 1, 6, 1, 6, 5, 2, 5]]],
            "bboxes": [[0, 2, 3, 4], None, [2, 1, 4, 4]],
            "areas": [12, None, 16],
        },
        {"id": 2, "video_id": 2, "category_id": 9, "iscrowd": 1, "segmentations": [[], block(4)]},
    ],
}


def written(tmp_path, content=CONTENT):
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    return tmp_path / "annotations.json"


def changed(*keys, to):
    content = deepcopy(CONTENT)
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return content


def test_everything_is_read(tmp_path):
    dataset = read_youtube_vis(written(tmp_path))
    assert list(dataset.videos) == [2, 5]
    assert dataset.videos[2].num_frames == 2  # from its file names
    assert dataset.videos[5].name == "cat"
    assert dataset.videos[5].size_hw == SIZE
    assert dataset.categories == {4: "cat", 9: "dog"}
    first, second = dataset.annotations
    assert first.boxes_xyxy == ((0, 2, 3, 6), None, (2, 1, 6, 5))
    assert first.areas == (12, None, 16)
    assert decode_rle(first.segmentations[2])[1:5, 2:6].all()
    assert (second.is_crowd, first.is_crowd) == (True, False)
    assert second.segmentations == (None, block(4))
    assert dataset.annotations_of == {2: [second], 5: [first]}


def test_round_trip(tmp_path):
    dataset = read_youtube_vis(written(tmp_path))
    write_youtube_vis(dataset.path, dataset)
    assert read_youtube_vis(dataset.path) == dataset


def test_test_sets_have_no_annotations(tmp_path):
    content = {key: CONTENT[key] for key in ("videos", "categories")}
    assert read_youtube_vis(written(tmp_path, content)).annotations == ()
    assert read_youtube_vis(written(tmp_path, content | {"annotations": None})).annotations == ()


def test_reference_set(shared):
    folder = shared / "reference" / "ytvis"
    dataset = read_youtube_vis(folder / "annotations.json")
    assert (len(dataset.videos), len(dataset.annotations)) == (24, 47)
    for annotation in dataset.annotations[:10]:
        for code, area in zip(annotation.segmentations, annotation.areas, strict=True):
            assert (code is None) == (area is None)
            assert code is None or decode_rle(code).sum() == area
    assert sum(map(len, read_vis_results(folder / "results.json", dataset).values())) == 153


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([], "holds a list, as results are: expected annotations"),
        ({"videos": []}, "holds something else"),
        (changed("videos", to={}), "video list expected, found dict"),
        (changed("videos", 0, to={"id": 5}), "video 1 has no height"),
        (changed("videos", 0, "width", to="12"), "video 1 has the width '12': expected int"),
        (changed("videos", 0, "length", to=4), "video 1 has 3 file names, but a length of 4"),
        (changed("videos", 1, "id", to=5), "lists 2 videos with 1 ids"),
        (changed("categories", 0, "name", to=3), "category 1 has the name '3'"),
        (changed("annotations", 0, "video_id", to=77), "annotation 1 is of video 77, which"),
        (changed("annotations", 1, "category_id", to=77), "annotation 2 is of category 77"),
        (changed("annotations", 1, "segmentations", to=[None]), "annotation 2 has 1 segmentations, its video 2 frames"),
        (
            changed("annotations", 1, "segmentations", to=[None, {"size": [9, 9], "counts": "0"}]),
            "frame 1 is 9x9 pixels",
        ),
        (changed("annotations", 1, "segmentations", to=[None, {"size": [10, 12], "counts": "0"}]), "code for 0 pixels"),
        (changed("annotations", 0, "bboxes", to=[[1], None, None]), "annotation 1 has the box .1."),
        (changed("annotations", 0, "areas", to=[1]), "annotation 1 has 1 areas, its video 3"),
        (changed("annotations", 0, "areas", to=[1, 2, "x"]), "areas that are no numbers"),
    ],
)
def test_bad_annotations_are_refused(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence):
        read_youtube_vis(written(tmp_path, content))


@pytest.mark.parametrize(
    ("video_id", "track", "sentence"),
    [
        (5, InstanceTrack(1, 4, "", 0.5, (block(0), None)), "has 2 masks a track for video 5, which has 3 frames"),
        (
            6,
            InstanceTrack(1, 4, "", 0.5, (block(0),)),
            "tracks of video 6 .*has 2, 5: are these the results of another",
        ),
        (
            2,
            InstanceTrack(1, 1, "", 0.5, (block(0), None)),
            "category 1 in video 2: the categories .* are 4 cat, 9 dog",
        ),
        (2, InstanceTrack(1, 4, "", 0.5, (encode_rle(np.ones((4, 4), bool)), None)), "frame 0 is 4x4 pixels"),
    ],
)
def test_results_of_something_else_are_refused(tmp_path, video_id, track, sentence):
    dataset = read_youtube_vis(written(tmp_path))
    write_instances(tmp_path / "results.json", {video_id: [track]})
    with pytest.raises(InputError, match=sentence):
        read_vis_results(tmp_path / "results.json", dataset)
