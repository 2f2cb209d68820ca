"""How many clicks it takes to segment an object in one frame: the field's measure of interactive segmentation (NoC).

The first click is in the middle of the object, each next one in the middle of the largest connected error. The same
frames are also asked for after one box and after one round of the DAVIS robot's strokes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation.robot import object_strokes
from shibori.interfaces import InteractiveSegmenter
from shibori.media.folder import ImageClip
from shibori.media.rounds import Mark, Round, Rounds
from shibori.ops.error_region import largest_error, middle_of
from shibori.ops.overlap import iou_of_masks

Mask = NDArray[np.bool_]
MarkedFrame = Callable[[Rounds], Mask]
"""(H, W) mask of object 1 in the one frame after some rounds about it; equal rounds give equal masks."""
BeginFrame = Callable[[NDArray[np.uint8]], MarkedFrame]
"""Starts work on an (H, W, 3) uint8 RGB picture."""
OBJECT = 1
"""The id of the object at work."""
ALWAYS = 5
"""Clicks that are made in any case."""


@dataclass(frozen=True)
class ClickRules:
    """What is counted."""

    most: int = 20
    """Clicks on an object; one that needs more counts as needing these."""
    thresholds: tuple[float, ...] = (0.85, 0.9)
    """IoU that is to be reached."""
    num_frames: int = 4
    """Frames of a sequence: the first, and others as evenly spread as they come."""

    def __post_init__(self) -> None:
        if self.most < ALWAYS or self.num_frames < 1:
            raise InputError(
                f"expected at least {ALWAYS} clicks and one frame, found {self.most} clicks and {self.num_frames} "
                "frames"
            )


@dataclass(frozen=True)
class ClickedObject:
    """What marks on one object of one frame came to."""

    sequence: str
    frame: int
    object_id: int
    clicks: tuple[float, ...]
    """IoU after one click, two ..."""
    box: float
    """IoU after one box alone."""
    stroke: float
    """IoU after the robot's strokes alone."""
    seconds: tuple[float, ...]
    """From each click to its mask; the first with all that is to be known of the picture."""

    def after(self, count: int) -> float:
        """IoU after so many clicks; where fewer were needed, after the last one."""
        return self.clicks[min(count, len(self.clicks)) - 1]

    def needed(self, threshold: float, most: int) -> int:
        """Clicks until an IoU was reached, ``most`` where it never was."""
        reached = [number for number, iou in enumerate(self.clicks, 1) if iou >= threshold]
        return reached[0] if reached else most


@dataclass(frozen=True)
class ClickScores:
    """What a system came to."""

    rules: ClickRules
    objects: tuple[ClickedObject, ...]

    def iou_after(self, count: int) -> float:
        """Mean IoU after so many clicks."""
        return float(np.mean([entry.after(count) for entry in self.objects]))

    def clicks_to(self, threshold: float) -> float:
        """Mean number of clicks to an IoU (NoC)."""
        return float(np.mean([entry.needed(threshold, self.rules.most) for entry in self.objects]))

    def failures(self, threshold: float) -> int:
        """Objects whose IoU never got there."""
        return sum(max(entry.clicks) < threshold for entry in self.objects)

    @property
    def box(self) -> float:
        """Mean IoU after one box."""
        return float(np.mean([entry.box for entry in self.objects]))

    @property
    def stroke(self) -> float:
        """Mean IoU after the robot's strokes."""
        return float(np.mean([entry.stroke for entry in self.objects]))

    @property
    def seconds(self) -> tuple[float, float | None]:
        """Median time to the first mask of a picture, and to the mask of a later click, if there was one."""
        later = [value for entry in self.objects for value in entry.seconds[1:]]
        first = float(np.median([entry.seconds[0] for entry in self.objects]))
        return first, float(np.median(later)) if later else None


def evaluate_clicks(
    sequences: Sequence[AnnotatedSequence],
    begin: BeginFrame,
    rules: ClickRules = ClickRules(),
    progress: Callable[[int, int], None] | None = None,
) -> ClickScores:
    """Mark objects frame by frame, and measure their masks.

    Args:
        sequences: annotated.
        begin: the system.
        rules: what is counted.
        progress: called with the number of frames done and of all.

    Raises:
        InputError: no frame that is looked at shows an object.
    """
    frames = [(sequence, index) for sequence in sequences for index in chosen_frames(sequence, rules.num_frames)]
    objects: list[ClickedObject] = []
    for done, (sequence, index) in enumerate(frames, 1):
        objects += _clicked(sequence, index, begin, rules)
        if progress is not None:
            progress(done, len(frames))
    if not objects:
        raise InputError("expected frames that show an object, found none: nothing can be clicked on")
    return ClickScores(rules, tuple(objects))


