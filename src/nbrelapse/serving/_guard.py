"""What stands before every request: who may ask, how much, how long; and what is told of it afterwards."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nbrelapse.errors import InputError
from nbrelapse.serving._metrics import ENDPOINTS, Metrics
from nbrelapse.serving._payload import error_document, parse_form
from nbrelapse.serving.limits import Limits, _Buckets

log = logging.getLogger("nbrelapse.serving")

_OPEN = ("/", "/health")
"""What may be seen without a token: no patient is there."""

_FORM = "/report"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",  # with no-referrer browsers hide the origin of the form too
    "x-content-type-options": "nosniff",
}


class _RefusedError(Exception):
    """A request that is not passed on.

    Parameters
    ----------
    status : int
    problem : str
    headers : mapping, optional
    **more
        Further keys of the error.
    """

    def __init__(self, status: int, problem: str, headers: Mapping[str, str] | None = None, **more: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.headers, self.more = status, problem, headers or {}, more


@dataclass
class _Exchange:
    """One request and how it was answered."""

    scope: Scope
    began: float = field(default_factory=time.perf_counter)
    status: int = 0

    @property
    def path(self) -> str:
        """The endpoint; any other path might hold a patient's name and is not told."""
        path = str(self.scope["path"])
        return path if path in ENDPOINTS else "other"

    def header(self, name: str) -> str | None:
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == wanted), None)


class Guard:
    """ASGI middleware: hosts, origins, token, rate, size, time, errors, metrics, log.

    Nothing of a patient is logged: of a request its method, endpoint, status and duration, of an unexpected error its
    kind and place.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    metrics : Metrics
    token : str or None
        None: everybody who reaches the port may ask.
    hosts : collection of str or None
        Names that a request may be for; None: any. It keeps a page of another site, whose name has been made to lead
        to this machine, from asking in the name of its reader.
    """

    def __init__(
        self, app: ASGIApp, *, limits: Limits, metrics: Metrics, token: str | None, hosts: Collection[str] | None
    ) -> None:
        self._app, self._limits, self._metrics = app, limits, metrics
        self._token = None if token is None else token.encode()
        self._hosts = hosts
        self._wait: Callable[[str], float] = _Buckets(limits.rate).wait if limits.rate else lambda client: 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own = {key for key, _ in message.get("headers", ())}
                more = [(key.encode(), value.encode()) for key, value in _HEADERS.items() if key.encode() not in own]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            async with asyncio.timeout(self._limits.timeout):
                await self._pass(exchange, receive, told)
        except _RefusedError as refused:
            await self._refuse(exchange, told, refused)
        except TimeoutError:
            problem = f"the request took longer than {self._limits.timeout:g} seconds"
            await self._refuse(exchange, told, _RefusedError(503, problem, fix="ask for fewer patients, or later"))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s in %s, line %s", type(error).__name__, Path(place.filename).name, place.lineno)
            await self._refuse(exchange, told, _RefusedError(500, "internal error", fix="tell whoever runs the server"))
        finally:
            seconds = time.perf_counter() - exchange.began
            self._metrics.answered(exchange.path, exchange.status or 500, seconds)
            if log.isEnabledFor(logging.INFO):
                method = scope["method"] if str(scope["method"]).isalpha() else "other"
                log.info("%s %s %s %.1f ms", method, exchange.path, exchange.status or "gone", 1000 * seconds)

    async def _pass(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        self._check_source(exchange)
        self._check_rate(exchange)
        form = exchange.path == _FORM
        if not form:
            self._check_token(exchange, exchange.header("authorization"))
        body = await self._body(exchange, receive)
        if form:
            self._check_token(exchange, exchange.header("authorization") or self._token_of_form(body))
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(exchange.scope, replay, send)

    def _check_source(self, exchange: _Exchange) -> None:
        host = exchange.header("host") or ""
        if self._hosts is not None and _name_of(host) not in self._hosts:
            fix = "use the address that the server printed; a proxy's name is allowed with --allow-host"
            raise _RefusedError(421, "the server is not known by this name", fix=fix)
        origin = exchange.header("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if foreign or exchange.header("sec-fetch-site") == "cross-site":
            raise _RefusedError(403, "pages of other sites may not ask")

    def _check_rate(self, exchange: _Exchange) -> None:
        wait = 0.0 if exchange.path == "/health" else self._wait((exchange.scope.get("client") or ("",))[0])
        if wait:
            expected = f"at most {self._limits.rate:g} a second in the long run"
            raise _RefusedError(429, "too many requests", {"retry-after": str(int(wait) + 1)}, expected=expected)

    def _check_token(self, exchange: _Exchange, given: str | None) -> None:
        if self._token is None or exchange.path in _OPEN:
            return
        kind, _, token = (given or "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            fix = "send the header Authorization: Bearer TOKEN"
            raise _RefusedError(401, "no valid token", {"www-authenticate": "Bearer"}, fix=fix)

    def _token_of_form(self, body: bytes) -> str | None:
        if self._token is None:
            return None
        try:
            return f"Bearer {parse_form(body).get('token', '')}"
        except InputError:
            return None

    async def _body(self, exchange: _Exchange, receive: Receive) -> bytes:
        most = self._limits.body_bytes
        said = exchange.header("content-length") or "0"
        parts, size, more = [], 0, True
        while more and size <= most and (not said.isdigit() or int(said) <= most):
            message = await receive()
            if message["type"] != "http.request":
                raise _RefusedError(400, "the client has gone")
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
        if more or size > most:
            expected = f"at most {most / 2**20:g} MiB"
            raise _RefusedError(413, "the body is too large", {"connection": "close"}, expected=expected)
        return b"".join(parts)

    async def _refuse(self, exchange: _Exchange, send: Send, refused: _RefusedError) -> None:
        if exchange.status:
            return  # the answer has begun
        document: dict[str, Any] = error_document(refused.problem, **refused.more)
        content = json.dumps(document).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content)), **refused.headers}
        pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": refused.status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})


def _name_of(host: str) -> str:
    """Return the name in a Host header, without the port.

    Examples
    --------
    >>> _name_of("LocalHost:8000"), _name_of("[::1]:8000"), _name_of("evil.example")
    ('localhost', '::1', 'evil.example')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
