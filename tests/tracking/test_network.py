"""What is chosen from memories and joined to them."""

from __future__ import annotations

import numpy as np
import torch

from shibori.tracking.network import Memory, background_of, most_different, positions_of, with_surroundings


def memory(labels: list[float], first: float = 0.0) -> Memory:
    """One position a label; its key and value say which it is."""
    count = torch.arange(len(labels), dtype=torch.float32) + first
    return Memory(count.view(1, 1, -1), count.view(1, 1, -1), torch.tensor([labels]), torch.zeros(1, len(labels), 1))


def test_positions_are_taken_with_all_that_is_known_of_them():
    chosen = positions_of(memory([0.0, 0.5, 1.0]), torch.tensor([2, 0]))
    assert chosen.key.flatten().tolist() == chosen.value.flatten().tolist() == [2, 0]
    assert chosen.label.tolist() == [[1.0, 0.0]]
    assert background_of(memory([0.0, 0.5, 1.0, 0.01])).key.flatten().tolist() == [0, 3]


def test_a_reference_knows_what_stands_around_it_where_a_wider_window_shows_more():
    window, looks = np.array([10.0, 10, 20, 20]), []

    def look() -> Memory:
        looks.append(1)
        return memory([0.0, 0.9, 0.0], first=10)

    same = with_surroundings(memory([1.0]), window, np.array([10.0, 10, 20, 21.9]), look)
    assert same.key.flatten().tolist() == [0]
    assert not looks
    wide = with_surroundings(memory([1.0]), window, np.array([10.0, 10, 20, 22]), look)
    assert wide.key.flatten().tolist() == [0, 10, 12]
    assert wide.label.tolist() == [[1.0, 0.0, 0.0]]


def turned(degrees: float) -> Memory:
    """An object whose one key points somewhere, beside a background that never changes."""
    angle = np.deg2rad(degrees)
    key = torch.tensor([[[np.cos(angle), -1.0], [np.sin(angle), 0.0]]], dtype=torch.float32)
    return Memory(key, key, torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2, 1))


def test_the_frames_that_are_kept_differ_most_and_the_last_is_among_them():
    memories = [turned(degrees) for degrees in (0, 40, 45, 90, 92)]
    assert most_different(memories, 5) == memories
    kept = [
        round(float(torch.rad2deg(torch.atan2(*each.key[0, :, 0].flip(0))))) for each in most_different(memories, 3)
    ]
    assert kept == [0, 45, 92]
    assert most_different(memories, 1)[0] is memories[-1]
