"""What the edge controls of ``shibori export`` do to mattes, on clips whose opacity is known to the pixel.

Objects with three kinds of edges (blurred, hairy, semi-transparent) move over photographs; the mask tracker segments
them from a first mask, and its probabilities are the plain mattes. Errors of opacity: SAD (sum of absolute differences,
thousands a frame), MSE (in thousandths, near the object), gradient (sum of squared differences of the Gaussian
gradient, thousands; Rhemann et al., CVPR 2009). Chatter is the share of pixels beside the outline that change from
frame to frame in a clip that stands still under noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from _environment import describe_run
from shibori.evaluation.measures import boundary_measure, region_similarity
from shibori.media.calm import calm_masks
from shibori.media.clip import Frame
from shibori.media.edges import EdgeControls, shape_edges
from shibori.media.folder import find_images
from shibori.media.mask import FrameMasks
from shibori.media.picture import read_image
from shibori.run.choice import SystemChoice, load_system

SIZE_HW = (480, 854)
Alpha = NDArray[np.float32]
KINDS = ("blurred", "hairy", "semi-transparent")
CONTROLS = {
    "plain probabilities": EdgeControls(),
    "--calm 2": EdgeControls(calm=2),
    "--refine 8": EdgeControls(refine=8),
    "--refine 16": EdgeControls(refine=16),
    "--smooth 3": EdgeControls(smooth=3),
    "--calm 2 --refine 8": EdgeControls(calm=2, refine=8),
}


def true_alpha(kind: str) -> Alpha:
    """(300, 300) opacity of an object with a kind of edge."""
    rows, columns = np.mgrid[:300, :300].astype(np.float32)
    angle, distance = np.arctan2(rows - 150, columns - 150), np.hypot(rows - 150, columns - 150)
    body = (distance < 85 + 12 * np.sin(3 * angle) + 6 * np.sin(7 * angle + 1)).astype(np.float32)
    if kind == "blurred":
        return np.asarray(cv2.GaussianBlur(body, (0, 0), 4))
    if kind == "semi-transparent":
        return np.asarray(np.maximum(cv2.erode(body, np.ones((21, 21))), 0.5 * cv2.GaussianBlur(body, (0, 0), 1.5)))
    return _with_hair(body)


def _with_hair(body: Alpha) -> Alpha:
    rng, scale = np.random.default_rng(5), 4
    large = cv2.resize(body, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    for _ in range(260):
        angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
        radii = np.linspace(70, 70 + rng.uniform(30, 65), 24)
        turned = angle + bend * np.linspace(0, 1, 24) ** 2
        points = np.stack([150 + radii * np.cos(turned), 150 + radii * np.sin(turned)], axis=-1)
        cv2.polylines(large, [np.round(scale * points).astype(np.int32)], False, 1.0, int(rng.integers(2, 7)))
    return np.asarray(cv2.resize(large, (300, 300), interpolation=cv2.INTER_AREA), np.float32)


def composite(
    kind: str, photographs: Sequence[Path], count: int, step: float, noise: float
) -> Iterator[tuple[NDArray[np.uint8], Alpha]]:
    """Pictures of an object that moves ``step`` pixels a frame over a photograph, and its true opacity."""
    rng, alpha = np.random.default_rng(len(kind)), true_alpha(kind)
    ground = cv2.resize(read_image(photographs[0]), SIZE_HW[::-1]).astype(np.float32)
    cloth = cv2.resize(read_image(photographs[-1]), (300, 300)).astype(np.float32)
    for index in range(count):
        place = np.array([[1, 0, 180 + step * index], [0, 1, 90 + 0.4 * step * index]], np.float32)
        here = np.asarray(cv2.warpAffine(alpha, place, SIZE_HW[::-1]))
        cover = cv2.warpAffine(cloth, place, SIZE_HW[::-1], borderMode=cv2.BORDER_REPLICATE)
        image = here[..., None] * cover + (1 - here[..., None]) * ground + rng.normal(0, noise, ground.shape)
        yield image.clip(0, 255).round().astype(np.uint8), here


def segmented(frames: Sequence[tuple[NDArray[np.uint8], Alpha]]) -> list[tuple[Frame, FrameMasks]]:
    """The frames with the masks of the tracker, whose first one is true."""
    propagation = load_system(SystemChoice("pixel")).begin(SIZE_HW)
    pairs = []
    for index, (image, alpha) in enumerate(frames):
        masks = propagation.step(image, {1: alpha > 0.5} if index == 0 else None)
        pairs.append((Frame(index, None, image), masks))
    return pairs


def shaped(pairs: Sequence[tuple[Frame, FrameMasks]], controls: EdgeControls) -> list[Alpha]:
    """Opacities of all frames under some controls."""
    frames = calm_masks(iter(pairs), (1,), controls.calm) if controls.calm else iter(pairs)
    return [shape_edges(masks, frame.image, controls, (1,)).opacity((1,)) for frame, masks in frames]


def errors(found: Alpha, true: Alpha) -> tuple[float, float, float, float, float]:
    """SAD, MSE, gradient error, J and F of one frame."""
    near = cv2.dilate((true > 0).astype(np.uint8), np.ones((41, 41))) > 0
    gradient = sum((_slope(found, axis) - _slope(true, axis))[near] ** 2 for axis in (0, 1))
    hard, truth = found >= 0.5, true >= 0.5
    return (
        float(np.abs(found - true).sum()) / 1e3,
        float(((found - true) ** 2)[near].mean()) * 1e3,
        float(gradient.sum()) / 1e3,
        region_similarity(hard, truth),
        boundary_measure(hard, truth),
    )


def _slope(alpha: Alpha, axis: int) -> Alpha:
    blurred = cv2.GaussianBlur(alpha, (0, 0), 1.4)
    return np.asarray(cv2.Sobel(blurred, cv2.CV_32F, int(axis == 1), int(axis == 0), scale=1 / 8), np.float32)


def chatter(alphas: Sequence[Alpha]) -> float:
    """Share of the pixels beside the outline that change sides from a frame to the next."""
    shares = []
    for before, after in pairwise(alphas):
        old, new = (before >= 0.5).astype(np.uint8), (after >= 0.5).astype(np.uint8)
        beside = cv2.morphologyEx(old, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        shares.append(float((old != new).sum() / max(1, beside.sum())))
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder of pictures to composite from")
    parser.add_argument("--frames", type=int, default=12, help="of each clip")
    options = parser.parse_args()
    photographs = find_images(options.photographs)
    print(f"{describe_run()}\n\n| controls | edges | SAD | MSE | gradient | J | F | chatter | ms a frame |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, kind in enumerate(KINDS):
        chosen = photographs[7 * number :: 31]
        moving = list(composite(kind, chosen, options.frames, 4.0, 2.0))
        pairs, still = segmented(moving), segmented(list(composite(kind, chosen, options.frames, 0.0, 8.0)))
        for name, controls in CONTROLS.items():
            began = time.perf_counter()
            found = shaped(pairs, controls)
            spent = 1e3 * (time.perf_counter() - began) / len(found)
            means = np.mean([errors(each, true) for each, (_, true) in zip(found, moving, strict=True)][1:], axis=0)
            cells = " | ".join(f"{value:.3f}" for value in (*means, chatter(shaped(still, controls)[1:])))
            print(f"| {name} | {kind} | {cells} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
