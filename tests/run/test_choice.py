"""Which system does the work: the same default from every door, or one that is loaded already."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shibori
import shibori.systems as systems
from shibori.media.marks import Marks, click
from shibori.media.mask import read_ids
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video
from shibori.run.choice import SystemChoice, load_interactive_system, load_system, settled_choice
from shibori.run.job import SegmentJob, run_job, settled_job

from ..holder import Holder
from ..lookahead import Lookahead
from ..squares import Squares

SIZE_HW = (32, 48)


def first_ids() -> np.ndarray:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[4:12, 4:12] = 1
    return ids


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_video("clip.mp4", [np.full((*SIZE_HW, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    write_palette_png("first.png", first_ids())
    return Path("clip.mp4")


@pytest.fixture
def built(monkeypatch) -> list[str]:
    """The tables hold fakes under the names of the real systems; the list fills with the names that are built."""
    built: list[str] = []

    def table(names, fake):
        return {name: lambda name=name, **options: built.append(name) or fake() for name in names}

    monkeypatch.setattr(systems, "PROPAGATORS", table(systems.PROPAGATORS, Holder))
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", table(systems.INTERACTIVE_SEGMENTERS, Squares))
    return built


@pytest.fixture
def nothing_loads(monkeypatch) -> None:
    for table in ("PROPAGATORS", "INTERACTIVE_SEGMENTERS", "INSTANCE_SEGMENTERS"):
        monkeypatch.setattr(systems, table, {})


@pytest.mark.parametrize("options", [{}, {"preset": "paper"}, {"weights": Path("own.safetensors")}])
def test_every_door_has_the_same_default_for_masks(clip, built, options):
    load_system(SystemChoice(**options))
    list(shibori.segment(clip, "first.png", **options))
    run_job(SegmentJob(clip=clip, mask=("first.png",), out=Path("out"), **options))
    named = settled_choice(SystemChoice(**options)).system
    assert built == [named] * 3
    assert json.loads(Path("out/tracks.json").read_text())["system"] == named


def test_every_door_has_the_same_default_for_marks(clip, built):
    load_interactive_system()
    list(shibori.segment(clip, Marks({0: (click(1, 0.5, 0.5),)})))
    run_job(SegmentJob(clip=clip, click=("0:9,9",), out=Path("out")))
    assert built == ["interactive"] * 3


def test_a_named_system_stays(clip, built):
    assert settled_choice(SystemChoice("trackprop"), for_marks=True).system == "trackprop"
    job = SegmentJob(system="own", clip=clip, mask=("first.png",), out=Path("out"))
    assert settled_job(job, False) == job


def test_a_job_with_a_system_that_is_loaded(clip, nothing_loads):
    job = SegmentJob(clip=clip, mask=("first.png",), out=Path("out"))
    summary = run_job(job, system=Holder())
    assert (summary.frames, summary.objects) == (6, (1,))
    np.testing.assert_array_equal(read_ids("out/00005.png"), first_ids())
    assert json.loads(Path("out/tracks.json").read_text())["system"] == "Holder"
    whole = Lookahead()
    counts: list[tuple[int, int]] = []
    run_job(replace(job, out=Path("two"), both_ways=True), lambda *count: counts.append(count), whole)
    assert len(whole.runs) == 1
    assert counts[-1] == (12, 12)


def test_a_marked_job_with_a_system_that_is_loaded(clip, nothing_loads):
    squares = Squares()
    job = SegmentJob(clip=clip, click=("2:20,20",), out=Path("out"))
    assert run_job(job, system=squares).objects == (1,)
    assert [[each.frame for each in rounds] for rounds in squares.told] == [[2]]
    assert (read_ids("out/00000.png") == 1).sum() == 49
    assert json.loads(Path("out/tracks.json").read_text())["system"] == "Squares"


def test_a_system_of_the_other_kind_is_refused(clip, nothing_loads):
    job = SegmentJob(clip=clip, mask=("first.png",), out=Path("out"))
    with pytest.raises(shibori.InputError, match=r"a system for marks \(InteractiveSegmenter\), found Holder"):
        run_job(replace(job, mask=(), click=("0:3,3",)), system=Holder())
    assert not Path("out").exists()
    with pytest.raises(shibori.InputError, match="takes clicks, boxes and strokes alone, found a mask of object 1"):
        run_job(job, system=Squares())
    with pytest.raises(shibori.InputError, match="found a mask of object 1"):
        shibori.segment(clip, first_ids(), Squares())
