"""Torchvision's operators, from its library alone: the same numbers as from the package, which is not imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torchvision.ops import nms, roi_align

import shibori
from shibori.ops.kernels import align_regions, suppress

ALONE = """
import json, sys, torch
from shibori.ops.kernels import align_regions, suppress
torch.manual_seed(0)
boxes = torch.rand(30, 2).repeat(1, 2) * 40
boxes[:, 2:] += 5 + 20 * torch.rand(30, 2)
features, scores = torch.rand(1, 3, 9, 9), torch.rand(30)
rois = torch.cat([torch.zeros(30, 1), boxes], 1)
with torch.inference_mode():
    regions = align_regions(features, rois, 4, 1 / 8)
kept = suppress(boxes, scores, 0.3)
package = "torchvision" in sys.modules
features.requires_grad_()
align_regions(features, rois, 4, 1 / 8).sum().backward()
gradient = float(features.grad.sum())
import torchvision.ops as ops
same = torch.equal(regions, ops.roi_align(features, rois, 4, 1 / 8, aligned=True))
same_kept = torch.equal(kept, ops.nms(boxes, scores, 0.3))
print(json.dumps({"package": package, "same": same, "kept": same_kept, "gradient": gradient}))
"""


def test_the_package_is_imported_for_gradients_only():
    environment = os.environ | {"PYTHONPATH": str(Path(shibori.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["package"], found["same"], found["kept"]) == (False, True, True)
    assert found["gradient"] > 0


def test_beside_the_package():
    boxes = torch.tensor([[0.0, 0, 16, 16], [2, 2, 16, 16], [20, 4, 40, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    assert suppress(boxes, scores, 0.5).tolist() == nms(boxes, scores, 0.5).tolist() == [1, 2]
    features = torch.rand(2, 3, 6, 7)
    rois = torch.cat([torch.tensor([[0.0], [1], [1]]), boxes], 1)
    assert torch.equal(align_regions(features, rois, 5, 0.25), roi_align(features, rois, 5, 0.25, aligned=True))
