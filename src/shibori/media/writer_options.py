"""How masks are written, apart from the format: what several formats have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shibori.errors import InputError

_COLOURS = {"green": (0, 177, 64), "blue": (0, 71, 187), "black": (0, 0, 0), "white": (255, 255, 255)}


@dataclass(frozen=True)
class WriterOptions:
    """Options of the formats. One that a format has no use for is passed over."""

    premultiplied: bool = field(
        default=False,
        metadata={"help": "Multiply colours by opacity; without it alpha is straight. For cut-outs."},
    )
    screen: str = field(
        default="green",
        metadata={"help": f"Colour behind the objects for the format screen: {', '.join(_COLOURS)}, or #rrggbb."},
    )
    name: str | None = field(
        default=None,
        metadata={
            "help": "Names of a sequence's files, without suffix, from {clip}, {object} and {frame:04d}; without it, "
            "those of the source."
        },
    )
    number_from: int | None = field(
        default=None, metadata={"help": "Number of the clip's first frame in names; without it, the source's numbers."}
    )
    label: tuple[str, ...] = field(
        default=(), metadata={"help": "ID=NAME, what an object is called in annotations (2=dog). Repeatable."}
    )
    cryptomatte: bool = field(default=False, metadata={"help": "Also write Cryptomatte channels into EXR files."})
    sound: bool = field(
        default=True,
        metadata={
            "help": "Copy the clip's sound into videos whose container takes it.",
            "flags": ("--sound/--no-sound",),
        },
    )

    @property
    def names(self) -> dict[int, str]:
        """Object id -> name, of ``label``. InputError where it is no ID=NAME."""
        pairs = [label.partition("=") for label in self.label]
        for number, equals, name in pairs:
            if not (number.strip().isdecimal() and equals and name.strip()):
                raise InputError(
                    f"expected an object's name as ID=NAME, such as 2=dog, found {number + equals + name!r}"
                )
        return {int(number): name.strip() for number, _, name in pairs}

    @property
    def screen_rgb(self) -> tuple[int, int, int]:
        """The colour of ``screen``. InputError where it is none."""
        if self.screen.lower() in _COLOURS:
            return _COLOURS[self.screen.lower()]
        if not re.fullmatch("#?[0-9a-fA-F]{6}", self.screen):
            raise InputError(f"expected a colour such as #00b140 or {', '.join(_COLOURS)}, found {self.screen!r}")
        red, green, blue = bytes.fromhex(self.screen.removeprefix("#"))
        return red, green, blue


PLAIN = WriterOptions()
