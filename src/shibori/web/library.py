"""The folder that is served: clips and projects in it, and nothing outside."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from shibori.errors import InputError
from shibori.media.atomic import disk_errors
from shibori.media.reader import CLIP_SUFFIXES, read_clip
from shibori.session.store import DATABASE_NAME, ProjectStore
from shibori.web.refusals import NotThere

PROJECT_SUFFIX = ".shibori"
LARGEST_UPLOAD = 8 << 30
_MOST_LISTED = 500


class Library:
    """Clips and projects by their paths within one folder.

    Args:
        folder: all that is there may be read; projects and uploads are written to it.
        largest_upload: in bytes.
    """

    def __init__(self, folder: Path, largest_upload: int = LARGEST_UPLOAD) -> None:
        self.folder, self.largest_upload = folder.resolve(), largest_upload

    def inside(self, path: str) -> Path:
        """A path within the folder, links followed. NotThere where it leads out of it, or there is nothing."""
        try:
            found = (self.folder / path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise NotThere(f"there is no {path} in the folder that is served") from error
        if not found.is_relative_to(self.folder):
            raise NotThere(f"there is no {path} in the folder that is served")
        return found

    def relative(self, path: Path) -> str:
        """A path as pages have it."""
        return path.relative_to(self.folder).as_posix()

    def clips(self) -> list[Path]:
        """Video files in the folder, by name."""
        return [path for path in self._entries() if path.suffix.lower() in CLIP_SUFFIXES and path.is_file()]

    def projects(self) -> list[Path]:
        """Projects: the folder itself, or folders in it, by name."""
        own = [self.folder] if (self.folder / DATABASE_NAME).is_file() else []
        return own + [path for path in self._entries() if (path / DATABASE_NAME).is_file()]

    def _entries(self) -> list[Path]:
        names = sorted(entry.name for entry in os.scandir(self.folder) if not entry.name.startswith("."))
        return [path for name in names[:_MOST_LISTED] if self._is_inside(path := self.folder / name)]

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folder)

    def project_id(self, folder: Path) -> str:
        """Of a project's folder: says nothing of where it is."""
        return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]

    def project_of(self, project_id: str) -> Path:
        """The folder of a project. NotThere where there is none."""
        for folder in self.projects():
            if self.project_id(folder) == project_id:
                return folder
        raise NotThere(f"there is no project {project_id}")

    def project_for(self, path: str) -> Path:
        """The project of a clip in the folder: the one beside it, or a new one. InputError where it is no clip."""
        clip_path = self.inside(path)
        if clip_path.parent != self.folder:
            raise InputError(f"expected a clip directly in the folder that is served, found {path}")
        folder = clip_path.with_name(clip_path.stem + PROJECT_SUFFIX)
        if not (folder / DATABASE_NAME).is_file():
            ProjectStore.create(folder, read_clip(clip_path)).close()
        return folder

    async def take_upload(self, name: str, content: AsyncIterator[bytes]) -> str:
        """Write a clip that is sent, whole or not at all; its path within the folder.

        Raises:
            InputError: not the name of a clip, too large, or what came is no clip.
        """
        target = self._place_for(name)
        partial = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
        size = 0
        try:
            with disk_errors(target), partial.open("wb") as file:
                async for part in content:
                    size += len(part)
                    if size > self.largest_upload:
                        raise InputError(f"expected a clip of at most {self.largest_upload >> 20} MB, found more")
                    file.write(part)
            read_clip(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return self.relative(target)

    def _place_for(self, name: str) -> Path:
        plain = Path(name.replace("\\", "/")).name
        stem = re.sub(r"[^\w.\- ]", "_", Path(plain).stem).strip(". ")[:100]
        suffix = Path(plain).suffix.lower()
        if suffix not in CLIP_SUFFIXES or not stem:
            raise InputError(f"expected a video file ({', '.join(sorted(CLIP_SUFFIXES))}), found {plain[:100]!r}")
        places = (self.folder / f"{stem}{'' if n == 1 else f'-{n}'}{suffix}" for n in range(1, 10_000))
        return next(place for place in places if not place.exists())
