"""Writers: what they write reads back, appears whole or not at all, can be resumed, and never eats other results."""

from __future__ import annotations

import errno
import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media import atomic
from shibori.media.mask import FrameMasks, ObjectStatus, read_ids
from shibori.media.palette import davis_palette
from shibori.media.picture import read_image
from shibori.media.reader import read_clip
from shibori.media.rle import decode_rle
from shibori.media.soft_mask import SoftLayer, SoftMasks
from shibori.media.writer import FORMATS, ONE_FILE_NAMES, open_writer, write_video

FOLDER_FORMATS = [name for name in FORMATS if name not in ONE_FILE_NAMES]


def ids_of(index, size_hw=(48, 96)):
    ids = np.zeros(size_hw, np.uint8)
    ids[5:20, 5 + index : 30 + index] = 1
    ids[15:40, 50:80] = 3
    return ids


def masks_of(index, size_hw=(48, 96)):
    statuses = (ObjectStatus(1, 0.75, "tracked"), ObjectStatus(3, 0.1, "lost"))
    return FrameMasks(index, ids_of(index, size_hw), statuses)


def write_all(name, out, clip, object_ids=(1, 3), stop=None, **how):
    with open_writer(name, out, clip, object_ids, **how) as writer:
        for frame in clip.frames(0, stop):
            writer.write(frame, masks_of(frame.index, clip.size_hw))
    return writer


def files_in(folder: Path):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_format_says_what_it_writes():
    assert set(FORMATS) >= {"palette", "ids16", "binary", "rle", "overlay", "rgba", "sheet"}
    assert all(sentence.endswith(".") and len(sentence) > 30 for sentence in FORMATS.values())


@pytest.mark.parametrize("name", ["palette", "ids16"])
def test_ids_read_back_under_the_frames_names(name, image_clip, tmp_path):
    write_all(name, tmp_path / "out", image_clip)
    assert files_in(tmp_path / "out") == [f"{i:05d}.png" for i in range(5)]
    for index in range(5):
        assert (read_ids(tmp_path / "out" / f"{index:05d}.png") == ids_of(index)).all()
    with Image.open(tmp_path / "out" / "00000.png") as image:
        assert image.mode == ("P" if name == "palette" else "I;16")
        if name == "palette":
            assert (np.asarray(image.getpalette()).reshape(-1, 3) == davis_palette()).all()


def test_binary_makes_a_folder_for_each_of_several_objects(image_clip, tmp_path):
    write_all("binary", tmp_path / "one", image_clip, [3])
    assert files_in(tmp_path / "one") == [f"{i:05d}.png" for i in range(5)]
    with Image.open(tmp_path / "one" / "00002.png") as image:
        assert (np.asarray(image) == 255 * (ids_of(2) == 3)).all()
    write_all("binary", tmp_path / "two", image_clip)
    assert files_in(tmp_path / "two") == [f"{o}/{i:05d}.png" for o in (1, 3) for i in range(5)]


def test_cut_outs_keep_colours_inside_and_nothing_outside(image_clip, tmp_path):
    write_all("rgba", tmp_path / "out", image_clip)
    with Image.open(tmp_path / "out" / "3" / "00002.png") as image:
        rgba = np.asarray(image)
    inside = ids_of(2) == 3
    assert (rgba[..., 3] == 255 * inside).all()
    assert (rgba[inside][:, :3] == image_clip.frame(2).image[inside]).all()
    assert not rgba[~inside].any()


def test_cut_outs_use_probabilities_where_there_are_any(image_clip, tmp_path):
    soft = SoftMasks((48, 96), (SoftLayer(1, (0, 0, 96, 48), np.full((6, 12), np.log(3))),))  # three to one
    statuses = (ObjectStatus(1, 0.75, "tracked"), ObjectStatus(3, 0.1, "absent"))
    with open_writer("rgba", tmp_path / "out", image_clip, [1]) as writer:
        writer.write(image_clip.frame(0), FrameMasks(0, np.ones((48, 96), np.uint8), statuses, soft))
    with Image.open(tmp_path / "out" / "00000.png") as image:
        assert (np.asarray(image)[..., 3] == 191).all()


