"""``shibori studio``: cut objects out of a clip in the browser."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from shibori import __version__
from shibori.cli.options import command_from
from shibori.cli.outcome import BAD_INPUT, complaint, outcome
from shibori.run.choice import SystemChoice

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class StudioOptions:
    """Open a page in the browser on which objects are cut out of a clip."""

    source: Path | None = field(
        default=None,
        metadata={"help": "A clip, a project, or a folder of them; without it, this folder.", "argument": True},
    )
    host: str = field(
        default="127.0.0.1",
        metadata={"help": "Address to listen on. Any but this machine's own demands the token that is printed."},
    )
    port: int = field(default=0, metadata={"help": "Port to listen on; 0: any that is free."})
    token: str | None = field(
        default=None, metadata={"help": "What a browser has to know, at least 16 characters; without it, a new one."}
    )
    clip: Path | None = field(default=None, metadata={"help": "Where the clip of the project was moved to."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps: where the networks run."})
    browse: bool = field(default=True, metadata={"help": "Open a browser, where there is a screen."})


def studio(options: StudioOptions) -> None:
    """Serve until somebody ends it."""
    try:
        from shibori.web import serve
    except ImportError as error:
        sentence = f"the studio needs {error.name}: install it with pip install 'shibori[studio]'"
        raise complaint(sentence, BAD_INPUT) from None
    with outcome("the studio has ended; everything is saved"):
        if options.clip is not None and options.source is not None:
            serve.move_clip(options.source, options.clip)
        settings = serve.settings_for(options.source, SystemChoice(device=options.device))
        rules = serve.rules_for(options.host, options.token)
        bound = serve.free_socket(options.host, options.port)
        address = serve.Address(options.host, bound.getsockname()[1], rules.token)
        settings = replace(settings, version=__version__)
        serve.serve(settings, bound, address, lambda line: print(line, flush=True), options.browse)


app.command("studio")(command_from(StudioOptions, studio))
