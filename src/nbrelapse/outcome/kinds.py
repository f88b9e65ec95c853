"""The two kinds of outcome, a time to an event and a yes or no, and what depends on which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbrelapse.errors import InputError

if TYPE_CHECKING:
    from nbrelapse.outcome.outcome import Outcome

SURVIVAL_DTYPE = np.dtype([("event", np.int8), ("time", np.float64)])

YEAR = 365.25
"""Days."""

HORIZON_YEARS = (1, 2, 3, 5)
"""Horizons at which incidence is scored and predictions are judged."""

LONGEST_YEARS = 5
"""Nothing is judged beyond: first events are rare later, and few patients are followed so long."""

FEWEST_AT_RISK = 10
"""Patients still observed, free of any event, beyond a horizon: with fewer nothing is predicted or judged there."""

FEWEST_EVENTS_BY = 5
"""Events by a horizon, with fewer than which nothing is judged there. Both numbers come from simulation: see
``benchmarks/thin_data.py``."""

_STEPS_PER_YEAR = 4
_FEWEST_TIMES = 2


@dataclass(frozen=True)
class OutcomeKind(ABC):
    """What depends on whether an outcome is a time to an event or a yes or no.

    There are two, ``SURVIVAL`` and ``BINARY``; :func:`kind_of` says which one an outcome is of, and
    :func:`kind_of_endpoint` which one an endpoint has.

    Attributes
    ----------
    name : {"survival", "binary"}
    has_time : bool
        Whether the event has a time, so that there are horizons, censoring and competing events.
    scale : {"log hazard", "log odds"}
        Of the log risks of models.
    leading_metric : str
        The metric that models are chosen and ranked by.
    needed : mapping of int to str
        Event codes that training and judging cannot do without, and what their patients are called.
    """

    name: ClassVar[str]
    has_time: ClassVar[bool]
    scale: ClassVar[str]
    leading_metric: ClassVar[str]
    needed: ClassVar[Mapping[int, str]]

    @abstractmethod
    def event(self, y: np.ndarray) -> np.ndarray:
        """Return what happened to each patient: 0 no event seen, 1 the event, 2 a competing event."""

    @abstractmethod
    def with_times(self, y: np.ndarray) -> np.ndarray:
        """Return ``event`` and ``time``; those with a binary event all have it at one time, and the others outlive it.

        Harrell's C of the result is the AUC of a binary ``y``.
        """

    @abstractmethod
    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        """Return the times to predict for in days; see :func:`nbrelapse.metrics.horizons.prediction_times`."""

    def rarest(self, y: np.ndarray) -> int:
        """Return the number of patients of the rarest code that is ``needed``."""
        event = self.event(y)
        return min(int((event == code).sum()) for code in self.needed)


@dataclass(frozen=True)
class _Survival(OutcomeKind):
    name = "survival"
    has_time = True
    scale = "log hazard"
    leading_metric = "harrell_c"
    needed: ClassVar[Mapping[int, str]] = {1: "events"}

    def event(self, y: np.ndarray) -> np.ndarray:
        return y["event"]

    def with_times(self, y: np.ndarray) -> np.ndarray:
        return y

    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        grid = np.arange(1, LONGEST_YEARS * _STEPS_PER_YEAR + 1) * (YEAR / _STEPS_PER_YEAR)
        longest = float(np.max(y["time"], initial=0.0))
        carried = grid[grid < carried_days(y)]
        # A grid of two times lets any cohort be learned from and judged by its ranking; nothing is said at these times.
        grid = carried if len(carried) >= _FEWEST_TIMES else grid[grid < longest][:_FEWEST_TIMES]
        if len(grid) < _FEWEST_TIMES:
            raise InputError(
                f"the longest follow-up is {longest:g} days",
                column="time",
                expected="times in days, some of them longer than half a year",
                fix="check the unit of the times (months or years read as days?)",
            )
        return grid


@dataclass(frozen=True)
class _Binary(OutcomeKind):
    name = "binary"
    has_time = False
    scale = "log odds"
    leading_metric = "auc"
    needed: ClassVar[Mapping[int, str]] = {1: "events", 0: "patients without the event"}

    def event(self, y: np.ndarray) -> np.ndarray:
        return y

    def with_times(self, y: np.ndarray) -> np.ndarray:
        timed = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        timed["event"], timed["time"] = y, 2.0 - y
        return timed

    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        return np.array([np.inf])


def carried_days(y: np.ndarray) -> float:
    """Return the days before which at least ``FEWEST_AT_RISK`` patients are still at risk.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` in days.

    Returns
    -------
    float
        0 where there are fewer patients than that.

    Examples
    --------
    >>> y = np.array([(0, 100.0 * i) for i in range(1, 13)], dtype=SURVIVAL_DTYPE)
    >>> carried_days(y), carried_days(y[:9])
    (300.0, 0.0)
    """
    if len(y) < FEWEST_AT_RISK:
        return 0.0
    return float(np.partition(y["time"], -FEWEST_AT_RISK)[-FEWEST_AT_RISK])


SURVIVAL: OutcomeKind = _Survival()
"""A time to an event: ``relapse``, ``efs``, ``os``."""

BINARY: OutcomeKind = _Binary()
"""A yes or no: ``refractory``."""


def kind_of(y: np.ndarray | Outcome) -> OutcomeKind:
    """Return the kind of an outcome.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` and ``time``, for a time to an event; integers 0 and 1 for a yes or no.

    Examples
    --------
    >>> kind_of(np.array([0, 1, 1])).leading_metric
    'auc'
    >>> kind_of(np.array([(1, 30.0), (0, 90.0)], dtype=SURVIVAL_DTYPE)).scale
    'log hazard'
    """
    return BINARY if values_of(y).dtype.names is None else SURVIVAL


def kind_of_endpoint(endpoint: str) -> OutcomeKind:
    """Return the kind of outcome that an endpoint has, before anybody's is known.

    Examples
    --------
    >>> kind_of_endpoint("refractory").name, kind_of_endpoint("efs").name
    ('binary', 'survival')
    """
    return BINARY if endpoint == "refractory" else SURVIVAL


def values_of(y: np.ndarray | Outcome, kind: OutcomeKind | None = None) -> np.ndarray:
    """Return the array of an outcome.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
    kind : OutcomeKind, optional
        The kind that is asked for.

    Raises
    ------
    ValueError
        The outcome is of the other kind.

    Examples
    --------
    >>> values_of(np.array([0, 1]), BINARY).tolist()
    [0, 1]
    """
    values = np.asarray(y if isinstance(y, np.ndarray) else getattr(y, "y", y))
    if kind is not None and kind_of(values) != kind:
        raise ValueError(f"the outcome is {kind_of(values).name}, it must be {kind.name}")
    return values


def event_of(y: np.ndarray) -> np.ndarray:
    """Return what happened to each patient: 0 no event seen, 1 the event, 2 a competing event.

    Parameters
    ----------
    y : ndarray of shape (n,)
        As in :class:`Outcome`: structured, ``event`` and ``time``, for a time to an event; integers 0 and 1 for a
        binary endpoint.

    Examples
    --------
    >>> event_of(np.array([0, 1, 1])).tolist()
    [0, 1, 1]
    """
    return kind_of(y).event(y)
