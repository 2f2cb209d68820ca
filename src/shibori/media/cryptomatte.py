"""Cryptomatte: which objects cover a pixel, and how much of it, in channels that compositors pick objects from.

Specification 1.2.0 (Friedman and Jones, 2015): identifiers are MurmurHash3 of names, as floats; ranks by coverage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYER = "CryptoObject"
_RANKS = 6


def cryptomatte_channels(alphas: Mapping[str, NDArray[np.float32]], size_hw: tuple[int, int]) -> dict[str, Any]:
    """float32 channels ``CryptoObject00.R`` ...: in each pair an identifier and its coverage, the largest first.

    Args:
        alphas: name -> (H, W) opacity.
        size_hw: of the frame.
    """
    identifiers = np.array([0.0, *(name_identifier(name) for name in alphas)], np.float32)
    cover = np.stack([np.zeros(size_hw, np.float32), *alphas.values()])
    ranked = np.argsort(-cover, axis=0, kind="stable")[:_RANKS]
    channels = {}
    for rank in range(_RANKS):
        pair = "RG" if rank % 2 == 0 else "BA"
        share, which = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.intp)
        if rank < len(ranked):
            which = ranked[rank]
            share = np.take_along_axis(cover, which[None], axis=0)[0]
        channels[f"{LAYER}{rank // 2:02d}.{pair[0]}"] = np.where(share > 0, identifiers[which], np.float32(0))
        channels[f"{LAYER}{rank // 2:02d}.{pair[1]}"] = share
    return channels


def cryptomatte_notes(names: list[str]) -> dict[str, str]:
    """Attributes of the header that describe the layer and list its objects."""
    key = f"cryptomatte/{murmur3(LAYER.encode()):08x}"[: len("cryptomatte/") + 7]
    manifest = {name: f"{_finite(murmur3(name.encode())):08x}" for name in names}
    return {
        f"{key}/name": LAYER,
        f"{key}/hash": "MurmurHash3_32",
        f"{key}/conversion": "uint32_to_float32",
        f"{key}/manifest": json.dumps(manifest, ensure_ascii=False),
    }


def name_identifier(name: str) -> float:
    """The float32 that stands for a name."""
    return float(np.uint32(_finite(murmur3(name.encode()))).view(np.float32))


def _finite(value: int) -> int:
    """A hash whose bits are a float that is neither infinite nor denormal: its exponent is neither 0 nor 255."""
    exponent = value >> 23 & 255
    return value ^ (1 << 23) if exponent in (0, 255) else value


def murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32 (Austin Appleby)."""
    mask, state = 0xFFFFFFFF, seed

    def mixed(block: int) -> int:
        block = block * 0xCC9E2D51 & mask
        return (block << 15 | block >> 17) * 0x1B873593 & mask

    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        state ^= mixed(int.from_bytes(data[start : start + 4], "little"))
        state = ((state << 13 | state >> 19) * 5 + 0xE6546B64) & mask
    if whole < len(data):
        state ^= mixed(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & mask
    state = (state ^ state >> 13) * 0xC2B2AE35 & mask
    return state ^ state >> 16
