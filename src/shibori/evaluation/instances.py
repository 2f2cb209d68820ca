"""The YouTube-VIS measures: average precision and recall of found tracks, every value that of the official tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset, read_vis_results, read_youtube_vis
from shibori.evaluation.instance_matching import AREA_RANGES, MOST_TRACKS, THRESHOLDS, Matches, match_tracks
from shibori.evaluation.sequence_iou import mean_areas, sequence_ious, track_areas
from shibori.media.instances import InstanceTrack

RECALLS = np.linspace(0, 1, 101)
TRACKS_PER_VIDEO = (1, 10, MOST_TRACKS)
SIZES = ("all", "small", "medium", "large")
"""Of ``AREA_RANGES``, in their order."""


@dataclass(frozen=True, eq=False)
class CategoryScores:
    """One class over the set. A value is None where the set has no true track it could be about."""

    category_id: int
    name: str
    num_true: int
    """Tracks of the annotations, groups (crowds) not counted."""
    num_found: int
    """Tracks of the results."""
    precision: NDArray[np.float64]
    """(A, T) mean precision over 101 recalls for each area range and IoU threshold; NaN where nothing is true."""
    recall: NDArray[np.float64]
    """(A, M, T) largest recall with the M numbers of tracks per video and class; NaN where nothing is true."""

    @property
    def ap(self) -> float | None:
        """Average precision over the thresholds."""
        return mean_or_none(self.precision[0])

    @property
    def ap50(self) -> float | None:
        """Average precision at IoU 0.5."""
        return mean_or_none(self.precision[0, 0])

    @property
    def ap75(self) -> float | None:
        """Average precision at IoU 0.75."""
        return mean_or_none(self.precision[0, 5])

    def average_recall(self, num_tracks: int) -> float | None:
        """Recall averaged over the thresholds, with at most ``num_tracks`` (1, 10, 100) per video."""
        return mean_or_none(self.recall[0, TRACKS_PER_VIDEO.index(num_tracks)])


@dataclass(frozen=True, eq=False)
class InstanceScores:
    """A set: every value is the mean over the classes that have true tracks."""

    dataset: InstanceDataset
    categories: tuple[CategoryScores, ...]
    """Every class of the set, by id."""
    num_videos: int
    num_videos_found: int
    """Videos for which there are results."""

    @property
    def summary(self) -> dict[str, float | None]:
        """The official measures under their names; None where the set has no such track (the official tool says -1)."""
        precision = np.stack([each.precision for each in self.categories])
        recall = np.stack([each.recall for each in self.categories])
        values = {
            "AP": precision[:, 0],
            "AP50": precision[:, 0, 0],
            "AP75": precision[:, 0, 5],
            **{f"AP_{size}": precision[:, place] for place, size in enumerate(SIZES) if place},
            **{f"AR{number}": recall[:, 0, place] for place, number in enumerate(TRACKS_PER_VIDEO)},
            **{f"AR_{size}": recall[:, place, -1] for place, size in enumerate(SIZES) if place},
        }
        return {name: mean_or_none(value) for name, value in values.items()}

    @property
    def num_true(self) -> int:
        """True tracks of the set."""
        return sum(each.num_true for each in self.categories)

    @property
    def num_found(self) -> int:
        """Tracks of the results."""
        return sum(each.num_found for each in self.categories)


def mean_or_none(values: NDArray[np.float64]) -> float | None:
    """The mean of what is not NaN; None where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def score_vis(annotations: str | Path, results: str | Path) -> InstanceScores:
    """Score a results file against an annotation file.

    Raises:
        InputError: one of them is not what it should be, or they do not belong together.
    """
    dataset = read_youtube_vis(annotations)
    return score_instances(dataset, read_vis_results(results, dataset))


def score_instances(dataset: InstanceDataset, found: Mapping[int, Sequence[InstanceTrack]]) -> InstanceScores:
    """Score tracks (video id -> tracks) against a set; videos without tracks count as nothing found."""
    matches: dict[int, list[Matches]] = {category_id: [] for category_id in dataset.categories}
    for video_id in dataset.videos:
        for category_id, of_video in _video_matches(dataset.annotations_of[video_id], found.get(video_id, ())):
            matches[category_id].append(of_video)
    num_found = dict.fromkeys(dataset.categories, 0)
    for tracks in found.values():
        for track in tracks:
            num_found[track.category_id] += 1
    categories = tuple(
        _score_category(category_id, name, num_found[category_id], matches[category_id])
        for category_id, name in dataset.categories.items()
    )
    return InstanceScores(dataset, categories, len(dataset.videos), sum(1 for tracks in found.values() if tracks))


