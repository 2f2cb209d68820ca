"""The numbers of the interactive system."""

from __future__ import annotations

from dataclasses import dataclass, field

from shibori.ops.correction import CorrectionRule


@dataclass(frozen=True)
class InteractiveRule:
    """One way to go about it."""

    correction: CorrectionRule | None = field(default_factory=CorrectionRule)
    """What a mark may change of what was carried to its frame, or given; None: all that the answer says."""
    thickness: int = 3
    """Pixels of a stroke that are obeyed when it is drawn, for a frame of 480 lines."""
    least_sure: float = 0.05
    """What a run that has lost the object counts, at least, beside the one from the other side."""
