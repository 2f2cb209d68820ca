"""What the frames of one project show: kept masks, those of the rounds as they are now, marks before they are made."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from shibori.media.mask import FrameMasks
from shibori.media.rounds import Rounds
from shibori.session.frame_rounds import objects_said, rounds_before, rounds_of_frame
from shibori.session.freshness import frame_keys
from shibori.session.store import ProjectStore
from shibori.web import messages as said
from shibori.web.device import Device
from shibori.web.jobs import Propagating
from shibori.web.translation import frame_view, round_from

MOST_PROVISIONAL = 32
"""Frames."""


class Shown:
    """Belongs to one event loop; its project's clip is there.

    Args:
        store: of the project.
        device: where masks are made.
        propagating: is told what was computed.
    """

    def __init__(self, store: ProjectStore, device: Device, propagating: Propagating) -> None:
        self.store, self.device, self.propagating = store, device, propagating
        self._keys: tuple[tuple[object, bool], list[str]] | None = None
        self._provisional: OrderedDict[int, tuple[str, FrameMasks]] = OrderedDict()
        self._hovers = 0
        self._hovering = asyncio.Lock()

    @property
    def keys(self) -> list[str]:
        """Of every frame, for the rounds as they are now."""
        wanted = (self.store.project.rounds, self.device.is_local)
        if self._keys is None or self._keys[0] != wanted:
            self._keys = wanted, self._keys_of(self.store.project.rounds)
        return self._keys[1]

    def _keys_of(self, rounds: Rounds) -> list[str]:
        return frame_keys(rounds, self.store.project.clip.num_frames, self.device.is_local)

    async def view(self, index: int, compute: bool) -> said.FrameView:
        """The masks of a frame: as they are kept, or as they are for the rounds as they are now."""
        masks = await self.known(index)
        is_fresh = masks is not None
        if masks is None and compute and self.store.project.rounds:
            masks, is_fresh = await self._computed(index), True
        if masks is None:
            masks = await asyncio.to_thread(self.store.masks, index)
        if masks is None:
            return said.FrameView(frame=index, is_fresh=not self.store.project.rounds, objects=[])
        return await asyncio.to_thread(frame_view, masks, is_fresh)

    async def known(self, index: int) -> FrameMasks | None:
        """Of the rounds as they are now, as far as they are worked out."""
        key = self.keys[index]
        provisional = self._provisional.get(index)
        masks = await asyncio.to_thread(self.store.masks, index, key)
        return provisional[1] if masks is None and provisional is not None and provisional[0] == key else masks

    async def masks(self, index: int) -> FrameMasks | None:
        """What a person sees there: of the rounds as they are now, or the last that there were."""
        masks = await self.known(index)
        if masks is None and objects_said(self.store.project.rounds, index):
            masks = await self._computed(index)
        return masks if masks is not None else await asyncio.to_thread(self.store.masks, index)

    async def hover(self, message: said.Hover) -> said.FrameView | None:
        """What a mark would make of its frame; None where another one was asked for in between."""
        self._hovers += 1
        number = self._hovers
        async with self._hovering:
            if number != self._hovers:
                return None
            await self.device.ready.wait()
            rounds = (*self.store.project.rounds, round_from(message.round))
            masks, _ = await self._quick(rounds, message.round.frame)
        return await asyncio.to_thread(frame_view, masks, True)

    async def _computed(self, index: int) -> FrameMasks:
        """For the rounds as they are now: exact and kept, or provisional where that would take a while."""
        await self.device.ready.wait()
        key, rounds = self.keys[index], self.store.project.rounds
        masks, is_exact = await self._quick(rounds, index)
        if not is_exact:
            self._provisional[index] = key, masks
            while len(self._provisional) > MOST_PROVISIONAL:
                self._provisional.popitem(last=False)
            return masks
        self.propagating.computed[index] = key
        if self.store.is_writer:
            await asyncio.to_thread(self.store.save_masks, [(key, masks)])
        return masks

    async def _quick(self, rounds: Rounds, index: int) -> tuple[FrameMasks, bool]:
        """The masks of a frame, and whether they are what a propagation gives.

        Where that is not known at once, they are of what was said of the frame alone, beside what it showed before.
        """
        clip = self.store.project.clip.path
        ground = await asyncio.to_thread(self._ground, rounds, index) if self.device.is_local else {}
        own = rounds_of_frame(rounds, index, ground)
        if not own or not self.device.is_local:
            return await self.device.preview(clip, rounds, index), True
        if not self.device.is_busy:
            masks = await self.device.quick_preview(clip, rounds, index)
            if masks is not None:
                return masks, True
        return await self.device.glance(clip, own, index), own == rounds

    def _ground(self, rounds: Rounds, index: int) -> dict[int, NDArray[np.bool_]]:
        """object_id -> what the frame showed of it before anything was said of it there."""
        before = self.store.masks(index, self._keys_of(rounds_before(rounds, index))[index])
        latest = self.store.masks(index)
        said_of = objects_said(rounds, index)
        ground = {} if latest is None else {i: latest.ids == i for i in _ids(latest) if i not in said_of}
        return ground if before is None else ground | {i: before.ids == i for i in _ids(before)}


def _ids(masks: FrameMasks) -> list[int]:
    return [status.object_id for status in masks.statuses]
