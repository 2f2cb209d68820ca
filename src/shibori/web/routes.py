"""What can be asked of a studio under /api. Each route translates, calls its desk, and translates back."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse

from shibori.media.edges import EdgeControls
from shibori.web import messages as said
from shibori.web.desk import Desk
from shibori.web.studio import Studio
from shibori.web.translation import export_from

PAGE_PATTERN = "^[A-Za-z0-9-]{8,64}$"
PROJECT_PATTERN = "^[0-9a-f]{12}$"
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}

PageHeader = Annotated[str | None, Header(alias="X-Page", pattern=PAGE_PATTERN)]
Index = Annotated[int, Path(ge=0, lt=1 << 31)]

PROBLEMS = {
    status: {"model": said.Problem, "description": description}
    for status, description in {
        400: "The input is wrong, or the disk refuses.",
        401: "A token is needed.",
        403: "Asked by another page.",
        404: "There is no such thing.",
        409: "Another page holds the pen.",
        413: "Too much was sent.",
        421: "Asked under another address.",
        422: "Not what this takes.",
    }.items()
}
router = APIRouter(prefix="/api", responses=PROBLEMS)  # type: ignore[arg-type]


def studio_of(request: Request) -> Studio:
    """The server's."""
    studio: Studio = request.app.state.studio
    return studio


StudioHere = Annotated[Studio, Depends(studio_of)]


async def desk_of(project: Annotated[str, Path(pattern=PROJECT_PATTERN)], studio: StudioHere) -> Desk:
    """Of the project in the address."""
    return await studio.desk(project)


DeskHere = Annotated[Desk, Depends(desk_of)]


@router.get("/studio")
async def show_studio(studio: StudioHere) -> said.Studio:
    """The server and what it offers."""
    return await studio.view()


@router.post("/projects")
async def open_project(order: said.NewProject, studio: StudioHere, page: PageHeader = None) -> said.State:
    """The project of a clip: the one that is there, or a new one."""
    return (await studio.new_project(order.clip)).state(page)


@router.post(
    "/uploads",
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}},
)
async def upload(
    request: Request, name: Annotated[str, Query(min_length=1, max_length=300)], studio: StudioHere
) -> said.Uploaded:
    """Send a clip, as it is."""
    return said.Uploaded(path=await studio.library.take_upload(name, request.stream()))


@router.get("/projects/{project}")
async def show_project(desk: DeskHere, page: PageHeader = None) -> said.State:
    """The project as it is now."""
    return desk.state(page)


@router.put("/projects/{project}/clip")
async def move_clip(place: said.ClipPlace, desk: DeskHere, studio: StudioHere, page: PageHeader = None) -> said.State:
    """Say where the clip is now."""
    return await desk.move_clip(studio.library.inside(place.path), page)


@router.post("/projects/{project}/actions")
async def act(action: said.Action, desk: DeskHere, page: PageHeader = None) -> said.State:
    """Do something. It is on the disk before this answers."""
    return await desk.act(action, page)


@router.post("/projects/{project}/undo")
async def undo(desk: DeskHere, page: PageHeader = None) -> said.State:
    """Take the last action back."""
    return await desk.undo(page)


@router.post("/projects/{project}/redo")
async def redo(desk: DeskHere, page: PageHeader = None) -> said.State:
    """Do again what was taken back last."""
    return await desk.redo(page)


@router.post("/projects/{project}/writer")
async def take_pen(desk: DeskHere, page: Annotated[str, Header(alias="X-Page", pattern=PAGE_PATTERN)]) -> said.State:
    """From now on this page writes."""
    return await desk.take_pen(page)


@router.get("/projects/{project}/frames/{index}", response_class=Response)
async def show_frame(
    index: Index, desk: DeskHere, width: Annotated[int | None, Query(ge=16, le=16384)] = None
) -> Response:
    """A frame as JPEG, at view size or at most so many pixels wide."""
    return Response(await desk.picture(index, width), media_type="image/jpeg", headers=_FOREVER)


