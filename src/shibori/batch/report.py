"""The report of a batch: one HTML file, no script, style, font or picture from anywhere else."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from shibori.batch.manifest import Row, result_of
from shibori.batch.task import ClipResult, ClipTask, Strip
from shibori.evaluation.page import fact_list, html_page, tiles
from shibori.media.atomic import write_whole

_HEADS = (
    ("clip", "name, and the folder of its results"),
    ("state", "done, failed, or not begun"),
    ("needs a look", "how many things there are to see to"),
    ("objects", "how many"),
    ("frames", "that were written"),
    ("lost", "frames in which the system had lost an object, all objects together"),
    ("seconds", "without loading the network"),
    ("frames/s", ""),
    ("tries", "how often it was begun"),
    ("presence", "from the first frame to the last, a line for each object"),
)
_STRIP_HEIGHT, _LINES_SHOWN = 6, 8
_STYLE = """<style>
.strip{display:block;width:240px}.strip .t{fill:#3b9c5a}.strip .l{fill:#d1483a}.strip .a{fill:var(--line)}
.failed td:nth-child(2){color:#d1483a;font-weight:600}.look{white-space:normal;min-width:260px;text-align:left}
td ul{margin:0;padding-left:18px}.key i{display:inline-block;width:10px;height:10px;margin:0 4px 0 12px}
</style>"""
_KEY = (
    '<p class="note key">presence:<i style="background:#3b9c5a"></i>there<i style="background:#d1483a"></i>lost'
    '<i style="background:var(--line)"></i>not there. A click on a heading sorts.</p>'
)


def write_report(path: Path, jobs: str, tasks: Sequence[ClipTask], rows: Mapping[str, Row]) -> None:
    """Write the report of all tasks, those too of which there is no row yet. InputError where the disk refuses.

    Args:
        path: of the file.
        jobs: name of the list.
        tasks: of the batch.
        rows: name -> its row of the manifest.
    """
    results = {task.name: result_of(rows[task.name]) for task in tasks if task.name in rows}
    done = [result for result in results.values() if result is not None]
    figures = (
        ("clips", str(len(tasks))),
        ("done", str(len(done))),
        ("failed", str(len(results) - len(done))),
        ("frames", str(sum(result.frames for result in done))),
        ("need a look", str(sum(bool(concerns(rows.get(task.name))) for task in tasks))),
    )
    head = "".join(
        f'<th scope="col" title="{html.escape(hint, quote=True)}"><button>{name}</button></th>' for name, hint in _HEADS
    )
    body = "".join(_line(task, rows.get(task.name)) for task in tasks)
    content = (
        f"{_STYLE}{fact_list({'jobs': jobs})}{tiles(figures)}<h2>Clips</h2>{_KEY}"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    write_whole(path, html_page("Batch", content).encode())


def concerns(row: Row | None) -> list[str]:
    """What a person should look at in a clip, a sentence each."""
    if row is None:
        return ["it was not begun"]
    result = result_of(row)
    if result is None:
        return [f"it failed: {row['reasons'][-1]}"]
    return list(_of_result(result))


def _of_result(result: ClipResult) -> Iterator[str]:
    for lost in result.lost:
        often = f"{lost.frames} of {result.frames} frames"
        yield f"object {lost.object_id} was lost in {often}, first in frame {lost.first}"
    if result.shortfall:
        yield result.shortfall
    yield from result.notes


def _line(task: ClipTask, row: Row | None) -> str:
    result = None if row is None else result_of(row)
    state = "not begun" if row is None else row["state"]
    looks = concerns(row)
    said = "".join(f"<li>{html.escape(each)}</li>" for each in looks)
    cells = [
        f'<td data-sort="{html.escape(task.name, quote=True)}"><a href="{html.escape(task.name, quote=True)}/">'
        f"{html.escape(task.name)}</a></td>",
        f'<td class="n">{state}</td>',
        f'<td class="look" data-sort="{len(looks)}"><ul>{said}</ul></td>',
        *_figures(result),
        f'<td class="n">{0 if row is None else row["tries"]}</td>',
        f'<td data-sort="{_presence(result):.4f}">{_strips(result)}</td>',
    ]
    return f'<tr class="{state.replace(" ", "-")}">{"".join(cells)}</tr>'


def _figures(result: ClipResult | None) -> Iterator[str]:
    if result is None:
        yield from ['<td class="n" data-sort="-1">–</td>'] * 5
        return
    lost = sum(each.frames for each in result.lost)
    yield from (f'<td class="n">{number}</td>' for number in (len(result.objects), result.frames, lost))
    yield from (f'<td class="n">{number:.1f}</td>' for number in (result.seconds, result.frames_per_second))


def _presence(result: ClipResult | None) -> float:
    """The share of the strips in which an object is there."""
    letters = "" if result is None else "".join(strip.states for strip in result.strips)
    return letters.count("t") / len(letters) if letters else 0.0


def _strips(result: ClipResult | None) -> str:
    if result is None or not result.strips:
        return ""
    shown = result.strips[:_LINES_SHOWN]
    width, height = max(1, max(len(strip.states) for strip in shown)), len(shown) * _STRIP_HEIGHT
    lines = "".join(_drawn(strip, place * _STRIP_HEIGHT) for place, strip in enumerate(shown))
    return (
        f'<svg class="strip" viewBox="0 0 {width} {height}" height="{2 * height}" preserveAspectRatio="none" '
        f'role="img" aria-label="presence of {len(result.strips)} objects">{lines}</svg>'
    )


def _drawn(strip: Strip, top: int) -> str:
    """Runs of one letter as rectangles."""
    drawn, left = "", 0
    for letter, run in groupby(strip.states):
        width = len(list(run))
        drawn += f'<rect class="{letter}" x="{left}" y="{top}" width="{width}" height="{_STRIP_HEIGHT - 1}"/>'
        left += width
    return f"<g><title>object {strip.object_id}</title>{drawn}</g>"
