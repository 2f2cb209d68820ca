"""Tracklets: what DyeNet (Sec. 2) grows from one starting point, as values, as JSON and as a diagram.

The JSON file is one object::

    {"format": "shibori tracklets", "version": 1, "clip": "dogs-jump", "num_frames": 66, "tracklets": [
      {"object_id": 1, "start": 0, "first": 0, "last": 2, "similarity": 1.0, "origin": "given", "iteration": 0,
       "linked": true, "confidences": [1.0, 0.9712, 0.9604]}, ...]}

Frames count from 0 and spans include both ends; ``confidences`` has one number for each frame of the span.
Similarities and confidences are rounded to 4 decimals. The other fields are those of ``Tracklet``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shibori.errors import InputError
from shibori.media.atomic import write_whole
from shibori.media.palette import LARGEST_PALETTE_ID, davis_palette

FORMAT, VERSION = "shibori tracklets", 1
Origin = Literal["given", "found"]

_DECIMALS = 4
_SLACK = 1e-3
"""How far a cosine or a mean of probabilities may be beyond its bounds: float32 arithmetic leaves them there."""


@dataclass(frozen=True)
class Tracklet:
    """A mask that was propagated from one frame in both directions. ValueError where the fields contradict."""

    object_id: int
    """The object it was found to be; 1 or more."""
    start: int
    """Index of the frame of the starting point."""
    first: int
    """First frame of the span."""
    last: int
    """Last frame of the span, included."""
    similarity: float
    """Cosine of the starting point with the nearest template, or where a tracker goes ahead what its masks are worth; 1
    for a given mask."""
    origin: Origin
    """Whether the starting point was given by the user, or found by re-identification."""
    iteration: int
    """Of the iterative inference, from 0; a given mask has that at which it was propagated."""
    linked: bool
    """Whether it is part of the object's mask tube, or contradicts better ones."""
    confidences: tuple[float, ...]
    """In [0, 1], for each frame from ``first`` to ``last``."""

    def __post_init__(self) -> None:
        if self.object_id < 1:
            raise ValueError(f"the object id of a tracklet is 1 or more, got {self.object_id}")
        if not 0 <= self.first <= self.start <= self.last:
            raise ValueError(
                f"a tracklet starts inside its span, got start {self.start} in frames {self.first} to {self.last}"
            )
        if self.origin not in get_args(Origin):
            raise ValueError(f"the origin of a tracklet is one of {', '.join(get_args(Origin))}, got {self.origin!r}")
        if self.iteration < 0:
            raise ValueError(f"the iteration of a tracklet is 0 or more, got {self.iteration}")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if not abs(self.similarity) <= 1 + _SLACK:
            raise ValueError(f"the similarity of a tracklet is a cosine, got {self.similarity}")
        if len(self.confidences) != self.num_frames:
            raise ValueError(
                f"a tracklet of frames {self.first} to {self.last} has {self.num_frames} confidences, "
                f"got {len(self.confidences)}"
            )
        if not all(-_SLACK <= confidence <= 1 + _SLACK for confidence in self.confidences):
            raise ValueError("the confidences of a tracklet lie in 0..1")

    @property
    def num_frames(self) -> int:
        """Frames of the span."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class ClipTracklets:
    """All tracklets of a clip. ValueError where one goes on after the clip's end."""

    clip_name: str
    num_frames: int
    """Of the clip."""
    tracklets: tuple[Tracklet, ...]

    def __post_init__(self) -> None:
        for tracklet in self.tracklets:
            if tracklet.last >= self.num_frames:
                raise ValueError(
                    f"a tracklet of object {tracklet.object_id} ends at frame {tracklet.last}, "
                    f"and there are {self.num_frames} frames, counted from 0"
                )


def write_tracklets(path: str | Path, clip_name: str, num_frames: int, tracklets: Sequence[Tracklet]) -> None:
    """Write the JSON form, atomically. InputError where the disk refuses."""
    clip = ClipTracklets(clip_name, num_frames, tuple(tracklets))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "clip": clip.clip_name,
        "num_frames": clip.num_frames,
        "tracklets": [_tracklet_content(tracklet) for tracklet in clip.tracklets],
    }
    write_whole(Path(path), json.dumps(content).encode())


def _tracklet_content(tracklet: Tracklet) -> dict[str, Any]:
    return asdict(tracklet) | {
        "similarity": round(tracklet.similarity, _DECIMALS),
        "confidences": [round(confidence, _DECIMALS) for confidence in tracklet.confidences],
    }


