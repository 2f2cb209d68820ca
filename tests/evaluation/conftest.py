"""The sequence most tests of this folder use."""

from __future__ import annotations

import pytest

from .made import ArraySequence, moving_boxes


@pytest.fixture
def boxes() -> ArraySequence:
    return moving_boxes()
