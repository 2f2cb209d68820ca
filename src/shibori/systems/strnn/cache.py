"""Features of a clip, computed once: in memory up to a bound, on disk beyond it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from shibori.media.byte_store import ByteStore


class FeatureCache:
    """Tensors of one shape by frame, kept as float16 on the CPU.

    Args:
        memory_bytes: what may be kept in memory. The rest is on disk.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._kept: ByteStore[int] = ByteStore(memory_bytes)
        self._shape: torch.Size | None = None

    def __contains__(self, index: int) -> bool:
        return index in self._kept

    def __setitem__(self, index: int, features: Tensor) -> None:
        self._shape = features.shape
        self._kept[index] = features.to("cpu", torch.float16).contiguous().numpy().tobytes()

    def __getitem__(self, index: int) -> Tensor:
        """Float32. KeyError for a frame that is not here."""
        half = np.frombuffer(self._kept[index], np.float16)
        assert self._shape is not None
        return torch.from_numpy(half.astype(np.float32)).view(self._shape)
