"""What one server has: a folder, a device, and the projects that are open."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from shibori.errors import InputError
from shibori.media.writer import FORMATS
from shibori.web import messages as said
from shibori.web.desk import Desk
from shibori.web.device import Device
from shibori.web.guard import Rules
from shibori.web.library import LARGEST_UPLOAD, Library
from shibori.web.questions import Load

MOST_OPEN = 8
"""Projects at once; of those nobody looks at and nothing is under way for, the first goes."""
PAGE_FOLDER = Path(__file__).with_name("page_built")


@dataclass(frozen=True)
class StudioSettings:
    """How a studio is set up."""

    folder: Path
    """Clips and projects in it can be opened, and nothing outside is read."""
    load: Load
    """Makes the segmenter, in the worker process."""
    version: str = "0"
    device: str = "auto"
    opened: Path | None = None
    """Shown first: a clip or a project in the folder, or the folder itself where that is one."""
    rules: Rules = field(default_factory=Rules)
    largest_upload: int = LARGEST_UPLOAD
    page_folder: Path = PAGE_FOLDER
    """The page's files."""


class Studio:
    """Belongs to one event loop."""

    def __init__(self, settings: StudioSettings) -> None:
        self.settings = settings
        self.library = Library(settings.folder, settings.largest_upload)
        self.device = Device(settings.load, settings.device)
        self._desks: dict[str, Desk] = {}
        self._opening = asyncio.Lock()

    async def desk(self, project_id: str) -> Desk:
        """Of a project, which is opened where it is not. NotThere where there is none."""
        async with self._opening:
            found = self._desks.get(project_id)
            if found is None:
                folder = await asyncio.to_thread(self.library.project_of, project_id)
                await self._make_room()
                found = Desk(project_id, folder, self.device)
                self._desks[project_id] = found
                await found.begin()
        return found

    async def new_project(self, clip: str) -> Desk:
        """The project of a clip in the folder."""
        folder = await asyncio.to_thread(self.library.project_for, clip)
        return await self.desk(self.library.project_id(folder))

    async def _make_room(self) -> None:
        idle = [project_id for project_id, desk in self._desks.items() if desk.is_idle]
        if len(self._desks) >= MOST_OPEN:
            if not idle:
                raise InputError(f"{MOST_OPEN} projects are open and at work: close the page of one of them")
            await self._desks.pop(idle[0]).close()

    async def close(self) -> None:
        """End everything; what is under way goes on when its project is opened again."""
        for desk in self._desks.values():
            await desk.close()
        await asyncio.to_thread(self.device.close)

    async def view(self) -> said.Studio:
        """The server and what it offers."""
        projects, clips = await asyncio.to_thread(lambda: (self.library.projects(), self.library.clips()))
        is_ready = self.device.ready.is_set()
        return said.Studio(
            version=self.settings.version,
            device=self.device.name if is_ready else "loading",
            problem=self.device.problem,
            folder=self.library.folder.name,
            projects=[self._card(folder) for folder in projects],
            clips=[
                said.ClipCard(name=path.stem, path=self.library.relative(path), bytes=path.stat().st_size)
                for path in clips
            ],
            open_project=await asyncio.to_thread(self._opened),
            formats=list(FORMATS),
        )

    def _opened(self) -> str | None:
        """The project that is shown first; that of a clip is made where there is none."""
        opened = self.settings.opened
        if opened is None:
            return None
        if opened not in self.library.projects():
            if opened == self.library.folder:
                return None
            opened = self.library.project_for(self.library.relative(opened))
        return self.library.project_id(opened)

    def _card(self, folder: Path) -> said.ProjectCard:
        return said.ProjectCard(
            id=self.library.project_id(folder), name=folder.stem, path=self.library.relative(folder)
        )