def read_tracklets(path: str | Path) -> ClipTracklets:
    """Read and check what ``write_tracklets`` wrote.

    Raises:
        InputError: missing, not such a file, of another version, or with tracklets that contradict themselves.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file of tracklets {path}; shibori segment --system dyenet writes one") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a JSON file of tracklets: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f'{path} does not hold tracklets: expected a JSON object with "format": "{FORMAT}"')
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} holds tracklets of version {content.get('version')}, and this version of shibori reads "
            f"{VERSION}: write them anew"
        )
    try:
        tracklets = tuple(_tracklet_of(place, entry) for place, entry in enumerate(content["tracklets"]))
        return ClipTracklets(str(content["clip"]), int(content["num_frames"]), tracklets)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} does not hold tracklets as shibori writes them: {reason}") from error


def _tracklet_of(place: int, content: Mapping[str, Any]) -> Tracklet:
    try:
        return Tracklet(
            int(content["object_id"]),
            int(content["start"]),
            int(content["first"]),
            int(content["last"]),
            float(content["similarity"]),
            content["origin"],
            int(content["iteration"]),
            bool(content["linked"]),
            tuple(float(confidence) for confidence in content["confidences"]),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"tracklet {place}, counted from 0: {error}") from error


_PAPER, _INK, _RULE = (250, 250, 248), (42, 46, 54), (226, 227, 230)
_ZOOM = 2
"""The diagram is drawn this many times larger and then reduced, so that its lines are smooth."""
_LABELS, _MARGIN, _BAR, _ROW, _LANE_GAP, _AXIS = 100, 16, 18, 24, 12, 28
"""Pixels: the column of object names, the border, a bar's height, a row's, between lanes, the axis' height."""
_NARROWEST, _WIDEST, _FRAME = 480, 1280, 14
"""Pixels of all frames together, and of one frame where that leaves room."""
_LABEL_WIDTH = 44
"""Pixels behind a starting point that its similarity needs."""
_FAINTEST = 0.12
"""Opacity at no confidence: a bar never vanishes."""
_LEGEND = "filled: linked    hollow: not linked    paler: less confident    disc: given mask    diamond: found again"


@dataclass(frozen=True)
class _Row:
    """One line of the diagram: tracklets of one object that do not overlap."""

    object_id: int
    tracklets: list[Tracklet]
    is_first: bool
    """Of its lane."""


def draw_tracklets(tracklets: Sequence[Tracklet], num_frames: int) -> NDArray[np.uint8]:
    """A diagram: a lane for each object, a bar over each tracklet's span, frames from left to right.

    A bar has the object's DAVIS colour, its opacity is the confidence at each frame; one that is not linked is hollow.
    Its starting point is a disc where the mask was given, a diamond where it was found, with the similarity beside it.
    Tracklets of an object that overlap stand in rows, the linked and the most similar on top.

    Args:
        tracklets: of any objects, in any order.
        num_frames: of the clip.

    Returns:
        (H, W, 3) uint8 RGB; W is at most 1412, and H grows with the rows.
    """
    rows = [row for object_id in sorted({t.object_id for t in tracklets}) for row in _lane(object_id, tracklets)]
    tops = _MARGIN + np.cumsum([0] + [_ROW + _LANE_GAP * row.is_first for row in rows])
    width = int(np.clip(num_frames * _FRAME, _NARROWEST, _WIDEST))
    size_wh = _LABELS + width + 2 * _MARGIN, int(tops[-1]) + 2 * _AXIS + _MARGIN
    canvas = Image.new("RGB", (size_wh[0] * _ZOOM, size_wh[1] * _ZOOM), _PAPER)
    pen = _Pen(ImageDraw.Draw(canvas), width / num_frames)
    _draw_axis(pen, num_frames, int(tops[-1]) + _LANE_GAP)
    for row, end in zip(rows, tops[1:], strict=True):
        _draw_row(pen, row, int(end) - _ROW)
    return np.asarray(canvas.reduce(_ZOOM))


def _lane(object_id: int, tracklets: Sequence[Tracklet]) -> list[_Row]:
    """The rows of one object: each tracklet, the best first, goes to the first row that has room."""
    rows: list[list[Tracklet]] = []
    own = [tracklet for tracklet in tracklets if tracklet.object_id == object_id]
    for tracklet in sorted(own, key=lambda t: (not t.linked, t.origin != "given", -t.similarity, t.first)):
        free = (row for row in rows if all(tracklet.last < t.first or t.last < tracklet.first for t in row))
        row = next(free, None)
        if row is None:
            rows.append(row := [])
        row.append(tracklet)
    return [_Row(object_id, row, place == 0) for place, row in enumerate(rows)]


