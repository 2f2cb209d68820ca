"""What ``shibori segment`` brings into its process: nothing that trains, scores or draws tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import shibori

FORBIDDEN = (
    "shibori.datasets",
    "shibori.evaluation",
    "shibori.training",
    "shibori.session",
    "shibori.web",
    "shibori.batch",
    "tensorboard",
    "scipy",
    "matplotlib",
    "rich",
)
COMMAND = """
import json, sys
from shibori.cli.commands import app
try:
    app(sys.argv[1:], prog_name="shibori")
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("system", ["auto", "pixel"])
def test_segment_imports_what_it_needs(place: Path, system: str):
    line = f"segment clip.mp4 --mask first.png --out out --end 2 --size 64 --device cpu --system {system}"
    environment = os.environ | {"PYTHONPATH": str(Path(shibori.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *line.split()], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stderr.splitlines()[-1])
    assert "shibori.run.job" in imported
    assert [name for name in imported if name.startswith(FORBIDDEN)] == []
    assert [name for name in imported if name.startswith("shibori.") and name.endswith((".train", ".losses"))] == []
