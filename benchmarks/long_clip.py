"""Memory and time per frame of a long clip: whether either grows with the number of frames. Prints a Markdown table.

    python benchmarks/long_clip.py --frames 100000             # hours on two cores
    python benchmarks/long_clip.py --frames 5000 --size 320    # a look

The clip is a made one of 70 frames of 854x480, played there and back as often as it takes, brighter and darker and
moved by some pixels as it goes on, so that no frame comes twice; nothing of it is on disk. Its masks are not written:
what writers hold is measured by memory.py. Frames at random are then read once more, and have to be those that came.
"""

from __future__ import annotations

import os
import time
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _environment import SIZE_HW, benchmark_parser, load_propagator, print_heading, print_table

SETTLED = 1000
"""The frame from which memory has to be flat."""
LIMIT_GROWTH, LIMIT_SLOPE = 0.05, 0.03
NUM_SOURCE, MOST_SHIFT = 70, 12
NUM_SOUGHT = 20


def changed(image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """A frame of the source as it looks at a place of the long clip."""
    gain = 1 + 0.15 * np.sin(index / 211)
    shift = (round(MOST_SHIFT * np.sin(index / 97)), round(MOST_SHIFT * np.sin(index / 131)))
    moved = np.roll(image, shift, (0, 1)).astype(np.float32) * gain
    picture: NDArray[np.uint8] = moved.clip(0, 255).astype(np.uint8)
    return picture


def make_long_clip(num_frames: int):
    """The clip, and the ids of its first frame."""
    from shibori.datasets.scene.demo_clip import make_demo_clip
    from shibori.media.folder import ImageClip

    truth = make_demo_clip(seed=0, size_hw=SIZE_HW, num_frames=NUM_SOURCE)
    source = [truth.read_image(index) for index in range(NUM_SOURCE)]
    names = [f"{index:06d}" for index in range(num_frames)]

    def read(index: int) -> NDArray[np.uint8]:
        place = index % (2 * NUM_SOURCE)
        return changed(source[min(place, 2 * NUM_SOURCE - 1 - place)], index)

    return ImageClip(Path("long"), "long", SIZE_HW, names, read), truth.read_ids(0)


def resident() -> int:
    """Bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--frames", type=int, default=5000, help="of the clip")
    arguments = parser.parse_args()
    from shibori.run.propagate import segment_frames

    print_heading(arguments)
    clip, ids = make_long_clip(arguments.frames)
    seconds, held, sums = [], [], {}
    wanted = set(np.random.default_rng(0).integers(0, arguments.frames, NUM_SOUGHT).tolist())
    last = time.perf_counter()
    for frame, _ in segment_frames(clip, {0: ids}, load_propagator(arguments)):
        now = time.perf_counter()
        seconds.append(now - last)
        held.append(resident())
        if frame.index in wanted:
            sums[frame.index] = zlib.crc32(frame.image.tobytes())
        last = time.perf_counter()
    report(np.array(seconds), np.array(held) / 2**20)
    found = {index: zlib.crc32(clip.frame(index).image.tobytes()) for index in sums}
    print(f"{len(sums)} frames sought again: {'the same' if found == sums else 'OTHERS'}")


def report(seconds: NDArray[np.float64], held: NDArray[np.float64]) -> None:
    """Say how both went on."""
    count, settled = len(seconds), min(SETTLED, len(seconds) // 2)
    bounds = np.linspace(settled, count, 6).astype(int)
    rows = [
        (f"{begin} to {end - 1}", 1000 * np.median(seconds[begin:end]), float(held[begin:end].max()))
        for begin, end in pairwise(bounds)
    ]
    print_table(("frames", "median ms", "most MiB"), rows)
    medians = np.array([np.median(part) for part in np.array_split(seconds[settled:], 40)])
    slope = np.polyfit(np.linspace(0, 1, len(medians)), medians, 1)[0] / medians.mean()
    growth = held[settled:].max() / held[settled] - 1
    print(
        f"\nmemory from frame {settled} on: {growth:+.1%}, within {LIMIT_GROWTH:.0%}: "
        f"{'yes' if growth <= LIMIT_GROWTH else 'no'}; time per frame from there to the end: {slope:+.1%} by a line "
        f"through the medians of 40 parts, within {LIMIT_SLOPE:.0%}: {'yes' if abs(slope) <= LIMIT_SLOPE else 'no'}"
    )


if __name__ == "__main__":
    main()
