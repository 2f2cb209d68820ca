"""``shibori evaluate clicks``: on the terminal, in JSON, by the promptable network; one sentence for what is wrong."""

from __future__ import annotations

import json

import pytest
import torch

import shibori.systems as systems
from shibori.nn.weights import save_state
from shibori.prompting.presets import build_prompt_network

from ..datasets.made import moving_disk, write_davis


@pytest.fixture
def root(tmp_path):
    write_davis(tmp_path / "davis", {"disk": moving_disk(3)}, "val")
    return tmp_path / "davis"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    save_state(tmp_path / "w.safetensors", build_prompt_network("tiny").state_dict(), "prompt", "tiny")
    return tmp_path / "w.safetensors"


def test_the_promptable_network_is_clicked(shibori, root, weights):
    line = f"evaluate clicks {root} --system prompt --preset tiny --weights {weights} --clicks 5 --frames 2"
    result = shibori(line)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert "NoC@85" in result.stdout
    assert "of 2 objects" in result.stdout
    content = json.loads(shibori(f"{line} --json").stdout)
    assert set(content["iou_after"]) == {"1", "3", "5"}
    assert len(content["objects"]) == 2


def test_the_scores_can_be_kept(shibori, root, weights, tmp_path):
    line = f"evaluate clicks {root} --system prompt --preset tiny --weights {weights} --clicks 5 --frames 1"
    out = tmp_path / "new" / "clicks.json"
    printed = json.loads(shibori(f"{line} --json --out {out}").stdout)
    content = json.loads(out.read_text())
    assert content.pop("facts")["system"] == "prompt tiny"
    for key in ("iou_after", "iou_box", "iou_stroke", "clicks_to", "failures"):
        assert content[key] == printed[key]
    assert content["objects"][0]["clicks"] == printed["objects"][0]["clicks"]
    refused = shibori(f"{line} --out {out}")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert shibori(f"{line} --out {out} --overwrite").exit_code == 0
    refused = shibori(f"{line} --out {out / 'below.json'}")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


def test_what_is_wrong_is_one_sentence(shibori, root, monkeypatch):
    monkeypatch.setattr(systems, "INTERACTIVE_SEGMENTERS", {})
    for options, message in (
        ("--system other", "there is no system 'other'"),
        ("--system prompt --preset giant", "expected a preset of the promptable network"),
        ("--system prompt --clicks 2", "expected at least 5 clicks"),
    ):
        result = shibori(f"evaluate clicks {root} {options}")
        assert result.exit_code != 0
        assert message in result.stderr
