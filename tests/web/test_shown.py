"""What is looked at does not wait for what is computed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shibori.web.app import create_app
from shibori.web.studio import StudioSettings

from .conftest import HOST
from .made import NUM_FRAMES, Boxes, click, look

MINE = "page-0001"
PATIENCE_SECONDS = 120


class Stuck(Boxes):
    """Computes no frame of a propagation but the first until a file is there; nor a suggestion."""

    def __init__(self, released: Path, clip=None) -> None:
        super().__init__(clip)
        self.released = released

    def begin(self, clip):
        return Stuck(self.released, clip)

    def _frames(self, rounds, frames, report, cancelled):
        for masks in super()._frames(rounds, frames, report, cancelled):
            yield masks
            if len(frames) > 1:
                self.wait(lambda: False)

    def suggestion(self, rounds, cancelled=None):
        self.wait(cancelled)
        return None if cancelled() else super().suggestion(rounds)

    def wait(self, cancelled) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not self.released.exists() and not cancelled() and time.monotonic() < ends:
            time.sleep(0.01)


@pytest.fixture
def released(tmp_path) -> Path:
    return tmp_path / "released"


@pytest.fixture
def client(folder, released):
    app = create_app(StudioSettings(folder, partial(Stuck, released), version="1"))
    with TestClient(app, base_url=HOST) as client:
        yield client


@pytest.fixture
def marked(client, project):
    client.post(f"{project}/actions", json={"kind": "add_object"})
    client.post(f"{project}/actions", json=click(3))
    return project


def test_a_mark_and_a_hover_are_shown_while_a_frame_is_computed(client, marked, released):
    with look(client, marked, MINE) as socket:
        client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        while socket.receive_json()["kind"] != "frame":
            pass
        hovered = client.post(f"{marked}/preview", json={"round": click(9, x=0.2)["round"]}).json()
        assert hovered["objects"][0]["mask"]["counts"][1] == 16
        client.post(f"{marked}/actions", json={"kind": "add_object"}, headers={"X-Page": MINE})
        client.post(f"{marked}/actions", json=click(9, 2, x=0.2), headers={"X-Page": MINE})
        view = client.get(f"{marked}/masks/9?compute=true").json()
        assert [each["object"] for each in view["objects"]] == [2]
        assert client.get(f"{marked}/masks/9").json() == view
        released.touch()
        while client.get(marked).json()["stale"]:
            socket.receive_json()
    assert [each["object"] for each in client.get(f"{marked}/masks/9").json()["objects"]] == [1, 2]


def test_a_suggestion_is_given_up(client, marked, released):
    released.touch()
    with look(client, marked, MINE) as socket:
        client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        while client.get(marked).json()["stale"]:
            socket.receive_json()
    assert client.get(f"{marked}/suggestion").json()["frame"] == 7
    released.unlink()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: client.get(f"{marked}/suggestion").json())
        while not client.app.state.studio.device.is_busy:
            time.sleep(0.01)
        assert client.get(f"{marked}/masks/{NUM_FRAMES - 1}").status_code == 200
        assert client.delete(f"{marked}/suggestion").status_code == 204
        assert asked.result(PATIENCE_SECONDS) is None
