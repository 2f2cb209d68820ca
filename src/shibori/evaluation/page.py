"""The HTML report: one file, no script, style, font or picture from anywhere else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.evaluation.curve import colour_style, draw_curves
from shibori.evaluation.measures import Statistics
from shibori.evaluation.scores import ObjectScores, Scores, SequenceScores
from shibori.media.overlay import overlay_image
from shibori.media.picture import encode_jpeg

NUM_WORST_FRAMES = 12
PICTURE_WIDTH = 480

_COLUMNS = (
    ("sequence", ""),
    ("object", "number in the ground truth"),
    ("frames", "frames that count"),
    ("J&F", "mean of J mean and F mean"),
    ("J mean", "region similarity: intersection over union"),
    ("J recall", "share of frames with J above 0.5"),
    ("J decay", "mean of the first quarter of the frames minus the last"),
    ("F mean", "boundary measure"),
    ("F recall", "share of frames with F above 0.5"),
    ("F decay", "mean of the first quarter of the frames minus the last"),
    ("switches", "how often the object's mask went on under another object's number"),
)


@dataclass(frozen=True)
class WorstFrame:
    """The frame in which an object was segmented worst."""

    sequence: SequenceScores
    entry: ObjectScores
    index: int
    """Frame of the sequence."""

    @property
    def j(self) -> float:
        """J there."""
        return float(self.entry.j_values[self.index - self.entry.first_index])

    @property
    def f(self) -> float:
        """F there."""
        return float(self.entry.f_values[self.index - self.entry.first_index])


def render_page(scores: Scores, title: str, facts: Mapping[str, str]) -> str:
    """The whole page. Decodes the pictures of the worst frames.

    Args:
        scores: what it reports.
        title: heading of the page.
        facts: name -> text, shown under the heading: system, weights, hardware and the like.
    """
    curves = "".join(_curve_card(sequence) for sequence in scores.sequences)
    worst = "".join(_figure(frame) for frame in worst_frames(scores))
    return html_page(
        title,
        f"{_facts(scores, facts)}{_headline(scores)}"
        f"<h2>Scores of each object</h2>{_table(scores)}"
        f'<h2>J over time</h2><div class="cards">{curves}</div>'
        f'<h2>Worst frames</h2><p class="note">The worst frame of each object, lowest J first. '
        f'Left the result, right the ground truth.</p><div class="figures">{worst}</div>',
    )


def html_page(title: str, content: str) -> str:
    """A whole page in the reports' style: heading, then ``content``, which is HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{html.escape(title)}</h1>{content}</main><script>{_SCRIPT}</script></body></html>\n"
    )


def fact_list(facts: Mapping[str, str]) -> str:
    """Name and text of each fact, in a line."""
    pairs = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in facts.items())
    return f'<dl class="facts">{pairs}</dl>'


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """The main figures, (name, value), large."""
    cells = "".join(
        f'<div class="tile"><b>{value}</b><span>{html.escape(name)}</span></div>' for name, value in figures
    )
    return f'<div class="tiles">{cells}</div>'


