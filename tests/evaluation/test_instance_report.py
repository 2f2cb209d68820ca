"""The report of instance scores: complete, self-contained, honest about what is not there."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import pytest

from shibori.errors import InputError
from shibori.evaluation.instance_report import instance_scores_to_json, write_instance_report
from shibori.evaluation.instances import score_instances

from .test_instances import made_set


@pytest.fixture(scope="module")
def scores():
    dataset, found = made_set(3)
    return score_instances(replace(dataset, categories={**dataset.categories, 4: "no<where>"}), found)


def test_files(scores, tmp_path):
    page = write_instance_report(scores, tmp_path / "report", facts={"system": "by hand"})
    assert {path.name for path in page.parent.iterdir()} == {"report.html", "scores.json", "classes.csv"}
    content = json.loads((page.parent / "scores.json").read_text())
    assert content["summary"] == scores.summary
    assert content["facts"] == {"system": "by hand"}
    assert content["classes"][3] == {
        "id": 4, "class": "no<where>", "true": 0, "found": scores.categories[3].num_found,
        "AP": None, "AP50": None, "AP75": None, "AR1": None, "AR10": None,
    }  # fmt: skip
    rows = list(csv.reader((page.parent / "classes.csv").read_text().splitlines()))
    assert rows[0][:5] == ["category_id", "class", "true", "found", "ap"]
    assert float(rows[1][4]) == scores.categories[0].ap
    assert rows[4][4:] == [""] * 5


def test_page_needs_nothing_else_and_escapes_names(scores, tmp_path):
    text = write_instance_report(scores, tmp_path).read_text()
    assert not re.search(r"(?:src|href)=.?http", text)
    assert "no&lt;where&gt;" in text
    assert "no<where>" not in text
    assert f"{scores.summary['AP']:.3f}" in text
    assert text.count("<tr>") == 2 + len(scores.categories)


def test_json_of_nothing_true():
    dataset, _ = made_set(0)
    content = instance_scores_to_json(score_instances(replace(dataset, annotations=()), {}))
    assert set(content["summary"].values()) == {None}


def test_a_file_in_the_way(scores, tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_instance_report(scores, tmp_path / "report")
