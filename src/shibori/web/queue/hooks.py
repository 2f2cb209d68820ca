"""Webhooks: what became of a job is posted to an address, signed, and again where nobody takes it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from shibori.errors import InputError

SIGNATURE = "X-Shibori-Signature"
WAITS = (1.0, 5.0, 30.0, 120.0)
"""Seconds before each further try."""
_TIMEOUT = 10.0


@dataclass(frozen=True)
class HookRules:
    """Where webhooks may go."""

    secret: str | None = None
    """What they are signed with; None: there are none."""
    hosts: tuple[str, ...] = ()
    """Names of machines, with ``:PORT`` where that is not the usual one."""

    def check(self, address: str) -> None:
        """InputError where a webhook may not go there."""
        parts = urlsplit(address)
        if self.secret is None or not self.hosts:
            raise InputError("this server sends no webhooks: it was started without --hook-host")
        if parts.scheme not in ("http", "https") or parts.netloc not in self.hosts:
            raise InputError(f"expected a webhook at one of {', '.join(self.hosts)}, found {address!r}")


NO_HOOKS = HookRules()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """What stands in the header: ``t=1767225600,v1=HEX``, HEX the HMAC-SHA256 of ``1767225600.BODY``."""
    code = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={code}"


class HookSender:
    """Sends webhooks one after the other, in a thread.

    Args:
        rules: where they may go, and what they are signed with.
        settled: called in the thread with the id of a job, and whether somebody took its webhook.
        waits: seconds before each further try.
    """

    def __init__(
        self, rules: HookRules, settled: Callable[[str, bool], None], waits: tuple[float, ...] = WAITS
    ) -> None:
        self.rules, self.settled, self.waits = rules, settled, waits
        self._queue: SimpleQueue[tuple[str, str, dict[str, Any]] | None] = SimpleQueue()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="webhooks")
        self._thread.start()

    def send(self, job_id: str, address: str, message: dict[str, Any]) -> None:
        """Have it sent."""
        self._queue.put((job_id, address, message))

    def close(self) -> None:
        """Send no more; what is waiting stays unsettled."""
        self._is_closed.set()
        self._queue.put(None)
        self._thread.join(_TIMEOUT + 1)

    def _run(self) -> None:
        while (waiting := self._queue.get()) is not None and not self._is_closed.is_set():
            job_id, address, message = waiting
            is_taken = self._deliver(address, json.dumps(message).encode())
            if is_taken is not None:
                self.settled(job_id, is_taken)

    def _deliver(self, address: str, body: bytes) -> bool | None:
        """Whether somebody took it; None where it was closed before that."""
        for wait in (*self.waits, None):
            if self._post(address, body):
                return True
            if wait is not None and self._is_closed.wait(wait):
                return None
        return False

    def _post(self, address: str, body: bytes) -> bool:
        """Whether the answer was 2xx; one that leads elsewhere is not followed."""
        parts = urlsplit(address)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=_TIMEOUT)
        signed = signature(self.rules.secret or "", int(time.time()), body)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, {"Content-Type": "application/json", SIGNATURE: signed})
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
