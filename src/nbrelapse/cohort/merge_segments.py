"""Segments of many samples as sorted arrays: the one form that every copy-number computation starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

X = 23
"""Number of the X chromosome; the autosomes are 1 to 22."""
CHROMOSOME_NUMBERS = {**{str(number): number for number in range(1, 23)}, "X": X, str(X): X}


@dataclass(frozen=True)
class MergedSegments:
    """Segments of the autosomes and X, sorted by sample, chromosome and start; no two neighbours have one ratio.

    Parameters
    ----------
    sample_ids : Index of str
        The samples: those asked for, in their order, or all of the table, sorted.
    sample : ndarray of int32, shape (n,)
        Place of each segment's sample in `sample_ids`.
    chromosome : ndarray of int8, shape (n,)
        1 to 22, and 23 for X.
    start, end : ndarray of int64, shape (n,)
        Bases.
    log2_ratio : ndarray of float64, shape (n,)
    """

    sample_ids: pd.Index
    sample: np.ndarray
    chromosome: np.ndarray
    start: np.ndarray
    end: np.ndarray
    log2_ratio: np.ndarray

    @property
    def follows(self) -> np.ndarray:
        """Whether a segment has a neighbour before it, on its own chromosome; shape (n,)."""
        same = np.zeros(len(self.sample), dtype=bool)
        same[1:] = (self.sample[1:] == self.sample[:-1]) & (self.chromosome[1:] == self.chromosome[:-1])
        return same

    def where(self, keep: np.ndarray) -> MergedSegments:
        """Return some of the segments; the samples stay the same."""
        rows = (values[keep] for values in (self.sample, self.chromosome, self.start, self.end, self.log2_ratio))
        return MergedSegments(self.sample_ids, *rows)


def merge_segments(segments: pd.DataFrame, samples: pd.Index | None = None) -> MergedSegments:
    """Sort segments and join neighbours of one ratio, so that a profile has one form however it was written.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome`` (with or without ``chr``), ``start``, ``end`` (bases), ``log2_ratio``; in any
        order. Segments of Y, of mitochondria and of unplaced contigs are left out.
    samples : Index of str, optional
        Only these, and their order; they need not all have segments.

    Returns
    -------
    MergedSegments
        Consecutive segments of a chromosome with equal ratios are one, whatever lies between them.

    Examples
    --------
    >>> halves = pd.DataFrame({"sample_id": "s", "chromosome": "chr1", "start": [51, 1], "end": [90, 50],
    ...     "log2_ratio": [0.1, 0.1]})
    >>> merged = merge_segments(halves)
    >>> merged.start.tolist(), merged.end.tolist()
    ([1], [90])
    """
    found, sample_ids = pd.factorize(segments["sample_id"], sort=True)
    if samples is not None:
        found, sample_ids = samples.get_indexer(pd.Index(sample_ids))[found], samples
    names, distinct = pd.factorize(segments["chromosome"])
    bare = pd.Series(distinct, dtype="str").str.replace(r"^chr", "", case=False, regex=True).str.upper()
    chromosome = bare.map(CHROMOSOME_NUMBERS).fillna(0).to_numpy(dtype=np.int8)[names]
    table = MergedSegments(
        pd.Index(sample_ids, dtype="str"),
        found.astype(np.int32),
        chromosome,
        segments["start"].to_numpy(dtype=np.int64),
        segments["end"].to_numpy(dtype=np.int64),
        segments["log2_ratio"].to_numpy(dtype=np.float64),
    )
    known = (chromosome > 0) & (found >= 0)
    if not known.all():
        table = table.where(known)
    return _joined(_sorted(table))


def _sorted(table: MergedSegments) -> MergedSegments:
    """Sort by sample, chromosome, start, end and ratio; most files are sorted already."""
    place = (table.sample.astype(np.int64) * (X + 1) + table.chromosome) << 32 | table.start
    if not (np.diff(place) > 0).all():
        order = np.argsort(place, kind="stable")
        if not (np.diff(place[order]) > 0).all():
            order = np.lexsort((table.log2_ratio, table.end, place))
        table = table.where(order)
    return table


def _joined(table: MergedSegments) -> MergedSegments:
    """Join consecutive segments of a chromosome that have equal ratios."""
    continues = table.follows
    continues[1:] &= table.log2_ratio[1:] == table.log2_ratio[:-1]
    if not continues.any():
        return table
    first = np.flatnonzero(~continues)
    joined = table.where(first)
    ends = np.maximum.reduceat(table.end, first)
    return MergedSegments(table.sample_ids, joined.sample, joined.chromosome, joined.start, ends, joined.log2_ratio)
