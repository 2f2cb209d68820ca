"""Rounds: all that a person said about a clip, in order, as one value. What every frame shows is a function of it.

A state of work is a tuple of rounds, and nothing else. Undo is a shorter tuple. Where two rounds contradict each other
the later one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.marks import BoxMark, Marks
from shibori.media.mask import ids_to_masks
from shibori.media.rle import decode_rle, encode_rle
from shibori.media.scribble import Stroke

Points = tuple[tuple[float, float], ...]
EVERY_OBJECT = 0
"""As the object of a mark: the background, which is beside every object. As that of an approval: all objects."""


@dataclass(frozen=True)
class GivenMask:
    """The object is exactly this in the frame."""

    size_hw: tuple[int, int]
    counts: str
    """Compressed COCO run lengths: equal masks have equal ones."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> GivenMask:
        """From (H, W) bool. ValueError where it shows nothing: that is an ``Absence``."""
        if not mask.any():
            raise ValueError(
                "a given mask shows its object; where the object is not in the frame say that it is absent"
            )
        code = encode_rle(mask)
        return cls((mask.shape[0], mask.shape[1]), code["counts"])

    def mask(self) -> NDArray[np.bool_]:
        """(H, W)."""
        return decode_rle({"size": self.size_hw, "counts": self.counts})


@dataclass(frozen=True)
class Mark:
    """What was drawn on the frame in one go: lines and clicks, all of one kind, and perhaps a box."""

    lines: tuple[Points, ...] = ()
    """Points (x, y) in [0, 1] as in ``Stroke``; a click is a line of one point."""
    box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 in [0, 1] as in ``BoxMark``: the object lies inside."""
    is_object: bool = True
    """Whether the lines are on the object, or beside it."""

    def __post_init__(self) -> None:
        if not self.lines and self.box is None:
            raise ValueError("a mark has at least one line, click or box")
        self.strokes(1)
        self.boxes(1)

    def strokes(self, object_id: int) -> tuple[Stroke, ...]:
        """The lines as strokes of the object, or of the background where they are beside it."""
        return tuple(Stroke(object_id if self.is_object else 0, line) for line in self.lines)

    def boxes(self, object_id: int) -> tuple[BoxMark, ...]:
        """The box, if there is one."""
        return () if self.box is None else (BoxMark(object_id, self.box),)


@dataclass(frozen=True)
class _Lasting:
    """Something that is said of one frame or of several in a row."""

    last: int | None = None
    """The last frame of which it is said, included; None: the round's frame alone."""


class Absence(_Lasting):
    """The object is not there."""


class Approval(_Lasting):
    """What the frame shows of the object is right: no round about another frame changes it any more."""


@dataclass(frozen=True)
class Removal:
    """There is no such object: nothing counts that was said of it before."""


What = GivenMask | Mark | Absence | Approval | Removal


@dataclass(frozen=True)
class Round:
    """One thing a person said."""

    frame: int
    """Index of the frame; of the first one where it is said of several."""
    object_id: int
    """1 or more; ``EVERY_OBJECT`` for a mark or an approval."""
    what: What

    def __post_init__(self) -> None:
        least = EVERY_OBJECT if isinstance(self.what, Mark | Approval) else 1
        if self.object_id < least:
            raise ValueError(f"{self.name} is about an object, whose id is 1 or more, got {self.object_id}")
        if self.frame < 0 or self.last < self.frame:
            raise ValueError(f"{self.name} is about a frame or several in a row, got {self.frame} to {self.last}")
        if isinstance(self.what, Mark) and self.object_id == EVERY_OBJECT:
            if self.what.box is not None:
                raise ValueError("a box is drawn around an object, whose id is 1 or more, got 0")
            if not self.what.is_object:
                raise ValueError("what is not background is an object: mark that, with its id")

    @property
    def name(self) -> str:
        """In a sentence."""
        return {GivenMask: "a mask", Mark: "a mark", Absence: "an absence", Approval: "an approval"}.get(
            type(self.what), "a removal"
        )

    @property
    def last(self) -> int:
        """Index of the last frame of which it is said."""
        last = self.what.last if isinstance(self.what, _Lasting) else None
        return self.frame if last is None else last

    @property
    def frames(self) -> range:
        """All frames of which it is said."""
        return range(self.frame, self.last + 1)

    @property
    def begins(self) -> bool:
        """Whether it shows where an object is, so that something can be made of it."""
        is_shown = isinstance(self.what, GivenMask) or (isinstance(self.what, Mark) and self.what.is_object)
        return is_shown and self.object_id != EVERY_OBJECT


