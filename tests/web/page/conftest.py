"""The page in a real browser, against a real server, whose segmenter paints discs.

With SHIBORI_SCREENSHOTS=FOLDER the tests leave pictures of the page there; those in docs/images are such.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from shibori.media.writer import write_video
from shibori.web.studio import PAGE_FOLDER

from .disc_segmenter import disc_frames

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS_TO_START = 120
PATIENCE = 60_000
"""Milliseconds for which a browser waits for what it is to show: machines are busy."""


class Studio:
    """A server in a process of its own, that can be killed and started again.

    Args:
        folder: that is served.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        """Until it answers."""
        paths = [str(Path(__file__).parents[3]), *sys.path]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from tests.web.page.disc_segmenter import serve_discs; serve_discs()",
                self.folder,
                str(self.port),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        )
        ends = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}api/studio", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the studio did not start")

    def kill(self) -> None:
        """As a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """As a person does."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    if not (PAGE_FOLDER / "index.html").is_file():
        pytest.skip("the page is not built: make page, where npm's registry can be reached")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def studio(browser, tmp_path) -> Iterator[Studio]:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "disc.mp4", disc_frames(), rate=12)
    served = Studio(folder)
    yield served
    served.close()


@pytest.fixture
def page(browser, studio):
    """A page that says nothing wrong on its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.said = said
    page.goto(studio.url)
    yield page
    assert [each for each in said if "ERR_CONNECTION" not in each] == []
    context.close()
