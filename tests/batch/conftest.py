from __future__ import annotations

from pathlib import Path

import pytest

from .painted import make_clips


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with clips a, b, c and first.png, which is the working folder."""
    make_clips(tmp_path, ["a", "b", "c"])
    monkeypatch.chdir(tmp_path)
    return tmp_path
