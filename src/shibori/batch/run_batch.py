"""Many clips: a list of jobs in; the results of each in a folder of its own, a manifest and one report out."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shibori.batch.engine import Engine
from shibori.batch.manifest import DONE, Manifest, result_of
from shibori.batch.report import write_report
from shibori.batch.schedule import BatchCount, Schedule
from shibori.batch.table import read_table
from shibori.batch.task import ClipTask, Outcome
from shibori.batch.tasks import make_tasks
from shibori.errors import InputError
from shibori.media.atomic import disk_errors
from shibori.run.choice import USUAL_LOADERS, Loaders
from shibori.run.progress import Progress
from shibori.session.writer_lock import WriterLock

MANIFEST_NAME, REPORT_NAME = "manifest", "report.html"
_WORKING_NAME, _LOCK_NAME = ".working", ".lock"
_IN_WORDS = 3
"""Failures that a summary says in words; the report has all."""


@dataclass(frozen=True)
class BatchJob:
    """Do the jobs in JOBS: segment or search many clips, each with marks and options of its own."""

    jobs: Path = field(
        kw_only=True,
        metadata={
            "help": "A list of jobs (.csv, .jsonl, .parquet): a row is a clip, with the options of shibori segment as "
            "columns, or of shibori discover where nothing is marked. Or a folder of clips.",
            "argument": True,
        },
    )
    out: Path = field(
        kw_only=True, metadata={"help": "Folder for the results, one folder a clip, the manifest and the report."}
    )
    usual: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "NAME=VALUE, an option of every row that does not say otherwise (device=cpu). Repeatable.",
            "flags": ("--set",),
        },
    )
    engine: str = field(
        default="local", metadata={"help": "local: processes of this machine; ray: actors of a Ray cluster."}
    )
    address: str | None = field(
        default=None, metadata={"help": "Of the Ray cluster; without it that of RAY_ADDRESS, or a new one here."}
    )
    workers: int = field(
        default=0,
        metadata={"help": "Clips at a time; 0: one for each graphics card, without any one for each two processors."},
    )
    retries: int = field(
        default=2,
        metadata={"help": "Further tries of a clip whose worker died or that failed for no fault of its own."},
    )
    resume: bool = field(
        default=False, metadata={"help": "Keep what a run that was stopped has finished, and do the other rows."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace results of the same names."})


@dataclass(frozen=True)
class BatchSummary:
    """What a batch did."""

    clips: int
    """Rows of the list."""
    done: int
    """Of them, by this run or an earlier one."""
    failed: int
    kept: int
    """Of those done, by an earlier run."""
    frames: int
    """Of those this run did."""
    seconds: float
    frames_per_second: float
    """Of all workers together."""
    failures: tuple[str, ...]
    """The first few: a name and why."""
    manifest: str
    report: str


def run_batch(
    job: BatchJob,
    progress: Progress = lambda done, total: None,
    loaders: Loaders = USUAL_LOADERS,
    engine: Engine | None = None,
) -> BatchSummary:
    """Do all rows of a list. One that fails stops no other.

    Args:
        job: what is asked for.
        progress: called with the frames done and all frames, as far as that is known.
        loaders: what workers load systems with; can be pickled.
        engine: other workers than those the job asks for.

    Raises:
        InputError: anything wrong with the list, the place for the results or the engine, before anything runs.
    """
    tasks = make_tasks(read_table(job.jobs), _base_of(job.jobs), _pairs(job.usual))
    chosen = engine or make_engine(job, loaders)
    with _place(job.out), chosen:
        manifest = Manifest(job.out / MANIFEST_NAME)
        kept = _kept(job, tasks, manifest)
        waiting = [task for task in tasks if task.name not in kept]
        began, num_before = time.perf_counter(), len(manifest.rows)
        count = BatchCount(len(waiting), progress)
        working = job.out.absolute() / _WORKING_NAME / f"{os.getpid()}-{time.time_ns()}"
        try:
            for outcome in Schedule(chosen, working, job.retries, count.advance).outcomes(waiting):
                _put_down(job.out / outcome.task.name, outcome, manifest)
                count.end(outcome)
        finally:
            write_report(job.out / REPORT_NAME, job.jobs.name, tasks, manifest.latest)
        seconds = time.perf_counter() - began
    frames = sum(row["frames"] or 0 for row in manifest.rows[num_before:])
    return _summary(job, tasks, manifest, len(kept), (frames, seconds))


def make_engine(job: BatchJob, loaders: Loaders) -> Engine:
    """The engine that a job asks for. InputError where there is none of the name."""
    if job.workers < 0 or job.retries < 0:
        raise InputError(f"expected 0 or more workers and retries, found {min(job.workers, job.retries)}")
    if job.address is not None and job.engine != "ray":
        raise InputError("expected --address with --engine ray, found it alone: it is that of a Ray cluster")
    if job.engine not in ENGINES:
        raise InputError(f"there is no engine {job.engine!r}: choose one of {', '.join(ENGINES)}")
    return ENGINES[job.engine](job, loaders)


def _local(job: BatchJob, loaders: Loaders) -> Engine:
    from shibori.batch.local_engine import usual_engine

    return usual_engine(job.workers, loaders)


def _ray(job: BatchJob, loaders: Loaders) -> Engine:
    from shibori.batch.ray_engine import RayEngine

    return RayEngine(job.address, job.workers, loaders)


ENGINES: dict[str, Callable[[BatchJob, Loaders], Engine]] = {"local": _local, "ray": _ray}
"""By name."""


def _base_of(jobs: Path) -> Path:
    return jobs if jobs.is_dir() else jobs.parent


def _pairs(usual: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in usual:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise InputError(f"expected --set NAME=VALUE such as --set device=cpu, found {text!r}")
        pairs[name.strip().lstrip("-").replace("-", "_")] = value
    return pairs


@contextmanager
def _place(out: Path) -> Iterator[None]:
    """The folder of results is this run's alone; what others left half done is cleared away, and so is this run's.

    Raises:
        InputError: the disk refuses, or another run is at work there.
    """
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / _LOCK_NAME).touch()
        lock = WriterLock(out / _LOCK_NAME)
        if not lock.take():
            raise InputError(f"another batch is at work in {out}: wait for it, or choose another --out")
    try:
        shutil.rmtree(out / _WORKING_NAME, ignore_errors=True)
        yield
    finally:
        shutil.rmtree(out / _WORKING_NAME, ignore_errors=True)
        lock.release()


def _kept(job: BatchJob, tasks: Sequence[ClipTask], manifest: Manifest) -> set[str]:
    """Names of the tasks that are done. InputError where results are there that nobody said to keep or to replace."""
    there = [task.name for task in tasks if (job.out / task.name).exists()]
    if manifest.rows and not (job.resume or job.overwrite):
        raise InputError(
            f"{job.out} holds a batch of {len(manifest.latest)} clips: give --resume to go on, --overwrite to do it "
            "again, or another --out"
        )
    foreign = [name for name in there if name not in manifest.latest]
    if foreign and not job.overwrite:
        raise InputError(f"{job.out / foreign[0]} is there already: choose another --out, or use --overwrite")
    return set() if job.overwrite else {task.name for task in tasks if _is_done(task, job.out, manifest)}


def _is_done(task: ClipTask, out: Path, manifest: Manifest) -> bool:
    """Whether the very same was done, and its results are still there."""
    row = manifest.latest.get(task.name)
    if row is None or row["state"] != DONE or row["digest"] != task.digest:
        return False
    return all((out / task.name / output).exists() for output in row["outputs"])


def _put_down(place: Path, outcome: Outcome, manifest: Manifest) -> None:
    """Whole results to their place, and a row for them. Where the program ends in between, the clip is done again."""
    with disk_errors(place):
        if outcome.folder is not None and place.exists():
            shutil.rmtree(place)
        manifest.add(outcome)
        if outcome.folder is not None:
            outcome.folder.replace(place)


def _summary(
    job: BatchJob, tasks: Sequence[ClipTask], manifest: Manifest, num_kept: int, work: tuple[int, float]
) -> BatchSummary:
    rows: Mapping[str, Mapping[str, object]] = manifest.latest
    failed = [task.name for task in tasks if result_of(rows[task.name]) is None]
    frames, seconds = work
    return BatchSummary(
        clips=len(tasks),
        done=len(tasks) - len(failed),
        failed=len(failed),
        kept=num_kept,
        frames=frames,
        seconds=round(seconds, 3),
        frames_per_second=round(frames / seconds, 2),
        failures=tuple(f"{name}: {rows[name]['reasons'][-1]}" for name in failed[:_IN_WORDS]),  # type: ignore[index]
        manifest=str(job.out / MANIFEST_NAME),
        report=str(job.out / REPORT_NAME),
    )
