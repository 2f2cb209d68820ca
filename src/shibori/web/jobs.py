"""A propagation as pages see it: begun, streamed, stopped, begun anew where something else was said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from shibori.errors import InputError
from shibori.media.frame_code import decode_frame
from shibori.session.propagation import PropagationWork
from shibori.session.store import ProjectStore, PropagationJob
from shibori.web import messages as said
from shibori.web.device import Device
from shibori.web.pages import Pages
from shibori.web.questions import Answer
from shibori.web.translation import frame_view


class Propagating:
    """At most one propagation of a project at a time. Belongs to one event loop.

    Args:
        store: of the project.
        device: that computes.
        pages: that are told.
        on_over: called when one has ended.
    """

    def __init__(self, store: ProjectStore, device: Device, pages: Pages, on_over: Callable[[], None]) -> None:
        self.store, self.device, self.pages, self.on_over = store, device, pages, on_over
        self._job: said.Job | None = None
        self._run: asyncio.Task[None] | None = None
        self._count = 0
        self.computed: dict[int, str] = {}
        """Frame -> the key of what was computed of it last since the project was opened."""

    @property
    def jobs(self) -> list[said.Job]:
        """The one that was begun last, if any."""
        return [] if self._job is None else [self._job]

    async def begin(self, order: said.PropagationOrder) -> said.Job:
        """Bring the masks of the project's range up to date. InputError where nothing was marked yet."""
        project = self.store.project
        first, last = project.start, project.stop - 1
        if order.direction == "forward":
            first = min(max(first, order.frame), last)
        elif order.direction == "backward":
            last = max(min(last, order.frame), first)
        await self._end(is_over=False)
        job = PropagationJob(order.frame, first, last)
        PropagationWork(self.store, job, self.device.is_local)  # says what is wrong before anything is begun
        await asyncio.to_thread(self.store.set_job, job)
        return await self.go_on()

    async def go_on(self) -> said.Job:
        """With the one that is to go on."""
        job = self.store.job
        assert job is not None, "there is a propagation to go on with"
        self._count += 1
        self._job = said.Job(id=f"propagation-{self._count}", kind="propagation", state="queued", done=0, total=0)
        self._run = asyncio.create_task(self._carry_out(job))
        return self._job

    async def stop(self) -> None:
        """At once; what came stays."""
        await self._end(is_over=True)

    async def leave(self) -> None:
        """The same, but it is to go on when the project is opened again."""
        await self._end(is_over=False)

    async def rounds_changed(self) -> None:
        """What is under way begins anew: what was up to date stays so."""
        if self._run is not None and not self._run.done():
            await self._end(is_over=False)
            if any(each.begins for each in self.store.project.rounds):
                await self.go_on()
            else:
                await asyncio.to_thread(self.store.set_job, None)

    async def _end(self, is_over: bool) -> None:
        run, self._run = self._run, None
        if run is not None and not run.done():
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        if is_over and self.store.job is not None:
            await asyncio.to_thread(self.store.set_job, None)

    async def _carry_out(self, job: PropagationJob) -> None:
        await self.device.ready.wait()
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        state: str = "stopped"
        sentence: str | None = None
        try:
            work = PropagationWork(self.store, job, self.device.is_local)
            clip = self.store.project.clip.path
            question = self.device.propagate(clip, work.rounds, work.runs, answers.put_nowait)
            try:
                await self._take(answers, work)
                state = "done"
            finally:
                if state != "done":
                    self.device.stop(question)
                await asyncio.to_thread(work.close, state == "done")
        except InputError as error:
            state, sentence = "failed", str(error)
        finally:
            self._change(state=state, sentence=sentence, seconds_left=None)
            self.on_over()

    async def _take(self, answers: asyncio.Queue[Answer], work: PropagationWork) -> None:
        began, done = time.monotonic(), 0
        self._change(state="running", done=0, total=work.num_frames)
        while not (answer := await answers.get()).is_last:
            masks = await asyncio.to_thread(decode_frame, answer.value)
            await asyncio.to_thread(work.keep, masks)
            self.computed[masks.index] = work.keys[masks.index]
            view = await asyncio.to_thread(frame_view, masks, True)
            done += 1
            rate = done / max(1e-3, time.monotonic() - began)
            self._change(done=done, rate=round(rate, 2), seconds_left=round((work.num_frames - done) / rate, 1))
            assert self._job is not None
            self.pages.tell(said.FrameEvent(job=self._job.id, view=view))
        if answer.problem is not None:
            raise InputError(answer.problem)

    def _change(self, **values: object) -> None:
        if self._job is not None:
            self._job = self._job.model_copy(update=values)
            self.pages.tell(said.JobEvent(job=self._job))
