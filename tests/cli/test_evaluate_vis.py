"""``shibori evaluate vis``: the official figures on the terminal, in JSON and on disk; one sentence for wrong files."""

from __future__ import annotations

import json

import numpy as np

from shibori.media.instances import InstanceTrack, write_instances
from shibori.media.rle import encode_rle


def written(tmp_path, category_id: int = 1):
    code = encode_rle(np.tri(8, 9, dtype=bool))
    annotation = {"id": 1, "video_id": 3, "category_id": 1, "iscrowd": 0, "segmentations": [code, None]}
    content = {
        "videos": [{"id": 3, "width": 9, "height": 8, "length": 2}, {"id": 4, "width": 9, "height": 8, "length": 1}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "cow"}],
        "annotations": [annotation],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    write_instances(tmp_path / "results.json", {3: [InstanceTrack(1, category_id, "", 0.9, (code, None))]})
    return f"{tmp_path / 'annotations.json'} {tmp_path / 'results.json'}"


def test_table_and_report(shibori, tmp_path):
    result = shibori(f"evaluate vis {written(tmp_path)} --out {tmp_path / 'report'}")
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["│", "dog", "│", "1", "│", "1"] in [row[:6] for row in rows]
    assert not any("cow" in row for row in rows)
    assert "AP medium –" in result.stdout
    assert "2 videos, 1 of them with results" in result.stdout
    assert (tmp_path / "report" / "report.html").is_file()


def test_json(shibori, tmp_path):
    result = shibori(f"evaluate vis {written(tmp_path)} --json")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert round(content["summary"]["AP"], 9) == 1
    assert content["summary"]["AP_large"] is None
    assert content["report"] is None


def test_official_figures(shibori, shared):
    folder = shared / "reference" / "ytvis"
    result = shibori(f"evaluate vis {folder / 'annotations.json'} {folder / 'results.json'} --json")
    official = json.loads((folder / "official.json").read_text())["summary"]
    summary = json.loads(result.stdout)["summary"]
    assert all(abs((-1 if summary[k] is None else summary[k]) - value) < 1e-9 for k, value in official.items())


def test_wrong_files_are_one_sentence(shibori, tmp_path):
    for files in (written(tmp_path, category_id=77), f"{tmp_path}/results.json {tmp_path}/results.json", "a b"):
        result = shibori(f"evaluate vis {files}")
        assert result.exit_code == 2
        assert result.stderr.startswith("shibori: ")
        assert result.stderr.count("\n") == 1
