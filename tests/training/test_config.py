"""The settings of every run, and those that a system extends them with."""

# ruff: noqa: RUF009

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from shibori.training.config import RunConfig, run_option


@dataclass(frozen=True, kw_only=True)
class Extended(RunConfig):
    out: Path = run_option("out", Path("runs/made"))
    steps: int = run_option("steps", 7)


def test_another_default_has_the_same_help():
    first, second = ({field.name: field.metadata["help"] for field in fields(kind)} for kind in (RunConfig, Extended))
    assert first == second
    assert (Extended().steps, Extended().out, Extended().preset) == (7, Path("runs/made"), "compact")


def test_where_and_how_long_is_for_the_system_to_say():
    with pytest.raises(TypeError, match="'out' and 'steps'"):
        RunConfig()  # type: ignore[call-arg]
