"""Peak memory of `shibori segment` for a 200-frame and a 5,000-frame clip of 854x480. Prints a Markdown table.

    python benchmarks/memory.py                             # about ten minutes on two cores
    python benchmarks/memory.py --long 600                  # a quick look
    python benchmarks/memory.py --keep clips                # keep the clips for the next time

Each run is the real command in a fresh process; its peak resident memory is what the operating system counted. The
long clip is the short one played there and back until it is long enough.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from _environment import SIZE_HW, benchmark_parser, print_table

LIMIT_GIB, LIMIT_GROWTH = 1.5, 0.05
NUM_OBJECTS = 3


def make_clips(folder: Path, num_frames: tuple[int, int]) -> tuple[Path, Path]:
    """The two clips and first.png, made where they are missing."""
    from shibori.datasets.scene.demo_clip import make_demo_clip
    from shibori.media.palette import write_palette_png
    from shibori.media.writer import write_video

    short, long = (folder / f"{count}.mp4" for count in num_frames)
    truth = make_demo_clip(seed=0, size_hw=SIZE_HW, num_frames=num_frames[0])
    write_palette_png(folder / "first.png", truth.read_ids(0))
    if not short.exists():
        write_video(short, map(truth.read_image, range(num_frames[0])))
    if not long.exists():
        write_video(long, islice(there_and_back(short), num_frames[1]))
    return short, long


def there_and_back(path: Path) -> Iterator[object]:
    from shibori.media.reader import read_clip

    clip = read_clip(path)
    for forward in cycle((True, False)):
        frames = clip.frames() if forward else clip.backward(clip.num_frames - 1)
        yield from (frame.image for frame in frames)


def peak_of_segmenting(clip: Path, out: Path, options: list[str]) -> int:
    """Bytes of resident memory the command held at most."""
    command = [sys.executable, "-m", "shibori", "segment", str(clip), "--mask", str(clip.parent / "first.png")]
    process = subprocess.Popen([*command, "--out", str(out), *options], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"segmenting {clip} ended with exit code {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def options_of(arguments: object) -> list[str]:
    """The benchmark's options as the command's."""
    given = {name: getattr(arguments, name) for name in ("system", "preset", "weights", "device", "size")}
    return [part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))]


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--short", type=int, default=200, help="frames")
    parser.add_argument("--long", type=int, default=5000, help="frames")
    parser.add_argument("--keep", type=Path, help="folder for the clips; those that are there are used")
    arguments = parser.parse_args()
    # In a process of its own: what this process has held, the operating system counts as its children's, too.
    heading = "import sys, _environment as e; e.print_heading(e.benchmark_parser(None).parse_args(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", heading, *options_of(arguments)], env=environment, check=True)
    counts = (arguments.short, arguments.long)
    peaks = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in make_clips(folder, counts):
            peaks.append(peak_of_segmenting(clip, Path(temporary) / f"masks-{clip.stem}", options_of(arguments)))
    rows = [(count, NUM_OBJECTS, f"{peak / 2**30:.3f}") for count, peak in zip(counts, peaks, strict=True)]
    print_table((f"frames of {SIZE_HW[1]}x{SIZE_HW[0]}", "objects", "peak GiB"), rows)
    growth = peaks[1] / peaks[0] - 1
    small, flat = max(peaks) / 2**30 <= LIMIT_GIB, growth <= LIMIT_GROWTH
    print(
        f"\nlong / short: {1 + growth:.3f}; at most {LIMIT_GIB} GiB: {'yes' if small else 'no'}; within "
        f"{LIMIT_GROWTH:.0%}: {'yes' if flat else 'no'}"
    )


if __name__ == "__main__":
    main()
