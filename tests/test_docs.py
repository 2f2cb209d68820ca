"""The Python examples of the pages are run, in order, in a folder with a clip and its first mask."""

from __future__ import annotations

import pkgutil
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import shibori.systems as systems
from shibori.media.palette import write_palette_png
from shibori.media.writer import write_video

from .holder import Holder

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    "page",
    [
        "python-api.md",
        "evaluate.md",
        "evaluate-instances.md",
        "evaluate-interactive.md",
        "discover.md",
        "exchange.md",
        "../README.md",
    ],
)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(systems, "PROPAGATORS", {"pixel": lambda **options: Holder()})
    ids = np.zeros((32, 48), np.uint8)
    ids[4:20, 4:20] = 1
    write_palette_png("first.png", ids)
    write_video("clip.mp4", [np.full((32, 48, 3), 9 * index, np.uint8) for index in range(6)], rate=5)
    names = {"system": Holder()}
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), names)


ROOT = DOCS.parent
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("src/**/*.md")])
READERS_PAGES = [
    page for page in PAGES if "experiments" not in page.parts and page.name not in ("training-log.md", "CHANGELOG.md")
]
"""Those that speak of the present; the others name what is gone as well."""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _anchors(page: Path) -> set[str]:
    """What links to the headings of a page are called on GitHub."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^):]+)\)", page.read_text())
    # The pictures are drawn by benchmarks/strip.py, last of all.
    for link in [link for link in links if not link.endswith(".png")]:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text()
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in index] == []


@pytest.mark.parametrize("page", READERS_PAGES, ids=_name)
def test_files_exist(page):
    """Every file or folder of code that a page names is there, from the root or from the package."""
    named = re.findall(r"`((?:[\w.-]+/)+[\w-]+\.py|src/[\w/]+)\b", page.read_text())
    places = (ROOT, ROOT / "src/shibori")
    assert [path for path in named if not any((place / path).exists() for place in places)] == []


@pytest.mark.parametrize("page", READERS_PAGES, ids=_name)
def test_names_exist(page):
    """Every module, class or function that a page names in full can be imported."""
    for name in re.findall(r"`(shibori(?:\.\w+)+)`", page.read_text()):
        assert pkgutil.resolve_name(name) is not None


def test_figures_of_the_readme_are_measured():
    readme, measured = ((ROOT / page).read_text() for page in ("README.md", "docs/performance.md"))
    section = readme.split("## How good")[1].split("\n## ")[0]
    figures = re.findall(r"(?<![\w.])\d*\.\d+\b", section)
    assert figures
    assert [figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}\b", measured)] == []


@cache
def _words_of_the_code() -> frozenset[str]:
    """Everything that could be the name of an option, with hyphens."""
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    words = {word for source in sources for word in re.findall(r"[\w-]+", source.read_text())}
    return frozenset(word.strip("-").replace("_", "-") for word in words)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_and_options_exist(page):
    """Every ``--option`` a page names is an option of some command, benchmark or tool."""
    foreign = {"nproc-per-node", "no-deps"}
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", page.read_text()))
    assert named - foreign <= _words_of_the_code()
