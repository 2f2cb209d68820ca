"""Jobs served until somebody ends it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import uvicorn

from shibori.batch.local_engine import usual_engine
from shibori.errors import InputError
from shibori.run.choice import USUAL_LOADERS
from shibori.web.queue.app import create_queue_app
from shibori.web.queue.hooks import HookRules
from shibori.web.queue.jobs import QueueSettings
from shibori.web.queue.options import SECRET_NAME, TOKEN_NAME, ServeJob
from shibori.web.serve import Address, free_socket, rules_for

_LEAST = 16


def serve_jobs(job: ServeJob, version: str, tell: Callable[[str], None]) -> None:
    """Serve until somebody ends it.

    Args:
        job: what is asked for.
        version: of the package.
        tell: called with the lines a person is to read.

    Raises:
        InputError: a folder that is not there, a port that is taken, a token or a secret that is too short.
    """
    if not job.clips.is_dir():
        raise InputError(f"there is no folder {job.clips}")
    secret = os.environ.get(SECRET_NAME)
    if job.hook_host and (secret is None or len(secret) < _LEAST):
        raise InputError(f"expected a secret of at least {_LEAST} characters in {SECRET_NAME} to sign webhooks with")
    rules = rules_for(job.host, os.environ.get(TOKEN_NAME))
    settings = QueueSettings(
        job.clips, job.out, partial(usual_engine, job.workers, USUAL_LOADERS), job.fetch, job.most_waiting,
        job.most_kept, job.retries, HookRules(secret, job.hook_host),
    )  # fmt: skip
    app = create_queue_app(settings, rules, version)
    bound = free_socket(job.host, job.port)
    address = Address(job.host, bound.getsockname()[1], None)
    tell(f"Jobs are taken at {address.url}v1/jobs, described at {address.url}openapi.json")
    if rules.token is not None and TOKEN_NAME not in os.environ:
        tell(f"The token is {rules.token}: clients send it as Authorization: Bearer TOKEN")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[bound])
