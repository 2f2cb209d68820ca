"""What a route cannot do, beside wrong input; each has a status of its own."""

from __future__ import annotations


class NotThere(Exception):
    """There is no such project, frame or file. ``str(error)`` is one clear sentence."""


class NotTheWriter(Exception):
    """Another page holds the pen."""
