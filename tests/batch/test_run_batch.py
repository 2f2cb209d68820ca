"""Many clips at once: the same as one after the other, whatever breaks in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

from shibori.batch.local_engine import LocalEngine
from shibori.batch.run_batch import BatchJob, BatchSummary, run_batch
from shibori.batch.table import read_table
from shibori.batch.tasks import make_tasks
from shibori.errors import InputError
from shibori.run.discover import run_discovery
from shibori.run.job import SegmentJob, run_job

from .painted import content_of, make_clips, painted

ROOT = Path(__file__).parents[2]
MIXED = """clip,mask,forward_only,click,format,end
a.mp4,first.png;3:first.png,yes,,palette;rle,
b.mp4,,,"0:10,10;0:30,27:2",,4
c.mp4,,,,,
"""


def listed(place: Path, text: str) -> Path:
    (place / "jobs.csv").write_text(text)
    return place / "jobs.csv"


def rows_of(out: Path) -> list[dict]:
    return pyarrow.parquet.read_table(out / "manifest").to_pylist()


def run(jobs: Path, out: str = "out", engine=None, **options) -> BatchSummary:
    with engine or LocalEngine(2, painted(), threads=1) as workers:
        return run_batch(BatchJob(jobs=jobs, out=Path(out), **options), engine=workers)


def one_by_one(jobs: Path, out: Path) -> None:
    """What the batch's tasks are, done by the functions of single clips."""
    loaders = painted()
    for task in make_tasks(read_table(jobs), jobs.parent, {}):
        job = replace(task.job, out=out / task.name)
        job.out.mkdir(parents=True)
        if isinstance(job, SegmentJob):
            run_job(job, loaders=loaders)
        else:
            run_discovery(job, segmenter=loaders.instances(job))


def results(out: Path) -> dict[str, bytes]:
    """What is in the clips' folders."""
    return {name: data for name, data in content_of(out).items() if not name.startswith(("manifest", "report", "."))}


def test_masks_marks_and_nothing_as_one_by_one(place):
    seen = []
    with LocalEngine(2, painted(), threads=1) as engine:
        job = BatchJob(jobs=listed(place, MIXED), out=Path("out"))
        summary = run_batch(job, lambda done, total: seen.append((done, total)), engine=engine)
    one_by_one(Path("jobs.csv"), Path("single"))
    assert results(Path("out")) == content_of(Path("single"))
    assert (summary.clips, summary.done, summary.failed, summary.frames) == (3, 3, 0, 16)
    assert seen[-1] == (16, 16)
    rows = {row["name"]: row for row in rows_of(Path("out"))}
    assert {name: row["kind"] for name, row in rows.items()} == {"a": "segment", "b": "segment", "c": "discover"}
    assert rows["a"]["objects"] == [1, 2]
    assert rows["c"]["strips"] == [{"object_id": 1, "states": "attttt"}]
    assert [path.name for path in Path("out").iterdir() if path.name.startswith(".")] == [".lock"]


def test_a_broken_clip_stops_no_other(place):
    (place / "b.mp4").write_bytes(b"no film")
    jobs = listed(place, "clip,mask\na.mp4,first.png\nb.mp4,first.png\nnowhere.mp4,\nc.mp4,first.png\n")
    summary = run(jobs)
    assert (summary.done, summary.failed) == (2, 2)
    rows = {row["name"]: row for row in rows_of(Path("out"))}
    assert [rows[name]["state"] for name in ("a", "b", "nowhere", "c")] == ["done", "failed", "failed", "done"]
    assert rows["b"]["tries"] == 1
    assert "b.mp4" in rows["b"]["reasons"][0]
    assert not Path("out/b").exists()
    assert rows["a"]["lost"] == [{"object_id": 1, "frames": 1, "first": 4}, {"object_id": 2, "frames": 1, "first": 4}]
    page = Path("out/report.html").read_text()
    assert "object 2 was lost in 1 of 6 frames, first in frame 4" in page
    assert "it failed: " in page
    again = run(jobs, resume=True)
    assert (again.kept, again.failed, again.frames) == (2, 2, 0)


def test_a_worker_that_is_killed_is_replaced(place):
    jobs = listed(place, "clip,mask\na.mp4,first.png\nb.mp4,first.png\nc.mp4,first.png\n")
    summary = run(jobs, engine=LocalEngine(2, painted(mark=place / "killed"), threads=1))
    assert (summary.done, summary.failed) == (3, 0)
    reasons = [reason for row in rows_of(Path("out")) for reason in row["reasons"]]
    assert reasons
    assert all("killed by SIGKILL" in reason for reason in reasons)
    one_by_one(jobs, Path("single"))
    assert results(Path("out")) == content_of(Path("single"))


