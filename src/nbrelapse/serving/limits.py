"""How much a client may ask, and how often."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_REMEMBERED = 10_000
"""Clients; of more, the one that has been silent for longest is forgotten, and starts with a full bucket."""


@dataclass(frozen=True)
class Limits:
    """What a request may ask.

    Parameters
    ----------
    body_bytes : int
        Of a request's body; 413 above it.
    patients : int
        In a request for scores; 413 above it. A fiftieth of it may be explained at once.
    rate : float
        Requests a second that a client may make in the long run, twice as many at once; 429 above it. 0: any number.
        Each worker counts for itself.
    timeout : float
        Seconds until a request that has not been read and answered gets 503.
    """

    body_bytes: int = 16 * 2**20
    patients: int = 1000
    rate: float = 50.0
    timeout: float = 30.0

    @property
    def explained(self) -> int:
        """Patients in a request for explanations."""
        return max(1, self.patients // 50)


class _Buckets:
    """A bucket of tokens a client: a request takes one, time fills it up.

    Parameters
    ----------
    rate : float
        Tokens a second; a bucket holds twice as many, at least one.
    clock : callable

    Examples
    --------
    >>> now = 0.0
    >>> buckets = _Buckets(1.0, lambda: now)
    >>> [buckets.wait("a") for _ in range(3)], buckets.wait("b")
    ([0.0, 0.0, 1.0], 0.0)
    >>> now = 1.0
    >>> buckets.wait("a")
    0.0
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._most = max(1.0, 2 * rate)
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        now = self._clock()
        tokens, since = self._held.pop(client, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._held[client] = (tokens - allowed, now)
        if len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate
