"""Pairs: the same thing in two pictures, or something else where it is not."""

from __future__ import annotations

import torch

from shibori.boxtracking.pairs import pairs_of
from shibori.datasets.scene.instance_scenes import UNKNOWN, InstanceView


def view(*things: tuple[int, float]) -> InstanceView:
    """Things of (identity, left edge); boxes tell which is which."""
    boxes = torch.tensor([[left, 0.0, left + 4, 4.0] for _, left in things]).reshape(-1, 4)
    identities = torch.tensor([identity for identity, _ in things], dtype=torch.int64)
    masks = torch.zeros(len(things), 8, 8, dtype=torch.bool)
    return InstanceView(torch.zeros(3, 8, 8, dtype=torch.uint8), masks, boxes, identities)


def drawn(views, most: int = 50, absent_share: float = 0.5):
    torch.manual_seed(0)
    return pairs_of(views, most, absent_share)


def test_things_are_paired_with_themselves_both_ways():
    pairs = drawn([(view((3, 10.0), (5, 20.0)), view((5, 25.0), (3, 15.0)))], absent_share=0.0)
    found = {(int(r), float(a[0]), int(t), float(b[0])) for r, a, t, b in zip(*pairs[:4], strict=True)}
    assert found == {(0, 10, 1, 15), (0, 20, 1, 25), (1, 25, 0, 20), (1, 15, 0, 10)}
    assert pairs.is_there.all()


def test_pictures_are_counted_over_all_scenes():
    scene = (view((3, 10.0)), view((3, 15.0)))
    pairs = drawn([scene, scene], absent_share=0.0)
    assert sorted(zip(pairs.reference_picture.tolist(), pairs.test_picture.tolist(), strict=True)) == [
        (0, 1), (1, 0), (2, 3), (3, 2),
    ]  # fmt: skip


def test_what_is_not_there_is_looked_for_at_something_else():
    pairs = drawn([(view((3, 10.0)), view((5, 20.0), (6, 30.0)))])
    gone = [
        (int(r), float(a[0]), float(b[0]))
        for r, a, b, t in zip(*pairs[:2], pairs.test_xyxy, pairs.is_there, strict=True)
        if not t
    ]
    assert (0, 10.0, 20.0) in gone or (0, 10.0, 30.0) in gone
    assert all(reference != test for _, reference, test in gone)


def test_the_unknown_and_the_doubled_are_never_looked_for():
    pairs = drawn([(view((UNKNOWN, 10.0), (4, 20.0), (4, 30.0)), view((UNKNOWN, 15.0), (4, 25.0)))])
    assert all(left not in (10.0, 15.0, 20.0, 30.0) for left in pairs.reference_xyxy[:, 0].tolist())


def test_no_more_than_wanted_and_as_many_absent_as_wanted():
    scene = (view((1, 0.0), (2, 10.0), (3, 20.0)), view((1, 5.0), (2, 15.0), (3, 25.0)))
    pairs = drawn([scene] * 4, most=8, absent_share=0.25)
    assert len(pairs.is_there) == 8
    assert int((~pairs.is_there).sum()) == 2


def test_scenes_without_pairs_give_none():
    pairs = drawn([(view((UNKNOWN, 10.0)), view((UNKNOWN, 15.0)))])
    assert len(pairs.is_there) == 0
    assert pairs.reference_xyxy.shape == (0, 4)
