"""Sums over the pairs of patients of whom one is known to have had the event first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np


@dataclass(frozen=True)
class ComparablePairs:
    """Pairs of a query and a source behind it, arranged so that the sum over all of them costs O(n log n).

    The ranks are read bit by bit, from the highest. Where all higher bits agree, a query with a 1 outranks the
    sources with a 0: one cumulative sum over these gives the credit of all queries. Then the items are divided by
    the bit and keep their order, so that those which agree stand together for the next bit. In the end those of
    the same rank stand together, for half the credit.

    Parameters
    ----------
    every : stretches
        All pairs.
    credited : tuple of (float, stretches)
        The credit of the query, and the pairs that it is given for.

    Examples
    --------
    >>> import numpy as np
    >>> yes, ones = np.ones(3, bool), np.ones((3, 1))
    >>> pairs = ComparablePairs.of(np.zeros(3, int), np.array([0, 1, 2]), np.array([2, 0, 1]), query=yes, source=yes)
    >>> pairs.sums(ones, ones, np.ones((1, 3))).ravel().tolist()  # (2 > 0) + (2 > 1), of 3 pairs
    [2.0, 3.0]
    """

    every: _Stretches
    credited: tuple[tuple[float, _Stretches], ...]

    @classmethod
    def of(
        cls, stratum: np.ndarray, position: np.ndarray, rank: np.ndarray, *, query: np.ndarray, source: np.ndarray
    ) -> Self:
        """Arrange items: a query is compared with the sources of its stratum whose position is higher.

        Parameters
        ----------
        stratum, position, rank : ndarray of int, shape (n_items,)
            Ranks count from 0 in each stratum.
        query, source : ndarray of bool, shape (n_items,)
        """
        n_bits = int(rank.max(initial=0)).bit_length()
        items = np.flatnonzero(query | source)
        # Of those at one position the lower rank stands first: nobody outranks one behind him who is tied with him.
        items = items[np.lexsort((rank[items], position[items], stratum[items]))]
        layout = _Layout(items, stratum[items], position[items], source[items], query[items])
        every = layout.pairs(behind_ties=True)
        layout = replace(layout, group=(layout.group << n_bits) + rank[items])
        credited = []
        for bit in reversed(range(n_bits)):
            one = (layout.group >> bit) & 1 == 1
            agree = replace(layout, group=layout.group >> (bit + 1))
            credited.append((1.0, replace(agree, source=layout.source & ~one, query=layout.query & one).pairs()))
            layout = layout.take(np.concatenate([np.flatnonzero(~one), np.flatnonzero(one)]))
        credited.append((0.5, layout.pairs(behind_ties=True)))
        return cls(every, tuple(credited))

    def sums(self, own: np.ndarray, given: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return the summed credit and the number of pairs, both weighted.

        Parameters
        ----------
        own, given : ndarray of shape (n_items, n_columns)
            Weights of items as queries and as sources.
        factors : ndarray of shape (n_factors, n_items)
            Further factors of the queries; each gives sums of its own.

        Returns
        -------
        ndarray of shape (2, n_factors, n_columns)
        """
        credit = sum(share * stretches.sums(own, given, factors) for share, stretches in self.credited)
        return np.stack([credit, self.every.sums(own, given, factors)])


@dataclass(frozen=True)
class _Stretches:
    """Queries, and the sources from ``start`` to ``stop`` that each is paired with."""

    sources: np.ndarray
    queries: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def sums(self, own: np.ndarray, given: np.ndarray, factors: np.ndarray) -> np.ndarray:
        mass = np.zeros((len(self.sources) + 1, given.shape[1]))
        np.cumsum(given.take(self.sources, axis=0), axis=0, out=mass[1:])
        found = mass.take(self.stop, axis=0)
        found -= mass.take(self.start, axis=0)
        found *= own.take(self.queries, axis=0)
        return factors.take(self.queries, axis=1) @ found


@dataclass(frozen=True)
class _Layout:
    """Items in some order; those of a group stand together, with positions that do not fall."""

    items: np.ndarray
    group: np.ndarray
    position: np.ndarray
    source: np.ndarray
    query: np.ndarray

    def take(self, order: np.ndarray) -> _Layout:
        return _Layout(*(getattr(self, field.name)[order] for field in fields(self)))

    def pairs(self, *, behind_ties: bool = False) -> _Stretches:
        """Pair queries with the sources of their group behind them, or behind all at their position."""
        before = np.concatenate([[0], np.cumsum(self.source)])
        start, stop = before[_ends(self.position)] if behind_ties else before[1:], before[_ends(self.group)]
        asks = np.flatnonzero(self.query & (start < stop))
        return _Stretches(self.items[self.source], self.items[asks], start[asks], stop[asks])


def _ends(values: np.ndarray) -> np.ndarray:
    """Return where the run of equal values ends that each place is in."""
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, len(values))
    return np.repeat(ends, np.diff(ends, prepend=0))
