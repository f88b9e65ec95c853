"""Copy-number profiles in copies relative to each sample's own log2 scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import MIN_LENGTH, estimate_platform_scales, plausible_purity
from nbrelapse.cohort.segments import MergedSegments, X, merge_segments, smooth_segments, weighted_median_rows
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import _BUILDS

_ALTERED = 0.5
"""Midway between no change and a single copy."""
_NOISE_WIDTHS = 2.0
"""A change must also exceed this many standard deviations of neutral segments."""
_AMPLIFIED = float(np.log2(5 / 2) / np.log2(3 / 2))
"""Five copies where a single-copy gain is three, in units of the single-copy gain: 2.26."""
_DEEP = 2.0
"""Deep deletion, in units of the single-copy loss: losing both copies is 2.2 at 30 % tumour cells, and more above."""
_FOCAL = 10_000_000
"""A longer stretch at an amplified level is a gain, not an amplicon."""
_BROAD = 20_000_000
"""A gene whose level a longer stretch shares is gained, not amplified, however high the level: twice the length of an
amplicon. A choice: arms and chromosomes at one level are 40 Mb and longer."""
_SHARED = 0.5
"""Neighbours share the level of an amplicon from this part of it on."""
_LEAST_SHARED = 1.5
"""The level of a single-copy gain is never that of an amplicon on it."""
_BETWEEN = (0.25, 0.75)
"""Neither at the neutral nor at the single-copy level."""
_UNCLEAR = 0.6
"""A profile with a larger part of the genome between the levels is noise: at random it would be about half."""
_NUMERICAL_TENTHS = 9
"""Tenths of the covered chromosome that a numerical change has to reach."""


@dataclass(frozen=True)
class _CopyNumberProfile:
    """The segments of every patient's diagnosis sample, in units of a single-copy change.

    Parameters
    ----------
    patient_ids : Index
        Patients with a copy-number sample at diagnosis, in the cohort's order.
    raw : MergedSegments
        Their segments as given; ``raw.sample`` is the place in `patient_ids`.
    segments : MergedSegments
        The same, smoothed. Everything below is of these.
    scales : DataFrame
        A row a patient, see :func:`_sample_scales`; also ``threshold_gain`` and ``threshold_loss`` in copies, and
        ``known``: False where the scale cannot be told, because nothing is altered
        (which a neuroblastoma hardly ever is: a sample with few tumour cells looks like that) or because most of the
        genome lies between the levels (noise).
    build : ndarray of int, shape (n_patients,)
        Place of the genome build in ``genome.BUILDS``; -1 where there are no segments and it is not known.
    copies : ndarray of float64, shape (n_segments,)
        0 = neutral, 1 = a single-copy gain, -1 = a single-copy loss.
    gained, lost : ndarray of bool, shape (n_segments,)
        Beyond half a copy and beyond the noise.
    base : ndarray of float64, shape (n_segments,)
        Level of the numerical change of the whole chromosome, 0 where there is none.
    amplified : ndarray of bool, shape (n_segments,)
        Five copies or more, on the scale without the recorded purity, where at most 10 Mb share the level.
    """

    patient_ids: pd.Index
    raw: MergedSegments
    segments: MergedSegments
    scales: pd.DataFrame
    build: np.ndarray
    copies: np.ndarray
    gained: np.ndarray
    lost: np.ndarray
    base: np.ndarray
    amplified: np.ndarray

    @cached_property
    def autosomal(self) -> np.ndarray:
        """Which segments lie on autosomes."""
        return self.segments.chromosome != X

    @cached_property
    def segmental_gain(self) -> np.ndarray:
        """Gained beyond any numerical change, without amplicons."""
        return self._beyond_base(self.gained, 1.0) & ~self.amplified

    @cached_property
    def segmental_loss(self) -> np.ndarray:
        """Lost beyond any numerical change."""
        return self._beyond_base(self.lost, -1.0)

    @cached_property
    def level(self) -> np.ndarray:
        """Copies on the scale without the recorded purity, by which amplicons are told."""
        return _without_purity(self.copies, self.scales, self.segments.sample)

    @cached_property
    def place(self) -> np.ndarray:
        """Sample, chromosome and start of each segment as one number, which rises."""
        return _place(self.segments)

    @cached_property
    def of_gene(self) -> dict[str, np.ndarray]:
        """Places of the segments as given that overlap a gene, for those who look for it once more."""
        return {}

    def _beyond_base(self, altered: np.ndarray, sign: float) -> np.ndarray:
        side = "gain" if sign > 0 else "loss"
        threshold = self.scales[f"threshold_{side}"].to_numpy()[self.segments.sample]
        return altered & (sign * (self.copies - self.base) > threshold)


def _place(segments: MergedSegments) -> np.ndarray:
    """Sample, chromosome and start as one number."""
    return (segments.sample.astype(np.int64) * (X + 1) + segments.chromosome) << 32 | segments.start


@dataclass(frozen=True)
class _SegmentBlock:
    """The segments of some patients, and what is needed to read them.

    Parameters
    ----------
    segments : MergedSegments
    platform : DataFrame
        The platform's scale of each sample, indexed by ``patient_id``.
    purity : ndarray of float64, shape (n_patients,)
    build : ndarray of int, shape (n_patients,)
        See :class:`_CopyNumberProfile`.
    """

    segments: MergedSegments
    platform: pd.DataFrame
    purity: np.ndarray
    build: np.ndarray


def _segment_blocks(cohort: Cohort, patients_at_once: int = 10_000) -> Iterator[_SegmentBlock]:
    """Split the segments of every patient's diagnosis sample into blocks of patients.

    Parameters
    ----------
    cohort : Cohort
    patients_at_once : int, default 10_000
        What a block needs fits into little memory. No patient influences another, so it does not change the values.

    Yields
    ------
    SegmentBlock

    Raises
    ------
    InputError
        A profiled sample has no genome build.
    """
    chosen = cohort.assayed_samples("copy_number")
    table = cohort.segments
    if table is None:
        table = pd.DataFrame({"sample_id": [], "chromosome": [], "start": [], "end": [], "log2_ratio": []})
    segments = merge_segments(table, pd.Index(chosen.to_numpy(), dtype="str"))
    build = _builds(cohort, chosen)
    if (build[np.unique(segments.sample)] < 0).any():
        raise InputError(
            "copy-number samples have no genome build",
            column="assays.genome_build",
            expected=" or ".join(_BUILDS),
            fix="name the build of the segments when importing the cohort",
        )
    platform = _platform_scales(cohort).reindex(chosen).set_index(chosen.index)
    purity = _purity(cohort, chosen)
    for first in range(0, len(chosen), patients_at_once):
        block = slice(first, first + patients_at_once)
        part = _of_samples(segments, block)
        yield _SegmentBlock(part, platform.iloc[block], purity[block], build[block])


def _of_samples(segments: MergedSegments, samples: slice) -> MergedSegments:
    """Return the segments of consecutive samples, without a copy of them."""
    sample_ids = segments.sample_ids[samples]
    rows = slice(*np.searchsorted(segments.sample, [samples.start, samples.start + len(sample_ids)]))
    return MergedSegments(
        sample_ids,
        segments.sample[rows] - np.int32(samples.start),
        segments.chromosome[rows],
        segments.start[rows],
        segments.end[rows],
        segments.log2_ratio[rows],
    )


def _copy_number_profile(block: _SegmentBlock) -> _CopyNumberProfile:
    """Smooth segments, express them in units of a single-copy change and say which are altered.

    Parameters
    ----------
    block : SegmentBlock

    Returns
    -------
    CopyNumberProfile

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [1, 50_000_001],
    ...     "end": [50_000_000, 249_000_000], "log2_ratio": [-0.4, 0.0]})
    >>> cohort = Cohort("one", pd.DataFrame({"patient_id": ["p"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": ["hg19"], "platform": ["P"]}),
    ...     segments=segments,
    ...     metadata={"platforms": {"P": {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.02}}})
    >>> [_copy_number_profile(block).lost.tolist() for block in _segment_blocks(cohort)]
    [[True, False]]
    """
    platform = block.platform
    segments = smooth_segments(block.segments, np.minimum(platform["gain"].to_numpy(), -platform["loss"].to_numpy()))
    scales = _sample_scales(segments, platform, block.purity)
    threshold = {side: _threshold(scales["noise"], scales[side]) for side in ("gain", "loss")}
    copies = _in_copies(segments.log2_ratio, scales, segments.sample)
    gained = copies > threshold["gain"][segments.sample]
    lost = copies < -threshold["loss"][segments.sample]
    amplified = _amplified(segments, copies, scales)
    known = _scale_is_told(segments, copies, scales)
    scales = scales.assign(threshold_gain=threshold["gain"], threshold_loss=threshold["loss"], known=known)
    base = _numerical_base(segments, copies, scales)
    return _CopyNumberProfile(
        scales.index, block.segments, segments, scales, block.build, copies, gained, lost, base, amplified
    )


def _threshold(noise: pd.Series, level: pd.Series) -> np.ndarray:
    """Return the copies beyond which a segment is altered."""
    return np.maximum(_ALTERED, _NOISE_WIDTHS * noise.abs().to_numpy() / level.abs().to_numpy())


def _without_purity(copies: np.ndarray, scales: pd.DataFrame, sample: np.ndarray) -> np.ndarray:
    """Return copies on the scale that the sample has without its recorded purity."""
    return copies * scales["purity_hint"].to_numpy()[sample]


def _amplified(segments: MergedSegments, copies: np.ndarray, scales: pd.DataFrame) -> np.ndarray:
    """Which segments have an amplified level that at most 10 Mb share."""
    level = _without_purity(copies, scales, segments.sample)
    found = level >= _AMPLIFIED
    rows = np.flatnonzero(found)
    found[rows] = _shared_length(segments, level, rows, level[rows], _FOCAL) <= _FOCAL
    return found


def _shared_length(
    segments: MergedSegments, level: np.ndarray, rows: np.ndarray, height: np.ndarray, limit: int
) -> np.ndarray:
    """Return how many bases around a segment share a level.

    Parameters
    ----------
    segments : MergedSegments
    level : ndarray of float64, shape (n_segments,)
        In copies.
    rows : ndarray of int, shape (n,)
        Segments.
    height : ndarray of float64, shape (n,)
        A level at each of them; neighbours share it from half of it on, but a single-copy gain never does.
    limit : int
        Bases beyond which the counting stops.

    Returns
    -------
    ndarray of int64, shape (n,)
        0 where the segment itself does not share the level.
    """
    bar = np.maximum(_SHARED * height, _LEAST_SHARED)
    length, follows = segments.end - segments.start, np.append(segments.follows, False)
    total = np.where(level[rows] >= bar, length[rows], 0)
    for step in (-1, 1):
        place, going = rows.copy(), total > 0
        while (going := going & (total <= limit)).any():
            going &= follows[place if step < 0 else place + 1]
            place = np.where(going, place + step, place)
            going &= level[place] >= bar
            total = total + np.where(going, length[place], 0)
    return total


def _scale_is_told(segments: MergedSegments, copies: np.ndarray, scales: pd.DataFrame) -> np.ndarray:
    """Whether a sample has a large altered segment and most of its genome lies at a level, whatever its purity."""
    copies, noise = _without_purity(copies, scales, segments.sample), scales["noise"] * scales["purity_hint"]
    gain, loss = (_threshold(noise, scales[side])[segments.sample] for side in ("gain", "loss"))
    altered = (copies > gain) | (copies < -loss)
    n_samples = len(scales)
    length = np.where(segments.chromosome == X, 0, segments.end - segments.start)
    distance = np.abs(copies)
    between = (distance > _BETWEEN[0]) & (distance < _BETWEEN[1])
    large = altered & (length >= MIN_LENGTH)
    seen, unclear, covered = (
        np.bincount(segments.sample, weights=length * chosen, minlength=n_samples)
        for chosen in (large, between, np.ones(len(length)))
    )
    return (seen > 0) & (unclear <= _UNCLEAR * covered)


def _purity(cohort: Cohort, chosen: pd.Series) -> np.ndarray:
    """Share of tumour cells of each sample, NaN where it is not known."""
    if "purity" not in cohort.samples:
        return np.full(len(chosen), np.nan)
    return cohort.samples.set_index("sample_id")["purity"].reindex(chosen).to_numpy(dtype=np.float64)


def _builds(cohort: Cohort, chosen: pd.Series) -> np.ndarray:
    """Place of each sample's genome build in BUILDS, -1 where it is not known."""
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    return pd.Index(_BUILDS).get_indexer(pd.Index(assays["genome_build"].reindex(chosen)))


def _numerical_base(segments: MergedSegments, copies: np.ndarray, scales: pd.DataFrame) -> np.ndarray:
    """Level that nine tenths of a chromosome reach or exceed where it is altered, else 0; by segment."""
    if not len(copies):
        return np.empty(0)
    chromosome = np.cumsum(~segments.follows) - 1
    order = _order_within(copies, chromosome)
    first = np.flatnonzero(~segments.follows)
    length = (segments.end - segments.start)[order]
    covered = np.add.reduceat(length, first)
    ends = np.cumsum(length)
    before = ends[first] - length[first]
    level = copies[order]
    # Whole bases: the position in the table must not move a comparison by a rounding error.
    low = level[np.searchsorted(ends, before + covered * (10 - _NUMERICAL_TENTHS) // 10, side="right")]
    high = level[np.searchsorted(ends, before - (-covered * _NUMERICAL_TENTHS // 10), side="left")]
    sample = segments.sample[first]
    gained = np.where(low > scales["threshold_gain"].to_numpy()[sample], low, 0.0)
    lost = np.where(high < -scales["threshold_loss"].to_numpy()[sample], high, 0.0)
    return (gained + lost)[chromosome]


def _order_within(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the order by group and value; it sorts single numbers, which takes a fraction of sorting by two keys."""
    by_value = np.argsort(values)
    rank = np.empty(len(values), dtype=np.int64)
    rank[by_value] = np.arange(len(values))
    return by_value[np.sort(group.astype(np.int64) << 32 | rank) & 0xFFFFFFFF]


_SCALE = ["centre", "loss", "gain", "noise", "purity"]
_SEGMENT_COLUMNS = ["sample_id", "chromosome", "start", "end", "log2_ratio"]
_PLATFORM_WEIGHT = 8
"""The platform's level weighs as much as this many steps of the sample's own."""
_CENTRE_WEIGHT = 0.5
"""Share of the way from the platform's centre to the sample's own neutral level."""
_NEUTRAL = 0.6
"""The neutral level is looked for within this fraction of a single copy around the platform's centre."""
_ENOUGH_NEUTRAL = 0.3
"""A smaller neutral share of the genome counts in proportion: it may be another ploidy's level."""
SMALLEST_STEP, LARGEST_STEP = 0.2, 3.0
"""Steps outside are noise or amplicons, in units of the platform's single copy."""
_FACTOR_LIMITS = SMALLEST_STEP, LARGEST_STEP
_ROUNDS = 30
"""More than the fixed point of any sample takes: it moves monotonely over a few dozen steps."""
_PARTS = 1_000_000
"""Log2 ratios are compared in millionths."""


def _platform_scales(cohort: Cohort) -> pd.DataFrame:
    """Return the log2 scale of the platform that each copy-number sample was looked at with.

    Parameters
    ----------
    cohort : Cohort
        ``metadata["platforms"]`` comes first; a platform that is not there is estimated from the segments.

    Returns
    -------
    DataFrame of float64
        Indexed by ``sample_id``: ``centre``, ``loss``, ``gain``, ``noise``, ``purity``, as
        :func:`nbrelapse.cohort.log2_scale.estimate_platform_scales` describes them.
    """
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    platform = assays["platform"].fillna("unknown") if "platform" in assays else pd.Series("unknown", assays.index)
    scales: Mapping[str, Any] = cohort.metadata.get("platforms", {})
    if not set(platform.unique()) <= set(scales):
        segments = pd.DataFrame(columns=_SEGMENT_COLUMNS) if cohort.segments is None else cohort.segments
        named = platform.rename("platform").reset_index().assign(assay="copy_number")
        scales = {**estimate_platform_scales(segments, named, cohort.samples), **scales}
    table = pd.DataFrame.from_dict(dict(scales), orient="index").reindex(columns=_SCALE)
    return table.astype(np.float64).reindex(platform).set_axis(platform.index)


def _sample_scales(segments: MergedSegments, platform: pd.DataFrame, purity: np.ndarray) -> pd.DataFrame:
    """Estimate the scale of each sample and draw it toward its platform's.

    Tumours of one platform differ in their share of tumour cells, which moves both levels by one factor. The factor
    is the median of the sample's steps (and of the levels of chromosomes in one piece), in units of the platform's
    single copy, that exceed half this median: the fixed point by which the platform itself was measured. With n such
    steps the factor is shrunk by n / (n + 8) on the log scale. The centre moves half the way toward the sample's own
    neutral level. No sample influences another.

    A recorded purity is a hint: it may draw the factor farther from the platform's toward the sample's own, never
    beyond it nor the other way, and weighs as many of the 8 steps as the sample has itself.

    Parameters
    ----------
    segments : MergedSegments
        Smoothed; ``segments.sample`` is a row of `platform`.
    platform : DataFrame, shape (n_samples, 5)
        Rows of :func:`_platform_scales`.
    purity : ndarray, shape (n_samples,)
        Share of tumour cells, NaN where it is not known; below 0.1 and above 1 it counts as not known. A single-copy
        loss (gain) is expected at log2(1 - p/2) (log2(1 + p/2)), times the platform's ratio of its level to the one
        that its ``purity`` implies.

    Returns
    -------
    DataFrame of float64, shape (n_samples, 7)
        As `platform`, with the sample's ``centre``, ``loss`` and ``gain``; the index of `platform`. Also ``steps``,
        how many of its own the sample has, and ``purity_hint``, the factor that is due to the purity, 1 where there is
        none: copies times this factor are on the scale without it.
    """
    large = segments.where((segments.chromosome != X) & (segments.end - segments.start >= MIN_LENGTH))
    expected = platform.assign(centre=platform["centre"] + _CENTRE_WEIGHT * _neutral_shift(large, platform))
    factor, steps = _single_copy_factor(large, expected)
    found = _scaled(expected, factor ** (steps / (steps + _PLATFORM_WEIGHT)))
    centre = found["centre"] + _CENTRE_WEIGHT * _neutral_shift(large, found)
    supported = np.clip(_purity_factor(platform, purity), np.minimum(factor, 1.0), np.maximum(factor, 1.0))
    hint = supported ** (np.minimum(steps, _PLATFORM_WEIGHT) / (steps + _PLATFORM_WEIGHT))
    return _scaled(found, hint).assign(centre=centre, steps=steps, purity_hint=hint)


def _in_copies(log2_ratio: np.ndarray, scales: pd.DataFrame, sample: np.ndarray) -> np.ndarray:
    """Divide log2 ratios by the single-copy level of their direction.

    Parameters
    ----------
    log2_ratio : ndarray, shape (n,)
    scales : DataFrame
        ``centre``, ``loss``, ``gain``; a row a sample.
    sample : ndarray of int, shape (n,)
        Row of `scales`.

    Returns
    -------
    ndarray, shape (n,)
    """
    level = log2_ratio - scales["centre"].to_numpy()[sample]
    gain, loss = scales["gain"].to_numpy()[sample], scales["loss"].to_numpy()[sample]
    return np.where(level > 0, level / gain, level / -loss)


def _scaled(scales: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    return scales.assign(loss=scales["loss"] * factor, gain=scales["gain"] * factor)


def _purity_factor(platform: pd.DataFrame, purity: np.ndarray) -> np.ndarray:
    """Level that the purity implies, relative to the platform's purity's; 1 where one of them is not known."""
    usable = np.where(plausible_purity(purity), purity, np.nan)
    typical = platform["purity"].to_numpy()
    return np.nan_to_num(np.log2(1 - usable / 2) / np.log2(1 - typical / 2), nan=1.0)


def _neutral_shift(segments: MergedSegments, scales: pd.DataFrame) -> np.ndarray:
    """Median level of the neutral segments by length, relative to the centre; drawn to 0 where they are few."""
    copies = _in_copies(segments.log2_ratio, scales, segments.sample)
    neutral = segments.where(np.abs(copies) < _NEUTRAL)
    # One integer sorts faster than two keys; a millionth is far below any noise.
    ratio = np.rint(neutral.log2_ratio * _PARTS).astype(np.int64)
    order = np.argsort(neutral.sample.astype(np.int64) << 32 | ratio + (1 << 31), kind="stable")
    sample, length = neutral.sample[order], (neutral.end - neutral.start)[order]
    shift, found = np.zeros(len(scales)), np.unique(sample)
    level = ratio[order][weighted_median_rows(length, sample)] / _PARTS - scales["centre"].to_numpy()[found]
    covered, total = (
        np.bincount(one.sample, weights=one.end - one.start, minlength=len(scales))[found]
        for one in (segments, neutral)
    )
    shift[found] = level * np.minimum(1.0, total / covered / _ENOUGH_NEUTRAL)
    return shift


def _single_copy_factor(segments: MergedSegments, scales: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Single-copy level of each sample in units of its scale, and how many steps show it."""
    copies = _in_copies(segments.log2_ratio, scales, segments.sample)
    follows = segments.follows
    whole = ~follows & ~np.append(follows[1:], False)
    steps = np.concatenate([np.abs(np.diff(copies))[follows[1:]], np.abs(copies[whole])])
    sample = np.concatenate([segments.sample[follows], segments.sample[whole]])
    usable = (steps > SMALLEST_STEP) & (steps < LARGEST_STEP)
    order = _order_within(steps[usable], sample[usable])
    return _fixed_points(steps[usable][order], sample[usable][order], len(scales))


def _fixed_points(steps: np.ndarray, sample: np.ndarray, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Median of each sample's steps that exceed half of it, and how many do; 1 and 0 where there are no steps."""
    count = np.bincount(sample, minlength=n_samples)
    stop = np.cumsum(count)
    some = np.flatnonzero(count)
    level = np.ones(n_samples)
    # From the upper quartile down, as for the platform.
    level[some] = steps[stop[some] - count[some] + 3 * (count[some] - 1) // 4]
    above = count
    for _ in range(_ROUNDS):
        above = np.bincount(sample[steps > level[sample] / 2], minlength=n_samples)
        top, last = above[some], stop[some]
        found = (steps[last - top + (top - 1) // 2] + steps[last - top + top // 2]) / 2
        if np.array_equal(found, level[some]):
            break
        level[some] = found
    return np.clip(level, *_FACTOR_LIMITS), above
