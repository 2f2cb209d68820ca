"""J&F and identity switches on clips of three real objects that cross, hide each other, leave and come back.

    python benchmarks/quality_composites.py ROOT             # ROOT: JPEGImages, Annotations, ImageSets
    python benchmarks/quality_composites.py ROOT --hidden    # objects are fully hidden and come back

The clips are put together from the dev sequences with fixed seeds, so they are the same everywhere; their truth is
exact. Plain: 8 clips of 60 frames, seed 0. Hidden, for 10 to 40 frames: 14 clips of 90 frames, seeds 0, 1 and 2.
"empty": visible objects (.3 % of the frame or more) that have no mask in a frame. "found again": J above .5 within 5
frames of the return. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from itertools import chain
from pathlib import Path

from _environment import SIZE_HW, benchmark_parser, load_propagator, on_terminal, print_heading, print_table
from _scores import count_empty, each_object
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.composites import composites_from_davis
from shibori.datasets.scene.episodes import episodes
from shibori.datasets.scene.occlusion_composites import hidden_composites
from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.reappearance import Reappearance, reappearances
from shibori.evaluation.scores import Scores, SequenceScores

PLAIN, HIDDEN = ((0, 8),), ((0, 8), (1, 2), (2, 4))
"""Seeds, and how many clips of each."""
FRAMES = {False: 60, True: 90}
TARGET = 0.65


def read_clips(arguments: argparse.Namespace) -> list[CompositeSequence]:
    """The clips that the options ask for."""
    sequences = read_davis(arguments.root, arguments.year, arguments.split)
    make = hidden_composites if arguments.hidden else composites_from_davis
    frames = arguments.frames or FRAMES[arguments.hidden]
    seeds = HIDDEN if arguments.hidden else PLAIN
    if arguments.clips or arguments.seed is not None:
        seeds = ((arguments.seed or 0, arguments.clips or 8),)
    clips = []
    for seed, count in seeds:
        made = make(sequences, seed, count, arguments.objects, SIZE_HW, frames)
        clips += [replace(clip, name=f"{seed}-{clip.name}") for clip in made] if len(seeds) > 1 else made
    listed = ", ".join(f"{count} of seed {seed}" for seed, count in seeds)
    print(f"clips: {listed}; {arguments.objects} objects, {frames} frames each\n")
    return clips


def returns(clip: SequenceScores) -> list[Reappearance]:
    """What the results show of the objects that were hidden and came back."""
    assert isinstance(clip.truth, CompositeSequence)
    return reappearances(clip.truth, clip.read_result, episodes(clip.truth))


def found_again(back: list[Reappearance]) -> str:
    """How many of the returned objects are found, and how many returned."""
    return f"{sum(each.first_found is not None for each in back)} of {len(back)}"


def print_scores(scores: Scores, is_hidden: bool) -> None:
    columns = ["clip (1 + 2 + 3)", "J", "F", "J&F", "of each object", "identity switches", "empty", "frames/s"]
    rows = []
    for clip in scores.sequences:
        values = (clip.j.mean, clip.f.mean, clip.j_and_f, each_object(clip), clip.switches, count_empty([clip]))
        rows.append([clip.name, *values, f"{clip.frames_per_second:.1f}"])
    means, switches = (scores.j.mean, scores.f.mean, scores.j_and_f), f"{scores.switches} in all"
    empty, speed = count_empty(scores.sequences), f"{scores.frames_per_second:.1f}"
    rows.append(["**mean**", *means, "", switches, empty, speed])
    if is_hidden:
        back = [returns(clip) for clip in scores.sequences]
        columns.append("found again")
        for row, of_clip in zip(rows, [*back, [*chain(*back)]], strict=True):
            row.append(found_again(of_clip))
    print_table(columns, rows)


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("root", type=Path, help="DAVIS folder")
    parser.add_argument("--split", default="dev", help="list in ImageSets")
    parser.add_argument("--year", type=int, default=2016)
    parser.add_argument("--hidden", action="store_true", help="clips in which objects are hidden and come back")
    parser.add_argument("--clips", type=int, help="how many, of one seed")
    parser.add_argument("--seed", type=int, help="of the clips")
    parser.add_argument("--frames", type=int, help="of each clip")
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--masks", type=Path, help="keep the masks in this folder")
    arguments = parser.parse_args()
    print_heading(arguments)
    clips = read_clips(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.masks or Path(temporary)
        scores = evaluate_davis(clips, load_propagator(arguments), out, progress=on_terminal("composites"))
        print_scores(scores, arguments.hidden)
        if not arguments.hidden:
            result = "reached" if scores.j_and_f >= TARGET else "not reached"
            print(f"\nJ&F {scores.j_and_f:.3f}: the target of {TARGET} is {result}")


if __name__ == "__main__":
    main()
