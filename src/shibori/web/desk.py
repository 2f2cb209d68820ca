"""One open project: its store, its clip, the pages that look at it, and what is under way for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shibori.errors import InputError
from shibori.interfaces import Suggestion
from shibori.media.clip import Clip
from shibori.media.edges import EdgeControls, shape_edges
from shibori.media.mask import FrameMasks
from shibori.media.picture import encode_png
from shibori.media.view import LONGEST_SIDE, smaller, view_size
from shibori.session.doubt import least_certain
from shibori.session.project import Project
from shibori.session.propagation import stale_frames
from shibori.session.store import ProjectStore
from shibori.web import messages as said
from shibori.web.device import Device
from shibori.web.exporting import Exports
from shibori.web.frames import FrameCache, Thumbnails
from shibori.web.jobs import Propagating
from shibori.web.pages import Pages
from shibori.web.refusals import NotThere
from shibori.web.shown import Shown
from shibori.web.translation import (
    action_from,
    approved_view,
    contradictions_view,
    export_view,
    objects_view,
    rounds_view,
    spans,
    strips_view,
    suggestion_view,
)

Value = TypeVar("Value")


class Desk:
    """What the routes of one project call. Belongs to one event loop; what takes a while is done in threads.

    Args:
        project_id: as the server has it.
        folder: of the project.
        device: where its masks are made.
    """

    def __init__(self, project_id: str, folder: Path, device: Device) -> None:
        self.project_id, self.folder, self.device = project_id, folder, device
        self.store = ProjectStore(folder)
        self.pages = Pages()
        self.propagating = Propagating(self.store, device, self.pages, self.tell_state)
        self.shown = Shown(self.store, device, self.propagating)
        self.exports = Exports(self.store, self.pages)
        self._loop = asyncio.get_running_loop()
        self._acting = asyncio.Lock()
        self._suggesting: asyncio.Task[Suggestion | None] | None = None
        self.clip: Clip | None = None
        self.clip_problem: str | None = None
        self.frames: FrameCache | None = None
        self.thumbnails: Thumbnails | None = None
        self._open_clip()

    def _open_clip(self) -> None:
        try:
            self.clip, self.clip_problem = self.project.clip.opened(), None
        except InputError as error:
            self.clip, self.clip_problem = None, str(error)
            return
        self.frames = FrameCache(self.clip)
        self.thumbnails = Thumbnails(self.clip, self._tell_thumbnails)

    def _tell_thumbnails(self, done: int) -> None:
        self._loop.call_soon_threadsafe(self.pages.tell, said.ThumbnailsEvent(done=done))

    async def begin(self) -> None:
        """Go on with what was under way when the server ended."""
        if self.store.is_writer and self.store.job is not None and self.clip is not None:
            await self.propagating.go_on()

    async def close(self) -> None:
        """Let others have the project; what is under way goes on when it is opened again."""
        self.stop_suggesting()
        await self.propagating.leave()
        self.exports.close()
        for each in (self.frames, self.thumbnails):
            if each is not None:
                each.close()
        self.store.close()

    @property
    def is_idle(self) -> bool:
        """Whether nobody looks at it, and nothing is under way."""
        jobs = [*self.propagating.jobs, *self.exports.jobs]
        return self.pages.is_empty and not any(each.state in ("queued", "running") for each in jobs)

    # ---- the state

    @property
    def project(self) -> Project:
        """As it is now."""
        return self.store.project

    def state(self, page: str | None) -> said.State:
        """The project, as one page sees it."""
        project = self.project
        return said.State(
            project=self.project_id,
            name=self.folder.stem,
            version=self.store.revision,
            clip=self._clip_view(),
            objects=objects_view(project),
            rounds=rounds_view(project.rounds),
            approved=approved_view(project),
            range=said.RangeView(start=project.start, stop=project.stop),
            export=export_view(project.export),
            undo=self.store.undo_name,
            redo=self.store.redo_name,
            stale=spans(stale_frames(self.store, self.shown.keys, project.span)),
            jobs=[*self.propagating.jobs, *self.exports.jobs],
            contradictions=contradictions_view(project.rounds),
            is_writer=self.store.is_writer and self.pages.may_write(page),
        )

    def _clip_view(self) -> said.ClipView:
        clip = self.project.clip
        height, width = view_size(clip.size_hw)
        return said.ClipView(
            name=clip.name,
            path=clip.path,
            width=clip.size_hw[1],
            height=clip.size_hw[0],
            view_width=width,
            view_height=height,
            num_frames=clip.num_frames,
            frame_rate=clip.frame_rate,
            thumbnail_step=1 if self.thumbnails is None else self.thumbnails.step,
            is_there=self.clip is not None,
            problem=self.clip_problem,
        )

    def tell_state(self) -> None:
        """To every page."""
        self.pages.tell_each(lambda page: said.StateEvent(state=self.state(page)))

    # ---- changes

    async def act(self, message: said.Action, page: str | None) -> said.State:
        """Carry out an action; it is on the disk when this returns."""
        shown = await self._shown_for(message)
        return await self._change(page, lambda: self.store.do(action_from(message, self.project, shown)))

    async def undo(self, page: str | None) -> said.State:
        """Take the last action back."""
        return await self._change(page, self.store.undo)

    async def redo(self, page: str | None) -> said.State:
        """Carry out again what was taken back."""
        return await self._change(page, self.store.redo)

    async def move_clip(self, path: Path, page: str | None) -> said.State:
        """The clip is there now."""
        await self._change(page, lambda: self.store.move_clip(path))
        self._open_clip()
        self.tell_state()
        return self.state(page)

    async def take_pen(self, page: str) -> said.State:
        """From now on this page writes. InputError where another program does."""
        if not await asyncio.to_thread(self.store.become_writer):
            raise InputError(f"another program is at work on {self.folder.name}: close it there first")
        self.pages.take_pen(page)
        self.tell_state()
        return self.state(page)

    async def propagate(self, order: said.PropagationOrder, page: str | None) -> said.Job:
        """Bring the masks up to date."""
        self.pages.check_may_write(page)
        self.check_frame(order.frame)
        await self.device.ready.wait()
        async with self._acting:
            job = await self.propagating.begin(order)
        self.tell_state()
        return job

    async def stop(self, page: str | None) -> said.State:
        """The propagation."""
        self.pages.check_may_write(page)
        async with self._acting:
            await self.propagating.stop()
        return self.state(page)

    async def _change(self, page: str | None, change: Callable[[], Project]) -> said.State:
        self.pages.check_may_write(page)
        async with self._acting:
            before = self.project.rounds
            self.stop_suggesting()
            await asyncio.to_thread(change)
            if self.project.rounds != before:
                await self.propagating.rounds_changed()
        self.tell_state()
        return self.state(page)

    async def _shown_for(self, message: said.Action) -> FrameMasks | None:
        """What is painted on."""
        if not isinstance(message, said.Paint) or not any(each.begins for each in self.project.rounds):
            return None
        self.check_frame(message.frame)
        return await self.shown.masks(message.frame)

    # ---- what is shown

    def check_frame(self, index: int) -> Clip:
        """The clip. InputError where it is not there, NotThere where it has no such frame."""
        if self.clip is None:
            raise InputError(self.clip_problem or "the clip is not there")
        if not 0 <= index < self.clip.num_frames:
            raise NotThere(f"there is no frame {index}: the clip has {self.clip.num_frames}, numbered from 0")
        return self.clip

    async def picture(self, index: int, width: int | None) -> bytes:
        """A frame as JPEG at view size, or at most so many pixels wide."""
        clip = self.check_frame(index)
        assert self.frames is not None, "it is there with the clip"
        longest = max(clip.size_hw)
        side = LONGEST_SIDE if width is None else round(width * longest / clip.size_hw[1])
        return await asyncio.to_thread(self.frames.picture, index, min(side, longest))

    def thumbnail(self, index: int) -> bytes:
        """A small picture. NotThere where it is not made yet."""
        self.check_frame(index)
        picture = None if self.thumbnails is None else self.thumbnails.picture(index)
        if picture is None:
            raise NotThere(f"the thumbnail of frame {index} is not made yet")
        return picture

    async def view(self, index: int, compute: bool) -> said.FrameView:
        """The masks of a frame; see ``Shown``."""
        self.check_frame(index)
        return await self.shown.view(index, compute)

    async def hover(self, message: said.Hover) -> said.FrameView | None:
        """What a mark would make of its frame; None where another one was asked for in between."""
        self.check_frame(message.round.frame)
        return await self.shown.hover(message)

    async def matte(self, index: int, object_ids: tuple[int, ...] | None, edges: EdgeControls) -> bytes:
        """Opacity of objects together, as grey PNG at view size."""
        clip = self.check_frame(index)
        chosen = object_ids or tuple(each.object_id for each in self.project.objects)
        masks = await self.shown.known(index) or await asyncio.to_thread(self.store.masks, index)
        if masks is None:
            raise NotThere(f"there are no masks of frame {index} yet")
        return await asyncio.to_thread(_matte, clip, masks, chosen, edges)

    def timeline(self) -> said.Timeline:
        """All objects through the clip."""
        return said.Timeline(
            strips=strips_view(self.project, self.store.records()),
            fresh=spans(self.store.frames_with(self.shown.keys)),
            thumbnails_done=0 if self.thumbnails is None else self.thumbnails.done,
        )

    async def suggestion(self) -> said.SuggestionView | None:
        """Where a correction would help most; None where nobody can tell, or it is not wanted any more.

        The system is asked where it has seen every frame and is at nothing else.
        """
        self.stop_suggesting()
        if self.clip is None or not self.project.rounds:
            return None
        keys = self.shown.keys
        has_seen_all = all(self.propagating.computed.get(frame) == key for frame, key in enumerate(keys))
        if not has_seen_all or self.device.is_busy:
            records = await asyncio.to_thread(self.store.records)
            found = least_certain(self.project, records, self.store.frames_with(keys))
        else:
            asked = asyncio.create_task(self.device.suggestion(self.project.clip.path, self.project.rounds))
            self._suggesting = asked
            await asyncio.wait([asked])
            found = None if asked.cancelled() else asked.result()
        return None if found is None else suggestion_view(found, self.project)

    def stop_suggesting(self) -> None:
        """Nobody waits for a suggestion any more."""
        asked, self._suggesting = self._suggesting, None
        if asked is not None:
            asked.cancel()


def _matte(clip: Clip, masks: FrameMasks, object_ids: tuple[int, ...], edges: EdgeControls) -> bytes:
    if not edges.is_idle:
        masks = shape_edges(masks, clip.frame(masks.index).image, edges, object_ids)
    alpha = masks.alpha(object_ids)
    return encode_png(smaller(alpha, view_size((alpha.shape[0], alpha.shape[1]))))