def test_rle_json_holds_masks_and_states(make_video, tmp_path):
    clip = read_clip(make_video("run.mp4", 6))
    write_all("rle", tmp_path / "out", clip)
    content = json.loads((tmp_path / "out" / "masks.json").read_text())
    assert content["clip"] == "run"
    assert content["size"] == [48, 96]
    assert content["frame_rate"] == "25"
    assert [frame["index"] for frame in content["frames"]] == list(range(6))
    frame = content["frames"][4]
    assert frame["time"] == pytest.approx(4 / 25)
    assert [(o["id"], o["state"], o["confidence"]) for o in frame["objects"]] == [
        (1, "tracked", 0.75),
        (3, "lost", 0.1),
    ]
    for record in frame["objects"]:
        assert (decode_rle(record["rle"]) == (ids_of(4) == record["id"])).all()
        assert record["area"] == (ids_of(4) == record["id"]).sum()
    assert files_in(tmp_path / "out") == ["masks.json"]


def test_overlay_keeps_times_and_colours(make_video, tmp_path):
    ticks = [0, 100, 250, 300, 777, 800]
    clip = read_clip(make_video("vfr.mkv", 6, pts=ticks, time_base=Fraction(1, 1000), codec="ffv1"))
    write_all("overlay", tmp_path / "seen.mp4", clip)
    overlay = read_clip(tmp_path / "seen.mp4")
    assert [frame.time for frame in overlay.frames()] == [Fraction(tick, 1000) for tick in ticks]
    source, shown = clip.frame(3).image.astype(int), overlay.frame(3).image.astype(int)
    away = ids_of(3) == 0
    away[:44] = False
    assert np.abs(shown - source)[away].max() < 12  # what is not marked looks as before
    red, blue = shown[10:16, 20:24].mean((0, 1)), shown[25:35, 60:70].mean((0, 1))
    assert red[0] > red[2] + 30
    assert blue[2] > blue[0] + 30


@pytest.mark.parametrize("name", ["overlay", "webm"])
def test_odd_sizes_are_padded_for_video(name, make_video, tmp_path):
    clip = read_clip(make_video("odd.mkv", 3, (37, 97), codec="ffv1"))
    write_all(name, tmp_path, clip)
    assert read_clip(tmp_path / ONE_FILE_NAMES[name]).size_hw == (38, 98)


def test_overlay_of_a_folder_plays_at_24(image_clip, tmp_path):
    write_all("overlay", tmp_path / "out", image_clip)
    clip = read_clip(tmp_path / "out" / "overlay.mp4")
    assert (clip.num_frames, clip.frame_rate) == (5, 24)


@pytest.mark.parametrize(("name", "codec"), [("prores", "prores"), ("webm", "libvpx-vp9")])
def test_cut_out_videos_carry_alpha_and_times(name, codec, make_video, tmp_path):
    clip = read_clip(make_video("run.mp4", 4, rate=30))
    write_all(name, tmp_path, clip)
    path = tmp_path / ONE_FILE_NAMES[name]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create(codec, "r")
        decoder.extradata = stream.codec_context.extradata
        if codec == "prores":
            decoder.codec_tag = stream.codec_context.codec_tag
        pictures = [
            frame for packet in container.demux(stream) for frame in decoder.decode(packet if packet.size else None)
        ]
    alpha = pictures[2].to_ndarray(format="rgba")[..., 3]
    inside = ids_of(2) > 0
    assert np.abs(alpha.astype(int) - 255 * inside).mean() < 4
    times = [frame.time for frame in read_clip(path).frames()]
    assert len(times) == 4
    assert all(abs(time - Fraction(i, 30)) <= Fraction(1, 1000) for i, time in enumerate(times))


def test_sheet_shows_frames_spread_over_a_clip_of_unknown_length(make_video, tmp_path):
    clip = read_clip(make_video("long.mp4", 60))
    write_all("sheet", tmp_path / "sheet.png", clip)
    sheet = read_image(tmp_path / "sheet.png")
    assert sheet.shape == (10 + 3 * 58, 10 + 4 * 106, 3)
    assert (sheet[:10] == sheet[0, 0]).all()
    write_all("sheet", tmp_path / "few", clip, stop=2)
    assert read_image(tmp_path / "few" / "sheet.png").shape == (10 + 58, 10 + 2 * 106, 3)


