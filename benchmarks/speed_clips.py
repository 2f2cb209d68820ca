"""Frames per second of `shibori segment` on real clips: the dev sequences, and composites of three of their objects.

    python benchmarks/speed_clips.py ROOT                    # ROOT: JPEGImages, Annotations, ImageSets
    python benchmarks/speed_clips.py ROOT --dtype float32    # as a processor without bfloat16 instructions has it

Each clip is coded as H.264 and segmented by the command's own job, which times itself: decoding, the network and PNGs.
The system is loaded once. Prints a Markdown table, the median, and the slowest clip's seconds a frame against it. To
hold a newer processor to AVX2: ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import shibori.systems as systems
from _environment import SIZE_HW, benchmark_parser, load_propagator, print_heading, print_table
from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.composites import composites_from_davis
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video
from shibori.run.job import SegmentJob, run_job

SYSTEM = "timed"
COMPOSITE_FRAMES = 60


def speed_of(clip: AnnotatedSequence, frames: int | None, folder: Path) -> float:
    """Frames per second of one clip, first masks given."""
    count = min(frames or clip.num_frames, clip.num_frames)
    video, mask = folder / "clip.mp4", folder / "first.png"
    write_video(video, map(clip.read_image, range(count)))
    write_palette_png(mask, clip.read_ids(0))
    job = SegmentJob(clip=video, mask=(str(mask),), out=folder / "masks", overwrite=True, system=SYSTEM)
    return run_job(job).frames_per_second


def print_speeds(title: str, clips: Sequence[AnnotatedSequence], frames: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        speed_of(clips[0], 4, Path(folder))  # warm-up
        speeds = [speed_of(clip, frames, Path(folder)) for clip in clips]
    median = statistics.median(speeds)
    rows = [(clip.name, f"{speed:.1f}", f"{median / speed:.2f}") for clip, speed in zip(clips, speeds, strict=True)]
    print(f"{title}\n")
    print_table(("clip", "frames/s", "seconds a frame, of the median's"), rows)
    print(f"\nmedian {median:.1f} frames/s; the slowest clip takes {median / min(speeds):.2f} times as long a frame\n")


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("root", type=Path, help="DAVIS folder")
    parser.add_argument("--frames", type=int, help="of each clip, at most")
    parser.add_argument("--composites", type=int, default=8, help="clips of three objects")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="by default the processor's fastest")
    arguments: argparse.Namespace = parser.parse_args()
    print_heading(arguments)
    propagator = load_propagator(arguments, arguments.dtype)
    # The command builds its system by name: the same one, in a number format of our choice, under another name.
    systems.PROPAGATORS[SYSTEM] = lambda **options: propagator
    dev = read_davis(arguments.root, 2016, "dev")
    print_speeds("one object", dev, arguments.frames)
    if arguments.composites:
        made = composites_from_davis(dev, 0, arguments.composites, 3, SIZE_HW, COMPOSITE_FRAMES)
        print_speeds("three objects", made, arguments.frames)


if __name__ == "__main__":
    main()
