"""Starting several processes as torchrun does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from torch.distributed import TCPStore

SOURCE = Path(__file__).parents[2] / "src"


def run_together(num_processes: int, arguments: list[str], timeout: float = 900) -> None:
    """Run one Python command line in several processes of one group; fails as soon as any of them does.

    They meet at a store of this process, as under torchrun: a port that was only found free could be taken by another
    process until theirs listens. The timeout in seconds is for machines that are busy with other things: the work is
    that of a quarter of a minute.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(num_processes),
    }
    started = [
        subprocess.Popen([sys.executable, *arguments], env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(num_processes)
    ]
    deadline = time.monotonic() + timeout
    try:
        codes: list[int | None] = [None] * num_processes
        # One that failed leaves the others waiting for it.
        while None in codes and not any(codes):
            assert time.monotonic() < deadline, f"after {timeout:.0f} s the processes are at {codes}"
            time.sleep(0.05)
            codes = [process.poll() for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert codes == [0] * num_processes
