"""The semi-supervised protocol, on folders and systems made here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation import davis
from shibori.evaluation.davis import SequenceFrames, evaluate_davis, score_folder
from shibori.evaluation.measures import boundary_measure, region_similarity, summarize
from shibori.evaluation.scores import Progress
from shibori.media.mask import read_ids

from ..lookahead import Lookahead
from .made import COLOURS, SIZE_HW, ArraySequence, ColourPropagator, moving_boxes, write_masks


def swap(ids: np.ndarray) -> np.ndarray:
    return np.array([0, 2, 1, 3], np.uint8)[ids]


@pytest.fixture
def ground_truth(tmp_path: Path, boxes: ArraySequence) -> Path:
    write_masks(tmp_path / "truth" / "boxes", boxes.ids)
    write_masks(tmp_path / "truth" / "other", boxes.ids)
    return tmp_path / "truth"


def test_values_are_those_of_the_measures_without_first_and_last_frame(
    tmp_path: Path, ground_truth: Path, boxes: ArraySequence
):
    results = [np.roll(ids, 2 * index, axis=0) for index, ids in enumerate(boxes.ids)]
    write_masks(tmp_path / "results" / "boxes", results)
    scores = score_folder(tmp_path / "results", ground_truth)
    (sequence,) = scores.sequences
    assert (sequence.name, scores.unscored, scores.protocol) == ("boxes", ("other",), "semi-supervised")
    assert [entry.object_id for entry in sequence.objects] == [1, 2]
    for entry in sequence.objects:
        pairs = [(p == entry.object_id, t == entry.object_id) for p, t in zip(results, boxes.ids, strict=True)][1:-1]
        np.testing.assert_array_equal(entry.j_values, [region_similarity(*pair) for pair in pairs])
        np.testing.assert_array_equal(entry.f_values, [boundary_measure(*pair) for pair in pairs])
        assert entry.j == summarize(entry.j_values)
        assert entry.first_index == 1
    assert scores.j.mean == pytest.approx(np.mean([entry.j.mean for entry in sequence.objects]))
    assert scores.j_and_f == pytest.approx((scores.j.mean + scores.f.mean) / 2)
    assert scores.frames_per_second is None


def test_the_set_is_averaged_over_objects_not_sequences(tmp_path: Path, boxes: ArraySequence):
    single = [np.where(ids == 1, ids, 0) for ids in boxes.ids]
    for name, truth in (("one", single), ("two", boxes.ids)):
        write_masks(tmp_path / "truth" / name, truth)
    write_masks(tmp_path / "results" / "one", single)
    write_masks(tmp_path / "results" / "two", [np.zeros_like(ids) for ids in boxes.ids])
    scores = score_folder(tmp_path / "results", tmp_path / "truth")
    assert [sequence.j.mean for sequence in scores.sequences] == [1.0, 0.0]
    assert scores.j.mean == pytest.approx(1 / 3)


def test_a_missing_object_counts_as_empty(tmp_path: Path, ground_truth: Path, boxes: ArraySequence):
    write_masks(tmp_path / "results" / "boxes", [np.where(ids == 2, 0, ids).astype(np.uint8) for ids in boxes.ids])
    (sequence,) = score_folder(tmp_path / "results", ground_truth).sequences
    assert [entry.j.mean for entry in sequence.objects] == [1.0, 0.0]


def test_first_and_last_result_are_not_asked_for_but_all_others_are(tmp_path: Path, ground_truth: Path):
    folder = write_masks(tmp_path / "results" / "boxes", moving_boxes().ids)
    (folder / "00000.png").unlink()
    (folder / "00007.png").unlink()
    assert score_folder(tmp_path / "results", ground_truth).j.mean == 1.0
    (folder / "00003.png").unlink()
    with pytest.raises(InputError, match=r"no 00003\.png \(1 of 6 frames"):
        score_folder(tmp_path / "results", ground_truth)


def test_identity_switches_are_counted(tmp_path: Path, ground_truth: Path, boxes: ArraySequence):
    results = [swap(ids) if index in (3, 4) else ids for index, ids in enumerate(boxes.ids)]
    write_masks(tmp_path / "results" / "boxes", results)
    scores = score_folder(tmp_path / "results", ground_truth)
    assert [entry.switches for _, entry in scores.objects] == [2, 2]
    assert scores.switches == 4


def test_late_objects_count_only_when_asked_for(tmp_path: Path):
    sequence = moving_boxes("late", late=True)
    write_masks(tmp_path / "truth" / "late", sequence.ids)
    write_masks(tmp_path / "results" / "late", sequence.ids)
    official = score_folder(tmp_path / "results", tmp_path / "truth")
    assert [entry.object_id for _, entry in official.objects] == [1, 2]
    every = score_folder(tmp_path / "results", tmp_path / "truth", late_objects=True)
    assert [(entry.object_id, entry.first_index, len(entry.j_values)) for _, entry in every.objects] == [
        (1, 1, 6),
        (2, 1, 6),
        (3, 4, 3),
    ]


def test_several_processes_give_the_same(tmp_path: Path, ground_truth: Path, boxes: ArraySequence):
    for name in ("boxes", "other"):
        write_masks(tmp_path / "results" / name, [np.roll(ids, 1, axis=1) for ids in boxes.ids])
    seen: list[Progress] = []
    one = score_folder(tmp_path / "results", ground_truth)
    two = score_folder(tmp_path / "results", ground_truth, workers=2, progress=seen.append)
    assert [s.name for s in two.sequences] == [s.name for s in one.sequences] == ["boxes", "other"]
    for (_, a), (_, b) in zip(one.objects, two.objects, strict=True):
        np.testing.assert_array_equal(a.j_values, b.j_values)
        np.testing.assert_array_equal(a.f_values, b.f_values)
    assert [(p.sequence, p.frames_done, p.num_frames) for p in seen] == [("boxes", 8, 16), ("other", 16, 16)]


def test_davis_folders_and_single_sequences_are_found(tmp_path: Path, boxes: ArraySequence):
    root = tmp_path / "DAVIS"
    write_masks(root / "Annotations" / "480p" / "boxes", boxes.ids)
    single = write_masks(tmp_path / "results" / "boxes", boxes.ids)
    for results, truth in (
        (tmp_path / "results", root),
        (tmp_path / "results", root / "Annotations" / "480p"),
        (single, root),
        (single, root / "Annotations" / "480p" / "boxes"),
    ):
        scores = score_folder(results, truth)
        assert [sequence.name for sequence in scores.sequences] == ["boxes"]
        assert scores.j.mean == 1.0


def test_black_and_white_truth_of_2016_is_object_1(tmp_path: Path, boxes: ArraySequence):
    from PIL import Image

    folder = tmp_path / "truth" / "boxes"
    folder.mkdir(parents=True)
    for index, ids in enumerate(boxes.ids):
        Image.fromarray(np.where(ids == 1, np.uint8(255), np.uint8(0))).save(folder / f"{index:05d}.png")
    write_masks(tmp_path / "results" / "boxes", [np.where(ids == 1, ids, 0) for ids in boxes.ids])
    assert score_folder(tmp_path / "results", tmp_path / "truth").j.mean == 1.0


def test_bad_input_is_said_clearly(tmp_path: Path, ground_truth: Path, boxes: ArraySequence):
    results = tmp_path / "results"
    with pytest.raises(InputError, match="no results folder"):
        score_folder(results, ground_truth)
    results.mkdir()
    with pytest.raises(InputError, match="holds no mask PNGs"):
        score_folder(results, ground_truth)
    with pytest.raises(InputError, match="no ground truth folder"):
        score_folder(results, tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no mask PNGs"):
        score_folder(results, results)
    write_masks(results / "ghost", boxes.ids)
    with pytest.raises(InputError, match=r"ghost is no sequence of the ground truth \(boxes, other\)"):
        score_folder(results, ground_truth)
    with pytest.raises(InputError, match="masks of one sequence, and ghost is none of the 2"):
        score_folder(results / "ghost", ground_truth)
    write_masks(tmp_path / "small" / "boxes", [ids[:-2] for ids in boxes.ids])
    with pytest.raises(InputError, match=r"80x46 pixels, but its ground truth is 80x48"):
        score_folder(tmp_path / "small", ground_truth)
    write_masks(tmp_path / "short" / "boxes", boxes.ids[:2])
    with pytest.raises(InputError, match="has 2 frames, and the first and the last do not count"):
        score_folder(tmp_path / "short", tmp_path / "short")
    write_masks(tmp_path / "empty" / "boxes", [np.zeros_like(ids) for ids in boxes.ids])
    with pytest.raises(InputError, match="shows no object"):
        score_folder(tmp_path / "empty", tmp_path / "empty")


def test_evaluate_runs_writes_and_scores(tmp_path: Path, boxes: ArraySequence):
    seen: list[Progress] = []
    scores = evaluate_davis([boxes, moving_boxes("again", 5)], ColourPropagator(), tmp_path, progress=seen.append)
    assert scores.j_and_f == 1.0
    assert [sequence.name for sequence in scores.sequences] == ["boxes", "again"]
    assert len(list((tmp_path / "boxes").glob("*.png"))) == 8
    np.testing.assert_array_equal(read_ids(tmp_path / "boxes" / "00007.png"), boxes.ids[7])
    assert [p.frames_done for p in seen] == list(range(1, 14))
    assert seen[-1].sequence == "again"
    assert seen[-1].num_frames == 13
    assert scores.frames_per_second is not None
    assert scores.frames_per_second > 0
    assert seen[-1].frames_per_second == pytest.approx(scores.frames_per_second)


def test_evaluate_scores_what_the_system_did(tmp_path: Path, boxes: ArraySequence):
    def lose_the_second(index: int, ids: np.ndarray) -> np.ndarray:
        return np.where((ids == 2) & (index >= 4), 0, ids).astype(np.uint8)

    scores = evaluate_davis([boxes], ColourPropagator(lose_the_second), tmp_path)
    assert scores.sequences[0].objects[1].j_values.tolist() == [1, 1, 1, 0, 0, 0]


def test_evaluate_gives_late_objects_when_asked_for(tmp_path: Path):
    sequence = moving_boxes(late=True)
    without = evaluate_davis([sequence], ColourPropagator(), tmp_path / "a")
    assert [entry.object_id for _, entry in without.objects] == [1, 2]
    assert not (read_ids(tmp_path / "a" / "boxes" / "00005.png") == 3).any()
    scores = evaluate_davis([sequence], ColourPropagator(), tmp_path / "b", late_objects=True)
    assert [(entry.object_id, entry.j.mean) for _, entry in scores.objects] == [(1, 1.0), (2, 1.0), (3, 1.0)]


def test_evaluate_runs_a_system_that_works_on_whole_clips(tmp_path: Path, boxes: ArraySequence):
    """The fake holds the first masks, so all is known: what it was given, what was written, what that scores."""
    seen: list[Progress] = []
    propagator = Lookahead()
    scores = evaluate_davis([boxes, moving_boxes("again", 5)], propagator, tmp_path, progress=seen.append)
    for index in range(8):
        np.testing.assert_array_equal(read_ids(tmp_path / "boxes" / f"{index:05d}.png"), boxes.ids[0])
    for entry in scores.sequences[0].objects:
        first, *rest = (ids == entry.object_id for ids in boxes.ids)
        np.testing.assert_array_equal(entry.j_values, [region_similarity(first, true) for true in rest[:-1]])
    assert [(p.sequence, p.frames_done) for p in seen] == [
        (name, done) for done, name in enumerate(["boxes"] * 8 + ["again"] * 5, 1)
    ]
    run, again = propagator.runs
    assert (run.frames.num_frames, again.frames.num_frames) == (8, 5)
    assert not run.both_ways
    assert list(run.references) == [0]
    for object_id, mask in run.references[0].items():
        np.testing.assert_array_equal(mask, boxes.ids[0] == object_id)


def test_evaluate_gives_late_objects_to_whole_clips_when_asked_for(tmp_path: Path):
    sequence, propagator = moving_boxes(late=True), Lookahead()
    evaluate_davis([sequence], propagator, tmp_path / "a")
    scores = evaluate_davis([sequence], propagator, tmp_path / "b", late_objects=True)
    given = [{index: list(masks) for index, masks in run.references.items()} for run in propagator.runs]
    assert given == [{0: [1, 2]}, {0: [1, 2], 3: [3]}]
    assert [entry.object_id for _, entry in scores.objects] == [1, 2, 3]
    assert scores.sequences[0].objects[2].j.mean == 1.0  # it stands still


def test_the_work_before_the_first_mask_of_a_whole_clip_counts_as_time(
    tmp_path: Path, boxes: ArraySequence, monkeypatch: pytest.MonkeyPatch
):
    """On a clock that ticks with every picture that is read."""
    ticks: list[int] = []

    class Ticking(ArraySequence):
        def read_image(self, index: int) -> np.ndarray:
            ticks.append(index)
            return super().read_image(index)

    monkeypatch.setattr(davis.time, "perf_counter", lambda: float(len(ticks)))
    scores = evaluate_davis([Ticking("boxes", boxes.ids)], Lookahead(), tmp_path)
    assert set(ticks) == set(range(8))
    assert scores.sequences[0].seconds == len(ticks)


def test_the_pictures_of_a_sequence_in_any_order(boxes: ArraySequence):
    frames = SequenceFrames(boxes)
    assert (frames.num_frames, frames.size_hw) == (8, SIZE_HW)
    for stream, expected in (
        (frames.forward(2, 5), [2, 3, 4]),
        (frames.backward(4, 1), [4, 3, 2]),
        (frames.backward(2, -1), [2, 1, 0]),
        (frames.forward(3, 3), []),
    ):
        pictures = list(stream)
        assert [index for index, _ in pictures] == expected
        for index, image in pictures:
            np.testing.assert_array_equal(image, COLOURS[boxes.ids[index]])
            np.testing.assert_array_equal(image, frames.read(index))


def test_evaluate_refuses_what_it_cannot_do(tmp_path: Path, boxes: ArraySequence):
    with pytest.raises(InputError, match="no sequence to evaluate"):
        evaluate_davis([], ColourPropagator(), tmp_path)
    evaluate_davis([boxes], ColourPropagator(), tmp_path)
    with pytest.raises(InputError, match="already holds PNGs"):
        evaluate_davis([boxes], ColourPropagator(), tmp_path)
    assert evaluate_davis([boxes], ColourPropagator(), tmp_path, overwrite=True).j.mean == 1.0
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        evaluate_davis([boxes], ColourPropagator(), tmp_path / "file")


def test_evaluate_refuses_a_sequence_without_ground_truth(tmp_path: Path, boxes: ArraySequence):
    class FirstOnly(ArraySequence):
        def has_ids(self, index: int) -> bool:
            return index == 0

    with pytest.raises(InputError, match=r"no ground truth for frame 1 \(7 of 8"):
        evaluate_davis([FirstOnly("boxes", boxes.ids)], ColourPropagator(), tmp_path)


def test_means_equal_the_official_ones(shared: Path):
    official = json.loads((shared / "reference/davis/official.json").read_text())
    predictions = shared / "reference" / "davis" / "predictions"
    expected = official["all_objects_mean_recall_decay"]
    truths = [shared / "data" / "davis2017-multi" / "Annotations" / "240p" / "schoolgirls"]
    truths += [
        shared / "data" / "davis2016" / "Annotations" / "480p" / name
        for name in official["per_sequence_object"]
        if name != "schoolgirls"
    ]
    scored = [score_folder(predictions / truth.name, truth) for truth in truths]
    scores = replace(scored[0], sequences=tuple(sequence for entry in scored for sequence in entry.sequences))
    assert len(scores.objects) == 15
    for got, name in ((scores.j, "J"), (scores.f, "F")):
        np.testing.assert_allclose((got.mean, got.recall, got.decay), expected[name], rtol=0, atol=1e-9)
    assert scores.j_and_f == pytest.approx(expected["J&F"], abs=1e-9)
