"""The flow of clips that RAFT estimates where the network is."""

from __future__ import annotations

import pytest
import torch

from shibori.nn.flow import RaftFlow, build_raft
from shibori.systems.dyenet.batch import FLOW_STRIDE, Clips, with_flows

from .made import made_clips


@pytest.fixture(scope="module")
def raft() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_raft("small").eval()


@pytest.fixture
def clips() -> Clips:
    """Two, without their flow."""
    return made_clips(2)._replace(flows=None)


def test_flow_runs_from_each_frame_to_the_one_before(raft: torch.nn.Module, clips: Clips):
    flows = with_flows(clips, raft).flows
    side = clips.images.shape[-1] // FLOW_STRIDE
    assert (flows.shape, flows.dtype) == ((2, 3, 2, side, side), torch.float16)
    assert not flows[:, 0].any()
    estimator = RaftFlow(raft)
    for row in range(2):
        pictures = clips.images[row].permute(0, 2, 3, 1).numpy()
        for t in (1, 2):
            full = torch.from_numpy(estimator.estimate(pictures[t], pictures[t - 1]).vectors).permute(2, 0, 1)
            expected = torch.nn.functional.avg_pool2d(full[None], FLOW_STRIDE)[0]
            torch.testing.assert_close(flows[row, t].float(), expected, atol=0.02, rtol=0.01)


def test_the_previous_picture_is_seen_through_the_current_window(raft: torch.nn.Module, clips: Clips, monkeypatch):
    """Moved to the left by 8 pixels, a window shows what stood 8 pixels further left, and its border goes on."""
    pairs = []

    def noted(_raft: RaftFlow, now: torch.Tensor, before: torch.Tensor) -> list[torch.Tensor]:
        pairs.append((now, before))
        return [torch.zeros(len(now), 2, *now.shape[2:])]

    monkeypatch.setattr(RaftFlow, "predict", noted)
    clips.windows[:, 1:] -= torch.tensor([8.0, 0, 8, 0])
    with_flows(clips, raft)
    (now, before), (_, last) = pairs
    first = clips.images[:, 0].float()
    assert now.equal(clips.images[:, 1])
    torch.testing.assert_close(before[..., 8:], first[..., :-8], atol=1e-2, rtol=0)
    torch.testing.assert_close(before[..., :8], first[..., :1].expand(*first.shape[:3], 8), atol=1e-2, rtol=0)
    torch.testing.assert_close(last, clips.images[:, 1].float(), atol=1e-2, rtol=0)


def test_flow_that_came_with_the_clips_stays():
    clips = made_clips(1)
    assert with_flows(clips, None) is clips
