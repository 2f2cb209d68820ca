"""The pages that look at one project. One of them holds the pen; all are told what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shibori.web import messages as said
from shibori.web.refusals import NotTheWriter

MOST_UNREAD = 2000
"""Events after which a page that does not take them is let go; it asks anew when it comes back."""


class Pages:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._unread: dict[str, asyncio.Queue[said.Message | None]] = {}
        self._pen: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no page is there."""
        return not self._unread

    def enter(self, page: str) -> asyncio.Queue[said.Message | None]:
        """A page is there. What it is to be told comes in the queue; None: it is to go."""
        self.leave(page)
        queue: asyncio.Queue[said.Message | None] = asyncio.Queue(MOST_UNREAD)
        self._unread[page] = queue
        self._pen = self._pen or page
        return queue

    def leave(self, page: str, queue: asyncio.Queue[said.Message | None] | None = None) -> None:
        """A page is gone; with a queue, only if it did not come back with another one. The next one gets the pen."""
        if page not in self._unread or (queue is not None and self._unread[page] is not queue):
            return
        _put(self._unread.pop(page), None)
        if self._pen == page:
            self._pen = next(iter(self._unread), None)

    def take_pen(self, page: str) -> None:
        """Now this page writes."""
        self._pen = page

    def may_write(self, page: str | None) -> bool:
        """Whether nobody else holds the pen."""
        return self._pen is None or page == self._pen

    def check_may_write(self, page: str | None) -> None:
        """NotTheWriter where somebody else holds it."""
        if not self.may_write(page):
            raise NotTheWriter

    def tell(self, event: said.Message) -> None:
        """All pages."""
        self.tell_each(lambda _: event)

    def tell_each(self, event_for: Callable[[str], said.Message]) -> None:
        """All pages, each something of its own."""
        for page, queue in list(self._unread.items()):
            if queue.full():
                self.leave(page)
            else:
                queue.put_nowait(event_for(page))


def _put(queue: asyncio.Queue[said.Message | None], event: None) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(event)
