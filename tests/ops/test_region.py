"""Regions and cells: there and back, sizes, overlaps."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_iou

from shibori.ops.region import (
    box_centres,
    boxes_into_cells,
    boxes_out_of_cells,
    centre_form,
    corner_form,
    object_sizes,
    paired_iou,
    square_regions,
)


def random_boxes(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = 50 * torch.rand((*shape, 2), generator=generator)
    return torch.cat([corners, corners + 1 + 40 * torch.rand((*shape, 2), generator=generator)], -1)


def test_the_size_of_a_square_is_its_side_and_that_of_a_long_box_more_than_its_root():
    sizes = object_sizes(torch.tensor([[5.0, 5.0, 15.0, 15.0], [0.0, 0.0, 40.0, 2.5]]))
    assert sizes[0] == 10
    assert 10 < sizes[1] < 40


def test_regions_are_about_their_centres():
    centres, sides = torch.tensor([[3.0, 4.0], [10.0, 0.0]]), torch.tensor([2.0, 6.0])
    regions = square_regions(centres, sides)
    torch.testing.assert_close(box_centres(regions), centres)
    torch.testing.assert_close(regions[:, 2:] - regions[:, :2], sides[:, None].expand(2, 2))


@pytest.mark.parametrize("shape", [(3,), (3, 5)])
def test_into_cells_and_out_again(shape: tuple[int, ...]):
    regions = square_regions(torch.rand(3, 2) * 30, torch.tensor([20.0, 40.0, 5.0]))
    boxes = random_boxes(*shape)
    there = boxes_into_cells(boxes, regions, 10)
    torch.testing.assert_close(boxes_out_of_cells(there, regions, 10), boxes)
    torch.testing.assert_close(boxes_into_cells(regions, regions, 10), torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 3))


def test_the_two_forms_of_a_box():
    boxes = random_boxes(4, 2)
    torch.testing.assert_close(corner_form(*centre_form(boxes)), boxes)


def test_overlap_equals_torchvisions():
    first, second = random_boxes(20), random_boxes(20, seed=1)
    torch.testing.assert_close(paired_iou(first, second), box_iou(first, second).diagonal())
    torch.testing.assert_close(paired_iou(first[:, None], second), box_iou(first, second))
