"""Interlaced pictures made whole: each from both its fields and its neighbours', by FFmpeg's bwdif."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph


def deinterlaced(frames: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
    """(index, frame) with as many frames as come in; those that are progressive stay as they are.

    Args:
        frames: in order.
    """
    graph: Graph | None = None
    waiting: list[int] = []
    for index, frame in frames:
        graph = graph or _graph(frame)
        waiting.append(index)
        frame.pts = index  # what the filter gives back is known by it
        graph.push(frame)
        yield from _ready(graph, waiting)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, waiting)


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    weaver, sink = graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    source.link_to(weaver)
    weaver.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: Graph, waiting: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    while waiting:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(frame, av.VideoFrame):
            yield waiting.pop(0), frame
