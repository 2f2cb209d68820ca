"""What marked frames tell about an object in another one: made while all frames are computed, so that no mark waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shibori.media.clip import Clip
from shibori.systems.strnn.between import Key
from shibori.systems.strnn.prompt_segmenter import PromptSegmenter
from shibori.tracking.network import Memory

MAX_RECALLED = 3
"""Marked frames, the nearest ones, that help to understand the marks on another one."""


@dataclass
class Recall:
    """The objects in marked frames, as the pixel tracker remembers them."""

    _versions: dict[int, int] = field(default_factory=dict)
    _memories: dict[int, dict[int, Memory]] = field(default_factory=dict)

    def update(self, prompts: PromptSegmenter, clip: Clip, keys: Mapping[int, Key]) -> None:
        """Look at the marked frames that changed since the last time."""
        for index, key in keys.items():
            if self._versions.get(index) == key.version:
                continue
            image, masks = clip.frame(index).image, key.references
            found = {i: prompts.remember(image, mask, (key.ids != 0) & ~mask) for i, mask in masks.items()}
            self._memories[index] = {i: memory for i, memory in found.items() if memory is not None}
            self._versions[index] = key.version

    def nearest(self, index: int) -> dict[int, tuple[Memory, ...]]:
        """object_id -> what is remembered of it in the marked frames next to ``index``, without that frame."""
        found: dict[int, tuple[Memory, ...]] = {}
        for frame in sorted(self._memories, key=lambda frame: abs(frame - index)):
            for object_id, memory in self._memories[frame].items() if frame != index else ():
                found[object_id] = (*found.get(object_id, ()), memory)[:MAX_RECALLED]
        return found
