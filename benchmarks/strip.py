"""Draw the strip of the README: a few frames of the demonstration's clip with the masks the tracker found.

    python benchmarks/strip.py                               # docs/images/demo-strip.png

The clip is drawn by the package, so the picture may be published with it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _environment import benchmark_parser, load_propagator, print_heading
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.media.mask import ids_to_masks
from shibori.media.overlay import overlay_image

LARGEST_BYTES = 150_000
GAP = 4


def overlays(arguments: object, indices: list[int], num_frames: int, seed: int) -> list[NDArray[np.uint8]]:
    """The chosen frames with their masks drawn over; every frame up to the last one is segmented."""
    clip = make_demo_clip(seed, num_frames=num_frames)
    propagation = load_propagator(arguments).begin(clip.size_hw)
    drawn = []
    for index in range(max(indices) + 1):
        image = clip.read_image(index)
        masks = propagation.step(image, ids_to_masks(clip.read_ids(0)) if index == 0 else None)
        if index in indices:
            drawn.append(overlay_image(image, masks.ids, clip.object_ids))
    return drawn


def strip_of(images: list[NDArray[np.uint8]], width: int) -> NDArray[np.uint8]:
    """The pictures side by side, each ``width`` pixels wide, on white."""
    height = round(width * images[0].shape[0] / images[0].shape[1])
    strip = np.full((height, len(images) * (width + GAP) - GAP, 3), 255, np.uint8)
    for place, image in enumerate(images):
        left = place * (width + GAP)
        strip[:, left : left + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return strip


def write_small(strip: NDArray[np.uint8], path: Path) -> tuple[int, int]:
    """Write with as many colours as the size allows (PNG, at most 256); returns bytes and colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in (256, 128, 64, 32):
        picture = Image.fromarray(strip).quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        picture.save(path, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            return path.stat().st_size, colours
    raise SystemExit(f"{path} is {path.stat().st_size} bytes, more than {LARGEST_BYTES}: give a smaller --width")


def main() -> None:
    parser = benchmark_parser(__doc__)
    default = Path(__file__).parents[1] / "docs" / "images" / "demo-strip.png"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--frames", type=int, nargs="+", default=[0, 14, 28, 42, 56], help="which to show")
    parser.add_argument("--length", type=int, default=60, help="frames of the clip; the demonstration has 60")
    parser.add_argument("--width", type=int, default=256, help="of each picture, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print_heading(arguments)
    images = overlays(arguments, arguments.frames, arguments.length, arguments.seed)
    size, colours = write_small(strip_of(images, arguments.width), arguments.out)
    print(f"{arguments.out}: frames {arguments.frames}, {size} bytes, {colours} colours")


if __name__ == "__main__":
    main()
