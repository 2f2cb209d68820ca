"""The options of ``shibori serve``. Needs nothing of what serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

TOKEN_NAME, SECRET_NAME = "SHIBORI_TOKEN", "SHIBORI_HOOK_SECRET"
"""Of the environment: an option could be read by everybody on the machine."""


@dataclass(frozen=True)
class ServeJob:
    """Take the jobs of shibori batch over HTTP: a queue, results, webhooks."""

    clips: Path = field(
        kw_only=True,
        metadata={"help": "The folder that clips and masks are read from, nothing outside it.", "argument": True},
    )
    out: Path = field(kw_only=True, metadata={"help": "Folder for results and for the queue itself."})
    host: str = field(
        default="127.0.0.1",
        metadata={
            "help": "Address to listen on. Any but this machine's own demands a token: that of the environment's "
            f"{TOKEN_NAME}, or a new one."
        },
    )
    port: int = field(default=8765, metadata={"help": "Port to listen on; 0: any that is free."})
    workers: int = field(
        default=0,
        metadata={"help": "Jobs at a time; 0: one for each graphics card, without any one for each two processors."},
    )
    most_waiting: int = field(default=1000, metadata={"help": "Jobs that wait or run, at most; more are refused."})
    most_kept: int = field(
        default=10000, metadata={"help": "Jobs that are there until a client deletes them, at most; more are refused."}
    )
    retries: int = field(default=2, metadata={"help": "Further tries of a job whose worker died."})
    fetch: bool = field(default=False, metadata={"help": "Let jobs name clips by address (https, s3, gs, az)."})
    hook_host: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": f"A machine that webhooks may go to, as NAME or NAME:PORT; they are signed with {SECRET_NAME}. "
            "Repeatable."
        },
    )
