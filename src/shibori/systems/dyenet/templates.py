"""What an object looks like: the templates of re-identification, and the pixel tracker's references."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from shibori.tracking.network import Memory

Item = TypeVar("Item")

AREA_MOMENTUM = 0.9
MAX_REFERENCES = 3
"""Given masks of one object that the pixel tracker remembers: the first and the latest."""


@dataclass
class Templates:
    """Of one object. Those of given masks stay; of the others the latest are kept."""

    max_found: int
    given: list[Tensor] = field(default_factory=list)
    """(E,) unit vectors."""
    found: list[Tensor] = field(default_factory=list)
    """(E,) unit vectors of confident masks (Sec. 2, template expansion)."""
    references: list[Memory] = field(default_factory=list)
    area: float = 0.0
    """Pixels of the frame it usually covers."""

    def note_area(self, area: float) -> None:
        """One more frame in which it was seen with confidence."""
        self.area = area if self.area == 0 else AREA_MOMENTUM * self.area + (1 - AREA_MOMENTUM) * area

    def add_given(self, vector: Tensor, reference: Memory | None) -> None:
        """From a mask that is taken as true."""
        self.given.append(vector)
        if reference is not None:
            self.references = _first_and_latest([*self.references, reference], MAX_REFERENCES)

    def add_found(self, vector: Tensor) -> None:
        """From a confident mask. The first of them is kept for good, then the latest."""
        self.found = _first_and_latest([*self.found, vector], self.max_found)

    def similarity(self, vectors: Tensor) -> Tensor:
        """(K,) the highest cosine of each of (K, E) unit vectors with a template."""
        return (vectors @ torch.stack([*self.given, *self.found]).T).amax(1)


def _first_and_latest(items: list[Item], most: int) -> list[Item]:
    """At most ``most`` of them."""
    return [*items[:1], *items[1 + max(len(items) - most, 0) :]]
