"""J of every object of drawn clips that ask one hard question each: twins, and a tiny object. Needs no data.

    python benchmarks/drawn_cases.py                                  # shipped weights
    python benchmarks/drawn_cases.py --system pixel --weights FILE

Six identical discs of 22 pixels go round each other (40 frames), and a disc of 8 pixels crosses a textured ground
(12 frames), both at 854x480. The first masks are given; the first and the last frame do not count. "without a mask":
objects of all scored frames that have no pixel. Prints a Markdown table.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _environment import benchmark_parser, load_propagator, on_terminal, print_heading, print_table
from shibori.datasets.scene.drawn_cases import drawn_cases
from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.empty_masks import empty_masks
from shibori.evaluation.scores import Scores

ANY_PIXEL = 1e-9
"""Share of the frame: these objects are all smaller than what counts as visible elsewhere."""


def print_scores(scores: Scores) -> None:
    columns = ("clip", "frames", "worst J", "mean J", "J of each object", "switches", "without a mask", "frames/s")
    rows = []
    for clip in scores.sequences:
        values, lost = [entry.j.mean for entry in clip.objects], empty_masks([clip], ANY_PIXEL)
        listed, counted = " ".join(f"{j:.2f}" for j in values), f"{lost.empty} of {lost.visible}"
        cells = (min(values), clip.j.mean, listed, clip.switches, counted, f"{clip.frames_per_second:.1f}")
        rows.append((clip.name, clip.truth.num_frames, *cells))
    print_table(columns, rows)


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the texture and the paths")
    parser.add_argument("--masks", type=Path, help="keep the masks in this folder")
    arguments = parser.parse_args()
    print_heading(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.masks or Path(temporary)
        clips = drawn_cases(arguments.seed)
        print_scores(evaluate_davis(clips, load_propagator(arguments), out, progress=on_terminal("drawn cases")))


if __name__ == "__main__":
    main()
