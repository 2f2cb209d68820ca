"""The application of ``shibori serve``: jobs in, what became of them out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from shibori.batch.tasks import COLUMNS
from shibori.errors import InputError
from shibori.web.guard import BodyLimit, Guard, Rules
from shibori.web.queue.jobs import JobQueue, OutOfOrder, QueueSettings, TooMany
from shibori.web.queue.record import HookState, JobRecord, State
from shibori.web.refusals import NotThere

JobId = Annotated[str, Path(pattern="^[0-9a-f]{24}$")]
router = APIRouter(prefix="/v1")


class JobRequest(BaseModel):
    """A clip, marks or nothing, and options: the columns of a list for ``shibori batch``, ``name`` excepted."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {"clip": "dog.mp4", "mask": ["dog.png"], "format": ["rle"]},
            "description": f"A job. Columns: {', '.join(COLUMNS[1:])}.",
        },
    )

    clip: str = Field(max_length=2000)
    webhook: str | None = Field(default=None, max_length=2000, description="Where to post what became of the job.")


class JobView(BaseModel):
    """A job as it is now."""

    id: str
    number: int = Field(description="In the order in which they came.")
    state: State
    done: int = Field(description="Frames.")
    total: int = Field(description="Frames; 0 while that is not known.")
    submitted: float = Field(description="Seconds since 1970.")
    finished: float | None
    job: dict[str, Any] = Field(description="What was asked for.")
    result: dict[str, Any] | None = Field(
        description="Frames, objects, seconds, lost frames and more, once it is done."
    )
    reasons: list[str] = Field(description="Why each try failed that did.")
    webhook: HookState

    @classmethod
    def of(cls, record: JobRecord) -> JobView:
        """The view of a record."""
        return cls(
            id=record.id, number=record.number, state=record.state, done=record.done, total=record.total,
            submitted=record.submitted, finished=record.finished, job=record.row, result=record.result,
            reasons=record.reasons, webhook=record.hook_state,
        )  # fmt: skip


class Problem(BaseModel):
    """What is wrong, as a sentence."""

    sentence: str


class Health(BaseModel):
    """Whether jobs are done, and how many there are by state."""

    ok: bool
    sentence: str | None
    jobs: dict[str, int]


_PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 401, 404, 422, 429, 503)}


def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


@router.post("/jobs", status_code=202, responses=_PROBLEMS)
def submit(request: Request, job: JobRequest) -> JobView:
    """Hand in a job."""
    row = {"clip": job.clip, **(job.model_extra or {})}
    if "name" in row:
        raise InputError("a job has no name here: it is called by its id")
    return JobView.of(_queue(request).submit(row, job.webhook))


@router.get("/jobs", responses=_PROBLEMS)
def list_jobs(
    request: Request,
    state: Literal["queued", "running", "done", "failed"] | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[JobView]:
    """Jobs in the order in which they came, those with a number above ``after``."""
    return [JobView.of(record) for record in _queue(request).jobs(state, after, limit)]


@router.get("/jobs/{job_id}", responses=_PROBLEMS)
def show_job(request: Request, job_id: JobId) -> JobView:
    """One job."""
    return JobView.of(_queue(request).job(job_id))


@router.delete("/jobs/{job_id}", status_code=204, responses=_PROBLEMS)
def delete_job(request: Request, job_id: JobId) -> None:
    """Forget a job that waits or is over, and its results."""
    _queue(request).remove(job_id)


@router.get("/jobs/{job_id}/files", responses=_PROBLEMS)
def list_files(request: Request, job_id: JobId) -> list[str]:
    """The files of its results."""
    return [path.as_posix() for path in _queue(request).files(job_id)]


@router.get("/jobs/{job_id}/files/{name:path}", response_class=FileResponse, responses=_PROBLEMS)
def read_file(request: Request, job_id: JobId, name: str) -> FileResponse:
    """One of them."""
    return FileResponse(_queue(request).file(job_id, name))


@router.get("/health")
def health(request: Request) -> Health:
    """How the server is."""
    queue = _queue(request)
    return Health(ok=queue.problem is None, sentence=queue.problem, jobs=queue.counts())


def create_queue_app(settings: QueueSettings, rules: Rules, version: str = "0") -> FastAPI:
    """The application. Its workers are there while it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.queue = JobQueue(settings)
        yield
        app.state.queue.close()

    app = FastAPI(title="Shibori", version=version, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(router)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, rules=rules)
    statuses = {TooMany: 429, OutOfOrder: 503, InputError: 400, NotThere: 404}
    for error, status in statuses.items():
        app.add_exception_handler(error, _said(status))
    app.add_exception_handler(RequestValidationError, _wrong_field)
    return app


def _said(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> JSONResponse:
        headers = {"retry-after": "10"} if status == 429 else None
        return JSONResponse({"sentence": str(error)}, status, headers)

    return handler


async def _wrong_field(request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return JSONResponse({"sentence": f"expected something else in {place}: {first['msg']}"}, 422)
