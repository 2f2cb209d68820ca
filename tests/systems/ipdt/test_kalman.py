"""The motion model against Bayes' rule and against boxes that move evenly."""

from __future__ import annotations

import numpy as np

from shibori.systems.ipdt.kalman import (
    GATE,
    begin,
    box_to_measured,
    expected,
    measured_to_box,
    predict,
    squared_distances,
    update,
)

BOX = np.array([10.0, 20, 40, 80])


def moving(steps: int) -> list[np.ndarray]:
    return [BOX + np.array([3, -1, 3, -1]) * step for step in range(steps)]


def test_boxes_and_measures_are_one():
    np.testing.assert_allclose(box_to_measured(BOX), [25, 50, 0.5, 60])
    np.testing.assert_allclose(measured_to_box(box_to_measured(BOX)), BOX)


def test_update_is_the_product_of_both_distributions():
    """In information form: precisions add up."""
    state = predict(begin(BOX))
    _, covariance = expected(state)
    noise = covariance - state.covariance[:4, :4]
    measured = BOX + np.array([2, 1, 5, 4])
    updated = update(state, measured)
    choose = np.eye(4, 8)
    precision = np.linalg.inv(state.covariance) + choose.T @ np.linalg.inv(noise) @ choose
    np.testing.assert_allclose(updated.covariance, np.linalg.inv(precision), rtol=1e-6, atol=1e-12)
    mean = np.linalg.solve(
        precision,
        np.linalg.solve(state.covariance, state.mean) + choose.T @ np.linalg.solve(noise, box_to_measured(measured)),
    )
    np.testing.assert_allclose(updated.mean, mean, rtol=1e-6)


def test_an_even_motion_is_learned_and_goes_on_unseen():
    boxes = moving(40)
    state = begin(boxes[0])
    for box in boxes[1:20]:
        state = update(predict(state), box)
    for _ in range(20):
        state = predict(state)
    np.testing.assert_allclose(state.box_xyxy, boxes[-1], atol=3)


def test_uncertainty_grows_unseen_and_falls_with_a_measure():
    state = predict(begin(BOX))
    assert np.linalg.det(expected(predict(state))[1]) > np.linalg.det(expected(state)[1])
    assert np.linalg.det(update(state, BOX).covariance) < np.linalg.det(state.covariance)


def test_distances_are_mahalanobis():
    state = predict(begin(BOX))
    mean, covariance = expected(state)
    boxes = np.stack([BOX, BOX + 6, BOX + np.array([200, 0, 200, 0])])
    slow = [(box_to_measured(b) - mean) @ np.linalg.inv(covariance) @ (box_to_measured(b) - mean) for b in boxes]
    distances = squared_distances(state, boxes)
    np.testing.assert_allclose(distances, slow)
    assert distances[0] == 0
    assert distances[1] < GATE < distances[2]


def test_the_gate_lets_most_of_what_is_expected_pass():
    rng = np.random.default_rng(0)
    state = predict(begin(BOX))
    mean, covariance = expected(state)
    drawn = np.stack([measured_to_box(m) for m in rng.multivariate_normal(mean, covariance, 2000)])
    assert abs((squared_distances(state, drawn) <= GATE).mean() - 0.95) < 0.02
