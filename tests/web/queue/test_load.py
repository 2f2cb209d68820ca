"""A server of its own process, and fifty clients at once: no job is lost, even where a worker and the server die."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ...batch.painted import NUM_FRAMES, make_clips

ROOT = Path(__file__).parents[3]
NUM_JOBS, NUM_WORKERS = 50, 2
PATIENCE = 300
"""Seconds, on a machine that is busy with something else."""
SERVER = f"""
import sys
from functools import partial
from pathlib import Path
import uvicorn
from shibori.batch.local_engine import LocalEngine
from shibori.web.guard import Rules
from shibori.web.queue.app import create_queue_app
from shibori.web.queue.jobs import QueueSettings
from tests.batch.painted import painted

if __name__ == "__main__":
    engine = partial(LocalEngine, {NUM_WORKERS}, painted(seconds=0.005), threads=1)
    settings = QueueSettings(Path("clips"), Path("out"), engine)
    app = create_queue_app(settings, Rules())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""


def ask(port: int, method: str, path: str, body: dict | None = None) -> dict | list:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, text
    return json.loads(text)


def start(port: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "server.py", str(port)], env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    )
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last and process.poll() is None:
        try:
            ask(port, "GET", "/v1/health")
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    process.wait()
    raise AssertionError("the server did not come up")


def memory_of(pid: int) -> int:
    """In bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_fifty_jobs_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    make_clips(Path("clips"), ["a"])
    Path("server.py").write_text(SERVER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(port)
    try:
        job = {"clip": "a.mp4", "mask": "first.png", "format": "rle"}
        with ThreadPoolExecutor(NUM_JOBS) as clients:
            ids = list(clients.map(lambda _: ask(port, "POST", "/v1/jobs", job)["id"], range(NUM_JOBS)))
        before = memory_of(server.pid)
        while ask(port, "GET", "/v1/health")["jobs"]["done"] < 5:
            time.sleep(0.05)
        threads = Path(f"/proc/{server.pid}/task").glob("*/children")
        os.kill(max(int(pid) for path in threads for pid in path.read_text().split()), signal.SIGKILL)
        while ask(port, "GET", "/v1/health")["jobs"]["done"] < 15:
            time.sleep(0.05)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = start(port)
        last = time.monotonic() + PATIENCE
        while ask(port, "GET", "/v1/health")["jobs"]["done"] < NUM_JOBS:
            assert time.monotonic() < last
            time.sleep(0.1)
        jobs = ask(port, "GET", "/v1/jobs")
        assert sorted(each["id"] for each in jobs) == sorted(ids)
        assert {(each["state"], each["done"]) for each in jobs} == {("done", NUM_FRAMES)}
        assert memory_of(server.pid) < before + (64 << 20)
    finally:
        server.kill()
        server.wait()
    files = {path.read_bytes() for path in Path("out/results").glob("*/masks.json")}
    assert len(files) == 1
    assert len(list(Path("out/results").glob("*/masks.json"))) == NUM_JOBS
