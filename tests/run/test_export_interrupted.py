"""Exports that the disk or a signal stops in the middle: what is left is whole, and --resume goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import shibori
from shibori.media.kept_masks import KeptMasksWriter
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import Target
from shibori.media.reader import read_clip
from shibori.media.writer import write_video

NUM_FRAMES = 30
COMMAND = "from shibori.cli.commands import app; app()"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(shibori.__file__).parents[1])}
ON_A_FULL_DISK = """
mount -t tmpfs -o size=600k tmpfs small || exit 77
"$@"
echo "exit code $?" >&2
ls -AR small > left
mount -o remount,size=64m small
"$@" --resume
echo "exit code $?" >&2
cp -a small/. done
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> None:
    """A working folder with clip.mp4, of noise that does not pack, and run/masks.shibori."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    write_video("clip.mp4", [rng.integers(0, 255, (96, 160, 3), np.uint8) for _ in range(NUM_FRAMES)])
    clip = read_clip("clip.mp4")
    with KeptMasksWriter(Target(Path("run"), clip, (1,))) as writer:
        for frame in clip.frames():
            writer.write(frame, FrameMasks(frame.index, np.ones((96, 160), np.uint8)))


def command(name: str, out: str) -> list[str]:
    return [sys.executable, "-c", COMMAND, "export", "run", "--clip", "clip.mp4", "--out", out, "--format", name]


def is_whole(name: str, out: Path) -> bool:
    if name == "prores":
        return read_clip(out / "cutout.mov").num_frames == NUM_FRAMES
    suffix = {"rgba": "png", "exr": "exr"}[name]
    there = sorted(path.name for path in out.iterdir())
    clip = read_clip(out)
    return there == [f"{index:05d}.{suffix}" for index in range(NUM_FRAMES)] and clip.frame(NUM_FRAMES - 1) is not None


@pytest.mark.parametrize("name", ["rgba", "exr", "prores"])
def test_a_disk_that_fills_in_the_middle(name):
    Path("small").mkdir()
    Path("done").mkdir()
    enter = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ON_A_FULL_DISK, "sh"]
    if not shutil.which("unshare"):
        pytest.skip("no unshare on this machine")
    ran = subprocess.run([*enter, *command(name, "small/out")], env=ENVIRONMENT, capture_output=True, text=True)
    if "exit code" not in ran.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    said = ran.stderr[: ran.stderr.index("exit code 0")]
    assert "the disk is full" in said
    assert "--resume" in said
    assert "exit code 2" in said
    assert "Traceback" not in ran.stderr
    left = Path("left").read_text()
    assert ".part" not in left
    assert "cutout.mov" not in left
    assert is_whole(name, Path("done/out"))


def test_a_video_that_was_killed_is_written_anew():
    process = subprocess.Popen(command("prores", "out"), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 120:
        if any(path.stat().st_size > 300_000 for path in Path("out").glob(".cutout.mov.*.part")):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (left,) = Path("out").iterdir()
    assert left.name.startswith(".cutout.mov.")
    subprocess.run([*command("prores", "out"), "--resume"], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    assert sorted(path.name for path in Path("out").iterdir()) == ["cutout.mov"]
    assert is_whole("prores", Path("out"))
