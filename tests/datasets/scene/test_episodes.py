"""When objects were out of sight, by hand."""

from __future__ import annotations

import numpy as np

from shibori.datasets.scene.episodes import Episode, episodes_of_areas


def test_episodes_by_hand():
    areas = np.array([100] * 10 + [4] * 12 + [100] * 6 + [0] * 9 + [90] * 8 + [0] * 41 + [80] * 5)
    assert episodes_of_areas(7, areas) == [Episode(7, 10, 22)]
    assert episodes_of_areas(7, areas, shortest=9, longest=50) == [
        Episode(7, 10, 22),
        Episode(7, 28, 37),
        Episode(7, 45, 86),
    ]


def test_a_glimpse_belongs_to_the_hiding_and_more_of_it_spoils_it():
    areas = np.array([50] * 8 + [0] * 6 + [50] * 2 + [0] * 6 + [50] * 5)
    assert episodes_of_areas(1, areas) == [Episode(1, 8, 22)]
    areas = np.array([50] * 8 + [0] * 12 + [50] * 4 + [0] * 12 + [50] * 5)
    assert episodes_of_areas(1, areas) == []


def test_what_never_comes_back_or_never_was_there_is_no_episode():
    assert episodes_of_areas(1, np.array([50] * 8 + [0] * 20)) == []
    assert episodes_of_areas(1, np.array([0] * 20 + [50] * 8)) == []
    assert episodes_of_areas(1, np.zeros(20, int)) == []
