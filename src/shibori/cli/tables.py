"""Scores and findings as tables for people and as JSON for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shibori.cli.outcome import print_json
from shibori.evaluation.clicks import ClickScores, click_scores_to_json
from shibori.evaluation.instance_report import COLUMNS, category_row, instance_scores_to_json, summary_row, value_text
from shibori.evaluation.instances import InstanceScores
from shibori.evaluation.interactive_report import interactive_scores_to_json
from shibori.evaluation.interactive_scores import InteractiveScores
from shibori.evaluation.report import scores_to_json
from shibori.evaluation.scores import Scores


def show_scores(scores: Scores, report: Path | None, as_json: bool) -> None:
    """The scores of a set, its sequences and their objects; and where the report is."""
    if as_json:
        print_json(scores_to_json(scores) | {"report": None if report is None else str(report)})
        return
    console = Console(highlight=False)
    console.print(score_table(scores))
    if scores.frames_per_second is not None:
        console.print(f"{scores.frames_per_second:.1f} frames/s, decoding and writing included")
    if scores.unscored:
        console.print(f"not scored, for want of results: {', '.join(scores.unscored)}")
    if report is not None:
        print(f"report: {report}")


def show_interactive_scores(scores: InteractiveScores, report: Path, as_json: bool) -> None:
    """What an interactive session came to, a row for each sample, and where the report is."""
    if as_json:
        print_json(interactive_scores_to_json(scores) | {"report": str(report)})
        return
    count = scores.rules.num_interactions
    table = Table("sequence", "start", "objects", "J&F at first", "J&F", "seconds")
    for column in table.columns[1:]:
        column.justify = "right"
    for sample in scores.samples:
        values = (f"{sample.after(interaction).mean():.3f}" for interaction in (1, count))
        seconds = sum(entry.seconds for entry in sample.rounds)
        table.add_row(sample.sequence, str(sample.start), str(len(sample.object_ids)), *values, f"{seconds:.1f}")
    Console(highlight=False).print(table)
    at = f"J&F@{scores.rules.threshold:g}s {scores.at_threshold:.3f}"
    print(f"AUC {scores.auc:.3f}, {at}, J&F after {count} interactions {scores.j_and_f:.3f}")
    print(f"report: {report}")


def show_click_scores(scores: ClickScores, as_json: bool) -> None:
    """What clicks, boxes and strokes came to, a row for each sequence."""
    if as_json:
        print_json(click_scores_to_json(scores))
        return
    thresholds = scores.rules.thresholds
    names = ("1 click", "3", "5", "box", "stroke", *(f"NoC@{100 * value:.0f}" for value in thresholds))
    table = Table("sequence", "objects", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(entry.sequence for entry in scores.objects):
        own = ClickScores(scores.rules, tuple(entry for entry in scores.objects if entry.sequence == name))
        table.add_row(name, *_click_cells(own))
    table.add_section()
    table.add_row("all", *_click_cells(scores), style="bold")
    Console(highlight=False).print(table)
    first, later = scores.seconds
    missed = ", ".join(f"{scores.failures(value)} never reached IoU {value:g}" for value in thresholds)
    next_click = "" if later is None else f", next click {later:.2f} s"
    print(f"of {len(scores.objects)} objects {missed}; first mask {first:.2f} s{next_click} (median)")


def _click_cells(scores: ClickScores) -> list[str]:
    ious = (scores.iou_after(1), scores.iou_after(3), scores.iou_after(5), scores.box, scores.stroke)
    counts = (scores.clicks_to(value) for value in scores.rules.thresholds)
    return [str(len(scores.objects)), *(f"{value:.3f}" for value in ious), *(f"{value:.2f}" for value in counts)]


def show_instance_scores(scores: InstanceScores, report: Path | None, as_json: bool) -> None:
    """The measures of found tracks, a row for each class that is true or found, and where the report is."""
    if as_json:
        print_json(instance_scores_to_json(scores) | {"report": None if report is None else str(report)})
        return
    table = Table(*(name for name, _ in COLUMNS))
    for column in table.columns[1:]:
        column.justify = "right"
    for category in scores.categories:
        if category.num_true or category.num_found:
            table.add_row(*_instance_cells(category_row(category)))
    table.add_section()
    table.add_row(*_instance_cells(summary_row(scores)), style="bold")
    Console(highlight=False).print(table)
    sizes = (name for name in scores.summary if name.startswith(("AP_", "AR_")))
    print(", ".join(f"{name.replace('_', ' ')} {value_text(scores.summary[name])}" for name in sizes))
    print(f"{scores.num_videos} videos, {scores.num_videos_found} of them with results")
    if report is not None:
        print(f"report: {report}")


def _instance_cells(row: tuple[Any, ...]) -> list[str]:
    name, num_true, num_found, *values = row
    return [name, str(num_true), str(num_found), *map(value_text, values)]


def score_table(scores: Scores) -> Table:
    """A row for each object, and one for all."""
    table = Table("sequence", "object", "J&F", "J", "J recall", "F", "F recall", "switches")
    for column in table.columns[1:]:
        column.justify = "right"
    for sequence, entry in scores.objects:
        table.add_row(sequence.name, str(entry.object_id), *_numbers(entry))
    table.add_section()
    table.add_row("all", str(len(scores.objects)), *_numbers(scores), style="bold")
    return table


def _numbers(entry: Any) -> list[str]:
    values = (entry.j_and_f, entry.j.mean, entry.j.recall, entry.f.mean, entry.f.recall)
    return [*(f"{value:.3f}" for value in values), str(entry.switches)]
