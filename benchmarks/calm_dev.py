"""What `--calm` of `shibori export` does to J and F on the dev sequences of a DAVIS folder. Prints a Markdown table.

    python benchmarks/calm_dev.py ROOT                      # ROOT: JPEGImages, Annotations, ImageSets
    python benchmarks/calm_dev.py ROOT --frames 24          # the first frames of each, for a quick look

The mask tracker carries the first mask; its probabilities are "plain". The first frame does not count.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from _environment import describe_run, print_table
from shibori.datasets.davis import DavisSequence, read_davis
from shibori.evaluation.measures import boundary_measure, region_similarity
from shibori.interfaces import Propagator
from shibori.media.calm import calm_masks
from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks, ids_to_masks
from shibori.run.choice import SystemChoice, load_system

RADII = (1, 2)


def segmented(sequence: DavisSequence, system: Propagator, count: int) -> list[tuple[Frame, FrameMasks]]:
    """The first frames with their masks."""
    images = [sequence.read_image(index) for index in range(count)]
    propagation = system.begin((images[0].shape[0], images[0].shape[1]))
    first = ids_to_masks(sequence.read_ids(0))
    return [
        (Frame(index, None, image), propagation.step(image, None if index else first))
        for index, image in enumerate(images)
    ]


def scores(sequence: DavisSequence, pairs: list[tuple[Frame, FrameMasks]]) -> tuple[float, float]:
    """Mean J and F of all frames but the first."""
    values = []
    for frame, masks in pairs[1:]:
        found, true = masks.opacity((1,)) >= 0.5, sequence.read_ids(frame.index) == 1
        values.append((region_similarity(found, true), boundary_measure(found, true)))
    j, f = np.mean(values, axis=0)
    return float(j), float(f)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="DAVIS folder")
    parser.add_argument("--frames", type=int, default=10_000, help="of each sequence, at most")
    options = parser.parse_args()
    system, rows = load_system(SystemChoice("pixel")), []
    print(f"{describe_run()}\n")
    for sequence in read_davis(options.root, 2016, "dev"):
        pairs = segmented(sequence, system, min(options.frames, sequence.num_frames))
        found = [scores(sequence, pairs), *(scores(sequence, list(calm_masks(iter(pairs), (1,), r))) for r in RADII)]
        rows.append((sequence.name, len(pairs), *(value for pair in found for value in pair)))
    means = np.mean([row[2:] for row in rows], axis=0).tolist()
    kinds = ("plain", *(f"--calm {radius}" for radius in RADII))
    columns = ("sequence", "frames", *(f"{kind} {measure}" for kind in kinds for measure in "JF"))
    print_table(columns, [*rows, ("**mean**", sum(row[1] for row in rows), *means)])


if __name__ == "__main__":
    main()
