"""``shibori demo``: a clip drawn from nothing, segmented and scored."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from shibori.cli.options import JSON_HELP
from shibori.cli.outcome import outcome, print_json, progress_bar
from shibori.cli.tables import show_scores
from shibori.demo import demo_job, run_demo
from shibori.evaluation.report import scores_to_json
from shibori.run.choice import SystemChoice

DEVICE_HELP, WEIGHTS_HELP = (
    next(entry.metadata["help"] for entry in fields(SystemChoice) if entry.name == name)
    for name in ("device", "weights")
)
app = typer.Typer(add_completion=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demonstration makes.")] = Path("demo-output"),
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    weights: Annotated[Path | None, typer.Option(help=WEIGHTS_HELP)] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another clip.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
) -> None:
    """Draw a clip whose objects cross and hide each other, segment it, and score the masks against the known truth."""
    with outcome(), progress_bar("segment", wanted=not as_json) as bar:
        job = replace(demo_job(out), device=device, weights=weights)
        result = run_demo(job, seed, progress=bar)
    if as_json:
        print_json(asdict(result.summary) | scores_to_json(result.scores) | {"report": str(result.report)})
        return
    show_scores(result.scores, None, as_json=False)
    places = ("clip", "first_mask", "masks", "overlay", "sheet", "report")
    print("\n".join(f"{name.replace('_', ' '):<12}{getattr(result, name)}" for name in places))
    print(f"{1000 * result.summary.seconds / result.summary.frames:.0f} ms per frame")
    print(f"J&F {result.scores.j_and_f:.3f} against the known truth of {len(result.summary.objects)} objects")
