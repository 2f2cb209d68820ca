"""``shibori serve``: the jobs of ``shibori batch`` over HTTP."""

from __future__ import annotations

import typer

from shibori import __version__
from shibori.cli.options import command_from
from shibori.cli.outcome import BAD_INPUT, complaint, outcome
from shibori.web.queue.options import ServeJob

app = typer.Typer(add_completion=False)


def serve(options: ServeJob) -> None:
    """Serve until somebody ends it."""
    try:
        from shibori.web.queue.server import serve_jobs
    except ImportError as error:
        sentence = f"shibori serve needs {error.name}: install it with pip install 'shibori[studio]'"
        raise complaint(sentence, BAD_INPUT) from None
    with outcome("the server has ended; jobs that are not over go on when it is started again"):
        serve_jobs(options, __version__, lambda line: print(line, flush=True))


app.command("serve")(command_from(ServeJob, serve))
