"""What a step of DyeNet's training sees: clips of one object and scenes of several, as batches.

The flow within the clips comes with them where OpenCV estimates it, and is estimated with the batch, where the network
is, where RAFT does.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.datasets.flow_clips import FlowClips
from shibori.datasets.sampling import TrainingClips
from shibori.datasets.scene.instance_scenes import InstanceView
from shibori.datasets.training_clip import TrainingClip
from shibori.nn.flow import DisFlow, RaftFlow
from shibori.ops.resize import resample_windows

FLOW_STRIDE = 4
"""Pixels of a clip's window to one vector of its flow."""


class Clips(NamedTuple):
    """B clips of one object each."""

    images: Tensor
    """(B, T, 3, S, S) uint8."""
    masks: Tensor
    """(B, T, S, S) uint8."""
    others: Tensor
    """(B, T, S, S) uint8."""
    windows: Tensor
    """(B, T, 4) float32 xyxy."""
    flows: Tensor | None
    """(B, T, 2, f, f) float16: backward, from the window of frame t to the previous picture seen through it, in pixels
    of the window; zeros at t = 0. None: not estimated yet."""

    def on(self, device: torch.device) -> Clips:
        """The same on a device."""
        images, masks, others, windows = (part.to(device, non_blocking=True) for part in self[:4])
        flows = None if self.flows is None else self.flows.to(device, non_blocking=True)
        return Clips(images, masks, others, windows, flows)


class Scenes(NamedTuple):
    """N pictures with K objects in all."""

    images: Tensor
    """(N, 3, S, S) uint8."""
    masks: Tensor
    """(K, S, S) bool."""
    boxes: Tensor
    """(K, 4) float32."""
    identities: Tensor
    """(K,) int64, negative: outside the pool."""
    picture: Tensor
    """(K,) int64: which picture."""

    def on(self, device: torch.device) -> Scenes:
        """The same on a device."""
        return Scenes(*(part.to(device, non_blocking=True) for part in self))


def flow_clips(clips: TrainingClips, side: int, raft: nn.Module | None) -> FlowClips:
    """Clips of windows of ``side`` pixels with their flow, unless there is a RAFT to estimate it."""
    return FlowClips(clips, side // FLOW_STRIDE, DisFlow() if raft is None else None)


@torch.no_grad()
def with_flows(clips: Clips, raft: nn.Module | None) -> Clips:
    """The clips with the flow that they do not have yet, estimated on their device."""
    if raft is None:
        return clips
    estimator, (count, num_frames, _, side, _) = RaftFlow(raft), clips.images.shape
    flows = torch.zeros(count, num_frames, 2, side // FLOW_STRIDE, side // FLOW_STRIDE, dtype=torch.float16)
    for t in range(1, num_frames):
        windows = clips.windows[:, t - 1], clips.windows[:, t]
        before = resample_windows(clips.images[:, t - 1].float(), *windows, (side, side), "border")
        flow = estimator.predict(clips.images[:, t], before)[-1]
        flows[:, t] = functional.avg_pool2d(flow, FLOW_STRIDE)
    return clips._replace(flows=flows.to(clips.images.device))


def stack_clips(items: list[tuple[TrainingClip, Tensor | None]]) -> Clips:
    """B clips, all with their flows or all without, as a batch."""
    clips = [clip for clip, _ in items]
    images, masks, others, windows = (
        torch.stack([getattr(clip, name) for clip in clips]) for name in ("images", "masks", "others", "windows")
    )
    flows = [flow for _, flow in items if flow is not None]
    return Clips(images, masks, others, windows, torch.stack(flows) if flows else None)


def stack_scenes(items: list[tuple[InstanceView, InstanceView]]) -> Scenes:
    """Both views of all scenes as one batch of pictures."""
    views = [view for pair in items for view in pair]
    picture = torch.cat([torch.full((len(view.boxes),), n, dtype=torch.int64) for n, view in enumerate(views)])
    masks, boxes, identities = (
        torch.cat([getattr(view, name) for view in views]) for name in ("masks", "boxes", "identities")
    )
    return Scenes(torch.stack([view.image for view in views]), masks, boxes, identities, picture)
