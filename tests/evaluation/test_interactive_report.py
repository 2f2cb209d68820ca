"""What is written about an interactive session."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.interactive_page import interaction_chart, time_chart
from shibori.evaluation.interactive_report import interactive_scores_to_json, write_interactive_report
from shibori.evaluation.interactive_scores import InteractiveRules, InteractiveScores, RoundScores, SampleScores

RULES = InteractiveRules(num_interactions=2, seconds=10.0, threshold=10.0)


def entry(seconds: float, value: float, marked: tuple[int, ...]) -> RoundScores:
    values = np.full((2, 3), value)
    values[1] /= 2
    return RoundScores(marked, seconds, values, values)


@pytest.fixture
def scores() -> InteractiveScores:
    first = SampleScores("car<s>", 1, (1, 4), (entry(5, 0.4, (2,)), entry(5, 0.8, (0, 1))))
    return InteractiveScores(RULES, (first, SampleScores("car<s>", 2, (1, 4), (entry(5, 0.4, (1,)),))))


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables(scores, tmp_path):
    write_interactive_report(scores, tmp_path / "new", facts={"system": "none"})
    table = rows(tmp_path / "new" / "interactions.csv")
    assert len(table) == 2 * 3
    assert {name: value for name, value in table[3].items() if name not in ("j_mean", "f_mean", "j_and_f")} == {
        "sequence": "car<s>",
        "start": "1",
        "interaction": "2",
        "object_id": "4",
        "marked_frames": "0 1",
        "seconds": "5",
    }
    assert [float(table[3][name]) for name in ("j_mean", "f_mean", "j_and_f")] == pytest.approx([0.4] * 3)
    frames = rows(tmp_path / "new" / "frames.csv")
    assert len(frames) == 2 * 3 * 3
    assert [row["frame_index"] for row in frames[:4]] == ["0", "1", "2", "0"]
    content = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert content["facts"] == {"system": "none"}
    assert content["auc"] == scores.auc
    assert content["curve"]["seconds"] == [0, 5, 7.5, 40]
    assert content["samples"][0]["interactions"][1]["j_means"] == pytest.approx([0.8, 0.4])


def test_summary_without_corrections():
    scores = InteractiveScores(RULES, (SampleScores("a", 1, (1, 2), (entry(1, 0.5, (0,)),)),))
    summary = interactive_scores_to_json(scores)
    assert summary["rise_share"] is None
    assert summary["lowest_marked_change"] is None


class Balanced(HTMLParser):
    def handle_startendtag(self, tag, attrs):
        pass

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page(scores, tmp_path):
    page = write_interactive_report(scores, tmp_path, title="A & B", facts={"system": "none <x>"}).read_text()
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "A &amp; B" in page
    assert "none &lt;x&gt;" in page
    assert "car&lt;s&gt; 2" in page
    assert "car<s>" not in page
    assert f"<b>{scores.auc:.3f}</b><span>AUC</span>" in page
    assert not re.findall(r"""(?:src|href)=["']http""", page)


def test_charts_show_the_points(scores):
    chart = time_chart(scores)
    points = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart)
    x, y = np.array(points, float).T
    assert len(x) == len(scores.curve.seconds)
    np.testing.assert_allclose((x - x[0]) / (x[-1] - x[0]), scores.curve.seconds / 40, atol=1e-3)
    height = (y[0] - y) / scores.curve.j_and_f.clip(1e-9)
    np.testing.assert_allclose(height[1:], height[1], rtol=0.01)
    assert f"{scores.at_threshold:.3f} at 10 s" in chart
    assert interaction_chart(scores).count("faint") == 2


def test_a_folder_that_cannot_be_written(scores, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write_interactive_report(scores, tmp_path / "file")
