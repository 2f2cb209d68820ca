"""Frames per second of `shibori segment` at 854x480, decoding and PNG writing included. Prints Markdown tables.

    python benchmarks/speed.py                       # one and three objects, in bfloat16 and in float32
    python benchmarks/speed.py --frames 40 --repeat 1    # a quick look

The clip is drawn by the package and coded as H.264. A run is timed by the command itself (its `frames_per_second`);
one more pass, frame by frame, with a clock around each part, tells where the time goes. Right before and after every
run a ResNet-50 of torchvision sees a 480x854 picture in the same number format: on a busy machine both slow down
together, so the ratio of the two is the steadier figure.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

import shibori.systems as systems
from _environment import SIZE_HW, benchmark_parser, load_propagator, print_heading, print_table
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, read_ids
from shibori.media.palette import write_palette_png
from shibori.media.reader import read_clip
from shibori.media.writer import open_writer, write_video
from shibori.nn.prepare import choose_device
from shibori.run.job import SegmentJob, run_job
from shibori.run.propagate import segment_frames

TARGETS = {"pixel": {1: 12.0, 3: 6.0}, "dyenet": {1: 4.0, 3: 2.0}}
"""System -> objects -> frames per second asked for on a 2-core CPU."""
OBJECTS = (1, 3)


@dataclass
class Stopwatch:
    """Seconds spent in each part of the work."""

    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, part: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started

    def timed_items(self, part: str, items: Iterator[Any]) -> Iterator[Any]:
        while (item := self.timed(part, lambda: next(items, None))) is not None:
            yield item


@dataclass(frozen=True)
class TimedPropagator(Propagator):
    """Another propagator, its steps timed."""

    inner: Propagator
    watch: Stopwatch

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        return TimedPropagation(self.inner.begin(size_hw), self.watch)


@dataclass(frozen=True)
class TimedPropagation(Propagation):
    """One run of it."""

    inner: Propagation
    watch: Stopwatch

    def step(self, image: Any, references: Any = None) -> FrameMasks:
        return self.watch.timed("network", lambda: self.inner.step(image, references))


def make_inputs(folder: Path, num_frames: int) -> SegmentJob:
    """The clip and its first masks: one object of it, and all three."""
    truth = make_demo_clip(seed=0, size_hw=SIZE_HW, num_frames=num_frames)
    write_video(folder / "clip.mp4", map(truth.read_image, range(num_frames)))
    ids = truth.read_ids(0)
    write_palette_png(folder / "3.png", ids)
    write_palette_png(folder / "1.png", np.where(ids == 1, 1, 0).astype(np.uint8))
    return SegmentJob(clip=folder / "clip.mp4", mask=(), out=folder / "masks", overwrite=True)


def reference_milliseconds(dtype: str, device: torch.device, count: int = 5) -> float:
    """Median time of a ResNet-50 for one 480x854 picture."""
    network = torchvision.models.resnet50(weights=None).eval().to(device, getattr(torch, dtype))
    network = network.to(memory_format=torch.channels_last)
    picture = torch.zeros(1, 3, *SIZE_HW, dtype=getattr(torch, dtype), device=device)
    picture = picture.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(count + 1):
            started = time.perf_counter()
            network(picture).float().cpu()
            times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times[1:])


def timed_runs(job: SegmentJob, dtype: str, repeat: int) -> tuple[list[float], list[float]]:
    """Frames per second of each run of the command, and the reference's milliseconds around them."""
    device = choose_device(job.device)
    speeds, references = [], [reference_milliseconds(dtype, device)]
    for _ in range(repeat):
        speeds.append(run_job(job).frames_per_second)
        references.append(reference_milliseconds(dtype, device))
    return speeds, references


def shares(job: SegmentJob, propagator: Propagator) -> dict[str, float]:
    """Part of the work -> its share of the time, over one pass of the same calls the command makes."""
    watch = Stopwatch()
    clip = read_clip(job.clip)
    ids = read_ids(job.mask[0])
    frames = clip.frames
    clip.frames = lambda *span: watch.timed_items("decode", frames(*span))  # type: ignore[method-assign]
    with open_writer("palette", job.out, clip, (1, 2, 3), overwrite=True) as writer:
        started = time.perf_counter()
        for frame, masks in segment_frames(clip, {0: ids}, TimedPropagator(propagator, watch)):
            watch.timed("write", lambda frame=frame, masks=masks: writer.write(frame, masks))
        whole = time.perf_counter() - started
    parts = {part: watch.seconds[part] / whole for part in ("decode", "network", "write")}
    return parts | {"rest": 1 - sum(parts.values())}


def table_row(job: SegmentJob, dtype: str, num_objects: int, arguments: argparse.Namespace) -> tuple[Any, ...]:
    system, target = f"{arguments.system}-{dtype}", TARGETS[arguments.system][num_objects]
    # The command builds its system by name: the same one, in a number format of our choice, under another name.
    propagator = load_propagator(arguments, dtype)
    systems.PROPAGATORS[system] = lambda **options: propagator
    job = replace(job, mask=(str(job.clip.parent / f"{num_objects}.png"),), system=system)
    run_job(replace(job, end="4"))  # warm-up
    speeds, references = timed_runs(job, dtype, arguments.repeat)
    speed, reference = statistics.median(speeds), statistics.median(references)
    parts = shares(job, propagator)
    spread = f"{min(speeds):.1f} to {max(speeds):.1f}"
    result = "" if dtype == "float32" else ("yes" if speed >= target else "no")
    percentages = [f"{100 * parts[part]:.0f} %" for part in ("decode", "network", "write", "rest")]
    goal = f"{target:.0f}: {result}" if result else "(none)"
    ratio = f"{1e3 / speed / reference:.2f}"
    return num_objects, dtype, f"**{speed:.1f}**", spread, goal, *percentages, f"{reference:.0f}", ratio


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--frames", type=int, default=120, help="of the clip")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each row; their median counts")
    parser.add_argument("--objects", type=int, nargs="+", choices=OBJECTS, default=list(OBJECTS))
    parser.add_argument("--dtypes", nargs="+", choices=("bfloat16", "float32"), default=["bfloat16", "float32"])
    arguments = parser.parse_args()
    print_heading(arguments)
    print(f"{SIZE_HW[1]}x{SIZE_HW[0]}, {arguments.frames} frames of H.264, palette PNGs, {arguments.repeat} runs\n")
    columns = ("objects", "numbers", "frames/s", "range", "target", "decode", "network", "write", "rest")
    beside = ("ResNet-50 ms", "frame / ResNet-50")
    with tempfile.TemporaryDirectory() as folder:
        job = replace(make_inputs(Path(folder), arguments.frames), device=arguments.device)
        rows = [table_row(job, dtype, count, arguments) for dtype in arguments.dtypes for count in arguments.objects]
    print_table((*columns, *beside), rows)


if __name__ == "__main__":
    main()
