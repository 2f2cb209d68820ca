from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest

from shibori.media.view import encode_runs

from .made import NUM_FRAMES, SIZE_HW, click, look

MINE, OTHER = "page-0001", "page-0002"


def do(client, project, action, page=None):
    headers = {} if page is None else {"X-Page": page}
    answer = client.post(f"{project}/actions", json=action, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def marked(client, project):
    """With one object, clicked in frame 3."""
    do(client, project, {"kind": "add_object"})
    do(client, project, click(3))
    return project


def events_until(socket, kind, **wanted):
    """The events up to one of a kind, whose job has some values."""
    events = []
    while True:
        event = socket.receive_json()
        events.append(event)
        if event["kind"] == kind and all(event.get("job", {})[name] == value for name, value in wanted.items()):
            return events


def test_a_studio_shows_what_is_in_its_folder(client, project):
    studio = client.get("/api/studio").json()
    assert [clip["path"] for clip in studio["clips"]] == ["dog.mp4"]
    assert [card["name"] for card in studio["projects"]] == ["dog"]
    assert studio["open_project"] is None
    assert "prores" in studio["formats"]


def test_a_project_is_made_once(client, project):
    again = client.post("/api/projects", json={"clip": "dog.mp4"}).json()
    assert project.endswith(again["project"])
    assert (again["clip"]["width"], again["clip"]["num_frames"]) == (SIZE_HW[1], NUM_FRAMES)


def test_what_is_seen_is_frame_n(client, project):
    for index in (0, 9, 4):
        answer = client.get(f"{project}/frames/{index}")
        assert answer.headers["content-type"] == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[:2] == SIZE_HW
        assert abs(float(picture.mean()) - (8 * index + 20)) < 4
    small = cv2.imdecode(np.frombuffer(client.get(f"{project}/frames/2?width=32").content, np.uint8), 1)
    assert small.shape[:2] == (24, 32)
    assert client.get(f"{project}/frames/{NUM_FRAMES}").status_code == 404


def test_actions_undo_and_redo(client, project):
    state = do(client, project, {"kind": "add_object", "name": "dog", "colour": "#00ff00"})
    assert state["objects"] == [{"id": 1, "name": "dog", "colour": "#00ff00", "locked": False, "hidden": False}]
    state = do(client, project, click(3))
    assert state["rounds"][0]["lines"] == [[[0.5, 0.5]]]
    assert state["stale"] == [[0, NUM_FRAMES - 1]]
    do(client, project, {"kind": "change_object", "object": 1, "locked": True})
    refused = client.post(f"{project}/actions", json=click(4))
    assert refused.status_code == 400
    assert refused.json()["sentence"] == "dog is locked: unlock it first"
    assert client.post(f"{project}/undo").json()["redo"] == "change object"
    assert client.post(f"{project}/undo").json()["rounds"] == []
    assert client.post(f"{project}/redo").json()["undo"] == "mark"
    state = do(client, project, {"kind": "set_range", "start": 2, "stop": 6})
    assert state["range"] == {"start": 2, "stop": 6}
    assert client.get(project).json()["version"] == state["version"]


def test_masks_of_a_marked_frame(client, marked):
    assert client.get(f"{marked}/masks/3").json()["objects"] == []
    view = client.get(f"{marked}/masks/3?compute=true").json()
    assert view["is_fresh"]
    shown = view["objects"][0]
    assert shown["object"] == 1
    assert sum(shown["mask"]["counts"]) == SIZE_HW[0] * SIZE_HW[1]
    assert sum(shown["mask"]["counts"][1::2]) == 16 * 16
    assert client.get(f"{marked}/masks/3").json() == view
    do(client, marked, click(3, x=0.2))
    assert not client.get(f"{marked}/masks/3").json()["is_fresh"]


def test_a_hover_shows_and_saves_nothing(client, marked):
    mark = click(3, x=0.2)["round"]
    view = client.post(f"{marked}/preview", json={"round": mark}).json()
    assert view["objects"][0]["mask"]["counts"][1] == 16
    assert client.get(f"{marked}/masks/3").json()["objects"] == []
    assert len(client.get(marked).json()["rounds"]) == 1


def test_painting_changes_what_is_shown(client, marked):
    area = np.zeros(SIZE_HW, bool)
    area[:4, :6] = True
    rle = {"height": SIZE_HW[0], "width": SIZE_HW[1], "counts": encode_runs(area)}
    paint = {"kind": "paint", "frame": 3, "object": 1, "mode": "add", "area": rle}
    assert do(client, marked, paint)["rounds"][-1]["kind"] == "mask"
    do(client, marked, {**paint, "mode": "replace", "frame": 5})
    whole = {**rle, "counts": [0, SIZE_HW[0] * SIZE_HW[1]]}
    assert do(client, marked, {**paint, "mode": "erase", "area": whole})["rounds"][-1]["kind"] == "absence"
    wrong = client.post(f"{marked}/actions", json={**paint, "area": {**rle, "counts": [5]}})
    assert wrong.status_code == 400
    assert "runs over" in wrong.json()["sentence"]


def test_a_propagation_streams_and_is_kept(client, marked):
    with look(client, marked, MINE) as socket:
        assert socket.receive_json()["kind"] == "state"
        job = client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE}).json()
        assert job["state"] == "queued"
        events = events_until(socket, "job", state="done")
    frames = [event["view"]["frame"] for event in events if event["kind"] == "frame"]
    assert sorted(frames) == list(range(NUM_FRAMES))
    assert client.get(marked).json()["stale"] == []
    timeline = client.get(f"{marked}/timeline").json()
    assert timeline["fresh"] == [[0, NUM_FRAMES - 1]]
    assert timeline["strips"][0]["states"] == "t" * NUM_FRAMES
    assert timeline["strips"][0]["confidence"] == [75] * NUM_FRAMES
    again = do(client, marked, click(3, x=0.2))
    assert again["stale"] == [[0, NUM_FRAMES - 1]]
    assert client.post(f"{marked}/undo").json()["stale"] == []