def test_a_clip_that_kills_every_worker_is_given_up(place):
    jobs = listed(place, "clip,mask\na.mp4,first.png\nb.mp4,\n")
    summary = run(jobs, engine=LocalEngine(1, painted(mark=place / "killed", always=True), threads=1), retries=1)
    assert (summary.done, summary.failed) == (1, 1)
    row = next(row for row in rows_of(Path("out")) if row["name"] == "a")
    assert (row["tries"], row["state"]) == (2, "failed")
    assert summary.failures[0].startswith("a: the process that worked on it ended unexpectedly")


SLOW_RUN = """
from pathlib import Path
from shibori.batch.local_engine import LocalEngine
from shibori.batch.run_batch import BatchJob, run_batch
from tests.batch.painted import painted

if __name__ == "__main__":
    run_batch(BatchJob(jobs=Path("jobs.csv"), out=Path("out")), engine=LocalEngine(2, painted(seconds=0.05), threads=1))
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition, seconds: float = 40) -> None:
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_run_that_is_killed_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"clip{number}" for number in range(6)]
    make_clips(tmp_path, names)
    jobs = listed(tmp_path, "clip,mask\n" + "".join(f"{name}.mp4,first.png\n" for name in names))
    Path("slow.py").write_text(SLOW_RUN)
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen([sys.executable, "slow.py"], env=environment)
    until(lambda: len(list(Path("out").glob("manifest/*.parquet"))) and len(rows_of(Path("out"))) >= 2)
    with pytest.raises(InputError, match="another batch is at work"):
        run(jobs, resume=True)
    children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not any(map(alive, children)))
    finished = {row["name"] for row in rows_of(Path("out"))}
    stamps = {path: path.stat().st_mtime_ns for name in finished for path in Path("out", name).iterdir()}
    assert 2 <= len(finished) < 6
    with pytest.raises(InputError, match="give --resume to go on"):
        run(jobs)
    summary = run(jobs, resume=True)
    assert (summary.done, summary.failed, summary.kept) == (6, 0, len(finished))
    assert sorted(row["name"] for row in rows_of(Path("out"))) == names
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    one_by_one(jobs, Path("single"))
    assert results(Path("out")) == content_of(Path("single"))


def test_what_was_changed_or_lost_is_done_again(place):
    jobs = listed(place, "clip,mask,end\na.mp4,first.png,\nb.mp4,first.png,\nc.mp4,first.png,\n")
    run(jobs)
    jobs = listed(place, "clip,mask,end\na.mp4,first.png,\nb.mp4,first.png,3\nc.mp4,first.png,\n")
    Path("out/c/tracks.json").unlink()
    summary = run(jobs, resume=True)
    assert (summary.kept, summary.frames) == (1, 9)
    assert sorted(path.name for path in Path("out/b").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
        "tracks.json",
    ]


def test_what_a_person_has_there_is_not_touched(place):
    jobs = listed(place, "clip\na.mp4\n")
    Path("out/a").mkdir(parents=True)
    Path("out/a/mine.txt").write_text("mine")
    for options in ({}, {"resume": True}):
        with pytest.raises(InputError, match="is there already"):
            run(jobs, **options)
    assert Path("out/a/mine.txt").read_text() == "mine"
    assert run(jobs, overwrite=True).done == 1
    assert not Path("out/a/mine.txt").exists()


def test_clips_at_an_address(place):
    run(listed(place, f"clip,mask\nfile://{place}/a.mp4,first.png\nfile://{place}/none.mp4,\n"), retries=1)
    rows = {row["name"]: row for row in rows_of(Path("out"))}
    assert (rows["a"]["state"], rows["a"]["clip"]) == ("done", f"file:{place}/a.mp4")
    assert (rows["none"]["state"], rows["none"]["tries"]) == ("failed", 2)
    assert "cannot be fetched" in rows["none"]["reasons"][1]


def test_a_place_that_cannot_be_written(place):
    Path("out").write_text("a file")
    with pytest.raises(InputError, match="file stands where a folder is needed"):
        run(listed(place, "clip\na.mp4\n"))


@pytest.mark.parametrize(
    ("options", "said"), [({"engine": "abacus"}, "there is no engine"), ({"workers": -1}, "expected 0 or more")]
)
def test_engines_that_cannot_be(place, options, said):
    with pytest.raises(InputError, match=said):
        run_batch(BatchJob(jobs=listed(place, "clip\na.mp4\n"), out=Path("out"), **options))


def test_the_engine_on_a_cluster_says_what_it_needs(monkeypatch):
    from shibori.batch import ray_engine

    monkeypatch.setattr(ray_engine, "ray", None)
    with pytest.raises(InputError, match="--engine ray needs the package ray: pip install"):
        ray_engine.RayEngine()
