"""What each part of a system is worth: its rows on the same clips, side by side. Knows no system."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.composites import composites_from_davis
from shibori.datasets.scene.episodes import Episode, episodes
from shibori.datasets.scene.occlusion_composites import hidden_composites
from shibori.errors import InputError
from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.reappearance import Reappearance, reappearances
from shibori.evaluation.scores import ProgressCallback, Scores, SequenceScores
from shibori.interfaces import Propagator

CLIPS = ("hidden", "composites", "sequences")


@dataclass(frozen=True)
class AblationClips:
    """The clips all rows are run on."""

    root: Path
    """A DAVIS folder."""
    kind: str = "hidden"
    """``hidden``: composites with full occlusions and re-entries; ``composites``; ``sequences``: as they are."""
    split: str = "dev"
    year: int | None = 2016
    clips: int = 8
    frames: int = 90
    objects: int = 3
    seed: int = 0

    def read(self) -> list[DavisSequence] | list[CompositeSequence]:
        """The clips. InputError where the folder does not hold what they are made from."""
        if self.kind not in CLIPS:
            raise InputError(f"expected clips of the kind {', '.join(CLIPS)}, found {self.kind!r}; choose one")
        sequences = read_davis(self.root, self.year, self.split)
        if self.kind == "sequences":
            return sequences[: self.clips]
        make = hidden_composites if self.kind == "hidden" else composites_from_davis
        try:
            return make(sequences, self.seed, self.clips, self.objects, num_frames=self.frames)
        except ValueError as error:
            raise InputError(f"{self.root} cannot give such clips: {error}") from error


class AblationRow(NamedTuple):
    """One row of the table."""

    text: str
    """What takes part."""
    published: float | None
    """The paper's J&F, on other clips."""
    build: Callable[[], Propagator]


@dataclass(frozen=True)
class RowResult:
    """What came of one row."""

    text: str
    published: float | None
    scores: Scores
    found: int
    """Re-appearances after which the object was found again in time."""
    returns: int
    """Re-appearances in all."""


def run_ablation(
    rows: Sequence[AblationRow],
    clips: Sequence[DavisSequence] | Sequence[CompositeSequence],
    progress: ProgressCallback | None = None,
) -> Iterator[RowResult]:
    """Each row on all clips, one after the other."""
    hidden = {clip.name: episodes(clip) for clip in clips if isinstance(clip, CompositeSequence)}
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            scores = evaluate_davis(clips, row.build(), folder, progress=progress)
            back = [entry for clip in scores.sequences for entry in _returns(clip, hidden.get(clip.name, []))]
        found = sum(entry.first_found is not None for entry in back)
        yield RowResult(row.text, row.published, scores, found, len(back))


def _returns(clip: SequenceScores, hidden: Sequence[Episode]) -> list[Reappearance]:
    """What a row's masks on disk show of the objects that came back."""
    truth, results = clip.truth, clip.results
    image = truth.read_ids(0)
    size_hw = (image.shape[0], image.shape[1])
    return reappearances(truth, lambda index: results.read_ids(truth.frame_name(index), size_hw), hidden)