Rounds = tuple[Round, ...]


def known_objects(rounds: Rounds) -> tuple[int, ...]:
    """The objects of which something can be made, ascending: those that are shown somewhere and not removed since."""
    known: set[int] = set()
    for each in rounds:
        if each.begins:
            known.add(each.object_id)
        elif isinstance(each.what, Removal):
            known.discard(each.object_id)
    return tuple(sorted(known))


def check_rounds(rounds: Rounds, num_frames: int, size_hw: tuple[int, int]) -> None:
    """Whether rounds fit a clip and say something.

    Raises:
        InputError: a frame that is not there, a mask of another size, something said of an object that is not shown
            before, an object that is only ever absent, or nothing that shows an object.
    """
    known: set[int] = set()
    for each in rounds:
        _check_place(each, num_frames, size_hw)
        if isinstance(each.what, Removal | Approval):
            _check_known(each, known)
        if isinstance(each.what, Removal):
            known.discard(each.object_id)
        elif each.begins:
            known.add(each.object_id)
    for each in rounds:
        if isinstance(each.what, Absence) and not any(r.begins for r in rounds if r.object_id == each.object_id):
            raise InputError(
                f"object {each.object_id} is only ever said to be absent: mark it in a frame that shows it, "
                "or leave it out"
            )
    if not any(each.begins for each in rounds):
        where = "on the background alone" if rounds else "nowhere"
        raise InputError(f"expected a mark on each object to segment, found marks {where}: draw on the object first")


def _check_place(each: Round, num_frames: int, size_hw: tuple[int, int]) -> None:
    if each.last >= num_frames:
        beyond = each.frame if each.frame >= num_frames else each.last
        raise InputError(
            f"there is {each.name} on frame {beyond}, but the clip has {num_frames} frames, numbered from 0 to "
            f"{num_frames - 1}: choose one of these"
        )
    if isinstance(each.what, GivenMask) and each.what.size_hw != tuple(size_hw):
        height, width = each.what.size_hw
        raise InputError(
            f"the mask of object {each.object_id} for frame {each.frame} is {width}x{height} pixels, but the clip is "
            f"{size_hw[1]}x{size_hw[0]} (width x height, upright): give it the clip's size"
        )


def _check_known(each: Round, known: set[int]) -> None:
    if each.object_id == EVERY_OBJECT and not known:
        raise InputError(f"there is nothing to approve in frame {each.frame}: mark an object first")
    if each.object_id not in known | {EVERY_OBJECT}:
        verb = "removed" if isinstance(each.what, Removal) else "approved"
        raise InputError(
            f"object {each.object_id} cannot be {verb}, for it is not known: no earlier mark shows it, or it was "
            "removed already"
        )


def contradictions(rounds: Rounds) -> tuple[str, ...]:
    """What was said twice, and differently, of one object in one frame: one sentence each. The later one counts."""
    said: dict[tuple[int, int], Round] = {}
    found: dict[tuple[int, int, int], str] = {}
    for number, each in enumerate(rounds):
        if isinstance(each.what, Removal):
            said = {place: earlier for place, earlier in said.items() if place[1] != each.object_id}
            continue
        for place in [(frame, each.object_id) for frame in each.frames]:
            earlier = said.get(place)
            if earlier is not None and _contradicts(earlier.what, each.what):
                hint = ""
                if isinstance(earlier.what, GivenMask) and isinstance(each.what, GivenMask):
                    hint = "; if they are two objects give one mask with an id for each"
                found[earlier.frame, number, place[1]] = (
                    f"of object {place[1]} in frame {place[0]} the later one counts, {each.name}, and not the earlier "
                    f"one, {earlier.name}{hint}"
                )
            if not isinstance(each.what, Approval):
                said[place] = each
    return (*found.values(), *_marked_twice(rounds))


def _marked_twice(rounds: Rounds) -> Iterator[str]:
    """Where a click or a line begins or turns at the very place of an earlier one that says something else."""
    labels: dict[tuple[int, tuple[float, float]], int] = {}
    for each in rounds:
        if not isinstance(each.what, Mark):
            continue
        label = each.object_id if each.what.is_object else -each.object_id
        points = [(each.frame, point) for line in each.what.lines for point in line]
        earlier = next((labels[place] for place in points if labels.get(place, label) != label), None)
        labels |= dict.fromkeys(points, label)
        if earlier is not None:
            names = [_label_name(each) for each in (label, earlier)]
            yield f"where two marks in frame {each.frame} meet the later one counts, {names[0]}, and not {names[1]}"


