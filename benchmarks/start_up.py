"""Time from the command to the first frame's masks on disk, as a whole process. Prints a Markdown table.

    python benchmarks/start_up.py                                   # this checkout, the default system
    python benchmarks/start_up.py --checkout ../before --repeat 9   # and another checkout, in turn with this one
    python benchmarks/start_up.py --python ../before/.venv/bin/python --checkout ../before

A run is `shibori segment clip.mp4 --mask first.png` in a fresh process: from its start until `00000.png` is there, and
until it has ended. The clip is short, because some systems look through the whole clip before they answer. One run of
each checkout goes before and does not count: it compiles the sources and fills the file cache. Checkouts take turns, so
that what else the machine does meets all of them. Processor seconds are those of the whole run, of all cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from _environment import SIZE_HW, describe_run, print_table

HERE = Path(__file__).parents[1]


class Start(NamedTuple):
    """One run, in seconds."""

    first_frame: float
    whole: float
    processor: float


def make_inputs(folder: Path, num_frames: int, num_objects: int) -> None:
    """clip.mp4 and first.png."""
    from shibori.datasets.scene.demo_clip import make_demo_clip
    from shibori.media.palette import write_palette_png
    from shibori.media.writer import write_video

    truth = make_demo_clip(seed=0, size_hw=SIZE_HW, num_frames=num_frames)
    write_video(folder / "clip.mp4", map(truth.read_image, range(num_frames)))
    ids = truth.read_ids(0)
    ids[ids > num_objects] = 0
    write_palette_png(folder / "first.png", ids)


def start_once(python: Path, checkout: Path, folder: Path, options: list[str]) -> Start:
    """Run the command of a checkout."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [str(python), "-m", "shibori", "segment", "clip.mp4", "--mask", "first.png", "--out", "out", *options]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve() / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    first_frame, ended = None, 0
    while not ended:
        time.sleep(0.002)
        if first_frame is None and (out / "00000.png").exists():
            first_frame = time.perf_counter() - began
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return Start(first_frame or whole, whole, usage.ru_utime + usage.ru_stime)


def commit_of(checkout: Path) -> str:
    """Its commit."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, action="append", default=[], help="another checkout; repeatable")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of all runs")
    parser.add_argument("--system", default="auto", help="what segments")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--frames", type=int, default=3, help="of the clip")
    parser.add_argument("--objects", type=int, default=1, help="of the clip, 3 at most")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each checkout")
    arguments = parser.parse_args()
    checkouts = [*arguments.checkout, HERE]
    print(describe_run())
    what = f"system {arguments.system}, {arguments.frames} frames, {arguments.objects} objects"
    print(f"{what}, medians of {arguments.repeat}\n")
    starts: dict[Path, list[Start]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_inputs(folder, arguments.frames, arguments.objects)
        options = ["--system", arguments.system, "--device", arguments.device]
        for _ in range(arguments.repeat + 1):
            for checkout in checkouts:
                starts[checkout].append(start_once(arguments.python, checkout, folder, options))
    rows = []
    for checkout in checkouts:
        counted = starts[checkout][1:]
        medians = [statistics.median(values) for values in zip(*counted, strict=True)]
        best = min(start.first_frame for start in counted)
        rows.append((commit_of(checkout), medians[0], best, medians[1], medians[2]))
    print_table(("commit", "s to the first frame", "the best", "s in all", "processor s"), rows)


if __name__ == "__main__":
    main()
