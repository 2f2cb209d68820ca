"""What page and server say to each other: the one description of it, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FrameIndex = Annotated[int, Field(ge=0, lt=1 << 31)]
ObjectId = Annotated[int, Field(ge=1, le=65535)]
ObjectIdOrAll = Annotated[int, Field(ge=0, le=65535)]
Coordinate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]
Span = tuple[FrameIndex, FrameIndex]
"""First and last of some frames in a row."""
Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=80)]
MOST_RUNS = 4_000_000
MOST_POINTS = 100_000


class Message(BaseModel):
    """A value on the wire: nothing but its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Message):
    """What went wrong, for a person."""

    sentence: str


class Rle(Message):
    """A mask at view size: row by row, the lengths of runs of unset and set pixels in turn, unset first."""

    height: Annotated[int, Field(ge=1, le=20_000)]
    width: Annotated[int, Field(ge=1, le=20_000)]
    counts: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MOST_RUNS)]


# ---- rounds: as ``media/rounds.py`` has them in JSON


class MarkRound(Message):
    """Clicks, lines and perhaps a box, drawn in one go."""

    kind: Literal["mark"]
    frame: FrameIndex
    object: ObjectIdOrAll
    lines: Annotated[list[Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]], Field(max_length=1000)]
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    is_object: bool = True


class MaskRound(Message):
    """The object is exactly this; COCO run lengths at the clip's size."""

    kind: Literal["mask"]
    frame: FrameIndex
    object: ObjectId
    size: tuple[int, int]
    counts: str


class AbsenceRound(Message):
    """The object is not there."""

    kind: Literal["absence"]
    frame: FrameIndex
    object: ObjectId
    last: FrameIndex | None = None


class ApprovalRound(Message):
    """What is shown is right; object 0: of all objects."""

    kind: Literal["approval"]
    frame: FrameIndex
    object: ObjectIdOrAll
    last: FrameIndex | None = None


class RemovalRound(Message):
    """There is no such object."""

    kind: Literal["removal"]
    frame: FrameIndex
    object: ObjectId


Round = Annotated[MarkRound | MaskRound | AbsenceRound | ApprovalRound | RemovalRound, Field(discriminator="kind")]
SaidRound = Annotated[MarkRound | AbsenceRound | ApprovalRound, Field(discriminator="kind")]
"""What a page says; masks are painted, objects removed by actions of their own."""


# ---- what a page asks for


class EdgeSettings(Message):
    """See ``EdgeControls``: pixels of the clip."""

    islands: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    holes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    calm: Annotated[int, Field(ge=0, le=30)] = 0
    refine: Annotated[float, Field(ge=0, le=100)] = 0
    smooth: Annotated[float, Field(ge=0, le=100)] = 0
    choke: Annotated[float, Field(ge=-100, le=100)] = 0
    feather: Annotated[float, Field(ge=0, le=100)] = 0


class ExportSettings(Message):
    """What an export writes."""

    formats: Annotated[list[str], Field(min_length=1, max_length=20)] = ["palette"]
    objects: list[ObjectId] | None = None
    """None: all."""
    edges: EdgeSettings = EdgeSettings()


class AddObject(Message):
    """One more object; the server chooses its id."""

    kind: Literal["add_object"]
    name: Name | None = None
    colour: Colour | None = None


class ChangeObject(Message):
    """What is given changes."""

    kind: Literal["change_object"]
    object: ObjectId
    name: Name | None = None
    colour: Colour | None = None
    locked: bool | None = None
    hidden: bool | None = None


class RemoveObject(Message):
    """There is no such object."""

    kind: Literal["remove_object"]
    object: ObjectId


class Say(Message):
    """One thing is said of the clip."""

    kind: Literal["say"]
    round: SaidRound


class Paint(Message):
    """The object's mask with an area more, or less, or exactly that."""

    kind: Literal["paint"]
    frame: FrameIndex
    object: ObjectId
    mode: Literal["add", "erase", "replace"]
    area: Rle


class TakeBack(Message):
    """One of the rounds was not meant."""

    kind: Literal["take_back"]
    index: Annotated[int, Field(ge=0)]


class Unapprove(Message):
    """Frames are open to corrections again."""

    kind: Literal["unapprove"]
    object: ObjectIdOrAll
    frame: FrameIndex
    last: FrameIndex


class SetRange(Message):
    """The frames that are worked on, half-open."""

    kind: Literal["set_range"]
    start: FrameIndex
    stop: FrameIndex


class SetExport(Message):
    """What an export writes."""

    kind: Literal["set_export"]
    export: ExportSettings


Action = Annotated[
    AddObject | ChangeObject | RemoveObject | Say | Paint | TakeBack | Unapprove | SetRange | SetExport,
    Field(discriminator="kind"),
]


