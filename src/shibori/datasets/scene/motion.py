"""How things move through a made clip: where, how large, how turned, frame by frame. Pure arrays, one row a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SpriteMotion:
    """Where a sprite is, how large and how turned in each frame."""

    centre_xy: NDArray[np.float64]
    """(T, 2) pixels of the clip."""
    zoom: NDArray[np.float64]
    """(T,) pixels of the clip for each pixel of the source."""
    turn: NDArray[np.float64]
    """(T,) radians, clockwise on the screen."""
    mirrored: bool = False
    """Whether right and left are exchanged, after turning."""

    def matrices(self, source_centre_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T, 2, 3) affine, pixels of the source -> pixels of the clip: they put the source's centre at the motion's.

        Args:
            source_centre_xy: (T, 2) or (2,) pixels of the source.
        """
        matrices = np.zeros((len(self.zoom), 2, 3))
        cosine, sine = self.zoom * np.cos(self.turn), self.zoom * np.sin(self.turn)
        facing = -1.0 if self.mirrored else 1.0
        matrices[:, 0, 0], matrices[:, 0, 1] = facing * cosine, -facing * sine
        matrices[:, 1, 0], matrices[:, 1, 1] = sine, cosine
        source = np.broadcast_to(source_centre_xy, self.centre_xy.shape)
        matrices[:, :, 2] = self.centre_xy - np.einsum("tij,tj->ti", matrices[:, :, :2], source)
        return matrices


@dataclass(frozen=True, eq=False)
class SourceTrack:
    """Where an object is in its own pictures and how large, smoothed over time; gaps filled in."""

    centre_xy: NDArray[np.float64]
    """(T, 2) pixels of the source."""
    size: NDArray[np.float64]
    """(T,) root of the box's area in pixels."""

    @classmethod
    def of_boxes(cls, boxes_xyxy: NDArray[np.float64]) -> SourceTrack:
        """The track of (T, 4) tight boxes, half-open; those without area are gaps."""
        low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
        seen = np.flatnonzero((high > low).all(axis=1))
        rows = [(low + high)[:, 0] / 2, (low + high)[:, 1] / 2, np.sqrt((high - low).prod(axis=1))]
        x, y, size = (smoothed(np.interp(np.arange(len(low)), seen, row[seen])) for row in rows)
        return cls(np.stack([x, y], axis=1), size)

    def zoom_to(self, first_area: float) -> NDArray[np.float64]:
        """(T,) zoom that gives its first box this area in square pixels, and keeps its growth within bounds."""
        growth = self.size / self.size[0]
        zoom: NDArray[np.float64] = np.sqrt(first_area) / self.size[0] * growth.clip(0.7, 1.5) / growth
        return zoom

    def bounded_motion(self, zoom: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
        """(T, 2) its own motion since the first frame in pixels of the clip, at most ``bound`` along each axis."""
        moved: NDArray[np.float64] = bound * np.tanh((self.centre_xy - self.centre_xy[0]) * zoom[:, None] / bound)
        return moved


def eased(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at 0 and 1 at 1, flat at both."""
    return time * time * (3 - 2 * time)


def smoothed(values: NDArray[np.float64], reach: int = 3) -> NDArray[np.float64]:
    """Running mean, ends held: takes the corners off a path."""
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")


def there_and_back(index: int, num_frames: int) -> int:
    """0, 1 ... n-1, n-2 ... 1, 0, 1 ...: a source frame for every frame of the clip, without a jump."""
    period = max(2 * num_frames - 2, 1)
    return (num_frames - 1) - abs((num_frames - 1) - index % period)
