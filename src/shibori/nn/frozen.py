"""Heads that are trained on a frozen network: saved without it, and good for no other.

What is frozen, a pixel tracker or its trunk, ships in a file of its own. Heads carry the digest of the parameters they
were trained on, so that they are refused where another one is shipped.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from shibori.errors import InputError
from shibori.nn.weights import load_fitting

DIGEST_BYTES = 8
TRUNK_DIGEST = "trunk_digest"
"""The name under which a file of heads that hold no trunk themselves carries the digest of theirs."""


def state_digest(state: dict[str, Tensor]) -> Tensor:
    """(8,) uint8: the first bytes of the SHA-256 of all parameters in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()[:DIGEST_BYTES]), dtype=torch.uint8)


def part_of(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The parameters of the submodule ``name``, as it calls them itself."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def without_digest(state: dict[str, Tensor], trunk: nn.Module, system: str, page: str) -> dict[str, Tensor]:
    """The parameters of heads that hold no trunk, without the digest among them.

    Args:
        state: both.
        trunk: that they will stand on, float32, on the CPU.
        system: whose heads they are.
        page: of the documentation that says how to train them.

    Raises:
        InputError: if they were trained on another trunk.
    """
    if TRUNK_DIGEST not in state or not torch.equal(state[TRUNK_DIGEST], state_digest(trunk.state_dict())):
        raise InputError(
            f"expected weights of {system} that were trained on this version's trunk, found others; train them again "
            f"(see {page}) or use those that ship with this version"
        )
    return {name: value for name, value in state.items() if name != TRUNK_DIGEST}


class FrozenTrunkNetwork(nn.Module, ABC):
    """A network that stands on a frozen part, in the presets that have one.

    The part stays in evaluation mode, and is not in ``own_state``, which is what is saved; a buffer of this network
    says which one it was trained with.
    """

    system: ClassVar[str]
    """Name of the system, for messages."""
    frozen_name: ClassVar[str]
    """Name of the submodule that may be frozen."""
    digest_name: ClassVar[str]
    """Name of the buffer, (8,) uint8; zeros as long as the part is not known."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(self.digest_name, torch.zeros(DIGEST_BYTES, dtype=torch.uint8))

    @property
    @abstractmethod
    def frozen(self) -> nn.Module | None:
        """The frozen part; None where this preset has none."""

    @property
    @abstractmethod
    def frozen_preset(self) -> str | None:
        """Preset of the pixel tracker that the part is, or belongs to; None where there is none."""

    @property
    def frozen_prefixes(self) -> tuple[str, ...]:
        """With which the names of the frozen part's parameters begin in this network's state dict."""
        return () if self.frozen is None else (f"{self.frozen_name}.",)

    @property
    def digest(self) -> Tensor:
        """(8,) uint8 of the frozen part that the rest was trained with."""
        return self.get_buffer(self.digest_name)

    def freeze(self) -> None:
        """To be called once the part is there."""
        if self.frozen is not None:
            self.frozen.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As ``nn.Module.train``; the frozen part stays as it is."""
        super().train(mode)
        if self.frozen is not None:
            self.frozen.eval()
        return self

    def own_state(self) -> dict[str, Tensor]:
        """Parameters and buffers without the frozen part's."""
        return {name: v for name, v in self.state_dict().items() if not name.startswith(self.frozen_prefixes)}

    def load_own_state(self, state: dict[str, Tensor]) -> None:
        """The opposite of ``own_state``, strictly.

        Raises:
            InputError: if parameters are missing, too many or of another shape.
        """
        frozen = {name: v for name, v in self.state_dict().items() if name.startswith(self.frozen_prefixes)}
        load_fitting(self, state | frozen, f"weights of this preset of {self.system}")

    def load_frozen(self, state: dict[str, Tensor]) -> None:
        """Take the parameters of the frozen part, and note which they are.

        Raises:
            InputError: if this network was trained with others.
        """
        assert self.frozen is not None
        self.frozen.load_state_dict(state)
        digest = state_digest(state)
        if bool(self.digest.any()) and not torch.equal(self.digest.cpu(), digest):
            raise InputError(
                f"expected {self.system} weights that were trained with this version's pixel tracker, found others; "
                f"train them on from it (shibori train {self.system} --start) or use those that ship with this version"
            )
        self.digest.copy_(digest)

    def start_from(self, state: dict[str, Tensor]) -> None:
        """Take up weights to train on: whichever part they were trained with, from now on it is this version's.

        Raises:
            InputError: if they do not fit.
        """
        self.load_own_state(state)
        self.digest.zero_()
