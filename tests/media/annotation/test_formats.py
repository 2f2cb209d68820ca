"""Annotation formats: written and read back, with nothing lost but what they say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder
from shibori.media.annotation.brush import decode_brush, encode_brush
from shibori.media.annotation.formats import ANNOTATION_FORMATS, format_of, read_annotations
from shibori.media.annotation.writer import write_annotations
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES
from shibori.media.reader import read_clip
from shibori.media.result import read_result
from shibori.media.writer import open_writer
from shibori.media.writer_options import WriterOptions
from shibori.run.convert import ConvertJob, convert

SIZE_HW = (37, 61)
NAMES = {1: "Hündin", 2: "ball", 5: "ball", 9: "犬 2"}


def annotations(first: int = 0, num_frames: int = 6) -> Annotations:
    """Four objects: one with a hole and two parts, one occluded, one that comes and goes, one at the border."""
    frames = range(num_frames)
    numbers = [first + index for index in frames] if first else ()
    builder = AnnotationsBuilder("take 7 – 山", SIZE_HW, [f"{first + index:06d}" for index in frames], numbers)
    for index in range(num_frames - 1):  # the last frame is empty
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[5:20, 5 + index : 25 + index], ids[9:13, 12:16], ids[25:30, 2:9] = 1, 0, 1
        ids[22:36, 30:50] = 2
        if index in (1, 4):
            ids[0:4, 40:61] = 5
        ids[36:, 51:] = 9
        for object_id in NAMES:
            mask = ids == object_id
            builder.add_mask(object_id, NAMES[object_id], index, mask, occluded=object_id == 2 and index > 2)
    return builder.built()


def written(name: str, tmp_path: Path, content: Annotations) -> Path:
    form = ANNOTATION_FORMATS[name]
    write_annotations(tmp_path / form.file_name, content, form)
    return tmp_path / form.file_name


def as_table(content: Annotations, *, names: bool = True, flags: bool = True):
    return {
        each.object_id: (
            each.name if names else "",
            {index: (shape.code["counts"], shape.occluded and flags) for index, shape in each.shapes.items()},
        )
        for each in content.objects
    }


EXACT = [name for name in ANNOTATION_FORMATS if name != "yolo"]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("first", [0, 1001])
def test_masks_come_back_to_the_pixel(name, first, tmp_path):
    content = annotations(first)
    path = written(name, tmp_path, content)
    assert format_of(path) == name
    found = read_annotations(path)
    loss = ANNOTATION_FORMATS[name].loss
    keeps = {"names": "names" not in loss, "flags": "occluded" not in loss}
    assert as_table(found, **keeps) == as_table(content, **keeps)
    assert (found.size_hw, found.num_frames) == (SIZE_HW, 6)
    if name in ("coco", "cvat", "label-studio", "mots"):
        assert [found.number(index) for index in range(6)] == [first + index for index in range(6)]
    if name not in ("cvat",):
        assert found.frame_names == content.frame_names


def test_polygons_lose_what_they_say(tmp_path):
    content = annotations()
    found = read_annotations(written("yolo", tmp_path, content))
    assert {each.object_id: each.name for each in found.objects} == NAMES
    for each, other in zip(found.objects, content.objects, strict=True):
        for index, shape in other.shapes.items():
            filled = each.shapes[index].mask
            assert not (shape.mask & ~filled).any()
            assert (filled & ~shape.mask).sum() <= 16  # the hole
    assert "holes" in ANNOTATION_FORMATS["yolo"].loss


@pytest.mark.parametrize("name", ANNOTATION_FORMATS)
def test_nothing_in_it_one_frame_and_many_objects(name, tmp_path):
    nothing = AnnotationsBuilder("empty", SIZE_HW, ["00000", "00001"])
    path = written(name, tmp_path / "empty", nothing.built())
    if name not in ("labelme", "davis", "mots"):
        found = read_annotations(path, name)
        assert found.objects == ()
    many = AnnotationsBuilder("many", (40, 50), ["00000"])
    for number in range(20):
        mask = np.zeros((40, 50), bool)
        mask[10 * (number % 4) : 10 * (number % 4) + 8, 10 * (number // 4) : 10 * (number // 4) + 8] = True
        many.add_mask(number + 1, f"object{number + 1}", 0, mask)
    found = read_annotations(written(name, tmp_path / "many", many.built()))
    assert len(found.objects) == 20
    assert as_table(found) == as_table(many.built())


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_the_official_tool_reads_our_coco(tmp_path, capsys):
    content = annotations()
    official = COCO(str(written("coco", tmp_path, content)))
    assert len(official.imgs) == 6
    for record in official.anns.values():
        (each,) = [each for each in content.objects if each.object_id == record["attributes"]["track_id"]]
        mask = each.shapes[record["image_id"] - 1].mask
        assert (official.annToMask(record).astype(bool) == mask).all()
        assert record["area"] == mask.sum()
        left, top, width, height = record["bbox"]
        assert mask[top : top + height, left : left + width].sum() == mask.sum()


def test_cvat_says_where_an_object_leaves(tmp_path):
    root = ElementTree.parse(written("cvat", tmp_path, annotations())).getroot()
    (track,) = [track for track in root.iter("track") if track.get("id") == "5"]
    assert [(mask.get("frame"), mask.get("outside")) for mask in track] == [
        ("1", "0"),
        ("2", "1"),
        ("4", "0"),
        ("5", "1"),
    ]
    (first, *_) = track
    assert {key: first.get(key) for key in ("left", "top", "width", "height", "rle", "keyframe")} == {
        "left": "40",
        "top": "0",
        "width": "21",
        "height": "4",
        "rle": "0, 84",
        "keyframe": "1",
    }
    assert root.findtext(".//task/size") == "6"
    assert root.findtext(".//original_size/width") == "61"


def test_cvat_polygons_boxes_and_tracks_from_zero(tmp_path):
    (tmp_path / "a.xml").write_text(
        "<annotations><version>1.1</version><meta><task><name>a</name><size>2</size><original_size><width>20</width>"
        '<height>10</height></original_size></task></meta><track id="0" label="cat"><box frame="0" outside="0" '
        'occluded="1" xtl="2.0" ytl="3" xbr="8" ybr="6"/></track><track id="1" label="dog"><polygon frame="1" '
        'outside="0" occluded="0" points="1,1;9,1;9,5;1,5"/></track></annotations>'
    )
    found = read_annotations(tmp_path / "a.xml")
    assert [(each.object_id, each.name) for each in found.objects] == [(1, "cat"), (2, "dog")]
    assert found.objects[0].shapes[0].mask.sum() == 18
    assert found.objects[0].shapes[0].occluded
    assert found.objects[1].shapes[1].mask[1:5, 1:9].all()


@pytest.mark.parametrize("seed", range(4))
def test_brush_strokes_come_back(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((23, 17)) > (0.5, 0.02, 0.98, 1.0)[seed]
    assert (decode_brush(encode_brush(mask), (23, 17)) == mask).all()
    large = np.zeros((300, 400), bool)
    large[20:250, 30:300] = True
    assert (decode_brush(encode_brush(large), (300, 400)) == large).all()


def test_writers_make_the_same_annotations(image_clip, tmp_path):
    ids = np.zeros((5, 48, 96), np.uint8)
    ids[:, 5:20, 5:30], ids[2:, 25:40, 50:80] = 1, 3
    for name, form in ANNOTATION_FORMATS.items():
        assert ONE_FILE_NAMES[name] == form.file_name
        out = tmp_path / name / form.file_name if form.is_folder else tmp_path / name
        options = WriterOptions(label=("3=red car",))
        with open_writer(name, out, image_clip, (1, 3), options=options) as writer:
            for frame in image_clip.frames():
                writer.write(frame, FrameMasks(frame.index, ids[frame.index]))
        path = out if form.is_folder else out / form.file_name
        masks = read_result(path, image_clip)
        for index in range(5):
            found = masks.masks(index)
            assert found is not None
            assert (found.ids == ids[index]).all(), name
        if name in ("coco", "cvat", "labelme", "yolo", "label-studio"):
            assert dict(masks.names) == {1: "object1", 3: "red car"}, name


@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_an_interrupted_writer_is_resumed(name, image_clip, tmp_path):
    def run(stop, **how):
        with open_writer(name, tmp_path / "out", image_clip, (1,), **how) as writer:
            for frame in image_clip.frames(0, stop):
                writer.write(frame, FrameMasks(frame.index, np.ones((48, 96), np.uint8)))
            if stop is not None:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(3)
    assert [path.name[0] for path in (tmp_path / "out").iterdir()] == ["."]
    run(None, resume=True)
    path = tmp_path / "out" if name == "yolo" else tmp_path / "out" / "coco.json"
    assert len(read_annotations(path).objects[0].shapes) == 5


@pytest.mark.parametrize("source", EXACT)
def test_formats_are_converted(source, tmp_path):
    path = written(source, tmp_path / "from", annotations())
    for name, form in ANNOTATION_FORMATS.items():
        summary = convert(ConvertJob(source=path, target=tmp_path / "to" / form.file_name, format=name))
        assert (summary.frames, summary.objects, summary.source_format) == (6, 4, source)
        if name != "yolo":
            found = as_table(read_annotations(tmp_path / "to" / form.file_name), names=False, flags=False)
            assert found == as_table(annotations(), names=False, flags=False)


def test_convert_refuses(tmp_path, make_video):
    path = written("coco", tmp_path, annotations())
    cases = [
        ({"format": "xyz"}, "there is no annotation format 'xyz'"),
        ({"source": tmp_path / "none"}, "there is no file"),
        ({"target": path}, "is there already"),
        ({"target": tmp_path / "a.xml", "format": "mots"}, "give a folder"),
        ({"target": tmp_path / "a"}, "give a file that ends in .xml"),
        ({"clip": make_video("a.mp4", 3)}, "but a has 3 of 96x48"),
        ({"source": make_video("b.mp4", 3)}, "none of the annotation formats"),
    ]
    for changes, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            convert(ConvertJob(**{"source": path, "target": tmp_path / "a.xml", "format": "cvat"} | changes))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{}"),
        ("a.json", "[1, 2]"),
        ("a.json", json.dumps({"images": [{"id": 1, "height": 3, "width": 4, "file_name": "x"}], "annotations": [{}]})),
        ("a.xml", "<annotations><version>1.0</version></annotations>"),
        ("a.xml", "<annotations"),
        ("a.txt", ""),
    ],
)
def test_damaged_files_are_a_sentence(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError):
        read_annotations(tmp_path / name)


def test_names_of_objects_are_checked():
    assert WriterOptions(label=("2=a = b",)).names == {2: "a = b"}
    with pytest.raises(InputError, match="ID=NAME"):
        _ = WriterOptions(label=("dog",)).names


def test_frames_are_named_by_the_clip(tmp_path, make_video):
    path = written("davis", tmp_path, annotations())
    clip = read_clip(make_video("a.mkv", 6, SIZE_HW, codec="ffv1"))
    convert(ConvertJob(source=path, target=tmp_path / "lm", format="labelme", clip=clip.path))
    assert sorted(file.name for file in (tmp_path / "lm").iterdir())[0] == "00000.json"