def test_it_stops_at_once_answers_meanwhile_and_goes_on(client, marked):
    with look(client, marked, MINE) as socket:
        client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        events_until(socket, "frame")
        assert client.get(f"{marked}/masks/15?compute=true").json()["is_fresh"]
        state = client.delete(f"{marked}/propagation", headers={"X-Page": MINE}).json()
        assert state["jobs"][0]["state"] == "stopped"
        left = state["stale"]
        assert left
        job = client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE}).json()
        events_until(socket, "job", state="running", id=job["id"])
        events = events_until(socket, "job", state="done")
    frames = {event["view"]["frame"] for event in events if event["kind"] == "frame"}
    assert frames == {frame for first, last in left for frame in range(first, last + 1)}


def test_a_correction_in_its_midst_begins_it_anew(client, marked):
    with look(client, marked, MINE) as socket:
        client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        events_until(socket, "frame")
        do(client, marked, click(8, x=0.2), MINE)
        events_until(socket, "job", state="done")
    assert client.get(marked).json()["stale"] == []


def test_one_way_alone(client, marked):
    with look(client, marked, MINE) as socket:
        order = {"frame": 10, "direction": "forward"}
        client.post(f"{marked}/propagation", json=order, headers={"X-Page": MINE})
        events_until(socket, "job", state="done")
    assert client.get(marked).json()["stale"] == [[0, 9]]


