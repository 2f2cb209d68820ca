"""What is under way when a server or its worker ends."""

from __future__ import annotations

import time

from fastapi.testclient import TestClient

from shibori.web.app import create_app
from shibori.web.studio import StudioSettings

from .conftest import HOST
from .made import NUM_FRAMES, click, load_boxes, look


def begin(client) -> str:
    """A propagation; the address of its project."""
    project = "/api/projects/" + client.post("/api/projects", json={"clip": "dog.mp4"}).json()["project"]
    client.post(f"{project}/actions", json={"kind": "add_object"})
    client.post(f"{project}/actions", json=click(3))
    return project


def test_a_propagation_goes_on_when_the_server_is_started_again(folder):
    settings = StudioSettings(folder, load_boxes, version="1")
    with TestClient(create_app(settings), base_url=HOST) as client:
        project = begin(client)
        with look(client, project, "page-0001") as socket:
            client.post(f"{project}/propagation", json={"frame": 3}, headers={"X-Page": "page-0001"})
            while socket.receive_json()["kind"] != "frame":
                pass
    with TestClient(create_app(settings), base_url=HOST) as client, look(client, project, "page-0002") as socket:
        done = []
        while not done or done[-1]["kind"] != "job" or done[-1]["job"]["state"] != "done":
            done.append(socket.receive_json())
        frames = [event["view"]["frame"] for event in done if event["kind"] == "frame"]
        assert 0 < len(frames) < NUM_FRAMES
        assert client.get(project).json()["stale"] == []


def test_a_worker_that_dies_is_started_again(folder):
    with TestClient(create_app(StudioSettings(folder, load_boxes, version="1")), base_url=HOST) as client:
        project = begin(client)
        assert client.get(f"{project}/masks/3?compute=true").json()["is_fresh"]
        client.app.state.studio.device._process.kill()
        for _ in range(100):
            answer = client.get(f"{project}/masks/4?compute=true")
            if answer.status_code == 200:
                break
            assert "was started again" in answer.json()["sentence"]
            time.sleep(0.1)
        assert answer.json()["is_fresh"]


def load_in_vain():
    """What a worker without weights does."""
    from shibori.errors import InputError

    raise InputError("there are no weights")


def test_without_networks_the_page_says_why(folder):
    with TestClient(create_app(StudioSettings(folder, load_in_vain, version="1")), base_url=HOST) as client:
        project = begin(client)
        answer = client.get(f"{project}/masks/3?compute=true")
        assert (answer.status_code, answer.json()["sentence"]) == (400, "there are no weights")
        assert client.get("/api/studio").json()["problem"] == "there are no weights"
        assert client.get(f"{project}/frames/3").status_code == 200
