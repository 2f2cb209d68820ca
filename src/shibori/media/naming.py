"""What the files of a sequence are called: like the source's frames, or by a pattern."""

from __future__ import annotations

import re
import string
from pathlib import Path

from shibori.errors import InputError
from shibori.media.clip import Clip

_TOKENS = ("clip", "object", "frame")
_NUMBER = re.compile(r"(\d+)$")


class Naming:
    """Paths of the files of a sequence, from its folder.

    Args:
        clip: whose frames they are.
        folders: of objects, called by their ids; one without a name where all are in one file, or there is one object.
        suffix: of the files.
        pattern: such as ``{clip}/{object}.{frame:04d}``, without suffix; None: the frames' own names.
        number_from: number of the clip's first frame; None: the source's own numbers.

    Raises:
        InputError: an unknown token, no ``{frame}``, no ``{object}`` where it is needed, or a way out of the folder.
    """

    def __init__(
        self, clip: Clip, folders: tuple[str, ...], suffix: str, pattern: str | None, number_from: int | None
    ) -> None:
        self.clip, self.suffix, self.pattern, self.number_from = clip, suffix, pattern, number_from
        if pattern is not None:
            _check(pattern, needs_object=folders != ("",))

    def path(self, index: int, folder: str = "") -> Path:
        """Of a frame, for the object that ``folder`` is called by."""
        if self.pattern is None:
            name = self.clip.frame_name(index) if self.number_from is None else f"{self.number(index):05d}"
            return Path(folder) / (name + self.suffix)
        name = self.pattern.format(clip=self.clip.name, object=folder or "all", frame=self.number(index))
        return Path(name + self.suffix)

    def number(self, index: int) -> int:
        """Of a frame: the digits at the end of its name in the source, unless numbers begin elsewhere."""
        if self.number_from is not None:
            return self.number_from + index
        return frame_number(self.clip, index)


def frame_number(clip: Clip, index: int) -> int:
    """The digits at the end of a frame's name; its index where there are none."""
    found = _NUMBER.search(clip.frame_name(index))
    return int(found[1]) if found else index


def _check(pattern: str, needs_object: bool) -> None:
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        shown = pattern.format(clip="clip", object="1", frame=1)
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(f"expected a name such as {{clip}}.{{frame:04d}}, found {pattern!r}: {error}") from error
    unknown = used - set(_TOKENS)
    if unknown or "frame" not in used:
        raise InputError(f"expected a name with {{frame}}, and {{clip}} and {{object}} if you like, found {pattern!r}")
    if needs_object and "object" not in used:
        raise InputError(f"expected {{object}} in the name {pattern!r}: each object gets files of its own")
    if Path(shown).is_absolute() or ".." in Path(shown).parts:
        raise InputError(f"expected a name that stays in the output folder, found {pattern!r}")
