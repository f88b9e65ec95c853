"""The port, the workers, and their end."""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from nbrelapse.cohort import read_bytes
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.scoring import Bundle, RecordScorer
from nbrelapse.serving._metrics import Metrics
from nbrelapse.serving.app import make_app
from nbrelapse.serving.limits import Limits

_log = logging.getLogger("nbrelapse.serving")

_LOCAL = ("127.0.0.1", "localhost", "::1")
_SHORTEST_TOKEN = 16
_CONNECTIONS = 1000
"""At once, a worker; more get 503."""

_SOON, _OFTEN = 5.0, 3
"""A worker that ends within so many seconds of its start, so many times in a row, is not started again."""


@dataclass(frozen=True)
class Address:
    """Where a server is reached; make one with :func:`check_address`.

    Parameters
    ----------
    host : str
    port : int
    token : str or None
        Never printed.
    hosts : tuple of str or None
        Names that requests may be for; None: any.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] | None = _LOCAL

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def check_address(
    host: str = "127.0.0.1", port: int = 8000, token_file: Path | None = None, allow_hosts: Sequence[str] = ()
) -> Address:
    """Refuse an address that everybody could reach without a token.

    Parameters
    ----------
    host : str
        The loopback address, or another of this machine.
    port : int
    token_file : path, optional
        Its content is the token, of at least 16 characters; needed for any other address than loopback.
    allow_hosts : sequence of str
        Names, beside those of loopback, that requests may be for: a proxy's.

    Raises
    ------
    InputError
        The host has no address, there is no token where one is needed, or it cannot be read or is too short.

    Examples
    --------
    >>> check_address("0.0.0.0")
    Traceback (most recent call last):
    nbrelapse.errors.InputError: other machines can reach this address, and there is no token
      column: --host
      expected: the loopback address, 127.0.0.1, or a token
      fix: give --token-file FILE; openssl rand -hex 32 > FILE makes one
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(f"the host {host!r} has no address", column="--host", expected="such as 127.0.0.1") from None
    loopback = all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)
    token = None if token_file is None else _read_token(token_file)
    if not loopback and token is None:
        raise InputError(
            "other machines can reach this address, and there is no token",
            column="--host",
            expected="the loopback address, 127.0.0.1, or a token",
            fix="give --token-file FILE; openssl rand -hex 32 > FILE makes one",
        )
    names = tuple(name.lower() for name in allow_hosts)
    return Address(host, port, token, (*_LOCAL, *names) if loopback or names else None)


_MAKE_TOKEN = "openssl rand -hex 32 > FILE"


def _read_token(file: Path) -> str:
    try:
        token = read_bytes(file).decode("ascii").strip()
    except UnicodeError:
        expected = "a file of one line in ASCII"
        raise InputError("the token cannot be read", file=file, expected=expected, fix=_MAKE_TOKEN) from None
    if len(token) < _SHORTEST_TOKEN or not token.isprintable() or " " in token:
        expected = f"at least {_SHORTEST_TOKEN} characters on one line, no blanks"
        raise InputError("the token is not one", file=file, expected=expected, fix=_MAKE_TOKEN)
    return token


def serve(
    bundle: Bundle,
    address: Address,
    *,
    workers: int = 1,
    limits: Limits | None = None,
    ready: Callable[[], None] = lambda: None,
) -> int | None:
    """Serve a saved model until a signal ends it.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP end it: no new request is taken, those that run are answered. Several workers
    are forked when the model is loaded, which they share; one that ends is started again.

    Parameters
    ----------
    bundle : Bundle
    address : Address
    workers : int
        Processes; more than one where the system can fork.
    limits : Limits, optional
    ready : callable
        Called once, when the port is open.

    Returns
    -------
    int or None
        The signal that ended it.

    Raises
    ------
    InputError
        The port cannot be opened, or the system cannot fork.
    NbRelapseError
        Workers end as soon as they are started.
    """
    if workers > 1 and not hasattr(os, "fork"):
        raise InputError("this system cannot fork", column="--workers", expected="1")
    limits = limits or Limits()
    metrics = Metrics(workers)
    app = make_app(bundle, limits=limits, token=address.token, hosts=address.hosts, metrics=metrics)
    scorer = RecordScorer(bundle)
    scorer.score(scorer.read_features([{"features": {str(bundle.schema.index[0]): 0}}]))  # all is loaded that is needed
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=address.hosts is not None and len(address.hosts) > len(_LOCAL),
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(limits.timeout) + 1,
    )
    with _open(address) as port, _signals() as received:
        ready()
        if workers == 1:
            _run(config, port, received)
        else:
            _Workers(config, port, received, metrics).keep(workers)
    return received[0] if received else None


