"""Whatever fits the OpenAPI document, or does not, is answered: no defect shows, and each refusal is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from shibori.web.app import create_app, openapi_document
from shibori.web.schema import load_nothing
from shibori.web.studio import StudioSettings

from .conftest import HOST
from .made import click, load_boxes

schema = schemathesis.openapi.from_dict(openapi_document(create_app(StudioSettings(Path(), load_nothing, "1"))))


@pytest.fixture(scope="module")
def client(tmp_path_factory, clip_bytes):
    """Of one studio for all routes."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "dog.mp4").write_bytes(clip_bytes)
    with TestClient(create_app(StudioSettings(folder, load_boxes, version="1")), base_url=HOST) as client:
        yield client


@pytest.fixture(scope="module")
def marked(client) -> str:
    project = "/api/projects/" + client.post("/api/projects", json={"clip": "dog.mp4"}).json()["project"]
    client.post(f"{project}/actions", json={"kind": "add_object"})
    client.post(f"{project}/actions", json=click(3))
    return project


@schema.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_shows_a_defect(case, client, marked):
    if "project" in case.path_parameters:
        case.path_parameters["project"] = marked.rsplit("/", 1)[1]
    if isinstance(case.path_parameters.get("index"), int):
        case.path_parameters["index"] %= 20
    asked = case.as_transport_kwargs(base_url=HOST)
    answer = client.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers=asked.get("headers"),
        json=asked.get("json"),
        content=asked.get("data"),
    )
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["sentence"]


def test_the_document_knows_the_events():
    known = schema.raw_schema["components"]["schemas"]
    assert {"Event", "FrameEvent", "StateEvent", "JobEvent", "Problem"} <= set(known)
