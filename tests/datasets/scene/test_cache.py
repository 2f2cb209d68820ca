"""A cache with a bound."""

from __future__ import annotations

import pickle

from shibori.datasets.scene.cache import BoundedCache


def test_cache_keeps_its_bound_and_forgets_the_oldest():
    cache, made = BoundedCache(100), []

    def ask(key: str) -> str:
        return cache.get(key, lambda: made.append(key) or key, lambda value: 40)

    for key in "abacab":
        assert ask(key) in (key, None)
        assert cache.num_bytes <= 100
    assert made == ["a", "b", "c", "b"]


def test_cache_starts_empty_elsewhere():
    cache = BoundedCache(1000)
    cache.get("a", lambda: 1, lambda value: 400)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.max_bytes, copy.num_bytes) == (1000, 0)
