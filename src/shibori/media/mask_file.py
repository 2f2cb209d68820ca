"""Mask files people really have, read as object ids. A file that can be read in two ways is refused, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shibori.errors import InputError
from shibori.media.palette import davis_palette
from shibori.media.picture import open_image

VOID = 255
"""In a uint8 ids map: a pixel that belongs to no object and to no background, left out of scores."""
_LARGEST_GREY_ID = 32
"""Grey levels up to this are object ids. Higher ones are likelier shades of a picture of a mask."""
_MOST_FOREIGN_IDS = 32
"""More distinct indices than this under a palette that is not the DAVIS one are likelier shades than objects."""


KINDS = ("alpha", "grey", "colours")
"""How a picture or a video can show masks other than by ids: ``alpha:cut.png``; see ``stated_masks``."""


def stated_kind(text: str) -> tuple[str | None, Path]:
    """``alpha:cut.png`` -> kind and path; None as the kind where none is stated. A file called so wins."""
    kind, _, rest = text.partition(":")
    return (kind, Path(rest)) if rest and kind in KINDS and not Path(text).exists() else (None, Path(text))


def read_ids(path: str | Path, *, keep_void: bool = False) -> NDArray[Any]:
    """Object ids of a mask file: (H, W) uint8, or uint16 where an id is above 254.

    - palette image: the index is the id, 255 is void; black and white alone are a binary mask
    - greyscale or 1-bit: 0 and 255 (or 1) alone are one object, id 1; small integers (or 1..K) are ids, 255 is void
    - 16-bit greyscale: ids; 0 and 65535 alone are one object
    - anything else (RGB, shades between colours, JPEG) is refused with what was found and how to convert it

    Args:
        path: any picture Pillow opens.
        keep_void: leave void pixels at 255 (for scoring) instead of making them background.

    Raises:
        InputError: missing, no picture, or not clearly a mask.
    """
    with open_image(path) as image:
        try:
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{path} is a damaged picture: {error}") from error
        if getattr(image, "n_frames", 1) > 1:
            raise InputError(f"{path} holds several pictures: a mask file holds one")
        ids = _ids_of_image(image, path)
    if ids.dtype == np.uint8 and not keep_void:
        return np.where(ids == VOID, np.uint8(0), ids)
    return ids


def values_present(ids: NDArray[Any]) -> NDArray[np.int64]:
    """The distinct values of a uint8 or uint16 array, ascending, faster than by sorting."""
    if ids.dtype == np.uint8:
        return np.flatnonzero(cv2.calcHist([ids], [0], None, [256], [0, 256]))
    present = np.zeros(65536, bool)
    present[ids.ravel()] = True
    return np.flatnonzero(present)


def _ids_of_image(image: Image.Image, path: str | Path) -> NDArray[Any]:
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode == "P":
        return _ids_of_palette_image(image, path)
    if image.mode == "L":
        return _ids_of_grey(np.asarray(image), path)
    if image.mode == "LA" and np.asarray(image)[..., 1].min() == 255:
        return _ids_of_grey(np.asarray(image)[..., 0].copy(), path)
    if image.mode.startswith("I"):
        return _ids_of_deep_grey(np.asarray(image), path)
    raise InputError(_refusal_of_colours(image, path))


def _ids_of_palette_image(image: Image.Image, path: str | Path) -> NDArray[np.uint8]:
    ids = np.asarray(image)
    present = values_present(ids)
    colours = np.zeros((256, 3), np.uint8)
    stored = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(stored)] = stored
    used, davis = colours[present], davis_palette()
    if (used == davis[present]).all():
        return ids
    white = present[(used == 255).all(axis=1)]
    if len(white) == 1 and set(present) <= {0, int(white[0])} and not colours[0].any():
        return (ids == white[0]).astype(np.uint8)
    if (used[:, 0] == used[:, 1]).all() and (used[:, 0] == used[:, 2]).all() and (used[:, 0] == present).all():
        return _ids_of_grey(ids, path)
    known = [np.flatnonzero((davis == colour).all(axis=1)) for colour in used]
    moved = [(int(i), int(k[0])) for i, k in zip(present, known, strict=True) if len(k) and k[0] != i]
    if moved and all(len(k) for k in known):
        index, object_id = moved[0]
        raise InputError(
            f"{path} is a palette image whose colours and indices disagree: index {index} has the DAVIS colour of "
            f"object {object_id} {_shown(davis[object_id])}, as programs leave it that re-order palettes; {_HOW_TO}"
        )
    if len(present) > _MOST_FOREIGN_IDS or _has_shades(ids, present, used):
        raise InputError(
            f"{path} is a palette image with {len(present)} colours that are not the DAVIS ones (such as "
            f"{', '.join(_shown(colour) for colour in used[1:4])}), as resizing or antialiasing makes them: they would "
            f"become {len(present) - 1} objects; export the mask without antialiasing, or: {_HOW_TO}"
        )
    return ids


def _has_shades(ids: NDArray[Any], present: NDArray[np.int64], used: NDArray[np.uint8]) -> bool:
    """Whether a colour looks like an antialiased edge: a blend of two others, nowhere 3 pixels wide."""
    colours = used.astype(np.float64)
    for slot, index in enumerate(present):
        others = np.delete(colours, slot, axis=0)
        if _is_blend(colours[slot], others):
            area = (ids == index).astype(np.uint8)
            if not cv2.erode(area, np.ones((3, 3), np.uint8)).any():
                return True
    return False


def _is_blend(colour: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Whether a (3,) colour lies between two of the (K, 3) others, within 8 levels of the line that joins them."""
    begin, end = others[:, None], others[None]
    line = end - begin
    length = np.maximum((line**2).sum(-1), 1)
    share = ((colour - begin) * line).sum(-1) / length
    distance = np.linalg.norm(begin + share[..., None] * line - colour, axis=-1)
    return bool(((share > 0.05) & (share < 0.95) & (distance < 8)).any())


