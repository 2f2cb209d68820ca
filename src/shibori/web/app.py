"""The FastAPI application: routes, the events of a project, the page, and what goes wrong as one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from shibori.errors import InputError
from shibori.web import messages as said
from shibori.web.guard import BodyLimit, Guard
from shibori.web.refusals import NotThere, NotTheWriter
from shibori.web.routes import PAGE_PATTERN, PROJECT_PATTERN, router
from shibori.web.studio import Studio, StudioSettings

OPENAPI_URL = "/api/openapi.json"


def create_app(settings: StudioSettings) -> FastAPI:
    """The application of a studio. Its worker process is there while the application runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.studio = Studio(settings)
        yield
        await app.state.studio.close()

    app = FastAPI(
        title="Shibori studio", version=settings.version, lifespan=lifespan, openapi_url=OPENAPI_URL,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.include_router(router)
    app.add_api_websocket_route("/api/projects/{project}/live", live)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, rules=settings.rules)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    if settings.page_folder.is_dir():
        app.mount("/", StaticFiles(directory=settings.page_folder, html=True))
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The routes and their messages, and the events."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document["components"]["schemas"] = {**said.event_schemas(), **document["components"]["schemas"]}
        app.openapi_schema = document
    return app.openapi_schema


async def live(
    socket: WebSocket,
    project: Annotated[str, Path(pattern=PROJECT_PATTERN)],
    page: Annotated[str, Query(pattern=PAGE_PATTERN)],
) -> None:
    """Tell a page what happens to its project, from how it is now."""
    studio: Studio = socket.app.state.studio
    try:
        desk = await studio.desk(project)
    except (NotThere, InputError) as error:
        await socket.close(4404, str(error)[:100])
        return
    await socket.accept()
    queue = desk.pages.enter(page)
    try:
        await socket.send_text(said.StateEvent(state=desk.state(page)).model_dump_json())
        await _until_one_ends(_send(socket, queue), _receive(socket))
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        desk.pages.leave(page, queue)
        desk.tell_state()


async def _send(socket: WebSocket, queue: asyncio.Queue[said.Message | None]) -> None:
    while (event := await queue.get()) is not None:
        await socket.send_text(event.model_dump_json())
    await socket.close(4408)


async def _receive(socket: WebSocket) -> None:
    """A page says nothing here; that it goes is heard."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()


async def _until_one_ends(*works: Any) -> None:
    """All of them end then, whatever came of them."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            task.cancel()
        # Not gather: that forgets who cancelled, and the server would not know its own cancellation any more.
        await asyncio.wait(tasks)


def _problem(status: int, sentence_of: Callable[[Any], str]) -> Callable[[Request, Any], Awaitable[JSONResponse]]:
    async def handler(request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"sentence": sentence_of(error)}, status)

    return handler


def _wrong_field(error: RequestValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function"))
    return f"expected something else in {place}: {first['msg']}"


async def _http_problem(request: Request, error: Any) -> JSONResponse:
    sentence = f"there is nothing at {request.url.path}" if error.status_code == 404 else str(error.detail)
    return JSONResponse({"sentence": sentence}, error.status_code, headers=error.headers)


_HANDLERS: dict[type[Exception], Any] = {
    InputError: _problem(400, str),
    NotThere: _problem(404, str),
    NotTheWriter: _problem(409, lambda _: "another page is at work on this project: take the pen there, or look on"),
    RequestValidationError: _problem(422, _wrong_field),
    HTTPException: _http_problem,
}
