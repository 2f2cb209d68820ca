"""What scoring costs per object and frame, beside the official evaluator's times. Prints a Markdown table.

    python benchmarks/scoring.py                     # made masks at 854x480, no data needed
    python benchmarks/scoring.py RESULTS TRUTH       # folders of mask PNGs, such as for `shibori score`

Times are after PNG decoding, one process, best of --repeat passes; the last column is the wall time from files.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from _environment import SIZE_HW, describe_run
from shibori.evaluation.davis import score_folder
from shibori.evaluation.measures import boundary_measure, ids_measures, region_similarity
from shibori.evaluation.sequence import find_results, find_truth
from shibori.media.mask import object_ids
from shibori.media.palette import write_palette_png

# ms per object and 854x480 frame after decoding, one process: the official DAVIS 2017 evaluator on a 2-core machine.
OFFICIAL_J, OFFICIAL_F = 0.46, 3.4

Ids = NDArray[Any]
Sample = tuple[Ids, Ids, list[int]]
"""Result, truth, and the objects to score."""


@dataclass(frozen=True)
class Passes:
    """How times are taken."""

    repeat: int
    clock: Callable[[], float]


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def made_samples(num_objects: int, num_frames: int = 60) -> list[Sample]:
    """Ragged blobs that cover about a quarter of the picture together, and a result a few pixels off."""
    rng = np.random.default_rng(num_objects)
    samples = []
    for _ in range(num_frames):
        true_ids, pred_ids = np.zeros(SIZE_HW, np.uint8), np.zeros(SIZE_HW, np.uint8)
        for object_id in range(1, num_objects + 1):
            outline = _blob_outline(rng, 260 / np.sqrt(num_objects))
            for ids, jitter in ((true_ids, 0.0), (pred_ids, 6.0)):
                moved = (outline + rng.normal(0, 1 + jitter, outline.shape)).astype(np.int32)
                cv2.fillPoly(ids, [moved], object_id)
        samples.append((pred_ids, true_ids, list(range(1, num_objects + 1))))
    return samples


def _blob_outline(rng: np.random.Generator, radius: float) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radii = radius * (0.7 + 0.3 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))
    centre = rng.uniform((200, 140), (654, 340))
    return centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def real_samples(results: Path, truth: Path) -> list[Sample]:
    """Every scored frame of folders of PNGs, decoded."""
    known = find_truth(truth)
    samples = []
    for name, folder in find_results(results, known).items():
        sequence = known[name]
        objects = object_ids(sequence.read_ids(0))
        for index in range(1, sequence.num_frames - 1):
            true_ids = sequence.read_ids(index)
            size_hw = (true_ids.shape[0], true_ids.shape[1])
            samples.append((folder.read_ids(sequence.frame_name(index), size_hw), true_ids, objects))
    return samples


def milliseconds(samples: list[Sample], score: Callable[[Sample], object], passes: Passes) -> float:
    """Best of several passes, per object and frame. The clock is that of ``--clock``."""
    seconds = []
    for _ in range(passes.repeat):
        started = passes.clock()
        for sample in samples:
            score(sample)
        seconds.append(passes.clock() - started)
    return min(seconds) / sum(len(objects) for *_, objects in samples) * 1e3


def score_j(sample: Sample) -> None:
    pred_ids, true_ids, objects = sample
    for object_id in objects:
        region_similarity(pred_ids == object_id, true_ids == object_id)


def score_f(sample: Sample) -> None:
    pred_ids, true_ids, objects = sample
    for object_id in objects:
        boundary_measure(pred_ids == object_id, true_ids == object_id)


def seconds_from_files(results: Path, truth: Path, workers: int) -> float:
    started = time.perf_counter()
    score_folder(results, truth, workers=workers)
    return time.perf_counter() - started


def write_samples(samples: list[Sample], folder: Path) -> tuple[Path, Path]:
    """Results and truth as folders of palette PNGs."""
    for kind, place in (("results", 0), ("truth", 1)):
        (folder / kind / "made").mkdir(parents=True)
        for index, sample in enumerate(samples):
            write_palette_png(folder / kind / "made" / f"{index:05d}.png", sample[place])
    return folder / "results", folder / "truth"


def table_row(name: str, samples: list[Sample], folders: tuple[Path, Path], passes: Passes, workers: int) -> str:
    j, f = (milliseconds(samples, score, passes) for score in (score_j, score_f))
    both = milliseconds(samples, lambda sample: ids_measures(*sample), passes)
    size = "x".join(map(str, samples[0][1].shape[::-1]))
    ratio = (OFFICIAL_J + OFFICIAL_F) / both
    count = sum(len(objects) for *_, objects in samples)
    from_files = seconds_from_files(*folders, workers) / count * 1e3
    return (
        f"| {name} | {size} | {count} | {j:.3f} | {f:.3f} | {both:.3f} | {OFFICIAL_J / j:.1f}x | {OFFICIAL_F / f:.1f}x "
        f"| {ratio:.1f}x | {from_files:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("truth", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=3, help="passes; the best one counts")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: this process's own time, for a busy machine"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes of the run from files")
    arguments = parser.parse_args()
    passes = Passes(arguments.repeat, CLOCKS[arguments.clock])
    # One thread, as the official tool; and a second one's time would count twice on the cpu clock.
    cv2.setNumThreads(1)
    print(describe_run())
    print(f"official evaluator: J {OFFICIAL_J} ms, F {OFFICIAL_F} ms per object and 854x480 frame after decoding")
    print(f"clock: {arguments.clock}\n")
    print(
        "| masks | size | object-frames | J ms | F ms | both at once ms | J ratio | F ratio | ratio | from files ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    if arguments.results and arguments.truth:
        samples = real_samples(arguments.results, arguments.truth)
        folders = (arguments.results, arguments.truth)
        print(table_row(arguments.results.name, samples, folders, passes, arguments.workers))
        return
    for num_objects in (1, 3, 7):
        with tempfile.TemporaryDirectory() as folder:
            samples = made_samples(num_objects)
            folders = write_samples(samples, Path(folder))
            print(table_row(f"{num_objects} made", samples, folders, passes, arguments.workers))


if __name__ == "__main__":
    main()
