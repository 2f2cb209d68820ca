"""The Python examples of the pages are run, in order, in a folder with a clip and its first mask."""

from __future__ import annotations

import re
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
    ["python-api.md", "evaluate.md", "evaluate-instances.md", "evaluate-interactive.md", "discover.md", "../README.md"],
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


PAGES = sorted([*DOCS.glob("*.md"), DOCS.parent / "README.md", *DOCS.parent.glob("src/shibori/weights_shipped/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    # The pictures are drawn by benchmarks/strip.py, last of all.
    assert [link for link in links if not link.endswith(".png") and not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page):
    """Every ``--option`` a page names is an option of some command, benchmark or tool."""
    sources = [*(DOCS.parent / "src").rglob("*.py"), *(DOCS.parent / "benchmarks").glob("*.py")]
    text = "\n".join(source.read_text() for source in sources)
    known = text + text.replace("_", "-")
    foreign = {"--nproc-per-node"}
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", page.read_text()))
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", known) and f"--{name}" not in foreign] == []
