"""From tubelets to the result (Sec. 3.3): their classes and scores, and one of those that follow the same instance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shibori.media.segmentation_code import Rle, mask_ious
from shibori.systems.ipdt.candidate import Candidate, Tubelet, rank_of


def tubelet_with_evidence(
    masks: Sequence[Rle | None],
    candidates: Sequence[Candidate],
    searched: NDArray[np.bool_],
    iou_threshold: float = 0.5,
) -> Tubelet:
    """A tubelet whose frames take the re-weighted class scores of the candidate they overlap most.

    The paper averages scores and counts classes over the frames, but does not say where a tracked frame has its own
    from; the detections of that frame are taken to tell.

    Args:
        masks: of each frame, as tracked.
        candidates: calibrated, of all frames, before selection; at least one.
        searched: (T,) frames that were searched for candidates.
        iou_threshold: a candidate must overlap more than this.
    """
    scores = np.zeros((len(masks), len(candidates[0].class_scores)))
    present_in: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        present_in.setdefault(candidate.frame_index, []).append(candidate)
    for index, mask in enumerate(masks):
        if mask is not None and (present := present_in.get(index)):
            ious = mask_ious([mask], [candidate.mask for candidate in present])[0]
            best = int(ious.argmax())
            if ious[best] > iou_threshold:
                scores[index] = present[best].class_scores
    return Tubelet(tuple(masks), scores, searched)


def final_class(tubelet: Tubelet) -> int:
    """The class with the largest sum of scores over the frames with a valid mask; -1 where nothing speaks for any.

    The paper takes the most frequent class, each frame's likeliest counting alike; where a detector wavers between two
    classes, how sure it is in each frame tells more.
    """
    sums = tubelet.evidence.sum(axis=0)
    return int(sums.argmax()) if sums.any() else -1


def final_score(tubelet: Tubelet) -> float:
    """The rank of the mean of the re-weighted scores over the frames with a valid mask; 0 where there is none.

    The paper takes the mean of one score a frame, which here is one for each class.
    """
    evidence = tubelet.evidence
    return rank_of(evidence.mean(axis=0)) if len(evidence) else 0.0


def mean_frame_ious(tubelets: Sequence[Tubelet]) -> NDArray[np.float64]:
    """(N, N) IoU of any two tubelets, averaged over the frames.

    The average is over frames in which at least one of the two shows: over all frames of the clip, as the paper can be
    read, instances that show briefly would never be the same.
    """
    sums, counts = np.zeros((len(tubelets),) * 2), np.zeros((len(tubelets),) * 2)
    for index in range(len(tubelets[0].masks) if tubelets else 0):
        present = np.array([tubelet.masks[index] is not None for tubelet in tubelets])
        counts += present[:, None] | present
        codes = [code for tubelet in tubelets if (code := tubelet.masks[index]) is not None]
        sums[np.ix_(present, present)] += mask_ious(codes, codes)
    return sums / np.maximum(counts, 1)


def suppress(tubelets: Sequence[Tubelet], threshold: float) -> list[Tubelet]:
    """Tubelets by falling final score; one whose mean IoU with a better one is above ``th_seq`` is left out."""
    order = sorted(tubelets, key=lambda tubelet: -final_score(tubelet))
    ious = mean_frame_ious(order)
    kept: list[int] = []
    for place in range(len(order)):
        if not (ious[place, kept] > threshold).any():
            kept.append(place)
    return [order[place] for place in kept]
