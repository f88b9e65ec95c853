"""The event codes of an outcome, whatever its kind."""

from __future__ import annotations

import numpy as np


def event_of(y: np.ndarray) -> np.ndarray:
    """Return what happened to each patient: 0 no event seen, 1 the event, 2 a competing event.

    Parameters
    ----------
    y : ndarray of shape (n,)
        As in :class:`Outcome`: structured, ``event`` and ``time``, for a time to an event; integers 0 and 1 for a
        binary endpoint.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> event_of(np.array([(1, 30.0), (0, 90.0)], dtype=[("event", "i1"), ("time", "f8")])).tolist()
    [1, 0]
    >>> event_of(np.array([0, 1, 1])).tolist()
    [0, 1, 1]
    """
    return y["event"] if is_survival(y) else y


def is_survival(y: np.ndarray) -> bool:
    """Whether ``y`` is a time to an event; otherwise it is binary."""
    return y.dtype.names is not None
