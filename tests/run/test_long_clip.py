"""A clip of many frames: it is stopped in its middle, and goes on where it was."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.palette import write_palette_png
from shibori.run.choice import Loaders
from shibori.run.job import SegmentJob, run_job

from ..holder import Holder

NUM_FRAMES, STOPPED_AT = 800, 500
IDS = np.zeros((8, 12), np.uint8)
IDS[2:5, 3:7] = 1
LOADERS = Loaders(propagator=lambda choice: Holder(lost_frame=700))


class Stopped(Exception):
    pass


def test_a_stopped_run_goes_on(tmp_path):
    (tmp_path / "clip").mkdir()
    for index in range(NUM_FRAMES):
        write_palette_png(tmp_path / "clip" / f"{index:05d}.png", np.full_like(IDS, index % 200))
    write_palette_png(tmp_path / "first.png", IDS)
    job = {"clip": tmp_path / "clip", "mask": (str(tmp_path / "first.png"),)}

    def stop(done: int, total: int) -> None:
        assert total == NUM_FRAMES
        if done == STOPPED_AT:
            raise Stopped

    with pytest.raises(Stopped):
        run_job(SegmentJob(**job, out=tmp_path / "out"), stop, loaders=LOADERS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert len(before) == STOPPED_AT
    summary = run_job(SegmentJob(**job, out=tmp_path / "out", resume=True), loaders=LOADERS)
    assert (summary.frames, summary.first_lost) == (NUM_FRAMES, {1: 700})
    assert {path: path.stat().st_mtime_ns for path in before} == before
    run_job(SegmentJob(**job, out=tmp_path / "whole"), loaders=LOADERS)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
