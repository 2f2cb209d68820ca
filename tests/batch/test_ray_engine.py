"""Batches on a Ray cluster of two machines (on this one), one of which goes away; as on one machine, to the byte."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest

from shibori.batch.local_engine import LocalEngine
from shibori.batch.run_batch import BatchJob, run_batch

from .painted import content_of, make_clips, painted
from .test_run_batch import ROOT, listed, results, rows_of

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else a token is written to the home of whoever runs the tests
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install shibori[ray]")
    from ray.cluster_utils import Cluster

    from shibori.batch.ray_engine import RayEngine
NAMES = [f"clip{number:02d}" for number in range(12)]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes, of a processor each, whose workers find this package."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.other = made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_worker_is_killed_and_a_node_is_removed(tmp_path, monkeypatch, cluster):
    monkeypatch.chdir(tmp_path)
    make_clips(tmp_path, NAMES)
    jobs = listed(tmp_path, "clip,mask\n" + "".join(f"{name}.mp4,first.png\n" for name in NAMES))

    def break_things() -> None:
        while len(list(Path("out").glob("clip*"))) < 2:
            time.sleep(0.05)
        working = rows_of(Path("out"))[0]["worker"]
        os.kill(int(working.split()[1]), signal.SIGKILL)
        while len(list(Path("out").glob("clip*"))) < 5:
            time.sleep(0.05)
        cluster.remove_node(cluster.other, allow_graceful=False)

    breaking = threading.Thread(target=break_things, daemon=True)
    with RayEngine(cluster.address, 2, painted(seconds=0.2), threads=1) as engine:
        breaking.start()
        summary = run_batch(BatchJob(jobs=jobs, out=Path("out"), retries=3), engine=engine)
    breaking.join(30)
    rows = rows_of(Path("out"))
    assert (summary.done, summary.failed) == (len(NAMES), 0)
    assert sorted(row["name"] for row in rows) == NAMES
    assert any("the actor that worked on it is gone" in reason for row in rows for reason in row["reasons"])
    with LocalEngine(1, painted(), threads=1) as engine:
        run_batch(BatchJob(jobs=jobs, out=Path("local")), engine=engine)
    assert results(Path("out")) == results(Path("local"))
    assert content_of(Path("out"))["clip00/tracks.json"]
