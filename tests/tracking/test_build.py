"""What running the tracker costs before its first frame."""

from __future__ import annotations

import subprocess
import sys


def test_the_compact_tracker_needs_no_torchvision():
    """Importing it takes a second and 160 MB of memory."""
    script = """
import sys
from shibori.tracking.build import build_mask_propagator
build_mask_propagator(device="cpu")
print("torchvision" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
