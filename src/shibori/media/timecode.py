"""SMPTE timecode: HH:MM:SS:FF, and HH:MM:SS;FF, which leaves numbers out to keep up with the clock (SMPTE 12M)."""

from __future__ import annotations

import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def timecode_to_frames(timecode: str, rate: Fraction) -> int | None:
    """Frames since 00:00:00:00; None for what is no timecode."""
    found = _TIMECODE.fullmatch(timecode.strip())
    if not found:
        return None
    hours, minutes, seconds, frames = (int(found[place]) for place in (1, 2, 3, 5))
    whole = round(rate)
    count = ((hours * 60 + minutes) * 60 + seconds) * whole + frames
    if found[4] != ":":
        total = 60 * hours + minutes
        count -= _dropped(whole) * (total - total // 10)
    return count


def frames_to_timecode(count: int, rate: Fraction, drop: bool) -> str:
    """The timecode of a number of frames since midnight; ``drop`` leaves numbers out, for rates such as 30000/1001."""
    whole = round(rate)
    if drop:
        lost, per_minute = _dropped(whole), 60 * whole - _dropped(whole)
        tens, rest = divmod(count, 10 * per_minute + lost)
        count += 9 * lost * tens + lost * (max(0, rest - lost) // per_minute)
    seconds, frames = divmod(count, whole)
    hours = seconds // 3600 % 24
    mark = ";" if drop else ":"
    return f"{hours:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frames:02d}"


def timecode_later(timecode: str, frames: int, rate: Fraction) -> str | None:
    """The timecode so many frames later; None for what is no timecode."""
    count = timecode_to_frames(timecode, rate)
    return None if count is None else frames_to_timecode(count + frames, rate, ":" not in timecode.strip()[-3:])


def _dropped(whole: int) -> int:
    """Numbers left out a minute, but not every tenth: two of thirty."""
    return round(whole / 15)
