"""One setting of a training run: a field of its configuration with the help text that the command shows."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, help_text: str) -> Any:
    """A dataclass field."""
    return field(default=default, metadata={"help": help_text})
