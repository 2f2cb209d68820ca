"""Features of a clip, computed once: in memory up to a bound, on disk beyond it."""

from __future__ import annotations

import tempfile
import weakref
from typing import IO

import numpy as np
import torch
from torch import Tensor


class FeatureCache:
    """Tensors of one shape by frame, kept as float16 on the CPU.

    Args:
        memory_bytes: what may be kept in memory. The rest is in a nameless file that goes away with this object.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._left = memory_bytes
        self._kept: dict[int, Tensor] = {}
        self._places: dict[int, int] = {}
        self._shape: torch.Size | None = None
        self._file: IO[bytes] | None = None

    def __contains__(self, index: int) -> bool:
        return index in self._kept or index in self._places

    def __setitem__(self, index: int, features: Tensor) -> None:
        half = features.to("cpu", torch.float16)
        self._shape = half.shape
        size = half.numel() * half.element_size()
        if size <= self._left:
            self._left -= size
            self._kept[index] = half.clone()
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="shibori-features-")  # noqa: SIM115 (open as long as we are)
            weakref.finalize(self, self._file.close)
        self._places[index] = self._file.seek(0, 2)
        self._file.write(half.contiguous().numpy().tobytes())

    def __getitem__(self, index: int) -> Tensor:
        """Float32. KeyError for a frame that is not here."""
        if index in self._kept:
            return self._kept[index].float()
        place = self._places[index]
        assert self._file is not None
        assert self._shape is not None
        self._file.seek(place)
        half = np.frombuffer(self._file.read(2 * self._shape.numel()), np.float16)
        return torch.from_numpy(half.astype(np.float32)).view(self._shape)