def number_text(value: float) -> str:
    """Three places and a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def worst_frames(scores: Scores, count: int = NUM_WORST_FRAMES) -> list[WorstFrame]:
    """The worst frame of each object, lowest J first, at most ``count``."""
    frames = [
        WorstFrame(sequence, entry, entry.first_index + int(np.argmin(entry.j_values)))
        for sequence, entry in scores.objects
    ]
    return sorted(frames, key=lambda frame: frame.j)[:count]


def _facts(scores: Scores, facts: Mapping[str, str]) -> str:
    shown = {"protocol": scores.protocol, **facts}
    if scores.unscored:
        names = ", ".join(scores.unscored)
        shown["not scored, for want of results"] = names
    return fact_list(shown)


def _headline(scores: Scores) -> str:
    figures = [
        ("J&F", number_text(scores.j_and_f)),
        ("J mean", number_text(scores.j.mean)),
        ("F mean", number_text(scores.f.mean)),
        ("sequences", str(len(scores.sequences))),
        ("objects", str(len(scores.objects))),
        ("identity switches", str(scores.switches)),
    ]
    if scores.frames_per_second is not None:
        figures.append(("frames/s", f"{scores.frames_per_second:.1f}"))
    return tiles(figures)


def _table(scores: Scores) -> str:
    head = "".join(
        f'<th scope="col" title="{html.escape(hint, quote=True)}"><button>{html.escape(name)}</button></th>'
        for name, hint in _COLUMNS
    )
    rows = "".join(
        _object_row(sequence, slot) for sequence in scores.sequences for slot in range(len(sequence.objects))
    )
    num_frames = sum(len(entry.j_values) for _, entry in scores.objects)
    total = (
        f'<td>all</td><td class="n">{len(scores.objects)}</td><td class="n">{num_frames}</td>'
        f"{_value_cells(scores.j_and_f, scores.j, scores.f, scores.switches)}"
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        f"<tfoot><tr>{total}</tr></tfoot></table></div>"
    )


def _object_row(sequence: SequenceScores, slot: int) -> str:
    entry = sequence.objects[slot]
    return (
        f"<tr><td>{html.escape(sequence.name)}</td>"
        f'<td class="n"><i class="swatch" {colour_style(slot)}></i>{entry.object_id}</td>'
        f'<td class="n">{len(entry.j_values)}</td>{_value_cells(entry.j_and_f, entry.j, entry.f, entry.switches)}</tr>'
    )


def _value_cells(j_and_f: float, j: Statistics, f: Statistics, switches: int) -> str:
    values = (j.mean, j.recall, j.decay, f.mean, f.recall, f.decay)
    cells = "".join(f'<td class="n">{number_text(value)}</td>' for value in values)
    return (
        f'<td class="n bar" style="--v:{j_and_f:.3f}">{number_text(j_and_f)}</td>{cells}<td class="n">{switches}</td>'
    )


def _curve_card(sequence: SequenceScores) -> str:
    keys = "".join(
        f'<span><i class="swatch" {colour_style(slot)}></i>object {entry.object_id} '
        f"<b>{number_text(entry.j.mean)}</b></span>"
        for slot, entry in enumerate(sequence.objects)
    )
    return (
        f'<section class="card"><h3>{html.escape(sequence.name)}</h3><p class="keys">{keys}</p>'
        f'{draw_curves(sequence)}<output class="readout">&nbsp;</output></section>'
    )


def _figure(frame: WorstFrame) -> str:
    name = html.escape(frame.sequence.name)
    panels = zip(("result", "ground truth"), _pictures(frame), strict=True)
    pictures = "".join(
        f'<img alt="{what} of {name}, frame {frame.index}" src="{_data_uri(picture)}">' for what, picture in panels
    )
    slot = frame.sequence.objects.index(frame.entry)
    return (
        f'<figure><div class="pair">{pictures}</div><figcaption><i class="swatch" {colour_style(slot)}></i>'
        f"{name}, object {frame.entry.object_id}, frame {frame.index}: "
        f"J {number_text(frame.j)}, F {number_text(frame.f)}</figcaption></figure>"
    )


def _pictures(frame: WorstFrame) -> Iterable[NDArray[np.uint8]]:
    """The frame with the result's masks, and with the true ones, each (H, W, 3) uint8 at the report's size."""
    truth, objects = frame.sequence.truth, frame.sequence.objects
    image, true_ids = truth.read_image(frame.index), truth.read_ids(frame.index)
    size_hw = (true_ids.shape[0], true_ids.shape[1])
    pred_ids = frame.sequence.results.read_ids(truth.frame_name(frame.index), size_hw)
    named = np.zeros_like(true_ids)
    for entry in objects:  # unsupervised results have numbers of their own
        if entry.result_id is not None:
            named[pred_ids == entry.result_id] = entry.object_id
    object_ids = [entry.object_id for entry in objects]
    for ids in (named, true_ids):
        yield overlay_image(_shrunk(image, cv2.INTER_AREA), _shrunk(ids, cv2.INTER_NEAREST), object_ids)


def _shrunk(picture: NDArray[Any], interpolation: int) -> NDArray[Any]:
    height, width = picture.shape[:2]
    if width <= PICTURE_WIDTH:
        return picture
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    shrunk: NDArray[Any] = cv2.resize(picture, size, interpolation=interpolation)
    return shrunk


def _data_uri(picture: NDArray[np.uint8]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture)).decode("ascii")


_STYLE = """
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#fff;--ink:#1c1f24;--soft:#646b76;--line:#e2e3e0;--bar:#cfe3f5;
--shade:28%}
@media(prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e8eaed;--soft:#9aa2ad;--line:#30343c;
--bar:#1f4262;--shade:0%}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 12px}h2{font-size:18px;margin:40px 0 12px}h3{font-size:15px;margin:0}
.facts{display:flex;flex-wrap:wrap;gap:4px 24px;margin:0 0 20px;color:var(--soft);font-size:14px}
.facts div{display:flex;gap:6px}.facts dt{white-space:nowrap}.facts dd{margin:0;color:var(--ink)}
.note{color:var(--soft);margin:-4px 0 12px}
.tiles{display:flex;flex-wrap:wrap;gap:12px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 18px;min-width:116px}
.tile b{display:block;font-size:24px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 12px;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody tr:last-child td{border-bottom:0}.n,th:not(:first-child){text-align:right}
th button{all:unset;cursor:pointer;color:var(--soft);font-weight:600;font-size:13px}
th button:hover,th button:focus-visible{color:var(--ink);text-decoration:underline}
th[aria-sort=ascending] button::after{content:" ↑"}th[aria-sort=descending] button::after{content:" ↓"}
tfoot td{font-weight:700;border-top:2px solid var(--line);border-bottom:0}
.bar{min-width:170px;background:linear-gradient(var(--bar),var(--bar)) 16px 50% /
calc((100% - 80px)*var(--v)) 10px no-repeat}
.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px;background:var(--c)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,500px),1fr));gap:16px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px 16px 8px}
.keys{display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 8px;font-size:13px;color:var(--soft)}
.keys b{color:var(--ink)}
.curve,.chart{display:block;width:100%;height:auto;overflow:visible}
.curve text,.chart text{font-size:11px;fill:var(--soft)}.grid{stroke:var(--line)}
.series{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.series,.swatch{--c2:color-mix(in srgb,var(--c),#000 var(--shade))}
.series{stroke:var(--c2)}.swatch{background:var(--c2)}
.faint{opacity:.35;stroke-width:1}.cursor{stroke:var(--soft)}.cursor[hidden]{display:none}
.readout{display:block;font-size:12px;color:var(--soft);font-variant-numeric:tabular-nums;min-height:18px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,560px),1fr));gap:20px}
figure{margin:0}.pair{display:grid;grid-template-columns:1fr 1fr;gap:4px}
img{display:block;width:100%;border-radius:4px}figcaption{margin-top:6px;font-size:13px}
"""

_SCRIPT = """
for (const button of document.querySelectorAll('th button')) button.addEventListener('click', () => {
  const head = button.closest('th'), column = head.cellIndex, body = head.closest('table').tBodies[0];
  const first = column === 0 ? 'ascending' : 'descending';
  const other = first === 'ascending' ? 'descending' : 'ascending';
  const order = head.getAttribute('aria-sort') === first ? other : first;
  for (const cell of head.parentNode.cells) cell.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', order);
  const text = row => (row.cells[column].dataset.sort ?? row.cells[column].textContent).replace('\\u2212', '-');
  const rise = (a, b) => {
    const difference = column === 0 ? NaN : text(a) - text(b);
    return Number.isNaN(difference) ? text(a).localeCompare(text(b)) : difference;
  };
  body.append(...[...body.rows].sort((a, b) => order === 'ascending' ? rise(a, b) : rise(b, a)));
});
for (const curve of document.querySelectorAll('.curve')) {
  const {left, plot, last, values} = curve.dataset, rows = JSON.parse(values);
  const cursor = curve.querySelector('.cursor'), readout = curve.nextElementSibling;
  curve.addEventListener('pointermove', event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(curve.getScreenCTM().inverse());
    const index = Math.round(Math.min(Math.max((point.x - left) / plot, 0), 1) * last);
    const x = +left + plot * index / last;
    cursor.removeAttribute('hidden'); cursor.setAttribute('x1', x); cursor.setAttribute('x2', x);
    const known = rows.filter(([, start, list]) => index >= start && index < start + list.length);
    readout.textContent = `frame ${index}: ` + (known.map(([name, start, list]) =>
      `object ${name} J ${list[index - start].toFixed(3)}`).join(', ') || 'does not count');
  });
  curve.addEventListener('pointerleave', () => { cursor.setAttribute('hidden', ''); readout.textContent = '\\u00a0'; });
}
"""
