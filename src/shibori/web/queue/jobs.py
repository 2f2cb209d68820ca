"""The queue: jobs as they come, workers that do them, what became of each on disk, so that none is lost."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from shibori.batch.engine import Engine
from shibori.batch.schedule import Schedule
from shibori.batch.table import Row
from shibori.batch.task import ClipTask, Outcome
from shibori.batch.tasks import make_tasks
from shibori.errors import InputError
from shibori.media.atomic import disk_errors
from shibori.media.reader import address_of
from shibori.media.reference import mark_parts
from shibori.session.writer_lock import WriterLock
from shibori.web.queue.hooks import NO_HOOKS, HookRules, HookSender
from shibori.web.queue.record import JobRecord, RecordFolder
from shibori.web.refusals import NotThere

_SECONDS = 0.2
"""To wait for workers before new jobs are looked for."""


class TooMany(InputError):
    """There is no room for another job now."""


class OutOfOrder(InputError):
    """No job is done any more."""


@dataclass(frozen=True)
class QueueSettings:
    """What a queue is about."""

    clips: Path
    """The folder that clips and masks are read from; paths of jobs are relative to it and stay in it."""
    out: Path
    """The folder for results and records."""
    make_engine: Callable[[], Engine]
    may_fetch: bool = False
    """Whether a clip may be an address."""
    most_waiting: int = 1000
    """Jobs that are not over."""
    most_kept: int = 10000
    """Jobs, those that are over too; they are there until a client deletes them."""
    retries: int = 2
    hooks: HookRules = NO_HOOKS


class JobQueue:
    """Takes jobs from any thread; a thread of its own has the workers.

    Args:
        settings: what it is about.

    Raises:
        InputError: the disk refuses, or another server is at work in the folder.
    """

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        with disk_errors(settings.out):
            self._records = RecordFolder(settings.out / "jobs")
            (settings.out / ".lock").touch()
        self._lock = WriterLock(settings.out / ".lock")
        if not self._lock.take():
            raise InputError(f"another server is at work in {settings.out}: end it, or choose another --out")
        shutil.rmtree(settings.out / ".working", ignore_errors=True)
        self._guard = threading.Lock()
        self._jobs = {record.id: record for record in self._records.read()}
        self._next = 1 + max((record.number for record in self._jobs.values()), default=0)
        self._hooks = HookSender(settings.hooks, self._hook_settled)
        self._new: list[ClipTask] = []
        self._dropped: set[str] = set()
        self.problem: str | None = None
        """Why no job is done any more."""
        self._take_up()
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="queue")
        self._thread.start()

    # ---- what clients ask

    def submit(self, row: dict[str, Any], hook: str | None) -> JobRecord:
        """Take a job; it is on disk afterwards. InputError where it cannot be one, TooMany where there is no room."""
        job_id = secrets.token_hex(12)
        task = self._task(job_id, row)
        if hook is not None:
            self.settings.hooks.check(hook)
        with self._guard:
            self._require_room()
            record = JobRecord(job_id, self._next, row, hook, time.time(), hook_state="waiting" if hook else "none")
            self._records.write(record)
            self._jobs[job_id] = record
            self._next += 1
            self._new.append(task)
            return replace(record)

    def job(self, job_id: str) -> JobRecord:
        """One of them, as it is now. NotThere where there is none."""
        with self._guard:
            if job_id not in self._jobs:
                raise NotThere(f"there is no job {job_id}")
            return replace(self._jobs[job_id])

    def jobs(self, state: str | None, after: int, limit: int) -> list[JobRecord]:
        """Those of a state, or all, whose number is above ``after``, the first ``limit`` of them."""
        with self._guard:
            found = [each for each in self._jobs.values() if each.number > after and state in (None, each.state)]
            return [replace(each) for each in found[:limit]]

    def remove(self, job_id: str) -> None:
        """Forget a job that waits or is over, and its results. InputError while a worker is at it."""
        with self._guard:
            if job_id not in self._jobs:
                raise NotThere(f"there is no job {job_id}")
            if self._jobs[job_id].state == "running":
                raise InputError(f"job {job_id} is being worked on: it can be deleted once it is over")
            if self._jobs[job_id].state == "queued":
                self._dropped.add(job_id)
            del self._jobs[job_id]
            self._records.remove(job_id)
        shutil.rmtree(self._results(job_id), ignore_errors=True)

    def files(self, job_id: str) -> list[Path]:
        """Paths of its results, from their folder on. NotThere before they are whole."""
        if self.job(job_id).state != "done":
            raise NotThere(f"job {job_id} has no results")
        folder = self._results(job_id)
        return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())

    def file(self, job_id: str, name: str) -> Path:
        """One of them. NotThere where it is none."""
        if Path(name) not in self.files(job_id):
            raise NotThere(f"job {job_id} has no file {name}")
        return self._results(job_id) / name

    def counts(self) -> dict[str, int]:
        """State -> how many jobs."""
        with self._guard:
            states = [record.state for record in self._jobs.values()]
        return {state: states.count(state) for state in ("queued", "running", "done", "failed")}

    def close(self) -> None:
        """End the workers; what they were at is queued again when the server is started again."""
        self._is_closing.set()
        self._thread.join()
        self._hooks.close()
        self._lock.release()

    # ---- taking jobs

    def _require_room(self) -> None:
        if self.problem is not None:
            raise OutOfOrder(self.problem)
        waiting = sum(not record.is_over for record in self._jobs.values())
        if waiting >= self.settings.most_waiting:
            raise TooMany(f"{waiting} jobs are waiting, which is as many as this server takes: try again later")
        if len(self._jobs) >= self.settings.most_kept:
            raise TooMany(f"{len(self._jobs)} jobs are kept, which is as many as this server takes: delete some")

    def _task(self, job_id: str, row: dict[str, Any]) -> ClipTask:
        (task,) = make_tasks([Row("the job", {**row, "name": job_id})], self.settings.clips.absolute(), {})
        for place in _places_of(task):
            self._require_inside(place)
        return task

    def _require_inside(self, place: Path) -> None:
        if address_of(place) is not None:
            if not self.settings.may_fetch:
                raise InputError(f"this server fetches no clips, found {place}: start it with --fetch")
            if str(address_of(place)).split(":")[0] not in ("http", "https", "s3", "gs", "az", "abfs"):
                raise InputError(f"this server fetches clips over the network alone, found {place}")
        elif not place.resolve().is_relative_to(self.settings.clips.resolve()):
            raise InputError("the job names a file outside the folder that this server reads")

    def _take_up(self) -> None:
        """What an earlier server left: jobs that are not over, webhooks that were not taken."""
        for record in list(self._jobs.values()):
            if not record.is_over:
                try:
                    self._new.append(self._task(record.id, record.row))
                    record.state = "queued"
                except InputError as error:
                    record.state, record.reasons, record.finished = "failed", [str(error)], time.time()
            if record.is_over and record.hook_state == "waiting":
                self._send_hook(record)

    # ---- doing them

    def _run(self) -> None:
        try:
            with self.settings.make_engine() as engine:
                self._serve(Schedule(engine, self._working(), self.settings.retries, self._advanced))
        except Exception as error:
            traceback.print_exc()
            self.problem = f"the workers of this server are gone ({type(error).__name__}: {error}): start it again"

    def _serve(self, schedule: Schedule) -> None:
        while not self._is_closing.is_set():
            with self._guard:
                new, self._new = self._new, []
                dropped, self._dropped = self._dropped, set()
            for task in new:
                schedule.add(task)
            for job_id in dropped:
                schedule.remove(job_id)
            self._mark_running(schedule.running)
            for outcome in schedule.step(_SECONDS):
                self._end(outcome)

    def _mark_running(self, names: frozenset[str]) -> None:
        with self._guard:
            for name in names & self._jobs.keys():
                self._jobs[name].state = "running"

    def _advanced(self, name: str, done: int, total: int) -> None:
        with self._changed(name) as record:
            if record is not None:
                record.state, record.done, record.total = "running", done, total

    def _end(self, outcome: Outcome) -> None:
        """Results to their place, then the record. Where the server ends in between, the job is done again."""
        if outcome.folder is not None:
            place = self._results(outcome.task.name)
            with disk_errors(place):
                place.parent.mkdir(exist_ok=True)
                shutil.rmtree(place, ignore_errors=True)
                outcome.folder.replace(place)
        with self._changed(outcome.task.name) as record:
            if record is None:  # it was deleted as a worker began with it
                shutil.rmtree(self._results(outcome.task.name), ignore_errors=True)
                return
            record.reasons, record.finished = list(outcome.reasons), time.time()
            record.state = "failed"
            if outcome.result is not None:
                record.state, record.result = "done", asdict(outcome.result)
                record.done = record.total = outcome.result.frames
            self._records.write(record)
        if record.hook_state == "waiting":
            self._send_hook(record)

    @contextmanager
    def _changed(self, job_id: str) -> Iterator[JobRecord | None]:
        with self._guard:
            yield self._jobs.get(job_id)

    def _send_hook(self, record: JobRecord) -> None:
        assert record.hook is not None
        said = {"id": record.id, "state": record.state, "result": record.result, "reasons": record.reasons}
        self._hooks.send(record.id, record.hook, said)

    def _hook_settled(self, job_id: str, is_taken: bool) -> None:
        with self._changed(job_id) as record:
            if record is not None:
                record.hook_state = "delivered" if is_taken else "given up"
                self._records.write(record)

    def _results(self, job_id: str) -> Path:
        return self.settings.out / "results" / job_id

    def _working(self) -> Path:
        return self.settings.out.absolute() / ".working" / f"{os.getpid()}-{time.time_ns()}"


def _places_of(task: ClipTask) -> Iterator[Path]:
    """Every file that a task names."""
    for each in fields(task.job):
        value = getattr(task.job, each.name)
        values = value if isinstance(value, tuple) else (value,)
        if each.name == "mask":
            yield from (mark_parts(text)[2] for text in values)
        elif each.name != "out":
            yield from (one for one in values if isinstance(one, Path))
