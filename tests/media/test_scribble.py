from __future__ import annotations

import json

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.scribble import Scribbles, Stroke, line_pixels, rasterise, read_scribbles, write_scribbles


def bresenham(begin, end):
    """The textbook's incremental algorithm."""
    (x, y), (x1, y1) = begin, end
    dx, dy = abs(x1 - x), -abs(y1 - y)
    step_x, step_y = (1 if x < x1 else -1), (1 if y < y1 else -1)
    error, pixels = dx + dy, [(x, y)]
    while (x, y) != (x1, y1):
        twice = 2 * error
        if twice >= dy:
            error, x = error + dy, x + step_x
        if twice <= dx:
            error, y = error + dx, y + step_y
        pixels.append((x, y))
    return pixels


def test_lines_are_bresenhams():
    rng = np.random.default_rng(0)
    for begin, end in rng.integers(-9, 30, (200, 2, 2)):
        line = line_pixels(begin, end)
        twin = bresenham(tuple(begin.tolist()), tuple(end.tolist()))
        assert len(line) == len(twin)
        assert line[0].tolist() == begin.tolist()
        assert line[-1].tolist() == end.tolist()
        assert np.abs(np.diff(line, axis=0)).max(initial=0) <= 1
        ideal = begin + (end - begin) * (np.arange(len(line)) / max(1, len(line) - 1))[:, None]
        assert np.abs(line - ideal).max() <= 0.5 + 1e-9
        assert np.abs(np.array(twin) - line).max() <= 1  # they may differ only where a line runs midway


def test_strokes_reach_the_corners_and_later_ones_lie_on_top():
    strokes = [Stroke(2, ((0, 0), (1, 1))), Stroke(0, ((0, 0.5), (1, 0.5))), Stroke(5, ((1, 0),))]
    drawn = rasterise(strokes, (5, 9))
    assert drawn[0, 0] == drawn[4, 8] == 2
    assert (drawn[2] == 0).all()
    assert drawn[0, 8] == 5
    assert (drawn == -1).any()


def test_round_trip(tmp_path):
    scribbles = Scribbles("bear", ((), (Stroke(1, ((0.25, 0.5), (1.0, 0.0)), 3, 9),), ()), 1)
    write_scribbles(tmp_path / "001.json", scribbles)
    assert read_scribbles(tmp_path / "001.json", num_frames=3) == scribbles
    assert scribbles.frames == (1,)
    assert scribbles.num_frames == 3
    assert (scribbles.rasterise(1, (11, 11)) == 1).any()
    with pytest.raises(InputError, match="is for 3 frames, but the clip has 4"):
        read_scribbles(tmp_path / "001.json", num_frames=4)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"sequence": "a"}, "'scribbles' is missing"),
        ({"sequence": "a", "scribbles": [[{"path": [[0, 2]], "object_id": 1}]]}, "0..1"),
        ({"sequence": "a", "scribbles": [[{"path": [], "object_id": 1}]]}, "at least one point"),
        ({"sequence": "a", "scribbles": [[{"path": [[0, 0]], "object_id": -1}]]}, "object id"),
        ({"sequence": "a", "scribbles": [[]], "annotated_frame": 1}, "annotated_frame"),
        ({"sequence": "a", "scribbles": 3}, "does not hold DAVIS scribbles"),
    ],
)
def test_wrong_files_are_refused(content, sentence, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        read_scribbles(tmp_path / "a.json")


def test_missing_and_broken_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no scribble file"):
        read_scribbles(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        read_scribbles(tmp_path / "a.json")
