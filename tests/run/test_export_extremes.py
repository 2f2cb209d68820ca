"""Exports at the edge: very large, very many, nothing at all, odd names, a full disk, a killed run."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.media import kept_masks
from shibori.media.kept_masks import KeptMasks, KeptMasksWriter
from shibori.media.mask import FrameMasks, read_ids
from shibori.media.mask_writer import Target
from shibori.media.reader import read_clip
from shibori.media.writer import write_video
from shibori.run.export import ExportJob, run_export


def kept(clip_path: Path, ids: np.ndarray, object_ids: tuple[int, ...]) -> Path:
    clip = read_clip(clip_path)
    with KeptMasksWriter(Target(Path("run"), clip, object_ids)) as writer:
        for frame in clip.frames():
            writer.write(frame, FrameMasks(frame.index, ids))
    return Path("run")


def export(clip: Path, out: str, *formats: str, **more) -> None:
    run_export(ExportJob(result=Path("run"), clip=clip, out=Path(out), format=formats, **more))


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_one_frame_of_8k():
    size_hw = (4320, 7680)
    Image.fromarray(np.full((*size_hw, 3), 90, np.uint8)).save("plate.png", compress_level=1)
    ids = np.zeros(size_hw, np.uint8)
    ids[1000:3000, 2000:6000] = 1
    result = kept(Path("plate.png"), ids, (1,))
    assert (result / "masks.shibori").stat().st_size < 40_000
    export(Path("plate.png"), "out", "palette", "coco")
    assert (read_ids("out/plate.png") == ids).all()


def test_nothing_found_and_twenty_objects():
    write_video("clip.mp4", [np.full((50, 60, 3), 40, np.uint8)] * 2)
    ids = np.zeros((50, 60), np.uint8)
    kept(Path("clip.mp4"), ids, ())
    export(Path("clip.mp4"), "empty", "palette", "exr", "prores", "coco", "cvat")
    assert read_ids("empty/palette/00001.png").max() == 0
    for number in range(20):
        ids[10 * (number % 5) : 10 * (number % 5) + 9, 15 * (number // 5) : 15 * (number // 5) + 14] = number + 1
    Path("run/masks.shibori").unlink()
    kept(Path("clip.mp4"), ids, tuple(range(1, 21)))
    export(Path("clip.mp4"), "many", "palette", "exr", "rgba", "labelme")
    assert (read_ids("many/palette/00001.png") == ids).all()
    assert len(list(Path("many/rgba").iterdir())) == 20


def test_names_with_spaces_and_other_letters():
    clip = Path("Aufnahme 3 – 猫 (2).mp4")
    write_video(clip, [np.full((32, 48, 3), 40, np.uint8)] * 2)
    kept(clip, np.ones((32, 48), np.uint8), (1,))
    export(clip, "mit Leerzeichen ü", "rgba", name="{clip}/{object}.{frame:04d}", number_from=1001)
    assert Path("mit Leerzeichen ü/Aufnahme 3 – 猫 (2)/all.1002.png").is_file()
    export(clip, "Filme ü", "prores", "cvat", "davis")
    assert read_clip("Filme ü/cutout.mov").num_frames == 2


def test_a_full_disk_while_masks_are_kept(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_video("clip.mp4", [np.full((32, 48, 3), 40, np.uint8)] * 2)
    clip = read_clip("clip.mp4")
    writer = KeptMasksWriter(Target(Path("full"), clip, (1,)))
    monkeypatch.setattr(kept_masks, "_record", refuse)
    with pytest.raises(InputError, match="the disk is full"), writer:
        writer.write(clip.frame(0), FrameMasks(0, np.ones((32, 48), np.uint8)))
    assert not Path("full/masks.shibori").exists()


def test_a_killed_export_is_resumed():
    write_video("clip.mp4", [np.full((200, 300, 3), index, np.uint8) for index in range(120)])
    ids = np.zeros((200, 300), np.uint8)
    ids[50:150, 50:250] = 1
    kept(Path("clip.mp4"), ids, (1,))
    command = "from shibori.cli.commands import app; app()"
    arguments = ["export", "run", "--clip", "clip.mp4", "--out", "out", "--format", "rgba", "--smooth", "2"]
    process = subprocess.Popen([sys.executable, "-c", command, *arguments], env=os.environ | {"OMP_NUM_THREADS": "1"})
    began = time.monotonic()
    while process.poll() is None and len(list(Path("out").glob("*.png"))) < 10 and time.monotonic() - began < 120:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(Path("out").glob("*.png")))
    assert 10 <= done < 120
    export(Path("clip.mp4"), "out", "rgba", smooth=2.0, resume=True)
    export(Path("clip.mp4"), "whole", "rgba", smooth=2.0)
    for index in range(120):
        assert Path(f"out/{index:05d}.png").read_bytes() == Path(f"whole/{index:05d}.png").read_bytes()
    assert [path.name for path in Path("out").glob(".*")] == []
    assert KeptMasks("run/masks.shibori").frames == list(range(120))
