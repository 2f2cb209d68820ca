from __future__ import annotations

import pytest
import torch

from shibori.systems.strnn.cache import FeatureCache


def test_frames_come_back_from_memory_and_from_disk():
    features = torch.randn(7, 4, 3, 5)
    size = 4 * 3 * 5 * 2
    caches = {bound: FeatureCache(bound) for bound in (0, 3 * size, 100 * size)}
    for cache in caches.values():
        for index in (4, 0, 6, 2, 1):
            cache[index] = features[index]
        for index in (1, 6, 4, 2, 0):
            assert cache[index].dtype == torch.float32
            torch.testing.assert_close(cache[index], features[index].half().float(), rtol=0, atol=0)
        assert 3 not in cache
        assert 6 in cache
        with pytest.raises(KeyError):
            cache[3]
    assert [cache._kept.file_bytes for cache in caches.values()] == [5 * size, 2 * size, 0]
    assert [cache._kept.held_bytes for cache in caches.values()] == [0, 3 * size, 5 * size]
