"""Seconds to score instance tracks by the YouTube-VIS measures, beside doing it the official tool's way.

    python benchmarks/vis_scoring.py                            # made tracks, as many as in a submission
    python benchmarks/vis_scoring.py ANNOTATIONS RESULTS        # files

The official tool does not run with current NumPy, so its way is a twin in ``tests/evaluation/slow_vis.py``: each pair
of tracks of a class in a video merged twice in every frame, and the matching in loops. Both give the same values; both
begin with files read into memory. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from _environment import describe_run, print_table
from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset, Video, read_vis_results, read_youtube_vis
from shibori.evaluation.instances import score_instances
from shibori.media.instances import InstanceTrack
from shibori.media.rle import encode_rle

SIZE_HW = (720, 1280)
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
TWIN = Path(__file__).parents[1] / "tests" / "evaluation" / "slow_vis.py"

Problem = tuple[InstanceDataset, Mapping[int, list[InstanceTrack]]]


def load_twin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slow_vis", TWIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_problem(num_videos: int, num_frames: int, num_found: int, num_true: int) -> Problem:
    """Ragged blobs that drift. Of the found tracks one in three follows a true one; classes are few in a video."""
    rng = np.random.default_rng(num_found)
    categories = {number: f"class {number}" for number in range(1, 41)}
    videos, annotations, found = {}, [], {}
    for video_id in range(1, num_videos + 1):
        videos[video_id] = Video(video_id, SIZE_HW, num_frames)
        classes = rng.integers(1, 41, 2)
        paths = [_path(rng, num_frames) for _ in range(num_true)]
        for path in paths:
            category_id = int(rng.choice(classes))
            codes = _codes(rng, path, 1.0)
            annotations.append(InstanceAnnotation(len(annotations) + 1, video_id, category_id, codes, (), ()))
        own = annotations[-num_true:]
        found[video_id] = []
        for number in range(num_found):
            follows = number % 3 == 0
            slot = int(rng.integers(num_true))
            path = paths[slot] if follows else _path(rng, num_frames)
            category_id = own[slot].category_id if follows else int(rng.choice(classes))
            codes = _codes(rng, path, 6.0)
            found[video_id].append(InstanceTrack(number + 1, category_id, "", float(rng.uniform()), codes))
    return InstanceDataset(Path("made"), videos, categories, tuple(annotations)), found


def _path(rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
    """(T, 60, 2) outlines."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radii = rng.uniform(40, 200) * (0.7 + 0.3 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6)))
    outline = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ends = rng.uniform((150, 150), (SIZE_HW[1] - 150, SIZE_HW[0] - 150), (2, 2))
    centres = ends[0] + np.linspace(0, 1, num_frames)[:, None] * (ends[1] - ends[0]) * 0.5
    return centres[:, None] + outline


def _codes(rng: np.random.Generator, outlines: NDArray[np.float64], jitter: float) -> tuple[dict[str, Any] | None, ...]:
    codes: list[dict[str, Any] | None] = []
    for outline in outlines:
        mask = np.zeros(SIZE_HW, np.uint8)
        cv2.fillPoly(mask, [(outline + rng.normal(0, jitter, outline.shape)).astype(np.int32)], 1)
        codes.append(None if rng.uniform() < 0.1 else encode_rle(mask.astype(bool)))
    return tuple(codes)


def seconds(run: Callable[[], object], repeat: int, clock: Callable[[], float]) -> float:
    """Best of several passes."""
    taken = []
    for _ in range(repeat):
        started = clock()
        run()
        taken.append(clock() - started)
    return min(taken)


def table_row(name: str, problem: Problem, slow: ModuleType, arguments: argparse.Namespace) -> tuple[Any, ...]:
    dataset, found = problem
    clock = CLOCKS[arguments.clock]
    ours = seconds(lambda: score_instances(dataset, found), arguments.repeat, clock)
    theirs = seconds(lambda: slow.slow_summary(dataset, found), arguments.repeat, clock)
    summary, expected = score_instances(dataset, found).summary, slow.slow_summary(dataset, found)
    assert all(summary[key] == expected[key] or abs(summary[key] - expected[key]) < 1e-9 for key in expected)
    tracks = f"{sum(map(len, found.values()))} / {len(dataset.annotations)}"
    return name, len(dataset.videos), tracks, summary["AP"], theirs, ours, f"{theirs / ours:.1f}x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", nargs="?", type=Path)
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=3, help="passes; the best one counts")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: this process's own time")
    parser.add_argument("--videos", type=int, default=12, help="of the made sets")
    parser.add_argument("--frames", type=int, default=18, help="of each made video")
    arguments = parser.parse_args()
    print(describe_run())
    print(f"clock: {arguments.clock}; files are read before\n")
    slow = load_twin()
    columns = ("tracks", "videos", "found / true", "AP", "official way, s", "ours, s", "ratio")
    if arguments.annotations and arguments.results:
        dataset = read_youtube_vis(arguments.annotations)
        problem = dataset, read_vis_results(arguments.results, dataset)
        print_table(columns, [table_row(arguments.results.name, problem, slow, arguments)])
        return
    rows = []
    for found, true in ((10, 2), (25, 3), (60, 4)):
        problem = made_problem(arguments.videos, arguments.frames, found, true)
        rows.append(table_row(f"{found} found, {true} true a video", problem, slow, arguments))
    print_table(columns, rows)


if __name__ == "__main__":
    main()
