"""IPDT as an ``InstanceSegmenter``: detect, calibrate, select, track, suppress (Fig. 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from shibori.boxtracking.views import ViewRule, ViewTrunk
from shibori.interfaces import FrameSource, InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.segmentation_code import Rle, mask_ious
from shibori.systems.ipdt.calibration import calibrate, select_candidates
from shibori.systems.ipdt.candidate import Candidate, Tubelet
from shibori.systems.ipdt.detection import CandidateFinder
from shibori.systems.ipdt.dual import DualTracker, Way
from shibori.systems.ipdt.linking import LinkRules, link, link_to_tubelet
from shibori.systems.ipdt.rule import DiscoveryRule
from shibori.systems.ipdt.suppression import final_class, final_score, suppress, tubelet_with_evidence
from shibori.systems.ipdt.tracking import MOST_FRAMES, SharedFrames, track

Masks = tuple[Rle | None, ...]
Follow = Callable[[SharedFrames, Sequence[Candidate]], list[Masks]]
"""Candidates of one frame -> the masks of each through the clip."""


@dataclass(frozen=True)
class Parts:
    """The networks at work."""

    finder: CandidateFinder
    tracker: DualTracker
    trunk: ViewTrunk | None
    views: ViewRule
    device: torch.device


class IpdtSegmenter(InstanceSegmenter):
    """IPDT with one set of networks.

    Args:
        parts: the networks.
        classes: their names; category ids are 1, 2 ... in this order.
        rule: the numbers.
    """

    def __init__(self, parts: Parts, classes: Sequence[str], rule: DiscoveryRule) -> None:
        self.parts, self.classes, self.rule = parts, tuple(classes), rule

    def with_rule(self, rule: DiscoveryRule) -> IpdtSegmenter:
        """The same networks with other numbers for what is done with candidates and tubelets."""
        return IpdtSegmenter(self.parts, self.classes, rule)

    def with_way(self, way: Way) -> IpdtSegmenter:
        """The same networks, candidates followed another way."""
        tracker = self.parts.tracker
        other = DualTracker(tracker.pixel, tracker.instance, tracker.rule, way)
        return IpdtSegmenter(replace(self.parts, tracker=other), self.classes, self.rule)

    @property
    def categories(self) -> Mapping[int, str]:
        """See ``InstanceSegmenter``."""
        return dict(enumerate(self.classes, 1))

    def discover(self, frames: FrameSource, progress: Callable[[int], None] | None = None) -> Discovery:
        """See ``InstanceSegmenter``."""
        shared = self.shared(frames)
        candidates = self.detect(shared, progress)
        return self.extended(shared, candidates)

    def shared(self, frames: FrameSource, most: int = MOST_FRAMES) -> SharedFrames:
        """The frames with their features, of which those of the last ``most`` are kept."""
        return SharedFrames(frames, self.parts.trunk, self.parts.views, self.parts.device, most)

    def detect(self, shared: SharedFrames, progress: Callable[[int], None] | None = None) -> list[list[Candidate]]:
        """The candidates of each frame that there should be, none for those that are not searched or did not come."""
        num_frames = shared.source.num_frames
        found: list[list[Candidate]] = [[] for _ in range(num_frames)]
        searched = self.rule.detection.searched(num_frames)
        for index, frame in shared.forward(0, num_frames):
            if searched[index]:
                found[index] = self.parts.finder.find(frame, index)
            if progress is not None:
                progress(index + 1)
        return found

    def extended(
        self, shared: SharedFrames, found: Sequence[Sequence[Candidate]], follow: Follow | None = None
    ) -> Discovery:
        """The candidates of all frames calibrated, selected, tracked, and one tubelet for each instance.

        Args:
            shared: the frames.
            found: candidates of each frame.
            follow: how candidates are followed; by default as ``track`` does with the tracker of the parts.
        """
        rule = self.rule
        everything = [candidate for of_frame in found for candidate in of_frame]
        calibrated = calibrate(everything, rule.reliable, rule.beta)
        queue = Queue(calibrated, rule)
        tracked: list[Masks] = []
        while chosen := queue.next(tracked):
            tracked += (follow or self._track)(shared, chosen)
        searched = rule.detection.searched(len(found))
        tubelets = [tubelet_with_evidence(masks, calibrated, searched) for masks in tracked]
        lasting = min(rule.least_frames, len(found))
        tubelets = [tubelet for tubelet in tubelets if tubelet.valid.sum() >= lasting]
        tracks = self.tracks_of(suppress(tubelets, rule.same_tubelet))
        return Discovery(tracks, len(everything), len(tracked), queue.count_left(tracked))

    def linked(self, found: Sequence[Sequence[Candidate]], rules: LinkRules | None = None) -> Discovery:
        """The baseline of Table 2: the candidates linked by appearance and motion, nothing tracked."""
        rule = self.rule
        everything = [candidate for of_frame in found for candidate in of_frame]
        calibrated = iter(calibrate(everything, rule.reliable, rule.beta))
        of_frames = [[next(calibrated) for _ in of_frame] for of_frame in found]
        tubelets = [link_to_tubelet(each, len(found)) for each in link(of_frames, rules)]
        return Discovery(self.tracks_of(suppress(tubelets, rule.same_tubelet)), len(everything), 0, 0)

    def tracks_of(self, tubelets: Sequence[Tubelet]) -> tuple[InstanceTrack, ...]:
        """The best tubelets, numbered from 1 by falling score."""
        scored = [(final_score(tubelet), final_class(tubelet), tubelet) for tubelet in tubelets]
        kept = [each for each in scored if each[0] >= self.rule.least_score and each[1] >= 0][: self.rule.most_kept]
        return tuple(
            InstanceTrack(number, index + 1, self.classes[index], round(score, 6), tubelet.masks)
            for number, (score, index, tubelet) in enumerate(kept, 1)
        )

    def _track(self, shared: SharedFrames, chosen: Sequence[Candidate]) -> list[Masks]:
        return track(self.parts.tracker, shared, chosen, self.rule.backward)


class Queue:
    """Candidates that are yet to be followed, best first.

    Args:
        calibrated: of the whole clip; those whose score would not bring them into the result are left out.
        rule: the numbers.
    """

    def __init__(self, calibrated: Sequence[Candidate], rule: DiscoveryRule) -> None:
        self.rule = rule
        self._worth = sorted((each for each in calibrated if each.score >= rule.least_score), key=lambda c: -c.score)
        self._rest, self._waiting = list(self._worth), list[Candidate]()

    def next(self, tracked: Sequence[Masks]) -> list[Candidate]:
        """The candidates of one frame to follow next; none where all instances are, or there were enough.

        Args:
            tracked: tubelets so far.
        """
        rule = self.rule
        room = rule.most_tracked - len(tracked)
        self._waiting = self._uncovered(self._waiting, tracked)
        while room > 0 and not self._waiting and self._rest:
            some, self._rest = self._rest[: rule.most_candidates], self._rest[rule.most_candidates :]
            self._waiting = select_candidates(self._uncovered(some, tracked), rule.same_iou)
        if room <= 0 or not self._waiting:
            return []
        together = starting_together(self._waiting[:room], self._worth, rule)
        chosen = [together[0], *self._uncovered(together[1:], tracked)][:room]
        started = {id(each) for each in chosen}
        self._waiting = [each for each in self._waiting if id(each) not in started]
        return chosen

    def count_left(self, tracked: Sequence[Masks]) -> int:
        """Candidates that no tubelet shows and that were not followed."""
        return len(self._uncovered(self._waiting, tracked)) + len(self._uncovered(self._rest, tracked))

    def _uncovered(self, candidates: Sequence[Candidate], tracked: Sequence[Masks]) -> list[Candidate]:
        return [each for each in candidates if not is_covered(each, tracked, self.rule.covered_iou)]


def starting_together(
    waiting: Sequence[Candidate], everything: Sequence[Candidate], rule: DiscoveryRule
) -> list[Candidate]:
    """The best of the waiting candidates, and others of its frame that are nearly as good as those they stand for.

    Candidates of one frame are different instances, so they can be followed side by side; those of other frames could
    be the same one again.
    """
    best = waiting[0]
    chosen = [best]
    for candidate in everything:
        if candidate.frame_index != best.frame_index or _overlaps(candidate, chosen, rule.same_iou):
            continue
        rivals = [each for each in waiting if _overlaps(candidate, [each], rule.same_iou)]
        if rivals and candidate.score >= rule.joins * max(each.score for each in rivals):
            chosen.append(candidate)
    return chosen


def _overlaps(candidate: Candidate, others: Sequence[Candidate], iou_threshold: float) -> bool:
    return bool((mask_ious([candidate.mask], [other.mask for other in others]) > iou_threshold).any())


def is_covered(candidate: Candidate, tracked: Sequence[Masks], iou_threshold: float) -> bool:
    """Whether a tubelet shows the candidate's instance in its frame."""
    there = [mask for masks in tracked if (mask := masks[candidate.frame_index]) is not None]
    return bool(there) and bool((mask_ious([candidate.mask], there) > iou_threshold).any())
