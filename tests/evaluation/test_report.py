"""The report says what the scores say, and needs nothing but itself."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shibori.errors import InputError
from shibori.evaluation.davis import evaluate_davis, score_folder
from shibori.evaluation.page import worst_frames
from shibori.evaluation.report import write_report
from shibori.evaluation.scores import Scores

from .made import ColourPropagator, moving_boxes, write_masks


def lose_the_second(index: int, ids: np.ndarray) -> np.ndarray:
    return np.where((ids == 2) & (index >= 4), 0, ids).astype(np.uint8)


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    sequences = [moving_boxes("boxes"), moving_boxes("<odd> & name", 5)]
    return evaluate_davis(sequences, ColourPropagator(lose_the_second), tmp_path / "masks")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """What is in a page: (tag, attributes) in order, and that every element is closed in its place."""

    VOID = frozenset({"meta", "img", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_csv_files_hold_the_values(tmp_path: Path, scores: Scores):
    write_report(scores, tmp_path / "report")
    objects = rows_of(tmp_path / "report" / "objects.csv")
    assert [(row["sequence"], row["object_id"]) for row in objects] == [
        ("boxes", "1"),
        ("boxes", "2"),
        ("<odd> & name", "1"),
        ("<odd> & name", "2"),
    ]
    for row, (_, entry) in zip(objects, scores.objects, strict=True):
        assert float(row["j_mean"]) == entry.j.mean
        assert float(row["f_decay"]) == entry.f.decay
        assert int(row["num_frames"]) == len(entry.j_values)
    sequences = rows_of(tmp_path / "report" / "sequences.csv")
    assert [float(row["j_and_f"]) for row in sequences] == [sequence.j_and_f for sequence in scores.sequences]
    assert all(float(row["frames_per_second"]) > 0 for row in sequences)
    frames = rows_of(tmp_path / "report" / "frames.csv")
    assert len(frames) == sum(len(entry.j_values) for _, entry in scores.objects)
    assert frames[9] == {
        "sequence": "boxes", "object_id": "2", "frame_index": "4", "frame": "00004", "j": "0.0", "f": "0.0"
    }  # fmt: skip


def test_json_holds_everything(tmp_path: Path, scores: Scores):
    write_report(scores, tmp_path, facts={"system": "colour"})
    data = json.loads((tmp_path / "scores.json").read_text())
    assert data["facts"] == {"system": "colour"}
    assert data["j"]["mean"] == scores.j.mean
    assert data["j_and_f"] == scores.j_and_f
    assert data["sequences"][0]["objects"][1]["j_values"] == [1, 1, 1, 0, 0, 0]
    assert data["sequences"][0]["objects"][1]["first_index"] == 1
    assert data["frames_per_second"] == scores.frames_per_second


def test_page_is_whole_and_self_contained(tmp_path: Path, scores: Scores):
    text = write_report(scores, tmp_path, title="Boxes & more", facts={"a<b": "<script>"}).read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?://|url\(|@import|<link|\ssrc=\"(?!data:)", text)
    assert "Boxes &amp; more" in text
    assert "&lt;odd&gt; &amp; name" in text
    assert "<odd>" not in text
    assert "a&lt;b" in text
    assert text.count("<script>") == 1
    assert len(page.all("script")) == 1
    rows = re.findall(r"<tr><td>(.*?)</tr>", text)
    assert len(rows) == len(scores.objects) + 1
    assert f"{scores.objects[1][1].j_and_f:.3f}" in rows[1]


def test_page_draws_a_curve_for_each_object(tmp_path: Path, scores: Scores):
    page = Page(write_report(scores, tmp_path).read_text(encoding="utf-8"))
    curves = page.all("svg")
    assert len(curves) == 2
    assert len(page.all("polyline")) == 4
    assert json.loads(curves[0]["data-values"] or "")[1] == ["2", 1, [1, 1, 1, 0, 0, 0]]
    points = [tuple(map(float, p.split(","))) for p in (page.all("polyline")[1]["points"] or "").split()]
    assert len(points) == 6
    assert points[0][1] < points[-1][1]  # J falls, so the line goes down
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_page_shows_the_worst_frames(tmp_path: Path, scores: Scores):
    worst = worst_frames(scores)
    assert (worst[0].sequence.name, worst[0].entry.object_id, worst[0].index, worst[0].j) == ("boxes", 2, 4, 0.0)
    assert len(worst) == len(scores.objects)
    assert [frame.j for frame in worst] == sorted(frame.j for frame in worst)
    assert len(worst_frames(scores, 2)) == 2
    page = Page(write_report(scores, tmp_path).read_text(encoding="utf-8"))
    pictures = page.all("img")
    assert len(pictures) == 2 * len(worst)
    result, truth = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode((picture["src"] or "").split(",")[1]))))
        for picture in pictures[:2]
    )
    assert result.shape == truth.shape == (48, 80, 3)
    difference = np.abs(result.astype(int) - truth).max(axis=-1)
    assert difference[26:38, 40:60].mean() > 40  # object 2 is drawn in the truth alone
    assert difference[:6, 70:].mean() < 8


def test_a_folder_of_masks_alone_can_be_reported(tmp_path: Path):
    ids = moving_boxes().ids
    for name in ("truth", "results"):
        write_masks(tmp_path / name / "boxes", [np.repeat(np.repeat(frame, 8, 0), 8, 1) for frame in ids])
    scores = score_folder(tmp_path / "results", tmp_path / "truth")
    text = write_report(scores, tmp_path / "report").read_text(encoding="utf-8")
    picture = (Page(text).all("img")[0]["src"] or "").split(",")[1]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (480, 288)
    assert "frames/s" not in text


def test_an_unsupervised_report_shows_results_in_the_colours_of_their_objects(tmp_path: Path):
    ids = moving_boxes().ids
    write_masks(tmp_path / "truth" / "boxes", ids)
    write_masks(tmp_path / "results" / "boxes", [np.array([0, 9, 5], np.uint8)[frame] for frame in ids])
    scores = score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")
    page = Page(write_report(scores, tmp_path / "report").read_text(encoding="utf-8"))
    pictures = page.all("img")
    assert pictures[0]["src"] == pictures[1]["src"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, scores: Scores):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(scores, tmp_path / "file")
