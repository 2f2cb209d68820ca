"""``shibori score``: J, F and J&F of masks that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shibori.cli.options import JSON_HELP
from shibori.cli.outcome import outcome, progress_bar
from shibori.cli.tables import show_scores
from shibori.evaluation.davis import score_folder
from shibori.evaluation.report import write_report
from shibori.evaluation.scores import ProtocolName

LATE = "Also count objects that are not in the first frame, each from the frame after its own first."
app = typer.Typer(add_completion=False)


@app.command()
def score(
    results: Annotated[Path, typer.Argument(help="Folder of mask PNGs, or of one such folder for each sequence.")],
    ground_truth: Annotated[
        Path, typer.Argument(help="True masks: a DAVIS folder, a folder of sequences, or one sequence's folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and the HTML report.")] = None,
    protocol: Annotated[ProtocolName, typer.Option(help="How ids of results and truth relate.")] = "semi-supervised",
    late_objects: Annotated[bool, typer.Option("--late-objects", help=LATE)] = False,
    workers: Annotated[int, typer.Option(help="Processes that share the sequences.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Score a folder of anyone's masks with J, F and J&F as DAVIS defines them."""
    with outcome(), progress_bar("score", wanted=not as_json) as bar:
        scores = score_folder(
            results,
            ground_truth,
            protocol=protocol,
            late_objects=late_objects,
            progress=lambda done: bar(done.frames_done, done.num_frames),
            workers=workers,
        )
        report = write_report(scores, out) if out else None
    show_scores(scores, report, as_json)
