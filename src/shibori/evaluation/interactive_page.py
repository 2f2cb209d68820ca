"""The HTML report of an interactive session: the curve of the protocol, the way of each sample, a table."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shibori.evaluation.curve import colour_style
from shibori.evaluation.interactive_scores import InteractiveScores, SampleScores
from shibori.evaluation.page import fact_list, html_page, number_text, tiles

WIDTH, HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 12, 10, 36

_COLUMNS = (
    ("sample", "sequence and number of the first scribbles"),
    ("objects", ""),
    ("interactions", "those answered in time"),
    ("J&F", "after the last interaction, mean over the objects"),
    ("J&F at first", "after the first interaction"),
    ("J mean", "after the last interaction"),
    ("F mean", "after the last interaction"),
    ("seconds", "for all interactions"),
)


def render_interactive_page(scores: InteractiveScores, title: str, facts: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        scores: what it reports.
        title: heading of the page.
        facts: name -> text, shown under the heading.
    """
    charts = "".join(f'<section class="card">{draw(scores)}</section>' for draw in (time_chart, interaction_chart))
    note = (
        f"Left the protocol's curve, with the last value held until the time is over. Right J&amp;F after each "
        f"interaction: the mean, and faint the {len(scores.samples)} samples."
    )
    return html_page(
        title,
        f"{fact_list({'protocol': 'interactive', **facts})}{_headline(scores)}"
        f'<h2>J&amp;F over time and over interactions</h2><p class="note">{note}</p><div class="cards">{charts}</div>'
        f"<h2>Scores of each sample</h2>{_table(scores.samples, scores.rules.num_interactions)}",
    )


@dataclass(frozen=True)
class _Axis:
    """Where values of x are on a chart; y runs from 0 to 1."""

    last: float
    """The largest x."""

    def x(self, value: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * value / self.last, 1)

    def y(self, value: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value), 1)

    def line(self, points: Iterable[tuple[float, float]], kind: str = "") -> str:
        places = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)
        return f'<polyline class="series {kind}" {colour_style(0)} points="{places}"/>'

    def dots(self, points: Iterable[tuple[float, float]]) -> str:
        return "".join(
            f'<circle class="series" {colour_style(0)} cx="{self.x(x)}" cy="{self.y(y)}" r="2"/>' for x, y in points
        )


def time_chart(scores: InteractiveScores) -> str:
    """The protocol's curve as one SVG element: J&F over accumulated seconds, and where it is read off."""
    curve, at = scores.curve, scores.rules.threshold
    axis = _Axis(float(curve.seconds[-1]))
    points = list(zip(curve.seconds.tolist(), curve.j_and_f.tolist(), strict=True))
    x, value = axis.x(at), number_text(scores.at_threshold)
    mark = (
        f'<line class="grid" stroke-dasharray="4 3" x1="{x}" x2="{x}" y1="{axis.y(1)}" y2="{axis.y(0)}"/>'
        f'<text x="{x + 4}" y="{axis.y(0) - 6}">{value} at {at:g} s</text>'
    )
    ticks = [round(axis.last * share) for share in (0, 0.25, 0.5, 0.75, 1)]
    content = (mark if at <= axis.last else "") + axis.line(points) + axis.dots(points)
    return _svg(axis, "J&F over accumulated seconds", ticks, "seconds", content)


def interaction_chart(scores: InteractiveScores) -> str:
    """J&F after each interaction as one SVG element: a faint line per sample and one for the mean."""
    count = scores.rules.num_interactions
    axis = _Axis(float(count))
    faint = "".join(
        axis.line([(0, 0), *((i, float(sample.after(i).mean())) for i in range(1, count + 1))], "faint")
        for sample in scores.samples
    )
    mean = list(enumerate(scores.curve.j_and_f[:-1].tolist()))
    content = faint + axis.line(mean) + axis.dots(mean)
    return _svg(axis, "J&F after each interaction", range(count + 1), "interactions", content)


def _svg(axis: _Axis, label: str, ticks: Sequence[int], unit: str, content: str) -> str:
    rows = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{axis.y(value)}" y2="{axis.y(value)}"/>'
        f'<text x="{_LEFT - 6}" y="{axis.y(value) + 4}" text-anchor="end">{value:g}</text>'
        for value in (0, 0.25, 0.5, 0.75, 1)
    )
    columns = "".join(
        f'<text x="{axis.x(tick)}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">{tick}</text>' for tick in ticks
    )
    name = f'<text x="{(WIDTH + _LEFT - _RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{unit}</text>'
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label, quote=True)}">'
        f"{rows}{columns}{name}{content}</svg>"
    )


def _headline(scores: InteractiveScores) -> str:
    changes = scores.marked_changes
    figures = [
        ("AUC", number_text(scores.auc)),
        (f"J&F at {scores.rules.threshold:g} s", number_text(scores.at_threshold)),
        ("J&F at the end", number_text(scores.j_and_f)),
        ("samples", str(len(scores.samples))),
        ("seconds a sample", f"{scores.curve.seconds[-2]:.1f}"),
    ]
    if scores.rise_share is not None:
        figures.append(("of the corrections raise J&F", f"{100 * scores.rise_share:.0f} %"))
    if len(changes):
        figures.append(("lowest change of J where corrected", number_text(float(changes.min()))))
    return tiles(figures)


def _table(samples: Sequence[SampleScores], num_interactions: int) -> str:
    head = "".join(
        f'<th scope="col" title="{html.escape(hint, quote=True)}"><button>{html.escape(name)}</button></th>'
        for name, hint in _COLUMNS
    )
    rows = "".join(_row(sample, num_interactions) for sample in samples)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(sample: SampleScores, num_interactions: int) -> str:
    last = sample.rounds[-1] if sample.rounds else None
    final = float(np.mean(sample.after(num_interactions)))
    values = (
        float(np.mean(sample.after(1))),
        float(last.j_means.mean()) if last else 0.0,
        float(last.f_means.mean()) if last else 0.0,
    )
    cells = "".join(f'<td class="n">{number_text(value)}</td>' for value in values)
    seconds = sum(entry.seconds for entry in sample.rounds)
    return (
        f"<tr><td>{html.escape(sample.sequence)} {sample.start}</td>"
        f'<td class="n">{len(sample.object_ids)}</td><td class="n">{len(sample.rounds)}</td>'
        f'<td class="n bar" style="--v:{final:.3f}">{number_text(final)}</td>{cells}'
        f'<td class="n">{seconds:.1f}</td></tr>'
    )
