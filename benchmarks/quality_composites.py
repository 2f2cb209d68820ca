"""J&F and identity switches on clips of three real objects that cross, hide each other, leave and come back.

    python benchmarks/quality_composites.py ROOT          # ROOT: JPEGImages, Annotations, ImageSets

The clips are put together from the dev sequences with a fixed seed, so they are the same everywhere; their truth is
exact. Prints a Markdown table.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _environment import SIZE_HW, benchmark_parser, load_propagator, on_terminal, print_heading, print_table
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.composites import composites_from_davis
from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.scores import Scores

TARGET = 0.65


def print_scores(scores: Scores) -> None:
    columns = ("clip (1 + 2 + 3)", "J", "F", "J&F", "J&F of each object", "identity switches", "frames/s")
    rows = []
    for clip in scores.sequences:
        each = " ".join(f"{entry.j_and_f:.2f}" for entry in clip.objects)
        fps = f"{clip.frames_per_second:.1f}"
        rows.append((clip.name, clip.j.mean, clip.f.mean, clip.j_and_f, each, clip.switches, fps))
    fps = f"{scores.frames_per_second:.1f}"
    rows.append(("**mean**", scores.j.mean, scores.f.mean, scores.j_and_f, "", f"{scores.switches} in all", fps))
    print_table(columns, rows)
    verdict = "reached" if scores.j_and_f >= TARGET else "not reached"
    num_frames = sum(clip.truth.num_frames for clip in scores.sequences)
    print(
        f"\nJ&F {scores.j_and_f:.3f}: the target of {TARGET} is {verdict}; {scores.switches} identity switches in "
        f"{len(scores.objects)} objects, {num_frames} frames"
    )


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("root", type=Path, help="DAVIS folder")
    parser.add_argument("--split", default="dev", help="list in ImageSets")
    parser.add_argument("--year", type=int, default=2016)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--masks", type=Path, help="keep the masks in this folder")
    arguments = parser.parse_args()
    print_heading(arguments)
    sequences = read_davis(arguments.root, arguments.year, arguments.split)
    clips = composites_from_davis(
        sequences, arguments.seed, arguments.clips, arguments.objects, SIZE_HW, arguments.frames
    )
    print(f"{arguments.clips} clips of {arguments.objects} objects, {arguments.frames} frames, seed {arguments.seed}\n")
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.masks or Path(temporary)
        print_scores(evaluate_davis(clips, load_propagator(arguments), out, progress=on_terminal("composites")))


if __name__ == "__main__":
    main()
