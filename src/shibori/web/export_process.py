"""The masks of a project in other formats. Needs nothing of the page."""

from __future__ import annotations

import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from shibori.errors import InputError
from shibori.media.mask_writer import KEPT_NAME
from shibori.run.export import ExportJob, run_export
from shibori.session.kept import write_kept
from shibori.session.project import ExportSettings
from shibori.session.store import ProjectStore

_SECONDS_BETWEEN = 0.2
"""Reports of progress."""


def export_project(
    folder: Path, out: Path, settings: ExportSettings, is_local: bool = True, report: Connection | None = None
) -> None:
    """Write the masks of a project in other formats; with ``report`` say how far it is.

    Raises:
        InputError: masks are not up to date, there is no such format or object, or the disk refuses.
    """
    with ProjectStore(folder) as store:
        clip = store.project.clip.opened()
        out.mkdir(parents=True, exist_ok=True)
        kept = out / KEPT_NAME
        write_kept(store, clip, kept, is_local)
    chosen = None if settings.object_ids is None else ",".join(map(str, settings.object_ids))
    job = ExportJob(
        result=kept, clip=clip.path, out=out, format=settings.formats, objects=chosen, overwrite=True,
        **asdict(settings.edges),
    )  # fmt: skip
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if report is not None and (time.monotonic() - last > _SECONDS_BETWEEN or done == total):
            last = time.monotonic()
            report.send((done, total))

    run_export(job, tell)


def export_process(folder: Path, out: Path, settings: ExportSettings, is_local: bool, report: Connection) -> None:
    """What a process of its own does: reports are (done, total), last None, or what went wrong as a sentence."""
    try:
        export_project(folder, out, settings, is_local, report)
        report.send(None)
    except InputError as error:
        report.send(str(error))
