"""What a camera does to a picture: exposure, blur, noise, too few pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Shutter:
    """Photometric conditions of one clip; each frame drifts a little from them."""

    gain: NDArray[np.float64]
    lift: float
    gamma: float
    blur: float
    noise: float
    grey: bool

    @classmethod
    def draw(cls, rng: Generator) -> Shutter:
        gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
        blur = float(rng.uniform(0.4, 1.3)) if rng.random() < 0.3 else 0.0
        noise = float(rng.uniform(1, 8)) if rng.random() < 0.2 else 0.0
        return cls(gain, rng.normal(0, 10), float(np.exp(rng.normal(0, 0.15))), blur, noise, bool(rng.random() < 0.04))

    def expose(self, rng: Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(S, S, 3) uint8 -> the same under these conditions."""
        now = replace(self, gain=self.gain * np.exp(rng.normal(0, 0.03)), lift=self.lift + rng.normal(0, 3))
        levels = (np.arange(256) / 255.0) ** now.gamma * 255
        table = np.clip(levels[:, None] * now.gain + now.lift, 0, 255).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, table[:, None, :].transpose(1, 0, 2).reshape(1, 256, 3)))
        if now.grey:
            image = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        if now.blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), now.blur))
        if rng.random() < 0.1:
            image = np.asarray(cv2.filter2D(image, -1, _streak(rng)))
        if now.noise:
            image = np.clip(image + rng.normal(0, now.noise, image.shape).astype(np.float32), 0, 255).astype(np.uint8)
        return image


def _streak(rng: Generator) -> NDArray[np.float32]:
    """A motion blur kernel: a line of 3 to 9 pixels in a random direction."""
    kernel = np.zeros((9, 9), np.float32)
    reach = rng.uniform(1, 4.5) * np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)])
    start, end = (4.0 - reach).round().astype(int), (4.0 + reach).round().astype(int)
    cv2.line(kernel, tuple(start.clip(0, 8).tolist()), tuple(end.clip(0, 8).tolist()), 1.0)
    return kernel / kernel.sum()


def from_fewer_pixels(image: NDArray[np.uint8], zoom: float) -> NDArray[np.uint8]:
    """(S, S, 3) as if it had been enlarged ``zoom`` times."""
    if zoom <= 1:
        return image
    size = image.shape[0]
    few = max(round(size / zoom), 8)
    small = cv2.resize(image, (few, few), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