def _ids_of_grey(ids: NDArray[np.uint8], path: str | Path) -> NDArray[np.uint8]:
    present = values_present(ids).tolist()
    marked = [value for value in present if value not in (0, VOID)]
    if not marked:
        return (ids == 255).astype(np.uint8)
    if max(marked) <= _LARGEST_GREY_ID or marked == list(range(1, len(marked) + 1)):
        return ids
    levels = ", ".join(map(str, present[:6])) + (", ..." if len(present) > 6 else "")
    raise InputError(
        f"{path} is a greyscale image with {len(present)} grey levels ({levels}): a mask holds 0 and 255 alone (one "
        "object), or object ids as small integers 1, 2, 3 ...; antialiasing, JPEG or a conversion from colours makes "
        f"such levels; export it without, or for one object whose edges they are give grey:{path}"
    )


def _ids_of_deep_grey(values: NDArray[Any], path: str | Path) -> NDArray[Any]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise InputError(f"{path} holds values {low}..{high}: object ids are 0..65535")
    if high == 65535:
        if ((values == 0) | (values == 65535)).all():
            return (values == 65535).astype(np.uint8)
        raise InputError(
            f"{path} is a 16-bit greyscale image that reaches 65535: ids end at 65534, and shades are no mask"
        )
    return values.astype(np.uint16 if high >= VOID else np.uint8)


_PYTHON = "python -c"
_HOW_TO = (
    f'convert it with {_PYTHON} "from shibori.media.mask_file import convert_mask_colours as c; '
    "c('in.png', 'out.png')\""
)


def _refusal_of_colours(image: Image.Image, path: str | Path) -> str:
    rgb = np.asarray(image.convert("RGB"))
    colours, counts, which = _colours(rgb)
    davis = {tuple(colour): i for i, colour in enumerate(davis_palette().tolist())}
    shown = ", ".join(_shown(colour) for colour in colours[np.argsort(-counts, kind="stable")][:4])
    more = ", ..." if len(colours) > 4 else ""
    found = f"{path} is an {image.mode} image with {len(colours)} colours ({shown}{more}), but a mask holds object ids"
    if all(tuple(colour) in davis for colour in colours.tolist()):
        return f"{found}; the colours are those of the DAVIS palette: {_HOW_TO}"
    if not _are_shades(colours, which):
        return f"{found}; save it as a palette, 16-bit or 0/255 greyscale PNG, or {_HOW_TO}"
    ways = f"colours:{path}" + (f" or, for its opacity, alpha:{path}" if "A" in image.mode else "")
    return (
        f"{found}; some are shades that antialiasing or JPEG makes: export it as a palette PNG without them, or give "
        f"{ways}"
    )


def _colours(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """(K, 3) distinct colours, (K,) how many pixels have them, (H, W) which of them each pixel has."""
    packed = rgb.reshape(-1, 3).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    values, which, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([values >> 16, (values >> 8) & 255, values & 255], axis=1).astype(np.uint8)
    return colours, counts, which.reshape(rgb.shape[:2])


def _are_shades(colours: NDArray[np.uint8], which: NDArray[np.int64]) -> bool:
    """Whether colours of an RGB mask look like antialiasing; so many objects nobody paints by colour."""
    return len(colours) > _MOST_FOREIGN_IDS or _has_shades(which, np.arange(len(colours)), colours)


def _shown(colour: NDArray[np.uint8]) -> str:
    return "({}, {}, {})".format(*colour.tolist())


def rgb_to_ids(rgb: NDArray[np.uint8], colours: Mapping[int, tuple[int, int, int]] | None = None) -> NDArray[np.uint8]:
    """Ids of a coloured mask, (H, W) uint8, exact colours only.

    Args:
        rgb: (H, W, 3) uint8.
        colours: object id (1..254) -> its colour; black is background. By default the DAVIS palette where all colours
            belong to it; otherwise black is background and the others are numbered from 1, largest area first.

    Raises:
        InputError: a colour with no id, or so many colours that they are shades.
    """
    found, counts, which = _colours(rgb)
    if colours is None:
        davis = {tuple(colour): i for i, colour in enumerate(davis_palette().tolist())}
        if all(tuple(colour) in davis for colour in found.tolist()):
            colours = {davis[tuple(colour)]: tuple(colour) for colour in found.tolist()}
        else:
            if _are_shades(found, which):
                raise InputError(f"some of the mask's {len(found)} colours are shades that antialiasing or JPEG makes")
            largest_first = [tuple(c) for c in found[np.argsort(-counts, kind="stable")].tolist() if any(c)]
            colours = dict(enumerate(largest_first, start=1))
    ids = np.zeros(rgb.shape[:2], np.uint8)
    known = (rgb == 0).all(axis=2)
    for object_id, colour in colours.items():
        here = (rgb == np.asarray(colour, np.uint8)).all(axis=2)
        ids[here], known = object_id, known | here
    if not known.all():
        raise InputError(f"the mask has a colour {_shown(rgb[~known][0])} that no object was given")
    return ids


def convert_mask_colours(
    source: str | Path, target: str | Path, colours: Mapping[int, tuple[int, int, int]] | None = None
) -> None:
    """Write a coloured mask file as a palette PNG of ids; see ``rgb_to_ids``. Alpha is not looked at."""
    from shibori.media.palette import write_palette_png

    with open_image(source) as image:
        write_palette_png(target, rgb_to_ids(np.asarray(image.convert("RGB")), colours))
