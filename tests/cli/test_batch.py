"""``shibori batch``: as ``shibori segment`` for each clip, and what it says of those that failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from shibori.batch.local_engine import LocalEngine
from shibori.batch.run_batch import BatchJob, run_batch
from shibori.run.job import SegmentJob, run_job

from ..batch.painted import content_of, make_clips, painted


@pytest.fixture
def workers(monkeypatch):
    """Batches of this process have workers that paint."""
    monkeypatch.setattr("shibori.batch.run_batch.ENGINES", {"local": lambda job, loaders: LocalEngine(1, painted())})


@pytest.fixture
def jobs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_clips(tmp_path, ["a", "b", "c"])
    Path("jobs.csv").write_text("clip,mask\na.mp4,first.png\nnone.mp4,first.png\nb.mp4,first.png\n")
    return tmp_path


def test_the_last_line_says_how_many_failed(shibori, jobs, workers):
    result = shibori("batch jobs.csv --out out")
    assert result.exit_code == 1, (result.stderr, result.exception)
    assert result.stderr == "shibori: 1 of 3 clips failed\n"
    assert "2 of 3 clips done; 12 frames" in result.stdout
    assert "none: there is no file or folder" in result.stdout
    make_clips(jobs, ["none"])
    again = shibori("batch jobs.csv --out out --resume --json")
    assert again.exit_code == 0, again.stderr
    summary = json.loads(again.stdout)
    assert (summary["done"], summary["kept"], summary["failed"]) == (3, 2, 0)


@pytest.mark.parametrize(
    "line",
    [
        "batch nowhere.csv --out out",
        "batch jobs.csv --out first.png",
        "batch jobs.csv --out out --set colour=red",
        "batch jobs.csv --out out --set size",
        "batch jobs.csv --out out --engine abacus",
    ],
)
def test_wrong_input_is_one_sentence(shibori, jobs, workers, line):
    result = shibori(line)
    assert result.exit_code == 2, (result.stderr, result.exception)
    assert result.stderr.startswith("shibori: ")
    assert result.stderr.count("\n") == 1


def test_networks_give_what_segment_gives(jobs):
    """To the byte, with the weights that ship, in a worker that did another clip before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    Path("jobs.csv").write_text('clip,mask,click\na.mp4,first.png,\nb.mp4,first.png,\nc.mp4,,"0:10,12"\n')
    usual = ("device=cpu", "size=64")
    with LocalEngine(1, threads=1) as engine:
        summary = run_batch(BatchJob(jobs=Path("jobs.csv"), out=Path("out"), usual=usual), engine=engine)
    assert summary.failures == ()
    for name, marks in (("b", {"mask": ("first.png",)}), ("c", {"click": ("0:10,12",)})):
        run_job(SegmentJob(clip=Path(f"{name}.mp4"), out=Path(name), device="cpu", size=64, **marks))
        assert content_of(Path("out", name)) == content_of(Path(name))
    torch.set_num_threads(threads)
