"""What each part of a system contributes: its variants on the same clips, side by side. Knows no system.

A system that carries masks, one that takes marks and one that finds instances are measured in different ways; that
they are rows of a table beside what a paper says is the same for all three.
"""

from __future__ import annotations

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.episodes import Episode, episodes
from shibori.datasets.scene.instance_composites import InstanceComposite, annotations_of
from shibori.evaluation.coarse_tracks import coarse_tracks, of_one_class, tracks_alike
from shibori.evaluation.davis import SequenceFrames, evaluate_davis
from shibori.evaluation.instances import score_instances
from shibori.evaluation.interactive import InteractiveSession, evaluate_interactive
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.evaluation.reappearance import Reappearance, reappearances
from shibori.evaluation.scores import SequenceScores
from shibori.interfaces import FrameSource, InteractiveSegmenter, Propagator
from shibori.media.instances import Discovery, InstanceTrack

Published = TypeVar("Published")
Variant = TypeVar("Variant")
AnyRow = TypeVar("AnyRow")
Values = Mapping[str, float | None]
Cell = Callable[[Values, Values | None], str]
"""From the values of a row, and those of the row before it if there is one, to what stands in a column."""
Clips = Sequence[DavisSequence] | Sequence[CompositeSequence]
Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


class Row(NamedTuple, Generic[Published, Variant]):
    """One row of the table, before it is measured."""

    text: str
    """What takes part."""
    published: Published
    """What the paper says, on other clips."""
    variant: Variant


MaskRow = Row[float | None, Callable[[], Propagator]]
"""The paper's J&F, and what builds the variant."""
MarkRow = Row[tuple[float, float] | None, Callable[[], InteractiveSegmenter]]
"""The paper's AUC and J&F@60s, and what builds the variant."""
InstanceRow = Row[float | None, Callable[[FrameSource], Discovery]]
"""The paper's mAP, and what finds the instances of a clip."""


class RowResult(NamedTuple):
    """What came of one row."""

    text: str
    values: Values
    """By the names they have in JSON."""


class Ablation(ABC, Generic[AnyRow]):
    """How the variants of a system are measured, and the columns of their table."""

    columns: ClassVar[tuple[tuple[str, Cell], ...]]
    """Headings and what stands below them."""

    @abstractmethod
    def run(self, rows: Sequence[AnyRow], progress: Progress = lambda done, total: None) -> Iterator[RowResult]:
        """Measure all rows on the same clips; each result as soon as it is known."""


def number(key: str, form: str = ".3f", missing: str = "") -> Cell:
    """A cell with a value; ``missing`` where there is none."""
    return lambda values, before: missing if values[key] is None else format(values[key], form)


def change(key: str) -> Cell:
    """A cell with the difference to the row before; empty where either has no value."""

    def cell(values: Values, before: Values | None) -> str:
        value, earlier = values[key], None if before is None else before[key]
        return "" if value is None or earlier is None else f"{value - earlier:+.3f}"

    return cell


def table_lines(columns: Sequence[tuple[str, Cell]], results: Iterable[RowResult]) -> Iterator[str]:
    """A Markdown table, each line as soon as its row is known."""
    before: Values | None = None
    for text, values in results:
        if before is None:
            yield f"| variant | {' | '.join(heading for heading, _ in columns)} |"
            yield "|---" * (len(columns) + 1) + "|"
        yield f"| {' | '.join([text, *(cell(values, before) for _, cell in columns)])} |"
        before = values


def _found_again(values: Values, before: Values | None) -> str:
    return f"{values['found_again']} of {values['reappearances']}" if values["reappearances"] else ""


@dataclass(frozen=True)
class MaskAblation(Ablation[MaskRow]):
    """From the first masks; the paper's figure is J&F."""

    clips: Clips

    columns = (
        ("J", number("j")),
        ("F", number("f")),
        ("J&F", number("j_and_f")),
        ("delta", change("j_and_f")),
        ("paper J&F", number("paper_j_and_f")),
        ("paper delta", change("paper_j_and_f")),
        ("found again", _found_again),
        ("frames/s", number("frames_per_second", ".1f")),
    )

    def run(self, rows: Sequence[MaskRow], progress: Progress = lambda done, total: None) -> Iterator[RowResult]:
        hidden = {clip.name: episodes(clip) for clip in self.clips if isinstance(clip, CompositeSequence)}
        for text, published, build in rows:
            with tempfile.TemporaryDirectory() as folder:
                scores = evaluate_davis(
                    self.clips, build(), folder, progress=lambda done: progress(done.frames_done, done.num_frames)
                )
                back = [entry for clip in scores.sequences for entry in _returns(clip, hidden.get(clip.name, []))]
            yield RowResult(
                text,
                {
                    "j": scores.j.mean,
                    "f": scores.f.mean,
                    "j_and_f": scores.j_and_f,
                    "paper_j_and_f": published,
                    "found_again": sum(entry.first_found is not None for entry in back),
                    "reappearances": len(back),
                    "frames_per_second": scores.frames_per_second,
                },
            )


