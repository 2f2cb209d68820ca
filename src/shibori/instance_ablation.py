"""What each part of a system that finds instances is worth: its rows on the same made clips. Knows no system."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from shibori.datasets.classed_stills import read_classed_objects
from shibori.datasets.classes import COARSE, COARSE_OF, category_id
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.instance_composites import InstanceComposite, annotations_of, instance_composites
from shibori.datasets.youtube_vis import InstanceDataset
from shibori.errors import InputError
from shibori.evaluation.davis import SequenceFrames
from shibori.evaluation.instances import InstanceScores, score_instances
from shibori.interfaces import FrameSource
from shibori.media.instances import Discovery, InstanceTrack

PHOTOGRAPHS = Path("stills") / "voc_seg"
"""The set whose objects have classes, under the data folder."""


@dataclass(frozen=True)
class InstanceClips:
    """Composites of held-out material."""

    root: Path
    """With davis2016/ and stills/voc_seg/."""
    clips: int = 40
    frames: int = 32
    objects: int = 3
    size_hw: tuple[int, int] = (180, 320)
    seed: int = 0
    split: str = "dev"

    def read(self) -> list[InstanceComposite]:
        """The clips. Objects are of the split's sequences and of the photographs no detector was trained on.

        Raises:
            InputError: the folder lacks something, or cannot give such clips.
        """
        sequences = read_davis(self.root / "davis2016", 2016, self.split)
        objects = [each for each in read_classed_objects(self.root / PHOTOGRAPHS) if each.is_held_out]
        try:
            return instance_composites(
                sequences, objects, self.seed, self.clips, self.objects, self.size_hw, self.frames
            )
        except ValueError as error:
            raise InputError(f"{self.root} cannot give such clips: {error}") from error


class InstanceRow(NamedTuple):
    """One row of the table."""

    text: str
    """What takes part."""
    published: float | None
    """The paper's mAP, on other clips."""
    discover: Callable[[FrameSource], Discovery]


@dataclass(frozen=True, eq=False)
class InstanceRowResult:
    """What came of one row."""

    text: str
    published: float | None
    scores: InstanceScores
    alike: InstanceScores
    """The same with all instances of one class: what a wrong class does to a found instance does not count."""
    seconds: float
    """Rows share what they have in common; the first that needs it pays."""


def run_instance_ablation(
    rows: Sequence[InstanceRow],
    clips: Sequence[InstanceComposite],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[InstanceRowResult]:
    """All rows on each clip, one clip after the other, so that rows can share a clip's detections and tubelets.

    Args:
        rows: of the table.
        clips: with their truth.
        progress: called with the number of clips done and of all clips.
    """
    found: list[dict[int, list[InstanceTrack]]] = [{} for _ in rows]
    seconds = [0.0] * len(rows)
    for video_id, clip in enumerate(clips, 1):
        frames = SequenceFrames(clip.sequence)
        for place, row in enumerate(rows):
            began = time.perf_counter()
            found[place][video_id] = coarse_tracks(row.discover(frames).tracks)
            seconds[place] += time.perf_counter() - began
        progress(video_id, len(clips))
    truth = annotations_of(clips)
    alike = of_one_class(truth)
    return [
        InstanceRowResult(
            row.text, row.published, score_instances(truth, of_row), score_instances(alike, tracks_alike(of_row)), spent
        )
        for row, of_row, spent in zip(rows, found, seconds, strict=True)
    ]


def of_one_class(truth: InstanceDataset) -> InstanceDataset:
    """The annotations, all of the class ``object``."""
    return replace(
        truth,
        categories={1: "object"},
        annotations=tuple(replace(annotation, category_id=1) for annotation in truth.annotations),
    )


def tracks_alike(found: Mapping[int, Sequence[InstanceTrack]]) -> dict[int, list[InstanceTrack]]:
    """Video id -> tracks, all of the class of ``of_one_class``."""
    return {video_id: [replace(track, category_id=1) for track in tracks] for video_id, tracks in found.items()}


def coarse_tracks(tracks: Sequence[InstanceTrack]) -> list[InstanceTrack]:
    """The tracks under the coarse classes of the truth; those of classes that are none of them are left out."""
    coarse = [(COARSE_OF.get(track.category, track.category), track) for track in tracks]
    return [replace(track, category=name, category_id=category_id(name)) for name, track in coarse if name in COARSE]
