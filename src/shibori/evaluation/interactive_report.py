"""The scores of an interactive session on disk: CSV for a spreadsheet, JSON for a program, HTML for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shibori.evaluation.interactive_page import render_interactive_page
from shibori.evaluation.interactive_scores import InteractiveScores, RoundScores, SampleScores
from shibori.evaluation.report_files import Table, write_report_files

_KEY = ("sequence", "start", "interaction", "object_id")


def write_interactive_report(
    scores: InteractiveScores,
    folder: str | Path,
    *,
    title: str = "Interactive segmentation scores",
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write everything about the scores into a folder, which is made if need be; files of these names are replaced.

    ``report.html`` (one self-contained page with the curve), ``scores.json`` (summary, curve, every interaction),
    ``interactions.csv`` (a line per interaction and object) and ``frames.csv`` (J and F of every frame, as the official
    package reports them).

    Args:
        scores: what the session gave.
        folder: where to.
        title: heading of the page.
        facts: name -> text shown on the page and kept in the JSON: system, weights, hardware and the like.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder cannot be written.
    """
    facts = dict(facts or {})
    header = (*_KEY, "marked_frames", "seconds", "j_mean", "f_mean", "j_and_f")
    tables = [
        Table("interactions.csv", header, _interaction_rows(scores)),
        Table("frames.csv", (*_KEY, "frame_index", "j", "f"), _frame_rows(scores)),
    ]
    page = render_interactive_page(scores, title, facts)
    return write_report_files(folder, tables, interactive_scores_to_json(scores), facts, page)


def interactive_scores_to_json(scores: InteractiveScores) -> dict[str, Any]:
    """Summary, curve and every interaction as plain JSON values."""
    changes = scores.marked_changes
    return {
        "protocol": "interactive",
        "auc": scores.auc,
        "j_and_f": scores.j_and_f,
        "threshold_seconds": scores.rules.threshold,
        "j_and_f_at_threshold": scores.at_threshold,
        "curve": {"seconds": scores.curve.seconds.tolist(), "j_and_f": scores.curve.j_and_f.tolist()},
        "rise_share": scores.rise_share,
        "lowest_marked_change": float(changes.min()) if len(changes) else None,
        "num_interactions": scores.rules.num_interactions,
        "seconds_per_interaction_and_object": scores.rules.seconds,
        "samples": [_sample_to_json(sample) for sample in scores.samples],
    }


def _sample_to_json(sample: SampleScores) -> dict[str, Any]:
    return {
        "sequence": sample.sequence,
        "start": sample.start,
        "objects": list(sample.object_ids),
        "interactions": [
            {
                "marked_frames": list(entry.marked_frames),
                "seconds": entry.seconds,
                "j_and_f": float(np.mean(entry.object_scores)),
                "j_means": entry.j_means.tolist(),
                "f_means": entry.f_means.tolist(),
            }
            for entry in sample.rounds
        ],
    }


def _entries(scores: InteractiveScores) -> Iterator[tuple[tuple[object, ...], RoundScores, int]]:
    """The first cells of a row, the interaction and the object's slot."""
    for sample in scores.samples:
        for interaction, entry in enumerate(sample.rounds, 1):
            for slot, object_id in enumerate(sample.object_ids):
                yield (sample.sequence, sample.start, interaction, object_id), entry, slot


def _interaction_rows(scores: InteractiveScores) -> Iterator[Sequence[object]]:
    for key, entry, slot in _entries(scores):
        marked = " ".join(map(str, entry.marked_frames))
        yield *key, marked, entry.seconds, entry.j_means[slot], entry.f_means[slot], entry.object_scores[slot]


def _frame_rows(scores: InteractiveScores) -> Iterator[Sequence[object]]:
    for key, entry, slot in _entries(scores):
        for index, (j, f) in enumerate(zip(entry.j_values[slot].tolist(), entry.f_values[slot].tolist(), strict=True)):
            yield *key, index, j, f
