"""Lists of jobs in all formats say the same; whatever is wrong with one is a sentence."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from shibori.batch.table import read_table
from shibori.batch.tasks import COLUMNS, make_tasks
from shibori.errors import InputError
from shibori.run.discover import DiscoverJob
from shibori.run.job import SegmentJob


def tasks_of(path: Path, **usual: str):
    return make_tasks(read_table(path), path if path.is_dir() else path.parent, usual)


def test_all_formats_say_the_same(tmp_path):
    (tmp_path / "a.csv").write_text(
        'clip,mask,click,keep-soft,size,classes\na.mp4,first.png;30:fix.png,"0:1,2",yes,96,\nb.mp4,,,,,dog;cat\n'
    )
    rows = [
        {"clip": "a.mp4", "mask": ["first.png", "30:fix.png"], "click": ["0:1,2"], "keep_soft": True, "size": 96},
        {"clip": "b.mp4", "classes": ["dog", "cat"]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    columns = ("clip", "mask", "click", "keep_soft", "size", "classes")
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in columns})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    expected = tasks_of(tmp_path / "a.csv")
    assert [task.name for task in expected] == ["a", "b"]
    job = expected[0].job
    assert isinstance(job, SegmentJob)
    assert job.mask == (str(tmp_path / "first.png"), f"30:{tmp_path / 'fix.png'}")
    assert (job.click, job.keep_soft, job.size, job.order) == (("0:1,2",), True, 96, ("mask", "mask", "click"))
    other = expected[1].job
    assert isinstance(other, DiscoverJob)
    assert other.classes == ("dog", "cat")
    for suffix in ("jsonl", "parquet"):
        assert tasks_of(tmp_path / f"a.{suffix}") == expected


def test_columns_are_options():
    options = {field.name for job in (SegmentJob, DiscoverJob) for field in fields(job)}
    assert set(COLUMNS) == options - {"out", "resume", "overwrite", "order", "found"} | {"name", "from"}


def test_a_folder_of_clips(tmp_path):
    for name in ("b.mp4", "a.mov", "a.png", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").touch()
    (tmp_path / "empty").mkdir()
    tasks = tasks_of(tmp_path)
    assert [(task.name, task.kind) for task in tasks] == [("a", "segment"), ("b", "discover"), ("images", "discover")]
    assert tasks[0].job.mask == (str(tmp_path / "a.png"),)


def test_what_holds_for_all_rows(tmp_path):
    (tmp_path / "a.csv").write_text("clip,mask,size,device\na.mp4,m.png,96,\nb.mp4,,,cuda\n")
    first, second = (task.job for task in tasks_of(tmp_path / "a.csv", size="64", device="cpu", format="rle"))
    assert (first.size, first.device, first.format) == (96, "cpu", ("rle",))
    assert (second.size, second.device) == (64, "cuda")
    with pytest.raises(InputError, match="no option 'mask' for all rows"):
        tasks_of(tmp_path / "a.csv", mask="a.png")


def test_addresses_stay(tmp_path):
    (tmp_path / "a.csv").write_text("clip\ns3://bucket/some/a.mp4?x=1.5\n")
    (task,) = tasks_of(tmp_path / "a.csv")
    assert (task.name, str(task.job.clip)) == ("a", "s3:/bucket/some/a.mp4?x=1.5")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "clip,colour\na.mp4,red\n", "line 2 of .* has an unknown column 'colour'"),
        ("a.csv", "mask\na.png\n", "line 2 of .* names no clip"),
        ("a.csv", "clip,mask\n,a.png\na.mp4,\n,b.png\n", "names no clip.* \\(1 more of 3 rows are wrong too\\)"),
        ("a.csv", "clip\nx/a.mp4\ny/A.mp4\n", "line 3 .* and line 2 .* are both called A"),
        ("a.csv", "clip,clip\na.mp4,b.mp4\n", "two columns 'clip'"),
        ("a.csv", "clip\na.mp4,b\n", "has 2 cells, but the head has 1"),
        ("a.csv", "clip,name\na.mp4,../up\n", "is called '../up'"),
        ("a.csv", "clip,name\na.mp4,manifest\n", "is called 'manifest'"),
        ("a.csv", "clip,size\na.mp4,big\n", "size: expected a whole number, found 'big'"),
        ("a.csv", "clip,mask,keep_soft\na.mp4,a.png,maybe\n", "keep_soft: expected yes or no"),
        ("a.csv", "clip,mask,classes\na.mp4,a.png,dog\n", "says classes, which is for rows that start from nothing"),
        ("a.csv", "clip,format\na.mp4,rle\n", "says format, which is for rows with a mask or a mark"),
        ("a.csv", "clip,mask,format\na.mp4,a.png,gif\n", "there is no format 'gif'"),
        ("a.csv", "clip\n", "holds no row"),
        ("a.csv", "clip\n\xff\n", "UTF-8"),
        ("a.jsonl", "{\n", "line 1 of .* is no JSON"),
        ("a.jsonl", "[1]\n", "is no JSON object"),
        ("a.jsonl", '{"clip": {"a": 1}}\n', "clip: expected text"),
        ("a.parquet", "PAR", "cannot be read as Parquet"),
        ("a.xlsx", "", "is no list of jobs"),
    ],
)
def test_wrong_lists(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=said) as caught:
        tasks_of(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_there_is_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no clip"):
        read_table(tmp_path)
    with pytest.raises(InputError, match="there is no file or folder"):
        read_table(tmp_path / "none.csv")
