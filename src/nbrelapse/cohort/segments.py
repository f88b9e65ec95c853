"""Copy-number segments: sorted, smoothed, checked, and repaired where only one meaning is possible."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import encode, refuse_rows, row_numbers
from nbrelapse.errors import InputError

_CHROMOSOMES = 64
_POSITIONS = 2**32


def _adjacent_segments(segments: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of segments that follow each other on a chromosome of a sample.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome``, ``start``; in any order, n rows.

    Returns
    -------
    first, second : ndarray of int, shape (pairs,)
        Places of the two segments in the table, ordered by start; of equal starts in the order of the table.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": ["1", "2", "1"], "start": [51.0, 1.0, 1.0]})
    >>> [places.tolist() for places in _adjacent_segments(segments)]
    [[2], [0]]
    """
    sample, chromosome = encode(segments["sample_id"])[0], encode(segments["chromosome"])[0]
    profile = sample.astype(np.int64) * _CHROMOSOMES + chromosome
    key = profile * _POSITIONS
    key += segments["start"].to_numpy().clip(0, _POSITIONS - 1).astype(np.int64)
    if (key[1:] >= key[:-1]).all():
        same = np.flatnonzero(profile[1:] == profile[:-1])
        return same, same + 1
    order = np.argsort(key, kind="stable")
    profile = profile[order]
    same = np.flatnonzero(profile[1:] == profile[:-1])
    return order[same], order[same + 1]


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

    @cached_property
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
    continues = table.follows.copy()
    continues[1:] &= table.log2_ratio[1:] == table.log2_ratio[:-1]
    if not continues.any():
        return table
    first = np.flatnonzero(~continues)
    joined = table.where(first)
    ends = np.maximum.reduceat(table.end, first)
    return MergedSegments(table.sample_ids, joined.sample, joined.chromosome, joined.start, ends, joined.log2_ratio)


_EVIDENCE = 0.25 * 3_000_000
"""A step must carry as much as half a copy over 3 Mb: squared copies times bases."""
_TRUE_STEPS = 60
"""Steps between neighbours that a profile may really have; what it has beyond them measures its noise. The most
rearranged of the 397 profiles of 10.1038/sdata.2018.240 has 61."""
_NOISE_WIDTH = 20.0
"""A step must also exceed the variance of noise this many times: 4.5 standard deviations, for there are hundreds."""
_MEDIAN_CHI_SQUARED = 0.455


def smooth_segments(segments: MergedSegments, single_copy: np.ndarray) -> MergedSegments:
    """Join neighbours on a chromosome, the closest first, until every step that is left carries evidence.

    A step is judged by its square, in copies, times the harmonic length of the two segments, l1 l2 / (l1 + l2): what
    joining them would add to the squared error (Ward's criterion, 10.1080/01621459.1963.10500845). So short segments
    with small steps go and amplicons stay. Where a profile has far more steps than a genome, their median measures
    the noise, and the bar rises with it. Other samples have no influence.

    Parameters
    ----------
    segments : MergedSegments
    single_copy : ndarray, shape (n_samples,)
        Log2 ratio that one copy makes in each sample; positive.

    Returns
    -------
    MergedSegments
        A joined segment has the length-weighted mean ratio.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.cohort.segments import merge_segments
    >>> pieces = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [1, 40_000_001, 80_000_001],
    ...     "end": [40_000_000, 80_000_000, 120_000_000], "log2_ratio": [0.02, -0.02, 0.3]})
    >>> smooth_segments(merge_segments(pieces), np.array([0.3])).end.tolist()
    [80000000, 120000000]
    """
    length = np.maximum(segments.end - segments.start, 1).astype(np.float64)
    ratio, end = segments.log2_ratio.copy(), segments.end.copy()
    unit = single_copy[segments.sample]
    chromosome = np.cumsum(~segments.follows)
    kept = np.ones(len(ratio), dtype=bool)
    rows = np.arange(len(ratio))
    bar = np.full(len(single_copy), _EVIDENCE)
    first_pass = True
    while len(rows):
        evidence = _evidence(ratio[rows] / unit[rows], length[rows], chromosome[rows])
        if first_pass:
            bar, first_pass = _bars(evidence, segments.sample[1:], len(single_copy)), False
        too_small = evidence < bar[segments.sample[rows[1:]]]
        left = np.concatenate([[np.inf], evidence[:-1]])
        right = np.concatenate([evidence[1:], [np.inf]])
        joins = np.flatnonzero(too_small & (evidence < left) & (evidence <= right))
        into, gone = rows[joins], rows[joins + 1]
        total = length[into] + length[gone]
        ratio[into] = (ratio[into] * length[into] + ratio[gone] * length[gone]) / total
        length[into], end[into] = total, end[gone]
        kept[gone] = False
        # Only chromosomes that still have too small a step are looked at again.
        unfinished = np.zeros(chromosome[-1] + 1, dtype=bool)
        unfinished[chromosome[into]] = True
        rows = rows[kept[rows] & unfinished[chromosome[rows]]]
    return MergedSegments(
        segments.sample_ids,
        segments.sample[kept],
        segments.chromosome[kept],
        segments.start[kept],
        end[kept],
        ratio[kept],
    )


