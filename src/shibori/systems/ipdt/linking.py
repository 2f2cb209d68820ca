"""Detections linked by appearance and motion: the baseline "DeepSORT" of Table 2 (Wojke et al., 2017).

A track is a box that moves (``kalman``) and the last embeddings it had. In each frame tracks take the candidates that
look alike and lie where they should, those seen last first (matching cascade, Sec. 2.3); then what is left is matched
by the overlap of boxes. Assignments are optimal (Hungarian algorithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from shibori.media.segmentation_code import Rle
from shibori.systems.ipdt.candidate import Candidate, Tubelet
from shibori.systems.ipdt.kalman import GATE, BoxState, begin, predict, squared_distances, update

_NEVER = 1e5


@dataclass(frozen=True)
class LinkRules:
    """When a candidate goes on a track."""

    max_cosine_distance: float = 0.2
    """Between a candidate's embedding and the nearest of a track's."""
    max_iou_distance: float = 0.7
    """1 - IoU of boxes, where appearance did not tell."""
    max_age: int = 30
    """Frames without a candidate after which a track ends (the paper's A_max)."""
    min_hits: int = 3
    """Candidates in successive frames that make a track; fewer are forgotten (the first three frames of Sec. 2.1)."""
    gallery: int = 100
    """Embeddings a track remembers (the paper's L_k)."""


@dataclass(frozen=True, eq=False)
class Track:
    """Candidates of one instance so far."""

    candidates: tuple[Candidate, ...]
    state: BoxState
    age: int = 0
    """Frames since its last candidate."""
    is_confirmed: bool = False


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which tracks take which candidates, by their positions in the lists that were matched."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    """Tracks without a candidate."""
    candidates: list[int] = field(default_factory=list)
    """Candidates without a track."""


def link(frames: Sequence[Sequence[Candidate]], rules: LinkRules | None = None) -> list[Track]:
    """The tracks through the candidates of each frame, in order of their beginning; unconfirmed ones are left out.

    Args:
        frames: candidates with embeddings, boxes with area, one sequence for each frame of the clip, in order.
        rules: when a candidate goes on a track.
    """
    rules = rules or LinkRules()
    alive: list[Track] = []
    ended: list[Track] = []
    for candidates in frames:
        alive = [replace(track, state=predict(track.state), age=track.age + 1) for track in alive]
        taken = match(alive, candidates, rules)
        going_on = {i: _extended(alive[i], candidates[k], rules) for i, k in taken.pairs}
        alive = [going_on.get(i, track) for i, track in enumerate(alive)]
        ended += [track for track in alive if track.is_confirmed and track.age > rules.max_age]
        alive = [track for track in alive if track.age <= (rules.max_age if track.is_confirmed else 0)]
        alive += [_begun(candidates[k], rules) for k in taken.candidates]
    found = [track for track in (*ended, *alive) if track.is_confirmed]
    return sorted(found, key=lambda track: track.candidates[0].frame_index)


def link_to_tubelet(track: Track, num_frames: int) -> Tubelet:
    """The masks and class scores of a track's candidates through a clip of ``num_frames``."""
    masks: list[Rle | None] = [None] * num_frames
    scores = np.zeros((num_frames, len(track.candidates[0].class_scores)))
    for candidate in track.candidates:
        masks[candidate.frame_index] = candidate.mask
        scores[candidate.frame_index] = candidate.class_scores
    valid = np.array([mask is not None for mask in masks], bool)
    return Tubelet(tuple(masks), scores, valid)


def _begun(candidate: Candidate, rules: LinkRules) -> Track:
    return Track((candidate,), begin(candidate.box_xyxy), is_confirmed=rules.min_hits <= 1)


def _extended(track: Track, candidate: Candidate, rules: LinkRules) -> Track:
    candidates = (*track.candidates, candidate)
    is_confirmed = track.is_confirmed or len(candidates) >= rules.min_hits
    return Track(candidates, update(track.state, candidate.box_xyxy), 0, is_confirmed)


def match(tracks: Sequence[Track], candidates: Sequence[Candidate], rules: LinkRules) -> Assignment:
    """The matching cascade, then matching by overlap of boxes for what is young or was seen in the last frame."""
    pairs: list[tuple[int, int]] = []
    left = list(range(len(candidates)))
    for age in range(1, rules.max_age + 1):
        some = [i for i, track in enumerate(tracks) if track.is_confirmed and track.age == age]
        if some and left:
            costs = appearance_costs([tracks[i] for i in some], [candidates[k] for k in left], rules)
            found = assign(costs, rules.max_cosine_distance)
            pairs += [(some[i], left[k]) for i, k in found.pairs]
            left = [left[k] for k in found.candidates]
    taken = {i for i, _ in pairs}
    young = [i for i, track in enumerate(tracks) if i not in taken and (track.age == 1 or not track.is_confirmed)]
    if young and left:
        boxes = np.stack([tracks[i].state.box_xyxy for i in young]), np.stack([candidates[k].box_xyxy for k in left])
        found = assign(1 - box_ious(*boxes), rules.max_iou_distance)
        pairs += [(young[i], left[k]) for i, k in found.pairs]
        left = [left[k] for k in found.candidates]
    taken = {i for i, _ in pairs}
    return Assignment(pairs, [i for i in range(len(tracks)) if i not in taken], left)


def assign(costs: NDArray[np.float64], most: float) -> Assignment:
    """The pairs of least total cost in (N, M) ``costs``, each at most ``most``."""
    bounded = np.where(costs > most, _NEVER, costs)
    rows, columns = (side.tolist() for side in linear_sum_assignment(bounded))
    pairs = [(i, k) for i, k in zip(rows, columns, strict=True) if costs[i, k] <= most]
    firsts, seconds = {i for i, _ in pairs}, {k for _, k in pairs}
    num_tracks, num_candidates = costs.shape
    return Assignment(
        pairs,
        [i for i in range(num_tracks) if i not in firsts],
        [k for k in range(num_candidates) if k not in seconds],
    )


def appearance_costs(tracks: Sequence[Track], candidates: Sequence[Candidate], rules: LinkRules) -> NDArray[np.float64]:
    """(N, M) least cosine distance to an embedding of the track (Eq. 2), out of bounds where motion forbids it."""
    embeddings = np.stack([_embedding(candidate) for candidate in candidates])
    boxes = np.stack([candidate.box_xyxy for candidate in candidates])
    costs = np.empty((len(tracks), len(candidates)))
    for row, track in zip(costs, tracks, strict=True):
        remembered = np.stack([_embedding(candidate) for candidate in track.candidates[-rules.gallery :]])
        row[:] = (1 - remembered @ embeddings.T).min(axis=0)
        row[squared_distances(track.state, boxes) > GATE] = _NEVER
    return costs


def _embedding(candidate: Candidate) -> NDArray[np.float32]:
    if candidate.embedding is None:
        raise ValueError(f"a candidate of frame {candidate.frame_index} has no embedding: linking compares appearances")
    return candidate.embedding


def box_ious(boxes_xyxy: NDArray[np.float64], others_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, M) intersection over union of boxes with area."""
    low = np.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas, other_areas = ((side[:, 2:] - side[:, :2]).prod(axis=1) for side in (boxes_xyxy, others_xyxy))
    return np.asarray(shared / (areas[:, None] + other_areas - shared))