def test_one_page_writes_and_the_other_sees_it(client, project):
    with (
        look(client, project, MINE) as mine,
        look(client, project, OTHER) as other,
    ):
        assert mine.receive_json()["state"]["is_writer"]
        assert not other.receive_json()["state"]["is_writer"]
        refused = client.post(f"{project}/actions", json={"kind": "add_object"}, headers={"X-Page": OTHER})
        assert refused.status_code == 409
        do(client, project, {"kind": "add_object"}, MINE)
        assert len(events_until(other, "state")[-1]["state"]["objects"]) == 1
        assert client.post(f"{project}/writer", headers={"X-Page": OTHER}).json()["is_writer"]
        do(client, project, {"kind": "add_object"}, OTHER)
        assert client.post(f"{project}/undo", headers={"X-Page": MINE}).status_code == 409


def test_mattes_with_shaped_edges(client, marked):
    assert client.get(f"{marked}/mattes/3").status_code == 404
    client.get(f"{marked}/masks/3?compute=true")
    areas = []
    for query in ("", "?choke=2", "?objects=1&choke=-2"):
        answer = client.get(f"{marked}/mattes/3{query}")
        assert answer.headers["content-type"] == "image/png"
        alpha = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert alpha.shape == SIZE_HW
        areas.append(float(alpha.sum()) / 255)
    assert areas[1] < areas[0] == 16 * 16 < areas[2]


def test_what_next(client, project):
    assert client.get(f"{project}/suggestion").json() is None
    do(client, project, {"kind": "add_object", "name": "dog"})
    do(client, project, click(3))
    assert client.get(f"{project}/suggestion").json() is None
    client.get(f"{project}/masks/9?compute=true")
    assert client.get(f"{project}/suggestion").json()["frame"] == 9  # of what is kept
    with look(client, project, MINE) as socket:
        client.post(f"{project}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        events_until(socket, "job", state="done")
    found = client.get(f"{project}/suggestion").json()  # of the system, which has looked at all frames
    assert (found["frame"], found["object"]) == (7, 1)
    assert found["reason"].startswith("dog is least certain in frame 7")


def test_an_export_in_the_background(client, marked):
    with look(client, marked, MINE) as socket:
        job = client.post(f"{marked}/exports", json={"formats": ["palette"]}).json()
        failed = events_until(socket, "job", state="failed", id=job["id"])[-1]["job"]
        assert "not up to date: propagate first" in failed["sentence"]
        client.post(f"{marked}/propagation", json={"frame": 3}, headers={"X-Page": MINE})
        events_until(socket, "job", state="done")
        job = client.post(f"{marked}/exports", json={"formats": ["palette", "rle"]}).json()
        events_until(socket, "job", state="done", id=job["id"])
    files = {each["name"]: each for each in client.get(f"{marked}/exports").json()}
    assert set(files) == {"masks.json", "frames.zip"}
    archive = zipfile.ZipFile(io.BytesIO(client.get(files["frames.zip"]["url"]).content))
    assert len(archive.namelist()) == NUM_FRAMES
    assert client.get(files["masks.json"]["url"]).json()
    for path in ("exports/001/../project.sqlite", "exports/002/masks.shibori", "exports/002/.frames.zip"):
        assert client.get(f"{marked}/{path}").status_code == 404
    assert client.post(f"{marked}/exports", json={"formats": ["gif"]}).status_code == 400


def test_thumbnails_come_by_and_by(client, project):
    with look(client, project, MINE) as socket:
        while client.get(f"{project}/timeline").json()["thumbnails_done"] < NUM_FRAMES:
            socket.receive_json()
    answer = client.get(f"{project}/thumbnails/5")
    assert answer.headers["content-type"] == "image/jpeg"


def test_a_clip_that_was_moved_is_asked_for(client, project, folder):
    (folder / "dog.mp4").rename(folder / "moved.mp4")
    assert client.get(f"{project}").json()["clip"]["is_there"]  # it is open
    state = client.put(f"{project}/clip", json={"path": "moved.mp4"}).json()
    assert state["clip"]["path"].endswith("moved.mp4")
    assert client.put(f"{project}/clip", json={"path": "../secret.mp4"}).status_code == 404
