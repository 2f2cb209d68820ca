"""Exports: any format from what a run left, with soft edges where they were kept."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media.kept_masks import KeptMasksWriter
from shibori.media.mask import FrameMasks, ObjectStatus, read_ids
from shibori.media.mask_writer import Target
from shibori.media.reader import read_clip
from shibori.media.soft_mask import SoftLayer, SoftMasks
from shibori.media.writer import FORMATS, open_writer, write_video
from shibori.run.export import ExportJob, run_export

SIZE_HW = (48, 64)


def masks_of(index: int) -> FrameMasks:
    rows, columns = np.mgrid[:48, :64]
    first = 3 - np.hypot(rows - 20, columns - 16 - index) / 3
    second = 3 - np.hypot(rows - 28, columns - 48) / 3
    soft = SoftMasks(SIZE_HW, (SoftLayer(1, (0, 0, 64, 48), first), SoftLayer(4, (0, 0, 64, 48), second)))
    ids = np.where((first > 0) & (first > second), 1, np.where(second > 0, 4, 0)).astype(np.uint8)
    return FrameMasks(index, ids, (ObjectStatus(1, 0.9, "tracked"), ObjectStatus(4, 0.8, "tracked")), soft)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with clip.mp4 of six frames, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    write_video("clip.mp4", [np.full((*SIZE_HW, 3), 30 + 30 * index, np.uint8) for index in range(6)], rate=5)
    return tmp_path


def left(name: str, count: int = 6, out: str = "run") -> Path:
    """What a run of a format leaves."""
    clip = read_clip("clip.mp4")
    target = Target(Path(out), clip, (1, 4))
    with KeptMasksWriter(target) if name == "kept" else open_writer(name, target.out, clip, (1, 4)) as writer:
        for frame in clip.frames(0, count):
            writer.write(frame, masks_of(frame.index))
    return Path(out)


def job(**changes) -> ExportJob:
    return ExportJob(**{"result": Path("run"), "clip": Path("clip.mp4"), "out": Path("out")} | changes)


@pytest.mark.parametrize("name", ["kept", "palette", "ids16", "binary", "rle"])
def test_ids_are_the_same_whatever_the_run_left(place, name):
    left(name)
    summary = run_export(job())
    assert (summary.frames, summary.without_masks, summary.objects) == (6, 0, (1, 4))
    assert summary.soft == (name == "kept")
    for index in range(6):
        np.testing.assert_array_equal(read_ids(f"out/{index:05d}.png"), masks_of(index).ids)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_made_later(place, name):
    left("kept")
    summary = run_export(job(format=(name,)))
    assert all(Path(path).exists() for path in summary.outputs)


def test_mattes_are_soft_where_probabilities_were_kept(place):
    left("kept", out="soft")
    left("palette", out="hard")
    for result, is_soft in (("soft", True), ("hard", False)):
        run_export(job(result=Path(result), format=("rgba",), objects="4", out=Path(f"{result}-out")))
        with Image.open(f"{result}-out/00002.png") as image:
            alpha = np.asarray(image)[..., 3]
        assert bool(((alpha > 0) & (alpha < 255)).any()) == is_soft
        assert ((alpha > 127) == (masks_of(2).ids == 4)).mean() > 0.99


def test_frames_without_masks_are_written_empty_and_counted(place):
    left("kept", count=4)
    summary = run_export(job())
    assert (summary.frames, summary.without_masks) == (6, 2)
    assert read_ids("out/00005.png").max() == 0


@pytest.mark.parametrize(("objects", "sentence"), [("2", "has no object 2: it has 1, 4"), ("a", "such as 1,3")])
def test_objects_that_are_not_there(place, objects, sentence):
    left("kept")
    with pytest.raises(InputError, match=sentence):
        run_export(job(objects=objects))


def test_results_of_another_clip_are_refused(place):
    left("kept")
    write_video("small.mp4", [np.zeros((32, 32, 3), np.uint8)])
    write_video("short.mp4", [np.zeros((*SIZE_HW, 3), np.uint8)] * 3)
    for name, sentence in (("small.mp4", "64x48 pixels, but small has 32x32"), ("short.mp4", "but short has 3 frames")):
        with pytest.raises(InputError, match=sentence):
            run_export(job(clip=Path(name)))
    Path("empty").mkdir()
    with pytest.raises(InputError, match="holds no masks"):
        run_export(job(result=Path("empty")))
    with pytest.raises(InputError, match="there is no file or folder none"):
        run_export(job(result=Path("none")))
    Path("x.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="holds no masks of a clip"):
        run_export(job(result=Path("x.json")))


def test_edges_are_shaped_on_the_way(place):
    left("kept")
    run_export(job(choke=2.0, calm=1, objects="4"))
    run_export(job(objects="4", out=Path("plain")))
    shrunk, plain = read_ids("out/00003.png"), read_ids("plain/00003.png")
    assert 0.5 * (plain == 4).sum() < (shrunk == 4).sum() < 0.8 * (plain == 4).sum()
    assert not (shrunk == 1).any()


def interlaced(path: str) -> Path:
    """A bar that moves eight pixels a frame, each line of a picture from one of two times, with a timecode."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"flags": "+ilme+ildct", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = "01:00:00:00"
        for number in range(6):
            image = np.full((*SIZE_HW, 3), 40, np.uint8)
            for field in (0, 1):
                left = 4 * number + 2 * field + 8
                image[field::2, left : left + 24] = 220
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    return Path(path)


def combing(image: np.ndarray) -> float:
    lines = image[..., 1].astype(float)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


@pytest.mark.parametrize(("name", "file"), [("prores", "cutout.mov"), ("screen", "screen.mp4")])
def test_fields_are_made_whole_or_told(place, name, file):
    tape = interlaced("tape.mov")
    left("kept")
    found = {}
    for deinterlace in (False, True):
        out = Path(f"{name}-{deinterlace}")
        summary = run_export(job(clip=tape, format=(name,), out=out, deinterlace=deinterlace))
        assert any("interlaced" in remark and "--deinterlace" in remark for remark in summary.remarks) != deinterlace
        copy = read_clip(out / file)
        assert (copy.num_frames, copy.remarks, copy.timecode) == (6, (), "01:00:00:00")
        assert [frame.time for frame in copy.frames()] == [frame.time for frame in read_clip(tape).frames()]
        inside = masks_of(3).ids > 0
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        found[deinterlace] = combing(copy.frame(3).image[rows[0] : rows[-1], columns[0] : columns[-1]])
    assert found[True] < 0.6 * found[False]