class NewProject(Message):
    """A clip by its path in the folder that is served."""

    clip: Annotated[str, Field(min_length=1, max_length=4096)]


class ClipPlace(Message):
    """Where the clip is now."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]


class Hover(Message):
    """What would be shown if this were said."""

    round: MarkRound


class PropagationOrder(Message):
    """Bring the masks up to date, from the frame that is looked at."""

    direction: Literal["both", "forward", "backward"] = "both"
    frame: FrameIndex


# ---- what the server answers


class Uploaded(Message):
    """Where an upload is, to make a project of."""

    path: str


class ProjectCard(Message):
    """A project that can be opened."""

    id: str
    name: str
    path: str


class ClipCard(Message):
    """A clip of which a project can be made."""

    name: str
    path: str
    bytes: int


class Studio(Message):
    """The server and what it offers."""

    version: str
    device: str
    """Where the networks run; "loading" until they are there."""
    problem: str | None
    """Why there are none."""
    folder: str
    projects: list[ProjectCard]
    clips: list[ClipCard]
    open_project: str | None
    formats: list[str]
    """Of exports."""


class ClipView(Message):
    """The clip of a project."""

    name: str
    path: str
    width: int
    height: int
    view_width: int
    view_height: int
    num_frames: int
    frame_rate: float | None
    thumbnail_step: int
    """Thumbnails are of frames 0, step, 2 step ..."""
    is_there: bool
    problem: str | None


class ObjectOfProject(Message):
    """See ``ProjectObject``."""

    id: ObjectId
    name: str
    colour: str
    locked: bool
    hidden: bool


class Approved(Message):
    """The approved frames of an object."""

    object: ObjectId
    spans: list[Span]


class RangeView(Message):
    """Half-open."""

    start: int
    stop: int


class Job(Message):
    """Something that takes a while."""

    id: str
    kind: Literal["propagation", "export"]
    state: Literal["queued", "running", "done", "stopped", "failed"]
    done: int
    total: int
    rate: float | None = None
    """Frames per second."""
    seconds_left: float | None = None
    sentence: str | None = None
    """What went wrong, or came of it."""


class State(Message):
    """A project, as one page sees it."""

    project: str
    name: str
    version: int
    clip: ClipView
    objects: list[ObjectOfProject]
    rounds: list[Round]
    approved: list[Approved]
    range: RangeView
    export: ExportSettings
    undo: str | None
    redo: str | None
    stale: list[Span]
    jobs: list[Job]
    contradictions: list[str]
    is_writer: bool


class ObjectView(Message):
    """One object in one frame."""

    object: ObjectId
    state: Literal["tracked", "lost", "absent"]
    confidence: float
    area: float
    """Share of the frame."""
    mask: Rle | None


class FrameView(Message):
    """What a frame shows."""

    frame: int
    is_fresh: bool
    """Whether it is of the rounds as they are now."""
    objects: list[ObjectView]


class Strip(Message):
    """One object through the clip, an entry a frame."""

    object: ObjectId
    states: str
    """t tracked, l lost, a absent, "." not known."""
    confidence: list[int]
    """0 to 100."""
    area: list[int]
    """0 to 1000, of the frame."""


class Timeline(Message):
    """All objects through the clip."""

    strips: list[Strip]
    fresh: list[Span]
    thumbnails_done: int
    """Frames before this one have their thumbnails."""


class SuggestionView(Message):
    """Where a correction would help most."""

    frame: int
    object: ObjectId
    doubt: float
    reason: str


class ExportFile(Message):
    """A file that an export wrote; pictures of frames come together as frames.zip."""

    name: str
    bytes: int
    url: str
    job: str


# ---- what the server says by itself


class StateEvent(Message):
    """The project is this now."""

    kind: Literal["state"] = "state"
    state: State


class FrameEvent(Message):
    """Masks came of a frame."""

    kind: Literal["frame"] = "frame"
    job: str
    view: FrameView


class JobEvent(Message):
    """A job went on."""

    kind: Literal["job"] = "job"
    job: Job


class ThumbnailsEvent(Message):
    """There are more thumbnails."""

    kind: Literal["thumbnails"] = "thumbnails"
    done: int


class ProblemEvent(Message):
    """Something went wrong that nobody is waiting for."""

    kind: Literal["problem"] = "problem"
    sentence: str


Event = Annotated[StateEvent | FrameEvent | JobEvent | ThumbnailsEvent | ProblemEvent, Field(discriminator="kind")]


def event_schemas() -> dict[str, Any]:
    """JSON schemas of the events, by name, for the OpenAPI document, which knows no WebSocket."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Event).json_schema(ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = schema.pop("$defs")
    return {**found, "Event": schema}