def _label_name(label: int) -> str:
    if label == EVERY_OBJECT:
        return "one on the background"
    return f"one on object {label}" if label > 0 else f"one beside object {-label}"


def _contradicts(earlier: What, later: What) -> bool:
    if isinstance(later, Absence):
        return not isinstance(earlier, Absence)
    return isinstance(earlier, Absence) or (isinstance(later, GivenMask) and earlier != later)


# ---- to and from what else there is


def rounds_from_ids(frame: int, ids: NDArray[Any]) -> Rounds:
    """The masks of a map (H, W) of object ids, one round an object. It says nothing of objects it does not hold."""
    return tuple(Round(frame, object_id, GivenMask.of(mask)) for object_id, mask in ids_to_masks(ids).items())


def rounds_from_maps(maps: Mapping[int, NDArray[Any]]) -> Rounds:
    """The masks of several frames, frame index -> (H, W) object ids, frame by frame."""
    return tuple(each for frame, ids in sorted(maps.items()) for each in rounds_from_ids(frame, ids))


def rounds_from_marks(marks: Marks) -> Rounds:
    """Frame by frame: boxes, then strokes in the order they were drawn, those of one object in a row as one round."""
    rounds: list[Round] = []
    for frame in marks.frames:
        rounds += [Round(frame, box.object_id, Mark(box=box.corners)) for box in marks.boxes.get(frame, ())]
        together: list[tuple[int, list[Points]]] = []
        for stroke in marks.strokes.get(frame, ()):
            if not together or together[-1][0] != stroke.object_id:
                together.append((stroke.object_id, []))
            together[-1][1].append(stroke.path)
        rounds += [Round(frame, object_id, Mark(tuple(lines))) for object_id, lines in together]
    return tuple(rounds)


def marks_of(rounds: Rounds) -> Marks:
    """What was drawn, as the systems take it that know of marks alone.

    Raises:
        InputError: there is a round that is no mark.
    """
    strokes: dict[int, tuple[Stroke, ...]] = {}
    boxes: dict[int, tuple[BoxMark, ...]] = {}
    for each in rounds:
        if not isinstance(each.what, Mark):
            raise InputError(
                f"this system takes clicks, boxes and strokes alone, found {each.name} of object {each.object_id}: "
                "leave --system out, the default one takes all of them together"
            )
        if drawn := each.what.strokes(each.object_id):
            strokes[each.frame] = (*strokes.get(each.frame, ()), *drawn)
        if around := each.what.boxes(each.object_id):
            boxes[each.frame] = (*boxes.get(each.frame, ()), *around)
    return Marks(strokes, boxes)


def rounds_to_json(rounds: Rounds) -> list[dict[str, Any]]:
    """Plain values, which JSON can hold; masks as COCO run lengths."""
    return [{"frame": each.frame, "object": each.object_id, **_what_content(each.what)} for each in rounds]


def _what_content(what: What) -> dict[str, Any]:
    if isinstance(what, GivenMask):
        return {"kind": "mask", "size": list(what.size_hw), "counts": what.counts}
    if isinstance(what, Mark):
        lines = [[list(point) for point in line] for line in what.lines]
        box = None if what.box is None else list(what.box)
        return {"kind": "mark", "lines": lines, "box": box, "is_object": what.is_object}
    if isinstance(what, Removal):
        return {"kind": "removal"}
    return {"kind": "absence" if isinstance(what, Absence) else "approval", "last": what.last}


def rounds_from_json(content: Any) -> Rounds:
    """What ``rounds_to_json`` gave. InputError where it is something else."""
    try:
        return tuple(_round_of(each) for each in content)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"expected rounds as shibori writes them, found something else: {reason}") from error


def _round_of(content: Mapping[str, Any]) -> Round:
    return Round(int(content["frame"]), int(content["object"]), _what_of(content))


def _what_of(content: Mapping[str, Any]) -> What:
    kind = content["kind"]
    if kind == "mask":
        height, width = content["size"]
        given = GivenMask((int(height), int(width)), str(content["counts"]))
        return GivenMask.of(given.mask())
    if kind == "mark":
        lines = tuple(tuple((float(x), float(y)) for x, y in line) for line in content["lines"])
        box = None if content["box"] is None else tuple(float(side) for side in content["box"])
        return Mark(lines, box, bool(content["is_object"]))  # type: ignore[arg-type]
    if kind == "removal":
        return Removal()
    lasting: dict[str, type[Absence] | type[Approval]] = {"absence": Absence, "approval": Approval}
    if kind not in lasting:
        raise ValueError(f"there is no round of the kind {kind!r}")
    return lasting[kind](None if content["last"] is None else int(content["last"]))
