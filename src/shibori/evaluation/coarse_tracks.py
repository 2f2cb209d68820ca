"""Found instances under the coarse classes of the material, or all under one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shibori.datasets.classes import COARSE, COARSE_OF, category_id
from shibori.datasets.youtube_vis import InstanceDataset
from shibori.media.instances import InstanceTrack


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
