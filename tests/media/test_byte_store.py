"""Bytes by key: what is put comes back, from memory and from the file; neither grows for nothing."""

from __future__ import annotations

import random

import pytest

from shibori.media.byte_store import ByteStore


@pytest.mark.parametrize(("bound", "in_file"), [(0, 26), (11, 15), (100, 0)])
def test_what_is_put_comes_back_from_memory_and_from_the_file(bound: int, in_file: int):
    store: ByteStore[str] = ByteStore(bound)
    for length, key in enumerate("abcd", 5):
        store[key] = key.encode() * length
    assert [store[key] for key in "dbca"] == [b"dddddddd", b"bbbbbb", b"ccccccc", b"aaaaa"]
    assert "e" not in store
    with pytest.raises(KeyError):
        store["e"]
    assert store.file_bytes == in_file
    assert store.held_bytes == 26 - in_file <= bound


def test_what_is_forgotten_makes_room():
    store: ByteStore[int] = ByteStore(10)
    store[0], store[1] = b"x" * 10, b"y" * 7
    store.discard(0)
    store.discard(0)
    assert 0 not in store
    store[2] = b"z" * 9
    assert store.held_bytes == 9
    store.discard(1)
    store[3], store[4] = b"u" * 3, b"v" * 4  # into the 7 that are free in the file
    assert (store[2], store[3], store[4]) == (b"z" * 9, b"uuu", b"vvvv")
    assert store.file_bytes == 7


def test_it_is_a_dict_that_forgets_nothing():
    """Against the same steps on a dict."""
    rng, store, expected = random.Random(0), ByteStore[int](40), {}
    for _ in range(3000):
        key = rng.randrange(12)
        if rng.random() < 0.3:
            store.discard(key)
            expected.pop(key, None)
        else:
            store[key] = expected[key] = rng.randbytes(rng.randrange(20))
        assert all(store[other] == data for other, data in expected.items())
        assert store.held_bytes <= 40
    assert store.file_bytes < 12 * 20 * 3
