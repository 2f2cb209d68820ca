"""The unsupervised protocol, against a twin that tries every assignment."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.davis import score_folder
from shibori.evaluation.measures import boundary_measure, region_similarity

from .made import SIZE_HW, moving_boxes, write_masks


def slow_score(truth: list[np.ndarray], results: list[np.ndarray], objects: list[int]) -> float:
    """Mean (J + F) / 2 of the best one-to-one assignment, empty proposals added where there are too few."""
    proposals = sorted(set(np.unique(results).tolist()) - {0, 255}) + [1000 + object_id for object_id in objects]
    tables = {}
    for object_id, proposal in itertools.product(objects, proposals):
        values = []
        for true_ids, pred_ids in zip(truth, results, strict=True):
            void = true_ids == 255
            masks = (pred_ids == proposal, true_ids == object_id, void)
            values.append((region_similarity(*masks) + boundary_measure(*masks)) / 2)
        tables[object_id, proposal] = np.mean(values)
    choices = itertools.permutations(proposals, len(objects))
    return max(np.mean([tables[pair] for pair in zip(objects, choice, strict=True)]) for choice in choices)


def noisy(rng: np.random.Generator, truth: list[np.ndarray], names: list[int]) -> list[np.ndarray]:
    table = np.zeros(256, np.uint8)
    table[1 : len(names) + 1] = names
    return [np.roll(table[ids], rng.integers(-3, 4, 2), axis=(0, 1)) for ids in truth]


@pytest.mark.parametrize("names", [[2, 1], [9, 4], [0, 7], [0, 0]])
@pytest.mark.parametrize("with_void", [False, True])
def test_score_equals_that_of_the_best_assignment(tmp_path: Path, names: list[int], with_void: bool):
    rng = np.random.default_rng(len(names) + sum(names))
    truth = [ids.copy() for ids in moving_boxes(num_frames=5).ids]
    results = noisy(rng, truth, names)
    results[2][:] = 0
    for ids in truth:
        if with_void:
            ids[:12, :30] = 255
    for ids in results:
        ids[40:, :10] = 11  # a proposal that belongs to nothing
    write_masks(tmp_path / "truth" / "boxes", truth)
    write_masks(tmp_path / "results" / "boxes", results)
    scores = score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")
    assert scores.j_and_f == pytest.approx(slow_score(truth, results, [1, 2]), abs=1e-12)
    assert all(len(entry.j_values) == 5 and entry.first_index == 0 for _, entry in scores.objects)


def test_names_do_not_matter(tmp_path: Path):
    truth = moving_boxes().ids
    write_masks(tmp_path / "truth" / "boxes", truth)
    write_masks(tmp_path / "results" / "boxes", [np.array([0, 9, 5], np.uint8)[ids] for ids in truth])
    scores = score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")
    assert scores.j_and_f == 1.0
    assert [(entry.object_id, entry.result_id) for _, entry in scores.objects] == [(1, 9), (2, 5)]
    assert scores.switches == 0


def test_an_object_without_proposal_is_scored_as_empty(tmp_path: Path):
    truth = moving_boxes().ids
    write_masks(tmp_path / "truth" / "boxes", truth)
    write_masks(tmp_path / "results" / "boxes", [np.where(ids == 2, ids, 0).astype(np.uint8) for ids in truth])
    scores = score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")
    assert [(entry.object_id, entry.result_id, entry.j.mean) for _, entry in scores.objects] == [
        (1, None, 0.0),
        (2, 2, 1.0),
    ]


def test_more_than_twenty_proposals_are_refused(tmp_path: Path):
    truth = moving_boxes(num_frames=3).ids
    write_masks(tmp_path / "truth" / "boxes", truth)
    stripes = np.broadcast_to(np.arange(SIZE_HW[1], dtype=np.uint8) // 2 % 22, SIZE_HW).copy()
    write_masks(tmp_path / "results" / "boxes", [stripes] * 3)
    with pytest.raises(InputError, match="21 proposals: the protocol allows 20"):
        score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")


def test_all_frames_are_needed(tmp_path: Path):
    truth = moving_boxes(num_frames=3).ids
    write_masks(tmp_path / "truth" / "boxes", truth)
    folder = write_masks(tmp_path / "results" / "boxes", truth)
    (folder / "00000.png").unlink()
    with pytest.raises(InputError, match=r"no 00000\.png"):
        score_folder(tmp_path / "results", tmp_path / "truth", protocol="unsupervised")