def _evidence(copies: np.ndarray, length: np.ndarray, chromosome: np.ndarray) -> np.ndarray:
    """Evidence of the step between each segment and the next; infinite between chromosomes."""
    harmonic = length[1:] * length[:-1] / (length[1:] + length[:-1])
    return np.where(chromosome[1:] == chromosome[:-1], np.diff(copies) ** 2 * harmonic, np.inf)


def _bars(evidence: np.ndarray, sample: np.ndarray, n_samples: int) -> np.ndarray:
    """Evidence that a step of each sample must have, shape (n_samples,)."""
    within = np.isfinite(evidence)
    steps = np.bincount(sample[within], minlength=n_samples)
    busy = steps > _TRUE_STEPS
    of_busy = within & busy[sample]
    order = np.lexsort((evidence[of_busy], sample[of_busy]))
    steps = np.where(busy, steps, 0)
    median = (np.cumsum(steps) - steps + (steps - _TRUE_STEPS) // 2)[busy]
    bars = np.full(n_samples, _EVIDENCE)
    bars[busy] = np.maximum(_EVIDENCE, _NOISE_WIDTH * evidence[of_busy][order][median] / _MEDIAN_CHI_SQUARED)
    return bars


_ENOUGH_BASES = 1_000_000_000
"""A third of a genome: less may be amplicons only, which have no negative ratio."""
_MOSTLY_NEGATIVE = 0.001
RATIO, COPIES = 0.5, 1.5


def _check_segments(segments: pd.DataFrame, file: str | Path) -> None:
    """Refuse overlapping segments, and copy numbers or ratios that are no logarithms.

    Segments may share their boundary base. Log2 ratios lie around 0: noise and losses put a good part of every genome
    below. Where at least a third of a genome is covered, less than a thousandth of it lies below 0 and the
    length-weighted median is 0.5 or more, the values are no log2 ratios: copy numbers from 1.5 on, ratios below.
    Compressing or shifting log2 ratios as platforms do leaves them far from that.

    Parameters
    ----------
    segments : DataFrame
        The ``segments`` table.
    file : path
        For the error message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [1, 40], "end": [50, 90],
    ...     "log2_ratio": [0.0, -0.4]})
    >>> _check_segments(segments, "cohort.seg")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: segments of a sample overlap by up to 11 bases
      file: cohort.seg
      column: start, end
      rows: 2
      expected: each base of a sample in one segment; neighbours may share a boundary
      fix: keep one profile a sample, and cut segments where the next one starts
    """
    first, second = _adjacent_segments(segments)
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    overlap = end[first] - start[second]
    if (overlap > 0).any():
        wrong = np.zeros(len(segments), dtype=bool)
        wrong[second[overlap > 0]] = True
        raise InputError(
            f"segments of a sample overlap by up to {overlap.max() + 1:.0f} bases",
            file=file,
            column="start, end",
            rows=row_numbers(segments.index, wrong),
            expected="each base of a sample in one segment; neighbours may share a boundary",
            fix="keep one profile a sample, and cut segments where the next one starts",
        )
    ratio = segments["log2_ratio"].to_numpy()
    refuse_rows(
        segments.index,
        ratio > _HIGHEST,
        f"a log2 ratio above {_HIGHEST:g}",
        file=file,
        column="log2_ratio",
        expected="log2 ratios to a normal genome, which lie around 0",
        fix="give log2(ratio); leave the cell empty where nothing was measured",
    )
    _check_scale(ratio, end - start, file)


_HIGHEST = 15.0
"""65,000 copies; the strongest amplification of the 397 profiles of 10.1038/sdata.2018.240 has 8.1."""


def _check_scale(ratio: np.ndarray, length: np.ndarray, file: str | Path) -> None:
    total = length.sum()
    if total < _ENOUGH_BASES or length[ratio < 0].sum() >= _MOSTLY_NEGATIVE * total:
        return
    median = _weighted_median(ratio, length)
    if median < RATIO:
        return
    copies = median >= COPIES
    raise InputError(
        f"the segment values look like {'copy numbers' if copies else 'ratios'}, not log2 ratios: "
        f"their median is {median:.2f} and none to speak of is below 0",
        file=file,
        column="log2_ratio",
        expected="log2 ratios to a normal genome, which lie around 0",
        fix="give log2(copies / 2)" if copies else "give log2(ratio), so that two copies are 0",
    )


def _repair_segments(segments: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Remove segments that are there twice and count positions from 1.

    A start of 0 does not exist where positions count from 1. Where neighbours share a position, as half-open intervals
    do (an end is the next start), the whole table counts from 0 and every start is raised by one; where neighbours
    are one base apart, only the zeros are.

    Parameters
    ----------
    segments : DataFrame
        Normalised, with known positions.
    repairs : Repairs
        What was changed is added.

    Returns
    -------
    DataFrame
        The same columns; the index still tells the rows of the file.

    Examples
    --------
    >>> repairs = Repairs()
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [0.0, 50.0], "end": [50.0, 90.0],
    ...     "n_probes": [5.0, 4.0], "log2_ratio": [0.0, -0.4]})
    >>> _repair_segments(segments, repairs)[["start", "end"]].to_numpy().tolist(), list(repairs)
    ([[1.0, 50.0], [51.0, 90.0]], ['segments: starts count from 0, all 2 raised by one'])
    """
    if segments[["start", "end"]].isna().to_numpy().any():
        return segments
    first, second = _adjacent_segments(segments)
    twice = np.ones(len(first), dtype=bool)
    for column in ("start", "end", "log2_ratio", "n_probes"):
        values = segments[column].to_numpy()
        before, after = values[first], values[second]
        twice &= (before == after) | (np.isnan(before) & np.isnan(after))
    zeros = segments["start"] == 0
    if zeros.any():
        segments = segments.assign(start=_from_one(segments, zeros, first, second, repairs))
    if twice.any():
        repairs.add_count("segments", twice.sum(), "rows that repeat another removed")
        keep = np.ones(len(segments), dtype=bool)
        keep[second[twice]] = False
        segments = segments[keep]
    return segments


def _from_one(
    segments: pd.DataFrame, zeros: pd.Series, first: np.ndarray, second: np.ndarray, repairs: Repairs
) -> pd.Series:
    start, end = segments["start"], segments["end"].to_numpy()
    gap = start.to_numpy()[second] - end[first]
    if (gap == 1).sum() > (gap == 0).sum():
        repairs.add_count("segments", int(zeros.sum()), "starts of 0 read as 1, positions count from 1")
        return start.mask(zeros, 1.0)
    repairs.add("segments", f"starts count from 0, all {len(segments)} raised by one")
    return start + 1


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the smallest value that half of the weight does not exceed; NaN where there are no values.

    Parameters
    ----------
    values, weights : ndarray, shape (n,)
        Weights are whole numbers, such as bases.

    Examples
    --------
    >>> _weighted_median(np.array([0.4, -0.6, 0.0]), np.array([10, 5, 20]))
    0.0
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    return float(values[order][weighted_median_rows(weights[order], np.zeros(len(order), dtype=np.int8))[0]])


def weighted_median_rows(weights: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the row that has the weighted median of each group.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Whole numbers. The rows are sorted by group and, within it, by the value whose median is wanted.
    group : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (number of groups that have rows,)

    Examples
    --------
    >>> weighted_median_rows(np.array([5, 20, 10, 1, 3]), np.array([0, 0, 0, 4, 4])).tolist()
    [1, 4]
    """
    if not len(group):
        return np.empty(0, dtype=np.intp)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    total, ends = np.add.reduceat(weights, first), np.cumsum(weights)
    # Half of a whole number, rounded up, stays one: no rounding error moves the row.
    half = ends[first] - weights[first] - (-total // 2)
    return np.searchsorted(ends, half)
