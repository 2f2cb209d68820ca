"""What is kept of marked frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from shibori.systems.strnn.between import Key
from shibori.systems.strnn.recall import MAX_RECALLED, Recall


class Noting:
    """Stands for a prompts: remembers which frame it looked at, and what it was shown."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, int, int]] = []

    def remember(self, image, mask, others):
        self.looks.append((int(image[0, 0, 0]), int(mask.sum()), int(others.sum())))
        return self.looks[-1] if mask.any() else None


CLIP = SimpleNamespace(frame=lambda index: SimpleNamespace(image=np.full((4, 6, 3), index, np.uint8)))


def key(version: int = 0) -> Key:
    ids = np.zeros((4, 6), np.uint8)
    ids[0, :2], ids[1, :3] = 1, 2
    return Key(ids, (1, 2, 3), version)


def test_each_version_of_a_marked_frame_is_looked_at_once():
    prompts, recall = Noting(), Recall()
    recall.update(prompts, CLIP, {5: key()})
    recall.update(prompts, CLIP, {5: key()})
    assert prompts.looks == [(5, 2, 3), (5, 3, 2), (5, 0, 5)]
    recall.update(prompts, CLIP, {5: key(1), 9: key()})
    assert len(prompts.looks) == 9


def test_the_nearest_marked_frames_come_first_and_the_frame_itself_does_not_count():
    prompts, recall = Noting(), Recall()
    recall.update(prompts, CLIP, {index: key() for index in (0, 4, 7, 20, 30)})
    found = recall.nearest(7)
    assert [memory[0] for memory in found[1]] == [4, 0, 20][:MAX_RECALLED]
    assert [memory[1] for memory in found[2]] == [3] * MAX_RECALLED
    assert 3 not in found
    assert Recall().nearest(7) == {}
