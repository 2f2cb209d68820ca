"""Clips of a patterned thing that moves and grows, beside others; and heads trained on such things."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch

from shibori.boxtracking.losses import TrackerTraining
from shibori.boxtracking.pairs import Pairs
from shibori.boxtracking.presets import build_iou_network, build_siamese, build_trunk
from shibori.boxtracking.views import ViewTrunk
from shibori.nn.weights import save_state
from shibori.ops.normalise import normalise_images

SIZE_HW = (120, 176)


def pattern(seed: int, tone: tuple[int, int, int]) -> np.ndarray:
    """(64, 64, 3) uint8: blots around a colour."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 160, (64, 64, 3)), (0, 0), 5)
    return np.clip(2 * noise + tone, 0, 255).astype(np.uint8)


GROUND = cv2.resize(pattern(7, (110, 120, 110)), SIZE_HW[::-1])
TONES = ((200, 60, 60), (60, 90, 200), (70, 180, 80), (190, 180, 60))


def painted(*things: tuple[int, np.ndarray]) -> np.ndarray:
    """(H, W, 3): things, by their number and (4,) box, over the ground, the last one above all."""
    image = GROUND.copy()
    for number, box in things:
        left, top, right, bottom = np.round(box).astype(int).tolist()
        picture = cv2.resize(pattern(number, TONES[number % len(TONES)]), (right - left, bottom - top))
        rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        part = picture[max(-top, 0) :, max(-left, 0) :]
        space = image[rows, columns]
        space[:] = part[: space.shape[0], : space.shape[1]]
    return image


def box_at(x: float, y: float, width: float, height: float) -> np.ndarray:
    """(4,) about a middle."""
    return np.round(np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]))


def random_box(rng: np.random.Generator) -> np.ndarray:
    width, height = rng.uniform(24, 52, 2)
    return box_at(rng.uniform(30, SIZE_HW[1] - 30), rng.uniform(30, SIZE_HW[0] - 30), width, height)


def batch(trunk: ViewTrunk, rng: np.random.Generator, count: int = 6):
    """Features and pairs of things in two pictures each."""
    images, reference, test = [], [], []
    for _ in range(count):
        number = int(rng.integers(100))
        for boxes in (reference, test):
            box = random_box(rng)
            images.append(painted((int(rng.integers(100)), random_box(rng)), (number, box)))
            boxes.append(torch.from_numpy(box).float())
    pictures = torch.from_numpy(np.stack(images)[:, :112].transpose(0, 3, 1, 2).copy())
    features = trunk.see(normalise_images(pictures))
    even, odd = torch.arange(0, 2 * count, 2), torch.arange(1, 2 * count, 2)
    return features, Pairs(even, torch.stack(reference), odd, torch.stack(test), torch.ones(count, dtype=torch.bool))


@cache
def trained(steps: int = 130) -> TrackerTraining:
    """The heads of ``tiny``, trained for some seconds on such things."""
    trunk, rng = build_trunk("tiny"), np.random.default_rng(0)
    batches = [batch(trunk, rng, 5) for _ in range(65)]
    torch.manual_seed(0)
    run = TrackerTraining(build_iou_network("tiny"), build_siamese("tiny"))
    optimiser = torch.optim.Adam(run.parameters(), lr=3e-3)
    for step in range(steps):
        loss = run(*batches[step % len(batches)]).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return run.eval()


def write_heads(folder, digest: torch.Tensor) -> None:
    """The trained heads as weights files."""
    run = trained()
    save_state(folder / "atom.safetensors", run.iou.state_dict() | {"trunk_digest": digest}, "atom", "tiny")
    save_state(folder / "siamese.safetensors", run.siamese.state_dict() | {"trunk_digest": digest}, "siamese", "tiny")


def clip(num_frames: int = 24, distractor: bool = True, hidden: tuple[int, int] = (0, 0)):
    """Frames and boxes of a thing that goes right, grows by a half and meets another one."""
    images, boxes = [], []
    for t in range(num_frames):
        share = t / (num_frames - 1)
        grown = 30 * (1 + 0.5 * share)
        box = box_at(40 + 95 * share, 60 + 8 * np.sin(t / 3), grown, grown * 1.1)
        others = [(1, box_at(130 - 60 * share, 30, 30, 34))] if distractor else []
        here = [] if hidden[0] <= t < hidden[1] else [(0, box)]
        images.append(painted(*others, *here))
        boxes.append(box)
    return images, boxes
