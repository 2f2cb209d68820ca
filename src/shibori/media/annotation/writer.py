"""Annotation formats as writers of masks: frames are spooled as the format rle does, and put in form at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from shibori.media.annotation.annotations import Annotations, AnnotationsBuilder
from shibori.media.annotation.formats import AnnotationFormat
from shibori.media.atomic import disk_errors
from shibori.media.mask_writer import Target, frame_number
from shibori.media.rle_writer import RleWriter


class AnnotationWriter(RleWriter):
    """Writes one of the annotation formats. The run-length codes of the whole clip are in memory at the end.

    Args:
        target: where to, and of which clip.
        form: the format.
    """

    def __init__(self, target: Target, form: AnnotationFormat) -> None:
        self.form = form
        super().__init__(target, form.file_name)

    @property
    def remarks(self) -> tuple[str, ...]:
        return (f"{self.path.name}: {self.form.loss}",) if self.form.loss else ()

    def _finish(self, lines: Iterator[bytes]) -> None:
        clip = self.target.clip
        indices = range(clip.num_frames)
        names = [clip.frame_name(index) for index in indices]
        numbers = [frame_number(clip, index) for index in indices]
        builder = AnnotationsBuilder(clip.name, clip.size_hw, names, numbers if numbers != list(indices) else ())
        for object_id in self.target.object_ids:
            builder.names[object_id] = self.target.options.names.get(object_id, f"object{object_id}")
            builder.shapes[object_id] = {}
        for record in map(json.loads, lines):
            for each in record["objects"]:
                builder.add(each["id"], builder.names[each["id"]], record["index"], each["rle"])
        write_annotations(self.path, builder.built(), self.form)


def write_annotations(path: Path, annotations: Annotations, form: AnnotationFormat) -> None:
    """Write annotations; the folders they need are made."""
    with disk_errors(path):
        for place in (path, path / "labels") if form.is_folder else (path.parent,):
            place.mkdir(parents=True, exist_ok=True)
        if form.file_name == "davis":
            (path / "Annotations" / "480p" / annotations.clip).mkdir(parents=True, exist_ok=True)
    form.write(path, annotations)
