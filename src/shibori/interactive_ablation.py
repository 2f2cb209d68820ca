"""What each part of an interactive system is worth: its rows through the same rounds of marks. Knows no system."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.evaluation.interactive import InteractiveSession, evaluate_interactive
from shibori.evaluation.interactive_scores import InteractiveProgress, InteractiveRules, InteractiveScores
from shibori.interfaces import InteractiveSegmenter


class InteractiveRow(NamedTuple):
    """One row of the table."""

    text: str
    """What takes part."""
    published: tuple[float, float] | None
    """The paper's AUC and J&F@60s, on other clips."""
    build: Callable[[], InteractiveSegmenter]


@dataclass(frozen=True, eq=False)
class InteractiveRowResult:
    """What came of one row."""

    text: str
    published: tuple[float, float] | None
    scores: InteractiveScores


def run_interactive_ablation(
    rows: Sequence[InteractiveRow],
    clips: Sequence[DavisSequence] | Sequence[CompositeSequence],
    rules: InteractiveRules,
    seed: int = 0,
    progress: Callable[[InteractiveProgress], None] | None = None,
) -> Iterator[InteractiveRowResult]:
    """Each row on all clips, one after the other; the robot draws the same first scribbles for all."""
    for row in rows:
        session = InteractiveSession(clips, None, rules=rules, seed=seed)
        yield InteractiveRowResult(
            row.text, row.published, evaluate_interactive(session, row.build(), progress=progress)
        )