def chosen_frames(sequence: AnnotatedSequence, count: int) -> list[int]:
    """The first of the annotated frames, and others as evenly spread as they come."""
    known = [index for index in range(sequence.num_frames) if sequence.has_ids(index)]
    count = min(count, len(known))
    return [known[len(known) * step // count] for step in range(count)]


def frame_of(segmenter: InteractiveSegmenter) -> BeginFrame:
    """An interactive system at work on single frames: each is a clip of its own."""

    def begin(image: NDArray[np.uint8]) -> MarkedFrame:
        size_hw = (image.shape[0], image.shape[1])
        clip = ImageClip(Path("frame"), "frame", size_hw, ["00000"], lambda _: image)
        interaction = segmenter.begin(clip)
        return lambda rounds: interaction.preview(rounds, 0).ids == OBJECT

    return begin


def _clicked(sequence: AnnotatedSequence, index: int, begin: BeginFrame, rules: ClickRules) -> Iterator[ClickedObject]:
    ids, image = sequence.read_ids(index), sequence.read_image(index)
    for object_id in [int(value) for value in np.unique(ids) if value]:
        true = np.asarray(ids == object_id)
        clicks, seconds = _ious_of_clicks(begin, image, true, rules)
        frame = begin(image)
        strokes = tuple(stroke.path for stroke in object_strokes(ids, object_id))
        box, stroke = (iou_of_masks(frame((Round(0, OBJECT, mark),)), true) for mark in (box_mark(true), Mark(strokes)))
        yield ClickedObject(sequence.name, index, object_id, clicks, box, stroke, seconds)


def _ious_of_clicks(
    begin: BeginFrame, image: NDArray[np.uint8], true: Mask, rules: ClickRules
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """IoU and seconds of one click after the other, until all thresholds are reached."""
    pred = np.zeros_like(true)
    rounds: Rounds = ()
    ious: list[float] = []
    seconds: list[float] = []
    began = time.perf_counter()
    frame = begin(image)
    while len(ious) < rules.most:
        error = largest_error(pred, true)
        if error is None:
            break
        rounds = (*rounds, Round(0, OBJECT, click_mark(error.region, error.is_object)))
        began = began if len(rounds) == 1 else time.perf_counter()
        pred = frame(rounds)
        seconds.append(time.perf_counter() - began)
        ious.append(iou_of_masks(pred, true))
        if len(ious) >= ALWAYS and max(ious) >= max(rules.thresholds):
            break
    return tuple(ious), tuple(seconds)


def click_mark(region: Mask, is_object: bool) -> Mark:
    """A click in the middle of a region."""
    x, y = middle_of(region)
    last = np.maximum([region.shape[1] - 1, region.shape[0] - 1], 1)
    place = (float(int(x) / last[0]), float(int(y) / last[1]))
    return Mark(((place,),), is_object=is_object)


def box_mark(true: Mask) -> Mark:
    """The box around an object."""
    rows, columns = np.flatnonzero(true.any(1)), np.flatnonzero(true.any(0))
    height, width = true.shape
    return Mark(box=(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height))


def write_click_scores(scores: ClickScores, path: Path, facts: Mapping[str, str]) -> None:
    """All of it as a JSON file, in a folder that is made if need be.

    Args:
        scores: what it holds.
        path: of the file; one that is there is replaced.
        facts: name -> text: system, weights, hardware and the like.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps({**click_scores_to_json(scores), "facts": dict(facts)}, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"the scores cannot be written to {path}: {error.strerror or error}") from error


def click_scores_to_json(scores: ClickScores) -> dict[str, Any]:
    """Means and every object as plain JSON values."""
    first, later = scores.seconds
    return {
        "protocol": "clicks",
        "iou_after": {str(count): scores.iou_after(count) for count in (1, 3, 5)},
        "iou_box": scores.box,
        "iou_stroke": scores.stroke,
        "clicks_to": {f"{value:g}": scores.clicks_to(value) for value in scores.rules.thresholds},
        "failures": {f"{value:g}": scores.failures(value) for value in scores.rules.thresholds},
        "most_clicks": scores.rules.most,
        "seconds_first": first,
        "seconds_next": later,
        "objects": [asdict(entry) for entry in scores.objects],
    }
