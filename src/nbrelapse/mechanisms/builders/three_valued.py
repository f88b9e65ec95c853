"""Answers that are yes, no or unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ThreeValued:
    """Kleene's logic on arrays: an unknown answer stays unknown unless the other side decides.

    Parameters
    ----------
    certain, possible : ndarray of bool
        Yes; yes or unknown.

    Examples
    --------
    >>> yes_no_unknown = ThreeValued(np.array([True, False, False]), np.array([True, False, True]))
    >>> answer = ~yes_no_unknown & ThreeValued.known(np.array([True, True, False]))
    >>> answer.certain.tolist(), answer.possible.tolist()
    ([False, True, False], [False, True, False])
    """

    certain: np.ndarray
    possible: np.ndarray

    @classmethod
    def known(cls, answer: np.ndarray, where: np.ndarray | None = None) -> ThreeValued:
        """Return yes and no as given; unknown except where `where` is true."""
        return cls(answer, answer) if where is None else cls(answer & where, answer | ~where)

    def __and__(self, other: ThreeValued) -> ThreeValued:
        return ThreeValued(self.certain & other.certain, self.possible & other.possible)

    def __or__(self, other: ThreeValued) -> ThreeValued:
        return ThreeValued(self.certain | other.certain, self.possible | other.possible)

    def __invert__(self) -> ThreeValued:
        return ThreeValued(~self.possible, ~self.certain)
