"""``shibori doctor``: what this machine has."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from shibori.cli.outcome import print_json
from shibori.doctor import examine

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings for machines.")] = False,
) -> None:
    """Versions, processor, devices, weights: what this machine has and whether it works."""
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            print(f"{'ok ' if finding.fine else 'BAD'}  {finding.topic:<10} {finding.name:<24} {finding.value}")
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)