@pytest.mark.parametrize("name", FORMATS)
def test_results_are_not_mixed(name, image_clip, tmp_path):
    out = tmp_path / "out"
    write_all(name, out, image_clip)
    with pytest.raises(InputError, match="already holds results"):
        open_writer(name, out, image_clip, [1, 3])
    assert open_writer(name, out, image_clip, [1, 3], resume=True).done == set(range(5))
    write_all(name, out, image_clip, resume=True)
    writer = write_all(name, out, image_clip, stop=3, overwrite=True)
    assert writer.done == set()
    if name in FOLDER_FORMATS:
        assert len(files_in(out)) == 3 * len(writer.folders)  # the older run's frames are gone


@pytest.mark.parametrize("name", FOLDER_FORMATS)
def test_a_run_that_fails_before_its_first_frame_replaces_nothing(name, image_clip, tmp_path):
    out = tmp_path / "out"
    write_all(name, out, image_clip)
    before = {name: (out / name).read_bytes() for name in files_in(out)}
    with pytest.raises(RuntimeError), open_writer(name, out, image_clip, [1, 3], overwrite=True):
        raise RuntimeError
    assert {name: (out / name).read_bytes() for name in files_in(out)} == before


def interrupted(name, out, clip):
    """A run of three frames that ends in an error."""

    def run(writer):
        with writer:
            for frame in clip.frames(0, 3):
                writer.write(frame, masks_of(frame.index))
            raise KeyboardInterrupt

    writer = open_writer(name, out, clip, [1, 3])
    with pytest.raises(KeyboardInterrupt):
        run(writer)
    return writer


@pytest.mark.parametrize("name", FOLDER_FORMATS)
def test_an_interrupted_run_leaves_whole_files_and_is_resumed(name, image_clip, tmp_path):
    out = tmp_path / "out"
    writer = interrupted(name, out, image_clip)
    (out / writer.folders[-1] / ".00003.png.99.part").write_bytes(b"half")
    with open_writer(name, out, image_clip, [1, 3], resume=True) as writer:
        assert writer.done == {0, 1, 2}
        for frame in image_clip.frames():
            writer.write(frame, masks_of(frame.index))
    assert len(files_in(out)) == 5 * len(writer.folders)


def test_an_interrupted_rle_run_is_resumed_from_its_spool(image_clip, tmp_path):
    interrupted("rle", tmp_path / "out", image_clip)
    assert files_in(tmp_path / "out") == [".masks.json.lines"]
    with (tmp_path / "out" / ".masks.json.lines").open("ab") as spool:
        spool.write(b'{"index": 3, "obj')  # killed within a line
    with pytest.raises(InputError, match="other objects"):
        open_writer("rle", tmp_path / "out", image_clip, [1], resume=True)
    with open_writer("rle", tmp_path / "out", image_clip, [1, 3], resume=True) as writer:
        assert writer.done == {0, 1, 2}
        for frame in image_clip.frames():
            writer.write(frame, masks_of(frame.index))
    frames = json.loads((tmp_path / "out" / "masks.json").read_text())["frames"]
    assert [frame["index"] for frame in frames] == list(range(5))
    assert files_in(tmp_path / "out") == ["masks.json"]


@pytest.mark.parametrize("name", ["overlay", "sheet", "prores", "webm"])
def test_an_interrupted_one_file_run_leaves_nothing(name, image_clip, tmp_path):
    interrupted(name, tmp_path / "out", image_clip)
    assert files_in(tmp_path / "out") == []


