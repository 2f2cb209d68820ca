"""The J of each object over the frames of a sequence, as inline SVG."""

from __future__ import annotations

import html
import json

import numpy as np

from shibori.evaluation.scores import ObjectScores, SequenceScores
from shibori.media.overlay import object_colour

WIDTH, HEIGHT = 560, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 8, 20
_PLOT_WIDTH, _PLOT_HEIGHT = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM


def draw_curves(sequence: SequenceScores) -> str:
    """One SVG element: a line per object over the sequence's frames, J from 0 to 1 upwards."""
    last = max(sequence.truth.num_frames - 1, 1)
    lines = "".join(_line(entry, slot, last) for slot, entry in enumerate(sequence.objects))
    label = html.escape(f"J over the frames of {sequence.name}", quote=True)
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'data-left="{_LEFT}" data-plot="{_PLOT_WIDTH}" data-last="{last}" '
        f'data-values="{html.escape(_values_json(sequence), quote=True)}">'
        f"{_grid()}{_frame_labels(sequence, last)}{lines}"
        f'<line class="cursor" y1="{_TOP}" y2="{_TOP + _PLOT_HEIGHT}" hidden/></svg>'
    )


def colour_style(slot: int) -> str:
    """The style attribute that gives an element the colour of the ``slot``-th object, the same as on its pictures."""
    return f'style="--c:rgb{object_colour(slot)}"'


def _x(index: float, last: int) -> float:
    return round(_LEFT + _PLOT_WIDTH * index / last, 1)


def _y(value: float) -> float:
    return round(_TOP + _PLOT_HEIGHT * (1 - value), 1)


def _line(entry: ObjectScores, slot: int, last: int) -> str:
    places = [(_x(entry.first_index + step, last), _y(value)) for step, value in enumerate(entry.j_values)]
    if len(places) == 1:  # a line of one point is invisible
        return f'<circle class="series" {colour_style(slot)} cx="{places[0][0]}" cy="{places[0][1]}" r="2"/>'
    points = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline class="series" {colour_style(slot)} points="{points}"/>'


def _grid() -> str:
    rows = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_y(value)}" y2="{_y(value)}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(value) + 4}" text-anchor="end">{label}</text>'
        for value, label in rows
    )


def _frame_labels(sequence: SequenceScores, last: int) -> str:
    places = sorted({0, last // 2, last} if sequence.truth.num_frames > 2 else {0, last})
    anchors = {0: "start", last: "end"}
    texts = {index: f"frame {index}" if index == 0 else str(index) for index in places}
    return "".join(
        f'<text x="{_x(index, last)}" y="{HEIGHT - 5}" text-anchor="{anchors.get(index, "middle")}">{text}</text>'
        for index, text in texts.items()
    )


def _values_json(sequence: SequenceScores) -> str:
    """What the page shows under the pointer: [name, first frame, values] per object."""
    rows = [
        [str(entry.object_id), entry.first_index, np.round(entry.j_values, 3).tolist()] for entry in sequence.objects
    ]
    return json.dumps(rows, separators=(",", ":"))
