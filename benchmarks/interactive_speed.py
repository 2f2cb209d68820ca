"""How long interactive systems take to answer at 854x480. Prints a Markdown table.

    python benchmarks/interactive_speed.py                         # every system in the table
    python benchmarks/interactive_speed.py --system strnn-plain --weights w.safetensors

A clip of 70 frames is drawn by the package; one object is marked by the robot's line, in the middle of the clip, then
at its start. Times are: marks on a frame and the mask of that frame; then the masks of all frames; in the first round,
when nothing is known of the clip, and in the second. On a busy machine all are longer (the heading has the load); with
--cpu-time, seconds of the processor are counted instead, summed over threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import shibori.systems as systems
from _environment import SIZE_HW, describe_run, print_table
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.evaluation import robot
from shibori.evaluation.sequence import sequence_clip
from shibori.media.marks import Marks
from shibori.media.rounds import rounds_from_marks
from shibori.run.choice import SystemChoice, load_interactive_system

COLUMNS = ("system", "first marks", "all frames", "later marks", "all frames again")


def answer_times(choice: SystemChoice, num_frames: int, clock: Callable[[], float]) -> list[float]:
    """Seconds: marks and masks of the first round, marks and masks of the second."""
    sequence = make_demo_clip(0, size_hw=SIZE_HW, num_frames=num_frames)
    clip = sequence_clip(sequence)
    interaction = load_interactive_system(choice).begin(clip)
    found, rounds = [], ()
    for index in (num_frames // 2, 0):
        true = (sequence.read_ids(index) == 1).astype(np.uint8)
        marks = Marks(robot.start([true], [1], np.random.default_rng(0)))
        rounds += rounds_from_marks(Marks({index: marks.strokes[0]}))
        found.append(_seconds(clock, lambda rounds=rounds, index=index: interaction.preview(rounds, index)))
        found.append(_seconds(clock, lambda rounds=rounds: _drain(interaction.propagate(rounds))))
    return found


def _drain(items: Iterator[Any]) -> None:
    for _ in items:
        pass


def _seconds(clock: Callable[[], float], call: Callable[[], Any]) -> float:
    began = clock()
    call()
    return clock() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", action="append", help="one of the interactive systems; repeatable")
    parser.add_argument("--weights", type=Path, help="weights file, for all systems that are asked for")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=70)
    parser.add_argument("--cpu-time", action="store_true", help="seconds of the processor instead of the clock")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print(f"{describe_run()}\n{arguments.frames} frames of 854x480, {'processor ' * arguments.cpu_time}seconds\n")
    rows = []
    for name in arguments.system or systems.INTERACTIVE_SEGMENTERS:
        choice = SystemChoice(name, weights=arguments.weights, device=arguments.device)
        rows.append((name, *(f"{value:.2f}" for value in answer_times(choice, arguments.frames, clock))))
    print_table(COLUMNS, rows)


if __name__ == "__main__":
    main()
