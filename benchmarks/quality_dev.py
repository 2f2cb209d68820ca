"""J, F and J&F on the dev sequences of a DAVIS folder, first masks given. Prints a Markdown table.

    python benchmarks/quality_dev.py ROOT                             # ROOT: JPEGImages, Annotations, ImageSets
    python benchmarks/quality_dev.py ROOT --year 2017                 # several objects in a sequence
    python benchmarks/quality_dev.py ROOT --contact-sheets sheets     # and a picture per sequence to look at

The DAVIS semi-supervised protocol: the first and the last frame do not count, means are over objects. "empty": visible
objects (.3 % of the frame or more) that have no mask in a frame.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from _environment import benchmark_parser, load_propagator, on_terminal, print_heading, print_table
from _scores import count_empty, each_object
from shibori.datasets.davis import read_davis
from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.scores import Scores, SequenceScores
from shibori.media.atomic import write_whole
from shibori.media.mask import object_ids
from shibori.media.overlay import overlay_image
from shibori.media.picture import encode_png
from shibori.media.sheet import contact_sheet

# Means over the eight dev sequences. "published": the authors' own masks or per-sequence figures, averaged over these.
BESIDE = (
    ("DIS flow warps the mask, then GrabCut (measured floor)", 0.367, 0.326),
    ("BVS (published, no learning)", 0.637, 0.612),
    ("FCP (published, no learning)", 0.610, 0.510),
    ("ObjFlow (published, no learning)", 0.571, 0.542),
    ("MaskTrack (published, ImageNet backbone)", 0.771, 0.706),
    ("VPN (published, ImageNet backbone)", 0.779, 0.706),
    ("CTN (published, ImageNet backbone)", 0.759, 0.707),
)
TARGET, AIM = 0.74, 0.82
NUM_PICTURES, LONG_SIDE = 12, 480


def print_scores(scores: Scores, whole: bool) -> None:
    """The sequences, then their mean, then, for the ``whole`` dev set, what it stands beside."""
    columns = ("sequence", "frames", "J", "J recall", "F", "F recall", "J&F", "of each object", "empty", "frames/s")
    rows = []
    for s in scores.sequences:
        values = (s.j.mean, s.j.recall, s.f.mean, s.f.recall, s.j_and_f, each_object(s), count_empty([s]))
        rows.append((s.name, s.truth.num_frames, *values, f"{s.frames_per_second:.1f}"))
    frames = sum(sequence.truth.num_frames for sequence in scores.sequences)
    means = (scores.j.mean, scores.j.recall, scores.f.mean, scores.f.recall, scores.j_and_f)
    speed = f"{scores.frames_per_second:.1f}"
    print_table(columns, [*rows, ("**mean**", frames, *means, "", count_empty(scores.sequences), speed)])
    if not whole:
        return
    result = "reached" if scores.j_and_f >= TARGET else "not reached"
    print(f"\nJ&F {scores.j_and_f:.3f}: the target of {TARGET} is {result} (aim {AIM})\n")
    rows = [(name, j, f, (j + f) / 2) for name, j, f in BESIDE]
    print_table(("on the same dev sequences", "J", "F", "J&F"), [("**this run**", *means[::2]), *rows])


def write_sheet(sequence: SequenceScores, folder: Path) -> Path:
    """A dozen frames of a sequence: the prediction filled, the truth outlined in white."""
    num_frames = sequence.truth.num_frames
    indices = np.linspace(0, num_frames - 1, min(NUM_PICTURES, num_frames)).round().astype(int).tolist()
    pictures = [_compared(sequence, index) for index in indices]
    values = np.mean([entry.j_values for entry in sequence.objects], axis=0)
    labels = [f"{i}  J {values[i - 1]:.2f}" if 0 < i < num_frames - 1 else str(i) for i in indices]
    path = folder / f"{sequence.name}.png"
    write_whole(path, encode_png(contact_sheet(pictures, 4, labels), compress_level=6))
    return path


def _compared(sequence: SequenceScores, index: int) -> NDArray[np.uint8]:
    image, true_ids = sequence.truth.read_image(index), sequence.truth.read_ids(index)
    drawn = overlay_image(image, sequence.read_result(index), [entry.object_id for entry in sequence.objects])
    for object_id in object_ids(true_ids):
        _outline(drawn, true_ids == object_id)
    (height, width), scale = sequence.size_hw, LONG_SIDE / max(sequence.size_hw)
    size_wh = round(width * scale), round(height * scale)
    return np.asarray(cv2.resize(drawn, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _outline(drawn: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, (0, 0, 0), 5, cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, (255, 255, 255), 2, cv2.LINE_AA)


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("root", type=Path, help="DAVIS folder")
    parser.add_argument("--split", default="dev", help="list in ImageSets")
    parser.add_argument("--year", type=int, default=2016, help="2016: all that is marked is one object; 2017: several")
    parser.add_argument("--only", nargs="+", help="names of sequences, for a quick look")
    parser.add_argument("--contact-sheets", type=Path, metavar="DIR", help="write a picture per sequence")
    parser.add_argument("--masks", type=Path, help="keep the masks in this folder")
    arguments = parser.parse_args()
    print_heading(arguments)
    sequences = read_davis(arguments.root, arguments.year, arguments.split)
    sequences = [s for s in sequences if not arguments.only or s.name in arguments.only]
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.masks or Path(temporary)
        scores = evaluate_davis(sequences, load_propagator(arguments), out, progress=on_terminal("dev"))
        is_whole = (arguments.year, arguments.split) == (2016, "dev") and not arguments.only
        print_scores(scores, whole=is_whole)
        if arguments.contact_sheets:
            arguments.contact_sheets.mkdir(parents=True, exist_ok=True)
            places = [write_sheet(sequence, arguments.contact_sheets) for sequence in scores.sequences]
            print(f"\nprediction filled, truth outlined in white: {', '.join(map(str, places))}")


if __name__ == "__main__":
    main()
