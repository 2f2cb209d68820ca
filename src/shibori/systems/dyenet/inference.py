"""DyeNet as a ``Propagator``: frame by frame, or over the whole clip in iterations (Sec. 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import ClipPropagator, FrameSource, Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.nn.flow import FlowEstimator
from shibori.systems.dyenet.clip_masks import References
from shibori.systems.dyenet.forward import ForwardRun
from shibori.systems.dyenet.forward_pass import ForwardPass, RecurrentPass
from shibori.systems.dyenet.identities import Adaption, Identities
from shibori.systems.dyenet.offline import OfflinePropagation, Task
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.tracker_pass import TrackerPass
from shibori.tracking.settled_frame import settled_frame


class DyeNetPropagator(ClipPropagator):
    """DyeNet with one set of networks.

    Args:
        recurrent: networks, variant and numbers.
        flow: how motion is estimated.
        adapt: given the first frame that has masks, and them, what to follow with instead: online training (Sec. 4).
        tracker: whose run is the pass forward over a clip as a whole; without it the recurrent network's is.
    """

    def __init__(
        self,
        recurrent: RecurrentTracker,
        flow: FlowEstimator,
        adapt: Adaption | None = None,
        tracker: Propagator | None = None,
    ) -> None:
        self.recurrent, self.flow, self.adapt, self.tracker = recurrent, flow, adapt, tracker

    def begin(self, size_hw: tuple[int, int]) -> DyeNetPropagation:
        """See ``Propagator``: each frame is answered from the past alone, so nothing is propagated backward."""
        return DyeNetPropagation(ForwardRun(self.recurrent, self.flow, size_hw, self.adapt))

    def propagate(
        self,
        frames: FrameSource,
        references: References,
        both_ways: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> OfflinePropagation:
        """See ``ClipPropagator``."""
        return OfflinePropagation(self._forward_pass(frames), Task(frames, references, both_ways, progress))

    def _forward_pass(self, frames: FrameSource) -> ForwardPass:
        if self.tracker is not None:
            identities, propagation = Identities(self.recurrent, self.adapt), self.tracker.begin(frames.size_hw)
            return TrackerPass(propagation, identities, self.flow, frames.num_frames)
        run = ForwardRun(self.recurrent, self.flow, frames.size_hw, self.adapt, finds=False)
        return RecurrentPass(run, frames.num_frames)


class DyeNetPropagation(Propagation):
    """One run over one stream; see ``Propagation``."""

    def __init__(self, run: ForwardRun) -> None:
        self.run = run
        self.index = -1

    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """See ``Propagation.step``."""
        self.index += 1
        outcome = self.run.step(image, references or {})
        statuses = tuple(self._status(object_id) for object_id in self.run.templates)
        return settled_frame(self.index, self.run.size_hw, outcome.answers, outcome.given, statuses)

    def _status(self, object_id: int) -> ObjectStatus:
        state = self.run.states.get(object_id)
        if state is not None:
            return ObjectStatus(object_id, state.track.confidence, "tracked")
        return ObjectStatus(object_id, 0.0, "absent" if object_id in self.run.absent else "lost")
