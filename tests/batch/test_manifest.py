"""The manifest: what was put in comes out, and every moment's state on disk is a beginning of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import shibori.batch.manifest as manifest_module
from shibori.batch.manifest import Manifest, result_of
from shibori.batch.task import ClipResult, ClipTask, LostFrames, Outcome, Strip
from shibori.errors import InputError
from shibori.run.job import SegmentJob

WHOLE = some.integers(0, 1 << 40)
TEXTS = some.lists(some.text(max_size=8), max_size=3).map(tuple)
RESULTS = some.builds(
    ClipResult,
    frames=WHOLE,
    objects=some.lists(WHOLE, max_size=3).map(tuple),
    seconds=some.floats(0, 1e6),
    frames_per_second=some.floats(0, 1e6),
    outputs=TEXTS,
    strips=some.lists(some.builds(Strip, WHOLE, some.text("tla", max_size=9)), max_size=2).map(tuple),
    lost=some.lists(some.builds(LostFrames, WHOLE, WHOLE, WHOLE), max_size=2).map(tuple),
    notes=TEXTS,
    shortfall=some.none() | some.text(max_size=9),
)
OUTCOMES = some.builds(
    lambda name, result, reasons: Outcome(
        ClipTask(name, SegmentJob(clip=Path(f"{name}.mp4"), out=Path())), result, "someone", reasons
    ),
    some.text("abc", min_size=1, max_size=2),
    some.none() | RESULTS,
    TEXTS,
)


@settings(max_examples=10, deadline=None)
@given(outcomes=some.lists(OUTCOMES, max_size=7))
def test_what_is_put_in_comes_out(tmp_path_factory, outcomes):
    folder = tmp_path_factory.mktemp("manifest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_module, "ROWS_IN_FILE", 3)
        manifest = Manifest(folder)
        for count, outcome in enumerate(outcomes, 1):
            manifest.add(outcome)
            assert pyarrow.parquet.read_table(folder).num_rows == count
        found = Manifest(folder)
    assert [row["name"] for row in found.rows] == [outcome.task.name for outcome in outcomes]
    assert len(list(folder.iterdir())) == -(-len(outcomes) // 3)
    for row, outcome in zip(found.rows, outcomes, strict=True):
        assert result_of(row) == outcome.result
        assert (row["digest"], row["tries"], tuple(row["reasons"])) == (
            outcome.task.digest,
            outcome.tries,
            outcome.reasons,
        )
    last = {outcome.task.name: outcome.result for outcome in outcomes}
    assert {name: result_of(row) for name, row in found.latest.items()} == last


def test_a_torn_write_leaves_the_rows_before(tmp_path, monkeypatch):
    task = ClipTask("a", SegmentJob(clip=Path("a.mp4"), out=Path()))
    manifest = Manifest(tmp_path)
    manifest.add(Outcome(task, None, reasons=("x",)))

    def tear(table, path, **options):
        Path(path).write_bytes(b"PAR1 half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", tear)
    with pytest.raises(InputError, match="the disk is full"):
        manifest.add(Outcome(task, None, reasons=("y",)))
    assert [row["reasons"] for row in Manifest(tmp_path).rows] == [["x"]]


def test_digests_tell_work_apart():
    job = SegmentJob(clip=Path("a.mp4"), out=Path(), mask=("a.png",))
    same = SegmentJob(**{**asdict(job), "out": Path("elsewhere"), "resume": True})
    other = SegmentJob(**{**asdict(job), "size": 96})
    digests = [ClipTask("a", each).digest for each in (job, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_another_parquet_is_refused(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "00000.parquet")
    with pytest.raises(InputError, match="no manifest"):
        Manifest(tmp_path)