def _returns(clip: SequenceScores, hidden: Sequence[Episode]) -> list[Reappearance]:
    """What a row's masks on disk show of the objects that came back."""
    truth, results = clip.truth, clip.results
    image = truth.read_ids(0)
    size_hw = (image.shape[0], image.shape[1])
    return reappearances(truth, lambda index: results.read_ids(truth.frame_name(index), size_hw), hidden)


@dataclass(frozen=True)
class MarkAblation(Ablation[MarkRow]):
    """Through the same rounds of marks; the paper's figures are AUC and J&F@60s."""

    clips: Clips
    rules: InteractiveRules
    seed: int = 0
    """Of the first scribbles, which the robot draws the same for all rows."""

    columns = (
        ("J&F at first", number("j_and_f_at_first")),
        ("J&F", number("j_and_f")),
        ("AUC", number("auc")),
        ("J&F@60s", number("j_and_f_at_threshold")),
        ("paper AUC", number("paper_auc")),
        ("paper J&F@60s", number("paper_j_and_f_at_threshold")),
    )

    def run(self, rows: Sequence[MarkRow], progress: Progress = lambda done, total: None) -> Iterator[RowResult]:
        for text, published, build in rows:
            session = InteractiveSession(self.clips, None, rules=self.rules, seed=self.seed)
            scores = evaluate_interactive(
                session, build(), progress=lambda done: progress(done.frames_done, done.num_frames)
            )
            auc, at_threshold = published or (None, None)
            yield RowResult(
                text,
                {
                    "j_and_f_at_first": float(scores.curve.j_and_f[1]),
                    "j_and_f": scores.j_and_f,
                    "auc": scores.auc,
                    "j_and_f_at_threshold": scores.at_threshold,
                    "paper_auc": auc,
                    "paper_j_and_f_at_threshold": at_threshold,
                },
            )


MEASURES = ("AP", "AP50", "AP75", "AR1", "AR10")


@dataclass(frozen=True)
class InstanceAblation(Ablation[InstanceRow]):
    """Without marks; the paper's figure is mAP. A variant gives the instances of a clip.

    The measures are given once more with all instances of one class: then a wrong class of an instance that was found
    does not count.
    """

    clips: Sequence[InstanceComposite]

    columns = (
        ("mAP", number("AP", missing="0.000")),
        *((key, number(key, missing="0.000")) for key in MEASURES[1:]),
        ("one class: AP", number("one_class_AP", missing="0.000")),
        ("AP50", number("one_class_AP50", missing="0.000")),
        ("paper mAP", number("paper_map")),
        ("s", number("seconds", ".0f")),
    )

    def run(self, rows: Sequence[InstanceRow], progress: Progress = lambda done, total: None) -> Iterator[RowResult]:
        """All rows on one clip after the other, so that they can share what they have in common of a clip."""
        found: list[dict[int, list[InstanceTrack]]] = [{} for _ in rows]
        seconds = [0.0] * len(rows)
        for video_id, clip in enumerate(self.clips, 1):
            frames = SequenceFrames(clip.sequence)
            for place, row in enumerate(rows):
                began = time.perf_counter()
                found[place][video_id] = coarse_tracks(row.variant(frames).tracks)
                seconds[place] += time.perf_counter() - began
            progress(video_id, len(self.clips))
        truth = annotations_of(self.clips)
        alike = of_one_class(truth)
        for row, of_row, spent in zip(rows, found, seconds, strict=True):
            measures = score_instances(truth, of_row).summary
            one_class = score_instances(alike, tracks_alike(of_row)).summary
            values: dict[str, Any] = {key: measures[key] for key in MEASURES}
            values |= {f"one_class_{key}": one_class[key] for key in MEASURES}
            yield RowResult(row.text, values | {"paper_map": row.published, "seconds": spent})
