"""What is refused: other hosts, other pages, guessed tokens, paths that lead out, uploads that are none."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from shibori.web.app import create_app
from shibori.web.guard import LARGEST_BODY, Rules
from shibori.web.studio import StudioSettings

from .made import load_boxes, look

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def guarded(folder):
    """A studio that demands a token."""
    app = create_app(StudioSettings(folder, load_boxes, version="1", rules=Rules(TOKEN)))
    with TestClient(app, base_url="http://studio.example:8000") as client:
        yield client


def test_pages_carry_a_strict_policy(client):
    policy = client.get("/api/studio").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert client.get("/nowhere").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", ""])
def test_another_address_is_refused(client, host):
    answer = client.get("/api/studio", headers={"Host": host})
    assert answer.status_code == 421
    assert "sentence" in answer.json()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:1", "[::1]:8000"])
def test_this_machine_is_answered(client, host):
    assert client.get("/api/studio", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_is_refused(client, project, headers):
    assert client.post(f"{project}/undo", headers=headers).status_code == 403
    assert client.get(project, headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), look(client, project, "page-0001", headers=headers):
        pass


def test_the_own_page_is_answered(client, project):
    headers = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert client.get(project, headers=headers).status_code == 200
    with look(client, project, "page-0001", headers=headers) as socket:
        assert socket.receive_json()["kind"] == "state"


@pytest.mark.parametrize("given", ["", "a", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü"])
def test_a_guessed_token_is_refused(guarded, given):
    assert guarded.get("/", params={"token": given}, follow_redirects=False).status_code == 401
    assert guarded.get("/api/studio", params={"token": given}).status_code == 401
    assert guarded.get("/api/studio", headers={"Authorization": f"Bearer {given}".encode()}).status_code == 401
    with pytest.raises(WebSocketDisconnect) as refused, look(guarded, "/api/projects/000000000000", "page-0001"):
        pass
    assert refused.value.code == 4403


def test_the_token_opens_the_door(guarded):
    assert guarded.get("/api/studio", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    entry = guarded.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert entry.status_code == 303
    assert "httponly" in entry.headers["set-cookie"].lower()
    assert "samesite=strict" in entry.headers["set-cookie"].lower()
    assert guarded.get("/api/studio").status_code == 200


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/passwd", "a/../../secret.mp4", "link.mp4", "dog.mp4/..", "\0"])
def test_nothing_outside_the_folder_is_read(client, folder, path):
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    answer = client.post("/api/projects", json={"clip": path})
    assert answer.status_code in (400, 404)
    assert not list(folder.parent.glob("*.shibori"))
    assert "link.mp4" not in client.get("/api/studio").text


def send(client, name, content):
    headers = {"Content-Type": "application/octet-stream"}
    return client.post("/api/uploads", params={"name": name}, content=content, headers=headers)


def test_a_clip_is_uploaded(client, folder, clip_bytes):
    answer = send(client, "../../ca t?.mp4", clip_bytes)
    assert answer.json() == {"path": "ca t_.mp4"}
    assert (folder / "ca t_.mp4").read_bytes() == clip_bytes
    assert send(client, "ca t?.mp4", clip_bytes).json() == {"path": "ca t_-2.mp4"}
    assert client.post("/api/projects", json={"clip": "ca t_.mp4"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("big.mp4", b"x" * ((1 << 20) + 1), "at most 1 MB"),
        ("page.html", b"<script>", "expected a video file"),
        (".mp4", b"x", "expected a video file"),
        ("..", b"x", "expected a video file"),
        ("text.mp4", b"no video at all", ""),
        ("empty.mp4", b"", ""),
    ],
)
def test_other_uploads_are_refused(client, folder, name, content, sentence):
    answer = send(client, name, content)
    assert answer.status_code == 400
    assert sentence in answer.json()["sentence"]
    assert [path.name for path in folder.iterdir()] == ["dog.mp4"]


def test_too_large_a_message_is_refused(client, project):
    answer = client.post(f"{project}/actions", content=b" " * (LARGEST_BODY + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "explode"}', b'{"kind": "undo"}', b"\xff"])
def test_wrong_messages_are_sentences(client, project, content):
    answer = client.post(f"{project}/actions", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["sentence"]
