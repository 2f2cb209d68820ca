from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shibori.media.writer import write_video
from shibori.web.app import create_app
from shibori.web.studio import StudioSettings

from .made import NUM_FRAMES, load_boxes, moving_frames

HOST = "http://127.0.0.1"


@pytest.fixture(scope="session")
def clip_bytes(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "dog.mp4"
    write_video(path, moving_frames(NUM_FRAMES), rate=25)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path, clip_bytes) -> Path:
    """What is served: a clip."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "dog.mp4").write_bytes(clip_bytes)
    (tmp_path / "secret.mp4").write_bytes(clip_bytes)
    return served


@pytest.fixture
def client(folder):
    """Of a studio whose segmenter paints boxes, in a process of its own."""
    app = create_app(StudioSettings(folder, load_boxes, version="1", largest_upload=1 << 20))
    with TestClient(app, base_url=HOST) as client:
        yield client


@pytest.fixture
def project(client) -> str:
    """The address of the clip's project."""
    answer = client.post("/api/projects", json={"clip": "dog.mp4"})
    assert answer.status_code == 200, answer.text
    return f"/api/projects/{answer.json()['project']}"
