"""Exports of a project: each a process of its own, so that the page answers meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from shibori.errors import InputError
from shibori.media.atomic import whole_file
from shibori.media.mask_writer import KEPT_NAME
from shibori.media.writer import FORMATS, ONE_FILE_NAMES
from shibori.session.project import ExportSettings
from shibori.session.store import ProjectStore
from shibori.web import messages as said
from shibori.web.export_process import export_process
from shibori.web.pages import Pages
from shibori.web.refusals import NotThere

FRAMES_FILE = "frames.zip"


class Exports:
    """The exports of one project. Belongs to one event loop.

    Args:
        store: of the project; results go to ``exports`` in its folder.
        pages: that are told.
    """

    def __init__(self, store: ProjectStore, pages: Pages) -> None:
        self.store, self.pages = store, pages
        self.folder = store.folder / "exports"
        self._jobs: dict[str, said.Job] = {}
        self._processes: dict[str, multiprocessing.process.BaseProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def jobs(self) -> list[said.Job]:
        """All since the project was opened."""
        return list(self._jobs.values())

    def begin(self, settings: ExportSettings, is_local: bool) -> said.Job:
        """Write the masks as they are now. InputError where there is no such format or object."""
        for name in settings.formats:
            if name not in FORMATS:
                raise InputError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")
        for object_id in settings.object_ids or ():
            self.store.project.object(object_id)
        number = 1 + max((int(path.name) for path in self._folders()), default=0)
        out = self.folder / f"{number:03d}"
        out.mkdir(parents=True)
        job = said.Job(id=f"export-{out.name}", kind="export", state="running", done=0, total=0)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._carry_out(job.id, out, settings, is_local))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def stop(self, job_id: str) -> said.Job:
        """At once. NotThere where there is no such export."""
        if job_id not in self._jobs:
            raise NotThere(f"there is no export {job_id}")
        if self._jobs[job_id].state == "running":
            self._change(job_id, state="stopped")
            if job_id in self._processes:
                self._processes[job_id].terminate()
        return self._jobs[job_id]

    def close(self) -> None:
        """End what is under way."""
        for process in self._processes.values():
            process.terminate()

    async def _carry_out(self, job_id: str, out: Path, settings: ExportSettings, is_local: bool) -> None:
        mine, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(
            target=export_process, args=(self.store.folder, out, settings, is_local, theirs), daemon=True
        )
        await asyncio.to_thread(process.start)
        self._processes[job_id] = process
        theirs.close()
        if self._jobs[job_id].state == "stopped":  # while it was starting
            process.terminate()
        try:
            while (message := await asyncio.to_thread(mine.recv)) is not None:
                if isinstance(message, str):
                    self._change(job_id, state="failed", sentence=message)
                    break
                self._change(job_id, done=message[0], total=message[1])
            else:
                self._change(job_id, state="done")
        except EOFError:  # it was stopped, or died
            if self._jobs[job_id].state == "running":
                self._change(job_id, state="failed", sentence="the export ended unexpectedly: try it again")
        finally:
            mine.close()
            await asyncio.to_thread(process.join)
            del self._processes[job_id]
            if self._jobs[job_id].state != "done":
                await asyncio.to_thread(shutil.rmtree, out, ignore_errors=True)

    def _change(self, job_id: str, **values: object) -> None:
        self._jobs[job_id] = self._jobs[job_id].model_copy(update=values)
        self.pages.tell(said.JobEvent(job=self._jobs[job_id]))

    # ---- what was written

    def _folders(self) -> Iterator[Path]:
        found = self.folder.iterdir() if self.folder.is_dir() else iter(())
        return (path for path in found if path.is_dir() and path.name.isdecimal())

    def files(self, base_url: str) -> list[said.ExportFile]:
        """Of all exports that are finished, the newest first."""
        listed = []
        for folder in sorted(self._folders(), reverse=True):
            job_id = f"export-{folder.name}"
            if job_id in self._jobs and self._jobs[job_id].state != "done":
                continue
            for name, paths in _offered(folder).items():
                url = f"{base_url}/{folder.name}/{name}"
                listed.append(said.ExportFile(name=name, bytes=sum(map(_bytes_of, paths)), url=url, job=job_id))
        return listed

    def file(self, number: str, name: str) -> Path:
        """A file that was written, or all pictures of frames as a zip file. NotThere where there is none."""
        folder = next((each for each in self._folders() if each.name == number), None)
        paths = {} if folder is None else _offered(folder)
        if folder is None or name not in paths:
            raise NotThere(f"no export has a file {name}")
        return _zipped(folder, paths[name]) if name == FRAMES_FILE else paths[name][0]


def _offered(folder: Path) -> dict[str, list[Path]]:
    """Files of an export by name; the pictures of frames, in folders or not, are one."""
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != KEPT_NAME)
    offered = {path.name: [path] for path in visible if path.name in ONE_FILE_NAMES.values()}
    frames = [path for path in visible if path.name not in offered]
    return {**offered, FRAMES_FILE: frames} if frames else offered


def _bytes_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())


def _zipped(folder: Path, paths: list[Path]) -> Path:
    target = folder / f".{FRAMES_FILE}"
    if not target.exists():
        with whole_file(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for path in [each for top in paths for each in (sorted(top.rglob("*")) if top.is_dir() else [top])]:
                archive.write(path, path.relative_to(folder))
    return target