def _video_matches(
    annotations: Sequence[InstanceAnnotation], tracks: Sequence[InstanceTrack]
) -> Iterator[tuple[int, Matches]]:
    """The matches of each class with a true or found track in one video."""
    everything: list[InstanceTrack | InstanceAnnotation] = [*tracks, *annotations]
    codes = [each.segmentations for each in everything]
    if not codes:
        return
    areas = track_areas(codes)
    means = mean_areas(areas)
    for place, annotation in enumerate(annotations, len(tracks)):
        stated = [area for area in annotation.areas if area]
        if stated:  # the official tool believes the file
            means[place] = np.mean(stated)
    classes = np.array([each.category_id for each in everything])
    for category_id in np.unique(classes).tolist():
        places = np.flatnonzero(classes == category_id)
        rows, columns = places[places < len(tracks)], places[places >= len(tracks)]
        ious = sequence_ious(
            [codes[i] for i in rows], [codes[i] for i in columns], areas[rows], areas[columns], THRESHOLDS[0]
        )
        scores = np.array([tracks[i].score for i in rows], np.float64)
        is_crowd = np.array([annotations[i - len(tracks)].is_crowd for i in columns], bool)
        yield category_id, match_tracks(ious, scores, means[rows], means[columns], is_crowd)


def _score_category(category_id: int, name: str, num_found: int, matches: Sequence[Matches]) -> CategoryScores:
    """Precision and recall of one class, its videos put together."""
    shape = (len(AREA_RANGES), len(THRESHOLDS))
    precision, recall = np.full(shape, np.nan), np.full((shape[0], len(TRACKS_PER_VIDEO), shape[1]), np.nan)
    num_true = np.sum([each.num_true for each in matches], axis=0) if matches else np.zeros(shape[0], np.int64)
    known = np.flatnonzero(num_true)
    for place, number in enumerate(TRACKS_PER_VIDEO):
        if len(known):
            right, wrong = _counts(matches, number)
            recall[known, place] = right[known, :, -1] / num_true[known, None] if right.shape[2] else 0.0
            if number == MOST_TRACKS:
                precision[known] = _average_precision(right[known], wrong[known], num_true[known])
    return CategoryScores(category_id, name, int(num_true[0]), num_found, precision, recall)


def _counts(matches: Sequence[Matches], num_tracks: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(A, T, N) each: right and wrong finds among the first 1..N of all videos by score."""
    scores = np.concatenate([each.scores[:num_tracks] for each in matches])
    order = np.argsort(-scores, kind="stable")
    matched = np.concatenate([each.matched[..., :num_tracks] for each in matches], axis=2)[..., order]
    counted = ~np.concatenate([each.ignored[..., :num_tracks] for each in matches], axis=2)[..., order]
    return (matched & counted).cumsum(axis=2, dtype=np.float64), (~matched & counted).cumsum(axis=2, dtype=np.float64)


def _average_precision(
    right: NDArray[np.float64], wrong: NDArray[np.float64], num_true: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(A, T) mean over 101 recalls of the best precision at that recall or a larger one.

    Args:
        right: (A, T, N) right finds among the first 1..N.
        wrong: (A, T, N).
        num_true: (A,) what could be found, not 0.
    """
    recall = right / num_true[:, None, None]
    precision = right / (right + wrong + np.spacing(1))
    best = np.maximum.accumulate(precision[..., ::-1], axis=2)[..., ::-1]
    best = np.concatenate([best, np.zeros((*best.shape[:2], 1))], axis=2)
    at_recall = np.empty((*recall.shape[:2], len(RECALLS)))
    for area, threshold in np.ndindex(recall.shape[:2]):
        at_recall[area, threshold] = best[area, threshold, np.searchsorted(recall[area, threshold], RECALLS)]
    return np.asarray(at_recall.mean(axis=2))
