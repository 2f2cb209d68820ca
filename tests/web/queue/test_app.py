"""Jobs over HTTP: what is taken, what is refused, and that none is lost, whoever dies."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from shibori.batch.local_engine import LocalEngine
from shibori.web.guard import Rules
from shibori.web.queue.app import create_queue_app
from shibori.web.queue.hooks import SIGNATURE, HookRules, HookSender, signature
from shibori.web.queue.jobs import JobQueue, QueueSettings

from ...batch.painted import NUM_FRAMES, make_clips, painted

HOST, SECRET = "http://127.0.0.1", "a secret of 24 letters.."


PAINTING = partial(LocalEngine, 1, painted())


def make_settings(place: Path, make_engine=PAINTING, **options) -> QueueSettings:
    return QueueSettings(place / "clips", place / "out", make_engine, **options)


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder ``clips`` with a.mp4 and first.png, and a clip beside it that is nobody's business."""
    (tmp_path / "clips").mkdir()
    make_clips(tmp_path / "clips", ["a"])
    make_clips(tmp_path, ["secret"])
    return tmp_path


def until(client: TestClient, job_id: str, seconds: float = 60) -> dict:
    last = time.monotonic() + seconds
    while (job := client.get(f"/v1/jobs/{job_id}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < last
        time.sleep(0.05)
    return job


def test_a_job_from_begin_to_end(place):
    with TestClient(create_queue_app(make_settings(place), Rules()), base_url=HOST) as client:
        answer = client.post("/v1/jobs", json={"clip": "a.mp4", "mask": ["first.png"]})
        assert answer.status_code == 202, answer.text
        bad = client.post("/v1/jobs", json={"clip": "none.mp4"}).json()["id"]
        job = until(client, answer.json()["id"])
        assert (job["state"], job["done"], job["result"]["objects"]) == ("done", NUM_FRAMES, [1, 2])
        failed = until(client, bad)
        assert failed["state"] == "failed"
        assert "there is no file or folder" in failed["reasons"][0]
        files = client.get(f"/v1/jobs/{job['id']}/files").json()
        assert files == [*(f"{index:05d}.png" for index in range(NUM_FRAMES)), "tracks.json"]
        assert client.get(f"/v1/jobs/{job['id']}/files/tracks.json").json()["clip"] == "a"
        assert client.get(f"/v1/jobs/{bad}/files").status_code == 404
        assert [each["id"] for each in client.get("/v1/jobs?state=failed").json()] == [bad]
        assert [each["id"] for each in client.get("/v1/jobs?after=1").json()] == [bad]
        assert client.get("/v1/health").json()["jobs"] == {"queued": 0, "running": 0, "done": 1, "failed": 1}
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        assert client.get(f"/v1/jobs/{job['id']}").status_code == 404
    assert list((place / "out" / "results").iterdir()) == []


class Nobody(LocalEngine):
    """An engine that has no worker."""

    num_free = 0

    def __init__(self) -> None:
        super().__init__(1)


@pytest.fixture
def client(place):
    """Of a server whose jobs stay queued."""
    settings = make_settings(place, Nobody, most_waiting=2)
    with TestClient(create_queue_app(settings, Rules()), base_url=HOST) as client:
        yield client


@pytest.mark.parametrize(
    ("job", "status", "said"),
    [
        ({"clip": "../secret.mp4"}, 400, "outside the folder"),
        ({"clip": "/etc/passwd"}, 400, "outside the folder"),
        ({"clip": "a.mp4", "mask": ["3:../first.png"]}, 400, "outside the folder"),
        ({"clip": "a.mp4", "weights": "/tmp/w"}, 400, "outside the folder"),
        ({"clip": "https://example.org/a.mp4"}, 400, "fetches no clips"),
        ({"clip": "a.mp4", "colour": "red"}, 400, "unknown column 'colour'"),
        ({"clip": "a.mp4", "name": "x"}, 400, "called by its id"),
        ({"clip": "a.mp4", "webhook": "http://example.org/"}, 400, "sends no webhooks"),
        ({"mask": "a.png"}, 422, "clip"),
        ([], 422, "body"),
    ],
)
def test_what_is_refused(client, job, status, said):
    answer = client.post("/v1/jobs", json=job)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["sentence"]


def test_addresses_that_may_be_fetched(place):
    with TestClient(create_queue_app(make_settings(place, Nobody, may_fetch=True), Rules()), base_url=HOST) as client:
        assert client.post("/v1/jobs", json={"clip": "https://example.org/a.mp4"}).status_code == 202
        answer = client.post("/v1/jobs", json={"clip": f"file://{place}/secret.mp4"})
        assert (answer.status_code, "over the network alone" in answer.text) == (400, True)


def test_limits(client):
    ids = [client.post("/v1/jobs", json={"clip": "a.mp4"}).json()["id"] for _ in range(2)]
    answer = client.post("/v1/jobs", json={"clip": "a.mp4"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert client.delete(f"/v1/jobs/{ids[0]}").status_code == 204
    assert client.post("/v1/jobs", json={"clip": "a.mp4"}).status_code == 202


def test_files_stay_in_their_folder(place):
    with TestClient(create_queue_app(make_settings(place), Rules()), base_url=HOST) as client:
        job = until(client, client.post("/v1/jobs", json={"clip": "a.mp4", "mask": "first.png"}).json()["id"])
        for name in ("../../jobs", "../../../secret.mp4", "/etc/passwd", ""):
            assert client.get(f"/v1/jobs/{job['id']}/files/{quote(name, safe='')}").status_code == 404


def test_the_token(place):
    app = create_queue_app(make_settings(place, Nobody), Rules("a token of sixteen letters"))
    with TestClient(app, base_url="http://elsewhere") as client:
        assert client.get("/v1/jobs").status_code == 401
        assert client.get("/v1/jobs", headers={"authorization": "Bearer a token of sixteen letters"}).status_code == 200


def test_openapi_says_all(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/files", "/v1/jobs/{job_id}/files/{name}", "/v1/health",
    }  # fmt: skip
    assert {"JobRequest", "JobView", "Problem"} <= document["components"]["schemas"].keys()


class Listener:
    """A server of somebody who wants to know; answers with the statuses given, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        waiting = list(statuses)
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((self.headers[SIGNATURE], body))
                self.send_response(waiting.pop(0) if waiting else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def listener():
    made = Listener(500)
    yield made
    made.close()


def test_webhooks_are_signed_and_sent_again(place, listener, monkeypatch):
    monkeypatch.setattr("shibori.web.queue.jobs.HookSender", partial(HookSender, waits=(0.05, 0.05)))
    settings = make_settings(place, hooks=HookRules(SECRET, (listener.host,)))
    with TestClient(create_queue_app(settings, Rules()), base_url=HOST) as client:
        row = {"clip": "a.mp4", "mask": "first.png", "webhook": f"http://{listener.host}/done?x=1"}
        job = until(client, client.post("/v1/jobs", json=row).json()["id"])
        refused = client.post("/v1/jobs", json={**row, "webhook": "http://elsewhere/"})
        assert refused.status_code == 400
        last = time.monotonic() + 20
        while client.get(f"/v1/jobs/{job['id']}").json()["webhook"] != "delivered":
            assert time.monotonic() < last
            time.sleep(0.05)
    assert len(listener.heard) == 2
    signed, body = listener.heard[1]
    assert signed == signature(SECRET, int(signed[2:].split(",")[0]), body)
    assert signed != signature("another", int(signed[2:].split(",")[0]), body)
    assert (json.loads(body)["id"], json.loads(body)["state"]) == (job["id"], "done")


def test_what_a_server_left_is_done_by_the_next(place, listener):
    rules = HookRules(SECRET, (listener.host,))
    queue = JobQueue(make_settings(place, Nobody, hooks=rules))
    ids = [queue.submit({"clip": "a.mp4", "mask": "first.png"}, f"http://{listener.host}/").id for _ in range(3)]
    queue.remove(ids[1])
    queue.close()
    with TestClient(create_queue_app(make_settings(place, hooks=rules), Rules()), base_url=HOST) as client:
        assert [until(client, job_id)["state"] for job_id in (ids[0], ids[2])] == ["done", "done"]
        new = client.post("/v1/jobs", json={"clip": "a.mp4"}).json()
        assert new["number"] == 4
