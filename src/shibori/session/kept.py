"""The masks of a project as one file, from which every format is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.kept_masks import KeptMasksWriter
from shibori.media.mask_writer import Target
from shibori.session.freshness import frame_keys
from shibori.session.store import ProjectStore


def write_kept(store: ProjectStore, clip: Clip, path: Path, is_local: bool = True) -> None:
    """Write ``masks.shibori`` of the frames in the project's range.

    Args:
        store: of the project.
        clip: of the project.
        path: of the file; what is there is replaced.
        is_local: see ``frame_keys``.

    Raises:
        InputError: the masks of some frames are not up to date, or the disk refuses.
    """
    project = store.project
    keys = frame_keys(project.rounds, project.clip.num_frames, is_local)
    fresh = [frame for frame in store.frames_with(keys) if frame in project.span]
    missing = len(project.span) - len(fresh)
    if missing:
        raise InputError(
            f"the masks of {missing} of {len(project.span)} frames are not up to date: propagate first, or make the "
            "range smaller"
        )
    object_ids = tuple(each.object_id for each in project.objects)
    nothing = np.zeros((0, 0, 3), np.uint8)  # the writer of masks alone looks at no picture
    with KeptMasksWriter(Target(path, clip, object_ids, overwrite=True)) as writer:
        for index in fresh:
            masks = store.masks(index, keys[index])
            assert masks is not None, "a fresh frame has masks"
            writer.write(Frame(index, None, nothing), masks)