@router.get("/projects/{project}/thumbnails/{index}", response_class=Response)
async def show_thumbnail(index: Index, desk: DeskHere) -> Response:
    """A small picture of a frame."""
    return Response(desk.thumbnail(index), media_type="image/jpeg", headers=_FOREVER)


@router.get("/projects/{project}/masks/{index}")
async def show_masks(index: Index, desk: DeskHere, compute: bool = False) -> said.FrameView:
    """The masks of a frame as they are saved; with ``compute`` as they are for all that was said."""
    return await desk.view(index, compute)


@router.post("/projects/{project}/preview", responses={204: {"description": "A newer one was asked for."}})
async def preview(hover: said.Hover, desk: DeskHere, response: Response) -> said.FrameView | None:
    """What a mark would make of its frame. Nothing is saved."""
    found = await desk.hover(hover)
    if found is None:
        response.status_code = 204
    return found


@router.get("/projects/{project}/mattes/{index}", response_class=Response)
async def show_matte(
    index: Index,
    desk: DeskHere,
    edges: Annotated[said.EdgeSettings, Depends(said.EdgeSettings)],
    objects: Annotated[str, Query(pattern="^([0-9]{1,5}(,[0-9]{1,5})*)?$", max_length=1000)] = "",
) -> Response:
    """Opacity of objects together as grey PNG at view size, with their edges shaped."""
    chosen = tuple(int(each) for each in objects.split(",")) if objects else None
    controls = EdgeControls(**{**edges.model_dump(), "calm": 0})
    return Response(await desk.matte(index, chosen, controls), media_type="image/png")


@router.get("/projects/{project}/timeline")
async def show_timeline(desk: DeskHere) -> said.Timeline:
    """All objects through the clip."""
    return await asyncio.to_thread(desk.timeline)


@router.get("/projects/{project}/suggestion")
async def suggest(desk: DeskHere) -> said.SuggestionView | None:
    """Where a correction would help most; null where nobody can tell."""
    return await desk.suggestion()


@router.delete("/projects/{project}/suggestion", status_code=204)
async def stop_suggesting(desk: DeskHere) -> None:
    """Whoever waits for a suggestion is told that there is none."""
    desk.stop_suggesting()


@router.post("/projects/{project}/propagation")
async def propagate(order: said.PropagationOrder, desk: DeskHere, page: PageHeader = None) -> said.Job:
    """Bring the masks up to date. Frames come as events."""
    return await desk.propagate(order, page)


@router.delete("/projects/{project}/propagation")
async def stop(desk: DeskHere, page: PageHeader = None) -> said.State:
    """Stop it. What came stays."""
    return await desk.stop(page)


@router.post("/projects/{project}/exports")
async def export(settings: said.ExportSettings, desk: DeskHere) -> said.Job:
    """Write the masks as they are now."""
    return desk.exports.begin(export_from(settings), desk.device.is_local)


@router.get("/projects/{project}/exports")
async def list_exports(project: str, desk: DeskHere) -> list[said.ExportFile]:
    """What was written, the newest first."""
    return await asyncio.to_thread(desk.exports.files, f"/api/projects/{project}/exports")


@router.get("/projects/{project}/exports/{number}/{name}", response_class=FileResponse)
async def download(
    number: Annotated[str, Path(pattern="^[0-9]{3,9}$")],
    name: Annotated[str, Path(pattern="^[A-Za-z0-9._-]{1,100}$")],
    desk: DeskHere,
) -> FileResponse:
    """A file that an export wrote."""
    return FileResponse(await asyncio.to_thread(desk.exports.file, number, name), filename=name)


@router.delete("/projects/{project}/jobs/{job}")
async def stop_job(job: Annotated[str, Path(pattern="^[a-z0-9-]{1,40}$")], desk: DeskHere) -> said.Job:
    """Stop an export."""
    return await desk.exports.stop(job)
