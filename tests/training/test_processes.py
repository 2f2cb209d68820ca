"""Process groups: one process is a group of one; several agree, whoever of them runs out of time first."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import distributed

from shibori.training.processes import ProcessGroup, process_group

from .together import run_together


def test_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group() as group:
        assert group == ProcessGroup(0, 1, 0)
        assert group.is_first
        assert [group.any(flag) for flag in (True, False)] == [True, False]
    assert not distributed.is_initialized()


SCRIPT = """
import sys
from pathlib import Path
from shibori.training.processes import process_group

with process_group() as group:
    answers = [group.any(flag) for flag in (False, group.rank == 1, group.rank == 0, True)]
Path(sys.argv[1], str(group.rank)).write_text(f"{group.rank} {group.world_size} {group.is_first} {answers}")
"""


def test_two_processes_agree(tmp_path: Path):
    run_together(2, ["-c", SCRIPT, str(tmp_path)])
    assert (tmp_path / "0").read_text() == "0 2 True [False, True, True, True]"
    assert (tmp_path / "1").read_text() == "1 2 False [False, True, True, True]"
