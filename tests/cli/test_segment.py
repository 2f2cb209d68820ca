"""``shibori segment``: what it writes, and one clear sentence for everything that can be wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import shibori.run.job as job_module
import shibori.systems as systems
from shibori.errors import InputError
from shibori.media.mask import read_ids
from shibori.media.palette import write_palette_png
from shibori.media.picture import encode_flat_png
from shibori.media.reader import read_clip
from shibori.media.writer import write_video

RUN = "segment clip.mp4 --mask first.png --out out"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_masks_and_tracks(shibori, place, fake_system):
    result = shibori(f"{RUN} --device cpu --size 32")
    assert result.exit_code == 0, result.stderr
    assert names(place / "out") == [*(f"{index:05d}.png" for index in range(12)), "tracks.json"]
    assert set(np.unique(read_ids("out/00011.png")).tolist()) == {0, 1, 2}
    assert "12 frames, 2 objects" in result.stdout
    assert "lost in 1 frame, first in frame 4" in result.stdout
    assert fake_system == [{"preset": "compact", "device": "cpu", "size": 32, "weights": None, "online_steps": 0}]
    tracks = json.loads((place / "out" / "tracks.json").read_text())
    assert tracks["frames"][4] == {
        "frame": 4,
        "time": 0.4,
        "objects": {"1": {"state": "lost", "confidence": 0.1}, "2": {"state": "lost", "confidence": 0.1}},
    }


def test_json_is_all_that_is_printed(shibori, place):
    result = shibori(f"{RUN} --json")
    summary = json.loads(result.stdout)
    assert result.stderr == ""
    assert (summary["frames"], summary["objects"], summary["lost_frames"]) == (12, [1, 2], {"1": 1, "2": 1})
    assert summary["first_lost"] == {"1": 4, "2": 4}
    assert summary["shortfall"] is None


def test_several_formats_get_a_place_each(shibori, place):
    result = shibori(f"{RUN} --format palette --format ids16 --format overlay --format rle --format sheet")
    assert result.exit_code == 0, result.stderr
    assert names(place / "out") == ["ids16", "masks.json", "overlay.mp4", "palette", "sheet.png", "tracks.json"]
    assert read_clip("out/overlay.mp4").num_frames == 12


def test_one_file(shibori, place):
    assert shibori("segment clip.mp4 --mask first.png --out seen.mp4 --format overlay").exit_code == 0
    assert {"seen.mp4", "seen.tracks.json"} <= set(names(place))


def test_range_stride_seconds_and_corrections(shibori, place):
    result = shibori(f"{RUN} --start 0.2s --end 10 --every 3 --mask 6:fix.png --forward-only --json")
    assert result.exit_code == 0, result.stderr
    assert names(place / "out")[:-1] == ["00002.png", "00005.png", "00006.png", "00008.png"]


def test_both_ways(shibori, place):
    assert shibori("segment clip.mp4 --mask 8:first.png --out out --both-ways").exit_code == 0
    assert read_ids("out/00000.png").max() == 2


def test_folder_of_masks_on_a_folder_of_images(shibori, place):
    (place / "masks").mkdir()
    (place / "first.png").rename(place / "masks" / "00000.png")
    assert shibori("segment clip.mp4 --mask masks --out out").exit_code == 0


def test_resume_keeps_finished_frames_and_writes_the_others(shibori, place):
    shibori(RUN)
    kept = (place / "out" / "00003.png").stat().st_mtime_ns
    before = (place / "out" / "00007.png").read_bytes()
    (place / "out" / "00007.png").unlink()
    assert shibori(f"{RUN} --resume").exit_code == 0
    assert (place / "out" / "00003.png").stat().st_mtime_ns == kept
    assert (place / "out" / "00007.png").read_bytes() == before


def test_overwrite(shibori, place):
    shibori(RUN)
    result = shibori(f"{RUN} --overwrite")
    assert result.exit_code == 0, result.stderr


def refused(result, *expected: str) -> None:
    """Exit code 2 and one sentence that says all of ``expected``; no traceback."""
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert result.stdout == ""
    assert result.stderr.startswith("shibori: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    for part in expected:
        assert part in result.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("segment no.mp4 --mask first.png --out out", "no.mp4"),
        ("segment text.mp4 --mask first.png --out out", "text.mp4"),
        ("segment empty --mask first.png --out out", "empty"),
        ("segment mixed --mask first.png --out out", "mixed"),
        ("segment clip.mp4 --mask no.png --out out", "no.png"),
        ("segment clip.mp4 --mask wide.png --out out", "pixels, but the clip is 64x48"),
        ("segment clip.mp4 --mask blank.png --out out", "shows no object"),
        ("segment clip.mp4 --mask text.mp4 --out out", "text.mp4"),
        ("segment clip.mp4 --mask 12:first.png --out out", "no frame 12"),
        ("segment clip.mp4 --mask 3s:first.png --out out", "1.20 s"),
        ("segment clip.mp4 --mask late --out out", "does not have"),
        ("segment clip.mp4 --mask many.png --out out", "ids16"),
        ("segment clip.mp4 --mask first.png --out full", "already holds results"),
        ("segment clip.mp4 --mask first.png --out first.png", "first.png"),
        ("segment clip.mp4 --mask first.png --out clip.mp4 --format overlay", "clip.mp4"),
        ("segment clip.mp4 --mask first.png --out out --format bmp", "'bmp'"),
        ("segment clip.mp4 --mask first.png --out out.mp4", "give a folder"),
        ("segment clip.mp4 --mask first.png --out out --system sam", "'sam'"),
        ("segment clip.mp4 --mask first.png --out out --every 0", "at least 1"),
        ("segment clip.mp4 --mask first.png --out out --start 20", "no frame 20"),
        ("segment clip.mp4 --mask first.png --out out --start 5 --end 5", "starts at 5"),
        ("segment clip.mp4 --mask 1:first.png --out out --start 5 --forward-only", "outside the range"),
        ("segment clip.mp4 --mask first.png --out out --start x", "'x'"),
    ],
)
def test_wrong_input_is_one_sentence(shibori, place, line, expected):
    (place / "text.mp4").write_text("no video at all")
    (place / "empty").mkdir()
    for folder, file, size_hw, object_id in (
        ("mixed", "0.png", (48, 64), 1),
        ("mixed", "1.png", (48, 60), 1),
        ("late", "00012.png", (48, 64), 1),
        ("full", "other.png", (48, 64), 1),
        (".", "wide.png", (48, 60), 1),
        (".", "blank.png", (48, 64), 0),
    ):
        (place / folder).mkdir(exist_ok=True)
        write_palette_png(place / folder / file, np.full(size_hw, object_id, np.uint8))
    many = np.zeros((48, 64), np.uint16)
    many.flat[:300] = np.arange(1, 301)
    Path("many.png").write_bytes(encode_flat_png(many))
    refused(shibori(line), expected)
    assert not (place / "out").exists() or not any((place / "out").iterdir())


def test_output_that_cannot_be_written(shibori, place, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", "out")

    monkeypatch.setattr(Path, "mkdir", refuse)
    refused(shibori(RUN), "not writable")


def test_disk_full(shibori, place, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    refused(shibori(RUN), "disk is full")


def test_disk_full_while_the_tracks_are_written(shibori, place, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job_module.TrackLog, "write", refuse)
    refused(shibori(RUN), "disk is full")


def test_cuda_that_is_not_there(shibori, place, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(shibori(f"{RUN} --device cuda"), "cuda")


def test_weights_that_do_not_fit(shibori, place, monkeypatch):
    def refuse(**options):
        raise InputError("expected weights of pixel/compact, found pixel/paper in w.safetensors")

    monkeypatch.setitem(systems.PROPAGATORS, "pixel", refuse)
    refused(shibori(f"{RUN} --weights w.safetensors"), "pixel/paper")
    assert not any((place / "out").glob("*.png"))


@pytest.fixture
def num_left(place) -> int:
    """``cut.mkv`` is half of a video of 40 frames; the number of frames that decode."""
    rng = np.random.default_rng(0)
    write_video("long.mkv", [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)], rate=10)
    data = Path("long.mkv").read_bytes()
    Path("cut.mkv").write_bytes(data[: len(data) // 2])
    num_left = sum(1 for _ in read_clip("cut.mkv").frames())
    assert 5 < num_left < 40
    return num_left


@pytest.mark.parametrize("switches", ["", " --json"])
def test_truncated_video_is_segmented_as_far_as_it_decodes(shibori, place, num_left, switches):
    result = shibori(f"segment cut.mkv --mask first.png --out out{switches}")
    assert result.exit_code == 2, result.stderr
    assert result.stderr.startswith("shibori: cut.mkv is incomplete")
    assert result.stderr.count("\n") == 1
    assert len(names(place / "out")) == num_left + 1


def test_what_is_missing_behind_the_end_that_was_asked_for_is_no_error(shibori, place, num_left):
    result = shibori("segment cut.mkv --mask first.png --out out --end 5")
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(names(place / "out")) == 6


def test_help_speaks_no_python(shibori):
    assert "list[" not in shibori("segment --help").stdout


SLOW = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from holder import Holder
import shibori.systems as systems
from shibori.systems.interactive.engine import RoundsSegmenter

class Slow(Holder):
    def begin(self, size_hw):
        inner = super().begin(size_hw)
        step = inner.step
        pauses = iter([0.0] * 5 + [60.0] * 100)  # stuck in the sixth frame until the signal comes
        def slowly(*arguments):
            time.sleep(next(pauses))
            return step(*arguments)
        inner.step = slowly
        return inner

systems.PROPAGATORS = {{"pixel": lambda **options: Slow()}}
systems.INTERACTIVE_SEGMENTERS = {{"interactive": lambda **options: RoundsSegmenter(None, Slow())}}
from shibori.cli import main
main()
"""


@pytest.mark.parametrize("run", [RUN, f"{RUN} --absent 10-:1"])
def test_interrupted_run_keeps_whole_frames_and_can_be_resumed(shibori, place, run):
    script = place / "slow.py"
    script.write_text(SLOW.format(tests=str(Path(__file__).parents[1])))
    source = str(Path(job_module.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(script), *run.split(), "--format", "palette"]
    # A shell lets what it runs in the background ignore the signal, which children inherit.
    heed = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heed)
    # A signal inside ``open`` would leave a file that nobody closes; it is waited for what is written before the pause.
    while not (place / "out" / "00004.png").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint == "shibori: interrupted; the frames finished so far are kept, --resume goes on\n"
    finished = [name for name in names(place / "out") if name.endswith(".png")]
    assert 3 <= len(finished) < 12
    assert not list((place / "out").glob(".*"))
    assert len(json.loads((place / "out" / "tracks.json").read_text())["frames"]) == len(finished)
    assert shibori(f"{run} --resume").exit_code == 0
    assert len(names(place / "out")) == 13