def test_resuming_needs_the_same_clip(image_clip, make_video, tmp_path):
    out = tmp_path / "out"
    write_all("palette", out, image_clip)
    with pytest.raises(InputError, match=r"is 96x48, but the clip big is 98x50"):
        open_writer("palette", out, read_clip(make_video("big.mkv", 5, (50, 98), codec="ffv1")), [1], resume=True)
    (out / "cat.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"cat\.png"):
        open_writer("palette", out, image_clip, [1], resume=True)


@pytest.mark.parametrize("name", FORMATS)
def test_places_that_cannot_be_written_are_refused(name, image_clip, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file stands where a folder is needed"):
        open_writer(name, tmp_path / "file" / "out", image_clip, [1])


def test_the_source_is_never_overwritten(image_clip, make_video):
    with pytest.raises(InputError, match="is the clip itself"):
        open_writer("palette", image_clip.path, image_clip, [1], overwrite=True)
    clip = read_clip(make_video("overlay.mp4", 2))
    with pytest.raises(InputError, match="is the clip itself"):
        open_writer("overlay", clip.path, clip, [1], overwrite=True)
    with pytest.raises(InputError, match="is a file, but a folder is needed"):
        open_writer("palette", next(image_clip.path.iterdir()), image_clip, [1])


def test_a_folder_without_permission_is_refused(image_clip, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(InputError, match=r"out is not writable \(Permission denied\)"):
        open_writer("palette", tmp_path / "out", image_clip, [1])


def test_a_full_disk_is_a_sentence_and_leaves_no_half_file(image_clip, tmp_path, monkeypatch):
    def half_write(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = open_writer("palette", tmp_path / "out", image_clip, [1])
    monkeypatch.setattr(Path, "write_bytes", half_write)
    with pytest.raises(InputError, match="the disk is full"), writer:
        writer.write(image_clip.frame(0), masks_of(0))
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(InputError, match="the disk is full"):
        atomic.write_whole(tmp_path / "a", b"1234")


def test_a_full_disk_under_a_video(image_clip, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    writer = open_writer("overlay", tmp_path / "out", image_clip, [1])
    (tmp_path / "out" / f".overlay.mp4.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="the disk is full"), writer:
        writer.write(image_clip.frame(0), masks_of(0))
    assert list((tmp_path / "out").iterdir()) == []


def test_too_many_objects_for_a_palette(image_clip, tmp_path):
    with pytest.raises(InputError, match=r"300 objects do not fit .* ids16"):
        open_writer("palette", tmp_path / "out", image_clip, range(1, 301))
    with pytest.raises(InputError, match=r"object id 255 does not fit .* ids16"):
        open_writer("palette", tmp_path / "out", image_clip, [255])
    assert not (tmp_path / "out").exists()
    with open_writer("ids16", tmp_path / "out", image_clip, range(1, 301)) as writer:
        writer.write(image_clip.frame(0), FrameMasks(0, np.full((48, 96), 300, np.uint16)))
    assert read_ids(tmp_path / "out" / "00000.png").max() == 300


def test_unknown_formats_are_refused(image_clip, tmp_path):
    with pytest.raises(InputError, match="there is no format 'gif': choose one of palette, ids16"):
        open_writer("gif", tmp_path, image_clip, [1])


def test_write_video_round_trip(tmp_path, numbers, make_video):
    clip = read_clip(make_video("a.mkv", 5, codec="ffv1"))
    write_video(tmp_path / "deep" / "b.mp4", clip.frames())
    copy = read_clip(tmp_path / "deep" / "b.mp4")
    assert [(f.time, numbers(f.image)) for f in copy.frames()] == [(Fraction(i, 25), i) for i in range(5)]
    write_video(tmp_path / "c.mov", [frame.image for frame in clip.frames()], Fraction(30000, 1001))
    copy = read_clip(tmp_path / "c.mov")
    assert copy.frame_rate == Fraction(30000, 1001)
    assert [frame.time for frame in copy.frames()] == [Fraction(1001 * i, 30000) for i in range(5)]
    assert np.abs(copy.frame(1).image.astype(int) - clip.frame(1).image).mean() < 3


def test_write_video_refuses(tmp_path):
    with pytest.raises(InputError, match=r"\.mp4, \.mov or \.mkv"):
        write_video(tmp_path / "a.gif", [])
    with pytest.raises(InputError, match="no picture"):
        write_video(tmp_path / "a.mp4", [])
    assert files_in(tmp_path) == []
