"""What a person does, in a browser."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .disc_segmenter import NUM_FRAMES, SIZE_HW

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect

expect.set_options(timeout=60_000)


def open_clip(page) -> None:
    page.get_by_role("button", name=re.compile("disc")).last.click()
    page.locator(".viewer canvas[data-shown='0']").wait_for()


def at(page, x: float, y: float) -> tuple[float, float]:
    """A point of the frame in pixels of the page: the frame lies fitted in the canvas, 12 pixels from its border."""
    box = page.locator(".viewer canvas").bounding_box()
    scale = min((box["width"] - 24) / SIZE_HW[1], (box["height"] - 24) / SIZE_HW[0])
    left = box["x"] + (box["width"] - scale * SIZE_HW[1]) / 2
    top = box["y"] + (box["height"] - scale * SIZE_HW[0]) / 2
    return left + scale * SIZE_HW[1] * x, top + scale * SIZE_HW[0] * y


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=6)
    page.mouse.up()


def box_disc(page) -> None:
    """A box around the disc of frame 0."""
    page.keyboard.press("x")
    drag(page, (36 / 320, 66 / 180), (84 / 320, 114 / 180))
    page.locator(".viewer canvas[data-masks='1']").wait_for()


def to_do(page):
    return page.locator(".propagation .told")


def picture(page, name: str) -> None:
    """A screenshot for the documentation, where it is asked for."""
    folder = os.environ.get("SHIBORI_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_from_a_clip_to_its_export(page):
    open_clip(page)
    box_disc(page)
    expect(to_do(page)).to_have_text(f"{NUM_FRAMES} frames to do")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Propagate", exact=True)).to_be_visible()
    expect(to_do(page)).to_have_count(0)
    picture(page, "studio-propagated")

    page.keyboard.press("Control+z")
    expect(page.locator(".viewer canvas")).to_have_attribute("data-masks", "0")
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator(".viewer canvas")).to_have_attribute("data-masks", "1")
    expect(to_do(page)).to_have_count(0)

    page.reload()
    page.locator(".viewer canvas[data-masks='1']").wait_for()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Export", exact=True).last.click()
    link = page.get_by_role("link", name="frames.zip")
    link.wait_for()
    picture(page, "studio-export")
    with page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        masks = [np.asarray(Image.open(archive.open(name))) for name in sorted(archive.namelist())]
    assert len(masks) == NUM_FRAMES
    assert masks[0].shape == SIZE_HW
    rows, columns = np.nonzero(masks[5] == 1)
    assert np.abs(np.array([rows.min(), rows.max(), columns.min(), columns.max()]) - (66, 113, 36, 83)).max() <= 1


def test_a_click_is_seen_before_it_is_made_and_a_killed_server_loses_nothing(page, studio):
    open_clip(page)
    canvas = page.locator(".viewer canvas")
    page.mouse.move(*at(page, 60 / 320, 0.5))
    page.locator(".viewer canvas[data-hover='1']").wait_for()
    expect(canvas).to_have_attribute("data-masks", "0")
    page.mouse.click(*at(page, 60 / 320, 0.5))
    expect(canvas).to_have_attribute("data-masks", "1")
    page.get_by_role("button", name="This is not the object").click()
    page.mouse.click(*at(page, 60 / 320, 0.3))
    expect(page.locator(".marks li")).to_have_count(2)
    page.keyboard.press("f")
    expect(to_do(page)).to_contain_text(f"of {NUM_FRAMES}")
    studio.kill()
    expect(page.locator(".banner")).to_contain_text("The server does not answer")
    studio.start()
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.get_by_role("button", name="Propagate", exact=True)).to_be_visible()
    expect(to_do(page)).to_have_count(0)
    expect(page.locator(".marks li")).to_have_count(2)


def test_keys(page):
    open_clip(page)
    box_disc(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_label("Timeline")).to_have_attribute("aria-valuenow", "11")
    page.keyboard.press("]")
    expect(page.locator(".range")).to_contain_text("Range 0–11")
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Approved", exact=True)).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator(".notice")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("propagate both ways")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
