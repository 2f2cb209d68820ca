"""Frames per second and peak memory of `shibori discover` for clips of several lengths. Prints a Markdown table.

    python benchmarks/discovery.py CLIP --frames 60                # a video, or a folder of pictures; 60 of its frames
    python benchmarks/discovery.py CLIP --frames 300 1500          # does memory grow with the length?

Each run is the real command in a fresh process: decoding and writing included. The frames are CLIP's, played there and
back until there are enough. Beside the wall clock stands the processor's, which does not depend on who else computes;
it counts the start of the process and loading the networks as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from _environment import benchmark_parser, describe_run, print_table
from memory import there_and_back


def measured(clip: Path, out: Path, options: list[str]) -> tuple[dict[str, Any], float, int]:
    """The command's own summary, seconds of the processor, and bytes of resident memory at most."""
    command = [sys.executable, "-m", "shibori", "discover", str(clip), "--out", str(out), "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"discovering in {clip} ended with exit code {process.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return json.loads(said), usage.ru_utime + usage.ru_stime, peak


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("clip", type=Path, help="a video or a folder of pictures")
    parser.add_argument("--tracker-weights", type=Path, help="weights of the instance-level tracker")
    parser.add_argument("--tracked", type=int, help="candidates that are followed, at most")
    parser.add_argument("--frames", type=int, nargs="+", default=[60], help="lengths of the clips")
    arguments = parser.parse_args()
    from shibori.media.writer import write_video

    print(f"{describe_run()}, preset {arguments.preset}, {arguments.clip.name}\n", flush=True)
    given = {
        name: getattr(arguments, name) for name in ("preset", "weights", "tracker_weights", "device", "size", "tracked")
    }
    options = [part for name, value in given.items() if value for part in (f"--{name.replace('_', '-')}", str(value))]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for count in arguments.frames:
            clip = Path(temporary) / f"{count}.mp4"
            write_video(clip, islice(there_and_back(arguments.clip), count))
            summary, seconds, peak = measured(clip, Path(temporary) / f"{count}-found.json", options)
            counts = (summary["candidates"], summary["tracked"], len(summary["instances"]))
            speed = f"{summary['frames_per_second']:.2f}"
            rows.append((count, *counts, speed, f"{count / seconds:.2f}", f"{peak / 2**30:.3f}"))
    columns = ("frames", "candidates", "tracked", "instances", "frames/s", "frames/s of processor", "peak GiB")
    print_table(columns, rows)


if __name__ == "__main__":
    main()
