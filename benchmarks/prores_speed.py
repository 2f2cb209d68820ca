"""Speed, memory and size of the ProRes 4444 writer of `shibori export`, alone, beside FFmpeg's own. Prints JSON.

    python benchmarks/prores_speed.py                    # one minute of 1920x1080 at 60 frames a second
    python benchmarks/prores_speed.py --seconds 4        # a quick look

The clip is made by the program ffmpeg (moving test pattern with grain, H.264). Pictures are decoded before, and given
to the writer again and again, with one soft mask, so that what is measured is the writer: it puts opacity and colours
together and codes them. `ffmpeg` codes as many of the same pictures, at the same settings, from a pipe.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _environment import describe_run
from shibori.media.clip import Clip, Frame
from shibori.media.color import Orientation
from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.writer import open_writer
from shibori.media.yuva import picture_with_alpha, plane_values

SIZE_HW, RATE = (1080, 1920), 60
HELD = 12
"""Decoded pictures that are given to the writer in turn."""
TARGET = 3.0
"""Times real time, divided by cores."""


def make_clip(path: Path) -> None:
    """``HELD`` pictures, by the program ffmpeg."""
    pattern = f"testsrc2=size={SIZE_HW[1]}x{SIZE_HW[0]}:rate={RATE},noise=alls=6:allf=t"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", pattern, "-frames:v", str(HELD), "-c:v", "libx264"]
    subprocess.run([*command, "-crf", "12", "-pix_fmt", "yuv420p", str(path)], check=True)


def soft_disk() -> FrameMasks:
    """The mask of every frame."""
    alpha = np.zeros(SIZE_HW, np.float32)
    cv2.circle(alpha, (SIZE_HW[1] // 2, SIZE_HW[0] // 2), SIZE_HW[0] // 3, 1.0, -1)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 4), np.float32)
    return FrameMasks(0, (alpha > 0.5).astype(np.uint8), (), None, {1: alpha})


def repeated(frames: list[Frame], count: int) -> Iterator[Frame]:
    for index, frame in enumerate(islice(cycle(frames), count)):
        yield Frame(index, Fraction(index, RATE), frame.image, frame.picture)


def resident_mib() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def write_all(clip: Clip, frames: list[Frame], masks: FrameMasks, count: int, out: Path) -> dict[str, Any]:
    """Let the writer write; what it took. Memory is looked at after an eighth of the frames and at the end."""
    began, cpu, early = time.perf_counter(), time.process_time(), 0.0
    with open_writer("prores", out, clip, (1,)) as writer:
        for frame in repeated(frames, count):
            writer.write(frame, masks)
            if frame.index == count // 8:
                early = resident_mib()
        late = resident_mib()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "frames": count,
        "frames_per_second": round(count / seconds, 2),
        "times_real_time": round(count / seconds / RATE, 4),
        "times_real_time_divided_by_cores": round(count / seconds / RATE / (os.cpu_count() or 1), 4),
        "frames_per_cpu_second": round(count / cpu, 2),
        "mib_after_an_eighth": round(early, 1),
        "mib_at_the_end": round(late, 1),
        "bytes_per_frame": out.stat().st_size // count,
    }


def put_together(frames: list[Frame], masks: FrameMasks) -> list[Any]:
    """The pictures as they are coded, and CPU milliseconds each took."""
    began = time.process_time()
    alpha = masks.opacity((1,))
    pictures = [picture_with_alpha(frame.picture, alpha, "yuva444p10le", Orientation()) for frame in frames]
    return [pictures, round(1e3 * (time.process_time() - began) / len(frames), 1)]


def ffmpegs_own(pictures: list[Any], count: int, out: Path) -> dict[str, Any]:
    """The program ffmpeg at the same settings."""
    size = f"{SIZE_HW[1]}x{SIZE_HW[0]}"
    form = ["-f", "rawvideo", "-pix_fmt", "yuva444p10le", "-s", size, "-r", str(RATE), "-i", "-"]
    coded = ["-c:v", "prores_ks", "-profile:v", "4444", "-vendor", "apl0", str(out)]
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(["ffmpeg", "-v", "error", "-y", *form, *coded], stdin=subprocess.PIPE)
    assert process.stdin is not None
    for picture in islice(cycle(pictures), count):
        for place in range(4):
            process.stdin.write(plane_values(picture, place).tobytes())
    process.stdin.close()
    if process.wait():
        raise SystemExit("ffmpeg could not code the pictures")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return {
        "frames": count,
        "frames_per_second": round(count / (time.perf_counter() - began), 2),
        "frames_per_cpu_second": round(count / cpu, 2),
        "bytes_per_frame": out.stat().st_size // count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of the clip that is written")
    options = parser.parse_args()
    count = round(RATE * options.seconds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_clip(folder / "clip.mkv")
        clip, masks = read_clip(folder / "clip.mkv"), soft_disk()
        frames = list(clip.frames())
        pictures, spent = put_together(frames, masks)
        ours = write_all(clip, frames, masks, count, folder / "cut.mov")
        own = ffmpegs_own(pictures, min(count, 240), folder / "own.mov")
    report = {
        "run": describe_run(),
        "cores": os.cpu_count(),
        "writer": ours,
        "cpu_ms_a_frame_before_coding": spent,
        "ffmpeg": own,
        "size_of_ffmpegs": round(ours["bytes_per_frame"] / own["bytes_per_frame"], 3),
        "memory_growth": round(ours["mib_at_the_end"] / ours["mib_after_an_eighth"] - 1, 3),
        "target_times_real_time_divided_by_cores": TARGET,
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
