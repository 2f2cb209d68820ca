"""What every benchmark says first: date, machine, commit, preset, weights; and the system it measures."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shibori.interfaces import Propagator

SIZE_HW = (480, 854)
"""The size every figure of speed and memory is given for."""


def describe_machine() -> str:
    """The processor's name and its number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def describe_commit() -> str:
    """The checkout's commit, with ``-dirty`` where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe_run() -> str:
    """Date, machine, its load just now, and commit, on a line."""
    load = f"load {os.getloadavg()[0]:.1f}"
    return f"date {datetime.date.today()}, {describe_machine()}, {load}, commit {describe_commit()}"


def benchmark_parser(text: str | None) -> argparse.ArgumentParser:
    """A parser with the options every benchmark of a system has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="pixel", choices=("pixel", "dyenet"), help="what segments")
    parser.add_argument("--preset", default="compact", help="size of the network")
    parser.add_argument("--weights", type=Path, help="weights file; without one, those that ship with the package")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--size", type=int, help="working side in pixels")
    return parser


def print_heading(arguments: argparse.Namespace) -> None:
    """Say what is measured, and where."""
    import torch

    from shibori.nn.prepare import choose_device, choose_dtype
    from shibori.weights import file_hash, locate_weights

    path = locate_weights(arguments.system, arguments.preset, arguments.weights)
    device = choose_device(arguments.device)
    print(describe_run())
    print(
        f"device {device}, {str(choose_dtype(device)).removeprefix('torch.')} by default, {torch.get_num_threads()} "
        f"threads, torch {torch.__version__}"
    )
    size = f", working side {arguments.size}" if arguments.size else ""
    origin = "given" if arguments.weights else "shipped"
    weights = f"{origin} weights {path.name}, sha256 {file_hash(path)[:16]}"
    print(f"{arguments.system}, preset {arguments.preset}{size}, {weights}\n", flush=True)


def load_propagator(arguments: argparse.Namespace, dtype: str | None = None) -> Propagator:
    """The system of the options, in the number format ``dtype`` (by default the device's fastest)."""
    import torch

    from shibori.nn.weights import load_state
    from shibori.systems.dyenet.build import propagator_from_state as dyenet_from_state
    from shibori.systems.dyenet.build import with_tracker
    from shibori.tracking.build import propagator_from_state as pixel_from_state
    from shibori.weights import locate_weights, shipped_weights

    path = locate_weights(arguments.system, arguments.preset, arguments.weights)
    state = load_state(path, arguments.system, arguments.preset)
    chosen = getattr(torch, dtype) if dtype else None
    if arguments.system == "dyenet":
        alone = dyenet_from_state(state, arguments.preset, arguments.device, dtype=chosen)
        if f"pixel-{arguments.preset}.safetensors" not in shipped_weights():
            return alone
        pixel = load_state(locate_weights("pixel", arguments.preset), "pixel", arguments.preset)
        return with_tracker(lambda: pixel_from_state(pixel, arguments.preset, arguments.device, dtype=chosen), alone)
    return pixel_from_state(state, arguments.preset, arguments.device, arguments.size, dtype=chosen)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A Markdown table; numbers with three decimals, but whole ones as they are."""
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        cells = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row)
        print(f"| {' | '.join(cells)} |", flush=True)


def on_terminal(text: str) -> Callable[[Any], None]:
    """A progress callback for ``evaluate_davis`` that overwrites a line of a terminal, and is silent elsewhere."""
    import sys

    def show(done: Any) -> None:
        if sys.stderr.isatty():
            end = "\n" if done.frames_done == done.num_frames else ""
            print(f"\r{text} {done.frames_done}/{done.num_frames}", end=end, file=sys.stderr, flush=True)

    return show
