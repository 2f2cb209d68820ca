"""Who may ask: this machine's own page, or whoever has the token. Everything else is refused before a route sees it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "shibori-token"
HOSTS_OF_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors {ancestors}"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Rules:
    """Whom the server answers."""

    token: str | None = None
    """None: whoever is on this machine; then the address that was typed has to be this machine's too."""
    in_notebook: bool = False
    """Whether a page of this machine may show ours in a frame of its own."""


class Guard:
    """ASGI middleware.

    Without a token a foreign page could still send the browser here, by a name of its own (DNS rebinding) or with a
    form: so the host and the origin of each request are looked at.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules
        ancestors = "'self' http://localhost:* http://127.0.0.1:*" if rules.in_notebook else "'self'"
        self._headers = [
            (name.encode(), value.format(ancestors=ancestors).encode()) for name, value in _HEADERS.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": ""})
        else:
            await refusal(scope, receive, self._with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.rules.token is None and not _is_this_machine(host):
            return _refused(421, "this server answers only under the address of its own machine, such as 127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _refused(403, "this comes from another page: open the studio's own")
        if origin is None and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _refused(403, "this comes from another page: open the studio's own")
        return None if self.rules.token is None else self._token_refusal(scope, headers, self.rules.token)

    def _token_refusal(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[-1]
        if scope["type"] == "http" and scope["path"] == "/" and _equal(asked, token):
            entry = RedirectResponse("/", status_code=303)
            entry.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return entry
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if _equal(given, token) or _equal(_cookie(headers), token):
            return None
        return _refused(
            401, "a token is needed: open the address that was printed, or send it as Authorization: Bearer TOKEN"
        )

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        return send_with_headers


def _is_this_machine(host: str) -> bool:
    return urlsplit(f"//{host}").hostname in HOSTS_OF_THIS_MACHINE


def _cookie(headers: Headers) -> str:
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"sentence": sentence}, status)


LARGEST_BODY = 32 << 20
UPLOADS = "/api/uploads"
"""Where more may be sent; its route counts for itself."""


class _TooLarge(Exception):
    """More was sent than is taken."""


class BodyLimit:
    """ASGI middleware: at most so many bytes in a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] == UPLOADS:
            await self.app(scope, receive, send)
            return
        size, is_refused = 0, False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise _TooLarge
            return message

        async def sent(message: Message) -> None:
            nonlocal is_refused
            if size <= LARGEST_BODY:
                await send(message)
            elif not is_refused:  # the application makes an answer of its own of what was raised
                is_refused = True
                await _refused(413, f"expected at most {LARGEST_BODY >> 20} MB, found more")(scope, receive, send)

        await self.app(scope, counted, sent)
