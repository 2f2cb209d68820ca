"""What more than one test file needs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and official figures that lies beside a developer's checkout, where there is one."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "reference").is_dir():
        pytest.skip("no ../shared beside this checkout: the official figures are not here to compare with")
    return folder