@contextmanager
def _open(address: Address) -> Iterator[socket.socket]:
    family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as port:
        if os.name == "posix":
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            port.bind(place)
            port.listen(2048)
        except OSError as error:
            raise InputError(
                f"port {address.port} cannot be opened: {error.strerror}", column="--port", fix="name another port"
            ) from None
        yield port


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the signals that ask for an end."""
    received: list[int] = []
    wanted = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        wanted.append(signal.SIGHUP)
    before = {one: signal.signal(one, lambda number, _: received.append(number)) for one in wanted}
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Server(uvicorn.Server):
    """One process that answers until a signal was received; of several, until the one that forked it is gone."""

    def __init__(self, config: uvicorn.Config, received: list[int], parent: int | None) -> None:
        super().__init__(config)
        self._received, self._parent = received, parent

    async def on_tick(self, counter: int) -> bool:
        """Say whether it is time to end."""
        alone = self._parent is not None and os.getppid() != self._parent
        return bool(self._received) or alone or await super().on_tick(counter)


def _run(config: uvicorn.Config, port: socket.socket, received: list[int], parent: int | None = None) -> None:
    # uvicorn takes SIGINT and SIGTERM itself, and raises them again for _signals when it has ended.
    _Server(config, received, parent).run([port])


class _Workers:
    """Forked processes that share a port, a model and the counters."""

    def __init__(self, config: uvicorn.Config, port: socket.socket, received: list[int], metrics: Metrics) -> None:
        self._config, self._port, self._received, self._metrics = config, port, received, metrics
        self._running: dict[int, tuple[int, float]] = {}
        self._failures = 0

    def keep(self, workers: int) -> None:
        """Run so many until a signal is received; see :func:`serve`."""
        try:
            for number in range(workers):
                self._start(number)
            while not self._received:
                time.sleep(0.05)
                for number, started in self._ended():
                    self._again(number, started)
        finally:
            self._end()

    def _start(self, number: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._running[pid] = (number, time.monotonic())
            return
        code = 1
        try:
            self._metrics.of_worker(number)
            _run(self._config, self._port, self._received, parent)
            code = 0
        except Exception as error:
            _log.error("worker %d: %s", number + 1, type(error).__name__)
        finally:
            os._exit(code)  # what the parent has begun is the parent's to end

    def _again(self, number: int, started: float) -> None:
        if self._received:
            return
        self._failures = self._failures + 1 if time.monotonic() - started < _SOON else 1
        if self._failures >= _OFTEN:
            raise NbRelapseError("workers of the server end as soon as they are started: it was stopped")
        _log.warning("worker %d has ended and is started again", number + 1)
        self._metrics.count("restarts", worker=number)
        self._start(number)

    def _ended(self) -> Iterator[tuple[int, float]]:
        """Yield the workers that have ended, no longer among those that run, with their start."""
        for pid in list(self._running):
            if os.waitpid(pid, os.WNOHANG)[0]:
                yield self._running.pop(pid)

    def _end(self) -> None:
        patience: Any = self._config.timeout_graceful_shutdown
        deadline = time.monotonic() + patience + 1
        self._tell(signal.SIGTERM)
        while self._running and time.monotonic() < deadline:
            for _ in self._ended():
                pass
            time.sleep(0.02)
        self._tell(signal.SIGKILL)
        for pid in self._running:
            os.waitpid(pid, 0)

    def _tell(self, number: int) -> None:
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
