"""``shibori project``: what a project holds, its masks as files, whether it is well, and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from shibori.cli.options import JSON_HELP
from shibori.cli.outcome import BAD_INPUT, complaint, outcome, print_json, progress_bar
from shibori.media.writer import FORMATS
from shibori.run.choice import SystemChoice, load_interactive_system
from shibori.session.freshness import frame_keys
from shibori.session.health import faults
from shibori.session.health import repair as repair_project
from shibori.session.project import Project
from shibori.session.propagation import bring_up_to_date, stale_frames
from shibori.session.store import ProjectStore, PropagationJob
from shibori.web.export_process import export_project

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at, export, check or mend a project.")
Folder = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


@app.command()
def info(project: Folder, as_json: AsJson = False) -> None:
    """Say what a project holds."""
    with outcome(), ProjectStore(project) as store:
        summary = summary_of(store)
    if as_json:
        print_json(summary)
        return
    for name, value in summary.items():
        print(f"{name.replace('_', ' '):<18}{value}")


def summary_of(store: ProjectStore) -> dict[str, Any]:
    """What a project holds, in a few values."""
    project: Project = store.project
    stale = stale_frames(store, frame_keys(project.rounds, project.clip.num_frames), project.span)
    return {
        "clip": project.clip.path,
        "frames": project.clip.num_frames,
        "range": f"{project.start} to {project.stop - 1}",
        "objects": [each.name for each in project.objects],
        "rounds": len(project.rounds),
        "approved": {project.object(i).name: len(frames) for i, frames in project.approved.items()},
        "frames_to_do": len(stale),
        "actions": len(store.actions),
        "undo": store.undo_name,
        "redo": store.redo_name,
    }


@app.command()
def export(
    project: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    format: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(FORMATS)}. Repeatable; without it, what the project says."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps: where frames that are to do are done.")] = "auto",
) -> None:
    """Write the masks of a project, with its own settings; first bring those up to date that are not."""
    with outcome():
        with ProjectStore(project) as store, progress_bar("propagate") as bar:
            settings = store.project.export
            _propagate(store, device, bar)
        if format:
            settings = replace(settings, formats=tuple(format))
        export_project(project, out, settings)
    print(f"{', '.join(settings.formats)}: {out}")


def _propagate(store: ProjectStore, device: str, bar: Any) -> None:
    """Only what is out of date; without that no network is loaded."""
    project = store.project
    if not stale_frames(store, frame_keys(project.rounds, project.clip.num_frames), project.span):
        return
    segmenter = load_interactive_system(SystemChoice(device=device))
    job = PropagationJob(project.start, project.start, project.stop - 1)
    for _ in bring_up_to_date(store, segmenter.begin(project.clip.opened()), job, bar):
        pass


@app.command()
def verify(project: Folder, as_json: AsJson = False) -> None:
    """Look whether everything is as it should be; leaves with 2 where it is not."""
    with outcome():
        found = faults(project)
    if as_json:
        print_json({"project": str(project), "faults": found})
    elif not found:
        print(f"{project} is well")
    if found:
        raise complaint("; ".join(found), BAD_INPUT)


@app.command()
def repair(project: Folder) -> None:
    """Save what can be saved of a damaged project."""
    with outcome():
        done = repair_project(project)
    print("\n".join(done) or f"{project} is well: there is nothing to mend")
