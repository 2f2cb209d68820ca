"""``shibori convert``."""

from __future__ import annotations

import json


def test_annotations_go_round(shibori, place, fake_system):
    shibori("segment clip.mp4 --mask first.png --out run")
    assert shibori("export run --clip clip.mp4 --out run --format cvat --label 2=dog").exit_code == 0
    result = shibori("convert run/cvat.xml coco.json --to coco")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("cvat to coco: 12 frames, 2 objects, 24 masks")
    categories = json.loads((place / "coco.json").read_text())["categories"]
    assert [category["name"] for category in categories] == ["object1", "dog"]
    summary = json.loads(shibori("convert coco.json yolo --to yolo --json").stdout)
    assert summary["shapes"] == 24
    assert "holes" in summary["loss"]


def test_wrong_input_is_a_sentence(shibori, place, fake_system):
    result = shibori("convert clip.mp4 a.json --to coco")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
