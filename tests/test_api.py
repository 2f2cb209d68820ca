"""The public face of the package: quick to import, and every name it promises is there."""

from __future__ import annotations

import json
import subprocess
import sys

import shibori

HEAVY = ("torch", "torchvision", "av", "cv2", "PIL", "scipy", "typer", "rich")

MEASURE = """
import json, sys, time
started = time.perf_counter()
import shibori
print(json.dumps({"seconds": time.perf_counter() - started, "modules": sorted(sys.modules)}))
"""


def import_in_a_fresh_process() -> dict[str, object]:
    output = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def test_import_is_quick_and_loads_nothing_heavy():
    # The best of three: another process on the machine may hold up one start, not the import itself.
    tries = [import_in_a_fresh_process() for _ in range(3)]
    assert [name for name in HEAVY if name in tries[0]["modules"]] == []
    assert min(result["seconds"] for result in tries) < 0.5


def test_every_promised_name_is_there():
    for name in getattr(shibori, "__all__", []):
        assert getattr(shibori, name) is not None
    assert len(set(getattr(shibori, "__all__", []))) == len(getattr(shibori, "__all__", []))


def test_promised_names_are_listed_by_dir():
    assert set(getattr(shibori, "__all__", [])) <= set(dir(shibori))


def test_a_name_that_is_not_there_says_so():
    assert not hasattr(shibori, "no_such_name")
