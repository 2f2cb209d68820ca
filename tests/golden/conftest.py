"""One processor thread, float32 everywhere, and the made clips."""

from __future__ import annotations

import pytest
import torch

from .clips import BALL, BOX, EGG, MadeClip, crossing_scene, returning_scene


@pytest.fixture(autouse=True)
def same_arithmetic(monkeypatch):
    """bfloat16 differs too much between processors, and the order of sums between numbers of threads."""
    monkeypatch.setattr("shibori.nn.prepare.cpu_has_bfloat16", lambda: False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def crossing(tmp_path_factory) -> MadeClip:
    """12 frames in which the ball goes behind the egg and the box comes in."""
    clip = MadeClip(tmp_path_factory.mktemp("crossing"), crossing_scene, 12)
    clip.write_mask("first.png", 0, EGG, BALL)
    clip.write_half_mask("half.png", 0, EGG)
    clip.write_mask("egg3.png", 3, EGG)
    clip.write_mask("box5.png", 5, BOX)
    clip.write_mask("egg5.png", 5, EGG)
    clip.write_mask("ball10.png", 10, BALL)
    return clip


@pytest.fixture(scope="session")
def returning(tmp_path_factory) -> MadeClip:
    """14 frames, in the middle of which the ball is behind the pillar."""
    clip = MadeClip(tmp_path_factory.mktemp("returning"), returning_scene, 14, has_pillar=True)
    clip.write_mask("first.png", 0, EGG, BALL)
    return clip
