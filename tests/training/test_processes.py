"""Process groups: one process is a group of one; several agree, whoever of them runs out of time first."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import multiprocessing

from shibori.training.processes import ProcessGroup, process_group


def test_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group() as group:
        assert group == ProcessGroup(0, 1, 0)
        assert group.is_first
        assert [group.any(flag) for flag in (True, False)] == [True, False]
    assert not torch.distributed.is_initialized()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def take_part(rank: int, port: int, folder: Path) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    with process_group() as group:
        answers = [group.any(flag) for flag in (False, rank == 1, rank == 0, True)]
    (folder / str(rank)).write_text(f"{group.rank} {group.world_size} {group.is_first} {answers}")


def test_two_processes_agree(tmp_path: Path):
    multiprocessing.spawn(take_part, (free_port(), tmp_path), nprocs=2)
    assert (tmp_path / "0").read_text() == "0 2 True [False, True, True, True]"
    assert (tmp_path / "1").read_text() == "1 2 False [False, True, True, True]"