@dataclass(frozen=True)
class _Pen:
    """Draws in the diagram's pixels, and knows where frames are."""

    draw: ImageDraw.ImageDraw
    frame_width: float

    def x_of(self, frame: float) -> float:
        return _MARGIN + _LABELS + frame * self.frame_width

    def box(self, left: float, top: float, right: float, bottom: float, fill: tuple[int, ...]) -> None:
        corners = [round(side * _ZOOM) for side in (left, top, right, bottom)]
        if corners[2] > corners[0] and corners[3] > corners[1]:
            self.draw.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill)

    def shape(self, points_xy: NDArray[np.float64], fill: tuple[int, ...]) -> None:
        self.draw.polygon([(x, y) for x, y in (points_xy * _ZOOM).tolist()], fill)

    def text(self, x: float, y: float, text: str, anchor: str, ink: tuple[int, ...] = _INK) -> None:
        font = ImageFont.load_default(12 * _ZOOM)
        self.draw.text((x * _ZOOM, y * _ZOOM), text, ink, font, anchor)


def _draw_axis(pen: _Pen, num_frames: int, bottom: int) -> None:
    step = next(
        step for power in range(9) for step in (10**power, 2 * 10**power, 5 * 10**power) if step * pen.frame_width >= 56
    )
    for frame in range(0, num_frames, step):
        x = pen.x_of(frame + 0.5)
        pen.box(x - 0.5, _MARGIN, x + 0.5, bottom, _RULE)
        pen.text(x, bottom + _AXIS / 2, str(frame), "mm")
    pen.text(_MARGIN, bottom + _AXIS / 2, "frame", "lm")
    pen.text(_MARGIN, bottom + 1.4 * _AXIS, _LEGEND, "lm")


def _draw_row(pen: _Pen, row: _Row, top: int) -> None:
    colour = davis_palette()[1 + (row.object_id - 1) % LARGEST_PALETTE_ID].astype(np.float64)
    if row.is_first:
        pen.box(_MARGIN, top + 4, _MARGIN + 10, top + _BAR - 4, _blend(colour, 1))
        pen.text(_MARGIN + 18, top + _BAR / 2, f"object {row.object_id}", "lm")
    for tracklet in row.tracklets:
        _draw_bar(pen, tracklet, top, colour)
        _draw_start(pen, tracklet, top + _BAR / 2, colour)


def _draw_bar(pen: _Pen, tracklet: Tracklet, top: int, colour: NDArray[np.float64]) -> None:
    for offset, confidence in enumerate(tracklet.confidences):
        left, right = pen.x_of(tracklet.first + offset), pen.x_of(tracklet.first + offset + 1)
        pen.box(left, top, right, top + _BAR, _blend(colour, confidence))
        if not tracklet.linked:
            pen.box(left, top + 2, right, top + _BAR - 2, _PAPER)
    for end, inwards in ((tracklet.first, 2), (tracklet.last + 1, -2)):
        edges = sorted((pen.x_of(end), pen.x_of(end) + inwards))
        pen.box(edges[0], top, edges[1], top + _BAR, _blend(colour, 1))


def _draw_start(pen: _Pen, tracklet: Tracklet, y: float, colour: NDArray[np.float64]) -> None:
    x = pen.x_of(tracklet.start + 0.5)
    corners = np.linspace(0, 2 * np.pi, 24 if tracklet.origin == "given" else 4, endpoint=False)
    outline = np.stack([np.cos(corners), np.sin(corners)], 1)
    pen.shape((x, y) + 7.0 * outline, _PAPER)
    pen.shape((x, y) + 5.0 * outline, _INK)
    if tracklet.origin == "found" and pen.x_of(tracklet.last + 1) - x > _LABEL_WIDTH:
        covered = tracklet.confidences[tracklet.start - tracklet.first :][: 1 + int(_LABEL_WIDTH / pen.frame_width)]
        ground = _blend(colour, float(np.mean(covered))) if tracklet.linked else _PAPER
        ink = _INK if np.dot(ground, (0.299, 0.587, 0.114)) > 128 else _PAPER
        pen.text(x + 11, y, f"{tracklet.similarity:.2f}", "lm", ink)


def _blend(colour: NDArray[np.float64], confidence: float) -> tuple[int, ...]:
    opacity = _FAINTEST + (1 - _FAINTEST) * float(np.clip(confidence, 0, 1))
    return tuple(np.rint(opacity * colour + (1 - opacity) * np.array(_PAPER)).astype(int).tolist())
