"""The scores of instance tracks on disk: CSV for a spreadsheet, JSON for a program, HTML for a person."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shibori.evaluation.instances import CategoryScores, InstanceScores
from shibori.evaluation.page import fact_list, html_page, number_text, tiles
from shibori.evaluation.report_files import Table, write_report_files

COLUMNS = (
    ("class", "as the annotations name it"),
    ("true", "tracks of the annotations"),
    ("found", "tracks of the results"),
    ("AP", "average precision, mean over IoU 0.50 to 0.95"),
    ("AP50", "average precision at IoU 0.50"),
    ("AP75", "average precision at IoU 0.75"),
    ("AR1", "average recall with one track a video"),
    ("AR10", "average recall with ten tracks a video"),
)
NOTHING = "–"
"""What stands for a value that nothing true is there for."""


def write_instance_report(
    scores: InstanceScores,
    folder: str | Path,
    *,
    title: str = "Instance scores",
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write everything about the scores into a folder, which is made if need be; files of these names are replaced.

    ``report.html`` (one self-contained page), ``scores.json`` (the official measures and those of each class) and
    ``classes.csv``.

    Args:
        scores: what scoring gave.
        folder: where to.
        title: heading of the page.
        facts: name -> text shown on the page and kept in the JSON: system, weights, hardware and the like.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder cannot be written.
    """
    facts = dict(facts or {})
    header = ("category_id", "class", "true", "found", "ap", "ap50", "ap75", "ar1", "ar10")
    table = Table("classes.csv", header, [(each.category_id, *category_row(each)) for each in scores.categories])
    page = render_instance_page(scores, title, facts)
    return write_report_files(folder, [table], instance_scores_to_json(scores), facts, page)


def instance_scores_to_json(scores: InstanceScores) -> dict[str, Any]:
    """The official measures under their names, and those of each class; null where there is nothing true."""
    keys = ("class", "true", "found", "AP", "AP50", "AP75", "AR1", "AR10")
    return {
        "protocol": "YouTube-VIS",
        "summary": scores.summary,
        "num_videos": scores.num_videos,
        "num_videos_found": scores.num_videos_found,
        "classes": [
            {"id": each.category_id, **dict(zip(keys, category_row(each), strict=True))} for each in scores.categories
        ],
    }


def category_row(category: CategoryScores) -> tuple[Any, ...]:
    """The cells of ``COLUMNS``."""
    recalls = (category.average_recall(1), category.average_recall(10))
    return category.name, category.num_true, category.num_found, category.ap, category.ap50, category.ap75, *recalls


def summary_row(scores: InstanceScores) -> tuple[Any, ...]:
    """The cells of ``COLUMNS`` for the whole set."""
    values = (scores.summary[name] for name in ("AP", "AP50", "AP75", "AR1", "AR10"))
    return "all", scores.num_true, scores.num_found, *values


def value_text(value: float | None) -> str:
    """Three places, or what stands for nothing."""
    return NOTHING if value is None else number_text(value)


def render_instance_page(scores: InstanceScores, title: str, facts: Mapping[str, str]) -> str:
    """The whole page."""
    shown = {
        "protocol": "YouTube-VIS",
        "annotations": scores.dataset.path.name,
        "videos": f"{scores.num_videos}, {scores.num_videos_found} of them with results",
        **facts,
    }
    figures = [(name, value_text(value)) for name, value in scores.summary.items()]
    rows = "".join(f"<tr>{_cells(category_row(each))}</tr>" for each in scores.categories)
    head = "".join(
        f'<th scope="col" title="{html.escape(hint, quote=True)}"><button>{html.escape(name)}</button></th>'
        for name, hint in COLUMNS
    )
    return html_page(
        title,
        f"{fact_list(shown)}{tiles(figures)}<h2>Each class</h2>"
        '<p class="note">The figures above are means over the classes with true tracks. Small, medium and large: mean '
        "area below 128², between, above 256² pixels.</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        f"<tfoot><tr>{_cells(summary_row(scores))}</tr></tfoot></table></div>",
    )


def _cells(row: tuple[Any, ...]) -> str:
    name, num_true, num_found, ap, *values = row
    bar = f'<td class="n bar" style="--v:{ap or 0:.3f}">{value_text(ap)}</td>'
    counts = f'<td class="n">{num_true}</td><td class="n">{num_found}</td>'
    return f"<td>{html.escape(name)}</td>{counts}{bar}" + "".join(f'<td class="n">{value_text(v)}</td>' for v in values)
