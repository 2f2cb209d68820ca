"""The import rules of the house, read from the import statements of every file."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "shibori"

# Lowest first. A module imports only from lines below its own; the names on one line are independent of each other.
LINES = (
    {"errors"},
    {"ops", "media"},
    {"nn", "weights", "interfaces"},
    {"datasets", "training"},
    {"tracking", "prompting", "boxtracking"},
    {"systems", "evaluation"},
    {"run", "session"},
    {"batch"},
    {"web", "demo", "doctor"},
    {"cli"},
    {"__init__", "__main__"},
)
HEIGHT = {name: height for height, line in enumerate(LINES) for name in line}

# Third party -> the rooms (or files) that may open its door. A party that is not listed may be used anywhere.
DOORS = {
    "av": ("media/",),
    "PIL": ("media/",),
    "OpenEXR": ("media/",),
    "opentimelineio": ("media/",),
    "pillow_heif": ("media/",),
    "fsspec": ("media/",),
    "pycocotools": ("media/", "evaluation/"),
    "typer": ("cli/",),
    "rich": ("cli/",),
    "click": ("cli/",),
    "fastapi": ("web/",),
    "starlette": ("web/",),
    "uvicorn": ("web/",),
    "sqlalchemy": ("session/",),
    "pydantic": ("web/",),
    "ray": ("batch/ray_engine.py",),
    "pyarrow": ("batch/parquet.py",),
    "segmentation_models_pytorch": ("nn/deeplab.py",),
    "timm": ("nn/deeplab.py",),
    "cv2": (
        "media/",
        "ops/",
        "datasets/",
        "evaluation/",
        "nn/",
        "tracking/",
        "prompting/",
        "boxtracking/",
        "systems/",
        "training/batches.py",
    ),
}
TORCHLESS = ("media/", "session/", "errors.py", "__init__.py")
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "misc", "helpers", "helper"}


def imported_modules(tree: ast.Module, package: str) -> set[str]:
    """Every dotted name the tree imports, at any depth; ``package`` resolves relative imports.

    ``from a import b`` gives both ``a`` and ``a.b``: only the second says which room a name of the root comes from.
    """
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join(parents[: len(parents) - node.level + 1] + ([base] if base else []))
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def room_of(path: str) -> str:
    """The first part of a path under src/shibori, without its ending: ``media/clip.py`` -> ``media``."""
    return path.split("/")[0].removesuffix(".py")


def is_under(path: str, places: tuple[str, ...]) -> bool:
    """Whether a path is one of the files or lies in one of the folders (which end in a slash)."""
    return any(path.startswith(place) if place.endswith("/") else path == place for place in places)


def internal_violations(path: str, module: str) -> list[str]:
    """What is wrong with a file of ours at ``path`` importing ``module`` of ours."""
    room, parts = room_of(path), module.split(".")
    if len(parts) == 1:  # the root package, for its version: only those above everything may look up to it
        return [] if room in {"cli", "__init__", "__main__"} else [f"{path} imports the package root"]
    target = parts[1]
    if room in {"run", "session"} and target == "systems":
        return _systems_by_name(path, parts)
    if target not in HEIGHT or target == room:
        return _between_systems(path, parts) if target == room == "systems" else []
    if room == "__init__" or HEIGHT[target] < HEIGHT[room]:
        return []
    return [f"{path} imports {module}, which is not below it"]


def _systems_by_name(path: str, parts: list[str]) -> list[str]:
    """Runs and sessions know interfaces: their one door to the systems is the choice, which has them by name alone."""
    if path != "run/choice.py":
        return [f"{path} imports {'.'.join(parts)}: only run/choice.py knows the systems"]
    is_one = len(parts) > 2 and (SOURCE / "systems" / parts[2]).is_dir()
    return [f"{path} imports {'.'.join(parts)}: a system is known only by its name"] if is_one else []


def _between_systems(path: str, parts: list[str]) -> list[str]:
    own = path.split("/")[1]
    if own == "__init__.py" or len(parts) < 3 or parts[2] == own:
        return []
    return [f"{path} imports {'.'.join(parts)}: the systems do not know each other"]


def third_party_violations(path: str, module: str) -> list[str]:
    """What is wrong with a file of ours at ``path`` importing the foreign ``module``."""
    party = module.split(".")[0]
    if party in DOORS and not is_under(path, DOORS[party]):
        return [f"{path} imports {party}, whose door is {' '.join(DOORS[party])}"]
    if party in {"torch", "torchvision"} and is_under(path, TORCHLESS):
        return [f"{path} imports {party}, and has none"]
    return []


def violations(path: str, source: str) -> list[str]:
    """Every broken rule of one file, given by its path under src/shibori and its text."""
    package = ".".join(["shibori", *path.split("/")[:-1]])
    found = [] if room_of(path) in HEIGHT else [f"{path} is in no line of the plan: add its room to LINES"]
    found += [f"{path}: no module is called {part}" for part in _names(path) if part in FORBIDDEN_NAMES]
    if room_of(path) not in HEIGHT:
        return found
    for module in sorted(imported_modules(ast.parse(source), package)):
        is_ours = module.split(".")[0] == "shibori"
        found += internal_violations(path, module) if is_ours else third_party_violations(path, module)
    return found


def _names(path: str) -> list[str]:
    return path.removesuffix(".py").split("/")


FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


def test_there_is_a_house():
    assert "errors.py" in FILES
    assert len(FILES) > 5


@pytest.mark.parametrize("path", FILES)
def test_file_keeps_the_rules(path: str):
    assert violations(path, (SOURCE / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("ops/warp.py", "from shibori.nn.flow import Flow", "not below"),
        ("ops/warp.py", "from shibori.media.clip import Clip", "not below"),
        ("media/clip.py", "import torch", "has none"),
        ("media/clip.py", "def f():\n    from torchvision.io import read_image", "has none"),
        ("session/project.py", "import torch.nn", "has none"),
        ("evaluation/davis.py", "from shibori.systems.ipdt import build", "not below"),
        ("evaluation/davis.py", "from shibori import systems", "not below"),
        ("nn/backbones.py", "from shibori.tracking.presets import PixelTracker", "not below"),
        ("boxtracking/trunks.py", "from shibori.tracking.presets import PixelTracker", "not below"),
        ("prompting/segmenter.py", "from shibori.tracking.network import Memory", "not below"),
        ("tracking/propagator.py", "from shibori.systems.ipdt import build", "not below"),
        ("run/propagate.py", "from shibori.systems import PROPAGATORS", "only run/choice.py knows"),
        ("run/choice.py", "from shibori.systems.dyenet.build import build_dyenet", "only by its name"),
        ("run/propagate.py", "from shibori.session.project import Project", "not below"),
        ("session/project.py", "import shibori.systems.ipdt", "only run/choice.py knows"),
        ("training/losses.py", "from ..systems import ipdt", "not below"),
        ("systems/ipdt/model.py", "from shibori.systems.dyenet.model import ReID", "do not know each other"),
        ("systems/ipdt/model.py", "from ..dyenet import model", "do not know each other"),
        ("systems/ipdt/model.py", "from shibori.evaluation.measures import boundary_measure", "not below"),
        ("datasets/davis.py", "from PIL import Image", "whose door is"),
        ("evaluation/report.py", "import PIL.Image", "whose door is"),
        ("nn/flow.py", "import av", "whose door is"),
        ("web/routes.py", "import typer", "whose door is"),
        ("batch/here.py", "import ray", "whose door is"),
        ("cli/commands.py", "import cv2", "whose door is"),
        ("media/clip.py", "import shibori", "package root"),
        ("errors.py", "from shibori.media import clip", "not below"),
        ("attic/x.py", "", "in no line of the plan"),
        ("media/utils.py", "", "no module is called utils"),
        ("nn/helpers/x.py", "", "no module is called helpers"),
    ],
)
def test_the_checker_catches(path: str, source: str, expected: str):
    found = violations(path, source)
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ops/warp.py", "import torch\nfrom shibori.ops.resize import resize\nfrom shibori.errors import InputError"),
        ("media/clip.py", "import av\nimport cv2\nfrom PIL import Image"),
        ("systems/__init__.py", "from shibori.systems.ipdt import build\nfrom shibori.systems import dyenet"),
        ("systems/ipdt/inference.py", "from shibori.tracking.presets import Pixel\nfrom .model import Pixel"),
        ("evaluation/davis.py", "from shibori.interfaces import Propagator\nfrom shibori.datasets.davis import x"),
        ("run/choice.py", "import shibori.systems as systems\nfrom shibori.systems import PROPAGATORS"),
        ("run/job.py", "from shibori.run.choice import SystemChoice\nfrom shibori.interfaces import Propagator"),
        ("batch/ray_engine.py", "import ray"),
        ("cli/commands.py", "import typer, rich.progress\nfrom shibori import __version__, systems"),
        ("__init__.py", "from shibori.cli import main\nfrom .media.clip import Clip"),
    ],
)
def test_the_checker_lets_pass(path: str, source: str):
    assert violations(path, textwrap.dedent(source)) == []
