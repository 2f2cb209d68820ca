"""Scores on disk: CSV for a spreadsheet, JSON for a program, HTML for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shibori.evaluation.measures import Statistics
from shibori.evaluation.page import render_page
from shibori.evaluation.report_files import Table, write_report_files
from shibori.evaluation.scores import ObjectScores, Scores, SequenceScores

_MEASURE_COLUMNS = ("j_and_f", "j_mean", "j_recall", "j_decay", "f_mean", "f_recall", "f_decay", "identity_switches")


def write_report(
    scores: Scores, folder: str | Path, *, title: str = "Segmentation scores", facts: Mapping[str, str] | None = None
) -> Path:
    """Write everything about the scores into a folder, which is made if need be; files of these names are replaced.

    ``report.html`` (one self-contained page: table, J over time, worst frames), ``scores.json`` (all values),
    ``objects.csv``, ``sequences.csv`` and ``frames.csv``.

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
    page = render_page(scores, title, facts)
    return write_report_files(folder, _tables(scores), scores_to_json(scores), facts, page)


def scores_to_json(scores: Scores) -> dict[str, Any]:
    """Everything the scores hold as plain JSON values, per-frame values included."""
    return {
        "protocol": scores.protocol,
        **_summary(scores),
        "num_objects": len(scores.objects),
        "frames_per_second": scores.frames_per_second,
        "unscored": list(scores.unscored),
        "sequences": [_sequence_to_json(sequence) for sequence in scores.sequences],
    }


def _tables(scores: Scores) -> list[Table]:
    return [
        Table(
            "objects.csv",
            ("sequence", "object_id", "result_id", "num_frames", *_MEASURE_COLUMNS),
            (
                (sequence.name, entry.object_id, entry.result_id, len(entry.j_values), *_measure_cells(entry))
                for sequence, entry in scores.objects
            ),
        ),
        Table(
            "sequences.csv",
            ("sequence", "num_objects", "num_frames", "frames_per_second", *_MEASURE_COLUMNS),
            (
                (s.name, len(s.objects), s.truth.num_frames, s.frames_per_second, *_measure_cells(s))
                for s in scores.sequences
            ),
        ),
        Table("frames.csv", ("sequence", "object_id", "frame_index", "frame", "j", "f"), _frame_rows(scores)),
    ]


def _frame_rows(scores: Scores) -> Iterable[Sequence[object]]:
    for sequence, entry in scores.objects:
        for step, (j, f) in enumerate(zip(entry.j_values.tolist(), entry.f_values.tolist(), strict=True)):
            index = entry.first_index + step
            yield sequence.name, entry.object_id, index, sequence.truth.frame_name(index), j, f


def _measure_cells(part: ObjectScores | SequenceScores) -> tuple[float | int, ...]:
    j, f = part.j, part.f
    return part.j_and_f, j.mean, j.recall, j.decay, f.mean, f.recall, f.decay, part.switches


def _summary(part: ObjectScores | SequenceScores | Scores) -> dict[str, Any]:
    measures: dict[str, Statistics] = {"j": part.j, "f": part.f}
    return {
        "j_and_f": part.j_and_f,
        **{name: asdict(statistics) for name, statistics in measures.items()},
        "identity_switches": part.switches,
    }


def _sequence_to_json(sequence: SequenceScores) -> dict[str, Any]:
    return {
        "name": sequence.name,
        "num_frames": sequence.truth.num_frames,
        **_summary(sequence),
        "frames_per_second": sequence.frames_per_second,
        "objects": [_object_to_json(entry) for entry in sequence.objects],
    }


def _object_to_json(entry: ObjectScores) -> dict[str, Any]:
    return {
        "object_id": entry.object_id,
        "result_id": entry.result_id,
        "first_index": entry.first_index,
        **_summary(entry),
        "j_values": entry.j_values.tolist(),
        "f_values": entry.f_values.tolist(),
    }
