"""IPDT as an ``InstanceSegmenter``: detect, calibrate, select, track, suppress (Fig. 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from shibori.interfaces import FrameSource, InstanceSegmenter
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.segmentation_code import Rle, mask_ious
from shibori.nn.views import ViewRule, ViewTrunk
from shibori.systems.ipdt.calibration import calibrate, select_candidates
from shibori.systems.ipdt.candidate import Candidate, Tubelet
from shibori.systems.ipdt.detection import CandidateFinder
from shibori.systems.ipdt.dual import DualTracker, Way
from shibori.systems.ipdt.linking import LinkRules, link, link_to_tubelet
from shibori.systems.ipdt.rule import DiscoveryRule
from shibori.systems.ipdt.suppression import final_class, final_score, suppress, tubelet_with_evidence
from shibori.systems.ipdt.tracking import SharedFrames, track

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

    def shared(self, frames: FrameSource) -> SharedFrames:
        """The frames with their features."""
        return SharedFrames(frames, self.parts.trunk, self.parts.views, self.parts.device)

    def detect(self, shared: SharedFrames, progress: Callable[[int], None] | None = None) -> list[list[Candidate]]:
        """The candidates of each frame that there should be, none for those that are not searched or did not come."""
        found: list[list[Candidate]] = [[] for _ in range(shared.source.num_frames)]
        for index, frame in shared.forward(0, shared.source.num_frames):
            if index % self.rule.detection.every == 0:
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
        worth = sorted((each for each in calibrated if each.score >= rule.least_score), key=lambda each: -each.score)
        waiting = select_candidates(worth[: rule.most_candidates], rule.same_iou)
        left_out = len(worth[rule.most_candidates :])
        tracked: list[Masks] = []
        while waiting and len(tracked) < rule.most_tracked:
            chosen = starting_together(waiting, worth, rule)[: rule.most_tracked - len(tracked)]
            chosen = [each for each in chosen if not is_covered(each, tracked, rule.covered_iou)] or chosen[:1]
            tracked += (follow or self._track)(shared, chosen)
            started = {id(each) for each in chosen}
            waiting = [
                each for each in waiting if id(each) not in started and not is_covered(each, tracked, rule.covered_iou)
            ]
        tubelets = [tubelet_with_evidence(masks, calibrated, unsupported=rule.unsupported) for masks in tracked]
        lasting = min(rule.least_frames, len(found))
        tubelets = [tubelet for tubelet in tubelets if tubelet.valid.sum() >= lasting]
        tracks = self.tracks_of(suppress(tubelets, rule.same_tubelet))
        return Discovery(tracks, len(everything), len(tracked), left_out + len(waiting))

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


def starting_together(
    waiting: Sequence[Candidate], everything: Sequence[Candidate], rule: DiscoveryRule
) -> list[Candidate]:
    """The best of the waiting candidates, and others of its frame that are nearly as good as those that wait for them.

    Candidates of one frame are different instances, so they can be followed side by side; those of other frames could
    be the same one again.
    """
    best = waiting[0]
    chosen = [best]
    for candidate in everything:
        if candidate.frame_index != best.frame_index or candidate is best:
            continue
        ious = mask_ious([candidate.mask], [each.mask for each in waiting])[0]
        rivals = [each.score for each, iou in zip(waiting, ious.tolist(), strict=True) if iou > rule.same_iou]
        is_waiting = any(candidate is each for each in waiting)
        if is_waiting or (rivals and candidate.score >= rule.joins * max(rivals)):
            chosen.append(candidate)
    return chosen


def is_covered(candidate: Candidate, tracked: Sequence[Masks], iou_threshold: float) -> bool:
    """Whether a tubelet shows the candidate's instance in its frame."""
    there = [mask for masks in tracked if (mask := masks[candidate.frame_index]) is not None]
    return bool(there) and bool((mask_ious([candidate.mask], there) > iou_threshold).any())
