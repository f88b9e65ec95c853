"""Segments in copies relative to each sample's own scale: the form in which every copy-number feature reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import MIN_LENGTH
from nbrelapse.cohort.merge_segments import MergedSegments, X, merge_segments
from nbrelapse.cohort.smooth_segments import smooth_segments
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import BUILDS
from nbrelapse.mechanisms.sample_scales import in_copies, platform_scales, sample_scales

ALTERED = 0.5
"""Midway between no change and a single copy."""
NOISE_WIDTHS = 2.0
"""A change must also exceed this many standard deviations of neutral segments."""
AMPLIFIED = float(np.log2(5 / 2) / np.log2(3 / 2))
"""Five copies where a single-copy gain is three, in units of the single-copy gain: 2.26."""
DEEP = 2.0
"""Deep deletion, in units of the single-copy loss: losing both copies is 2.2 at 30 % tumour cells, and more above."""
FOCAL = 10_000_000
"""A longer stretch at an amplified level is a gain, not an amplicon."""
BETWEEN = (0.25, 0.75)
"""Neither at the neutral nor at the single-copy level."""
UNCLEAR = 0.6
"""A profile with a larger part of the genome between the levels is noise: at random it would be about half."""
NUMERICAL_TENTHS = 9
"""Tenths of the covered chromosome that a numerical change has to reach."""


@dataclass(frozen=True)
class CopyNumberProfile:
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
        A row a patient, see :func:`nbrelapse.mechanisms.sample_scales.sample_scales`; also ``threshold_gain`` and
        ``threshold_loss`` in copies, and ``known``: False where the scale cannot be told, because nothing is altered
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
        Five copies or more over at most 10 Mb.
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

    @property
    def autosomal(self) -> np.ndarray:
        """Which segments lie on autosomes."""
        return self.segments.chromosome != X

    @property
    def segmental_gain(self) -> np.ndarray:
        """Gained beyond any numerical change, without amplicons."""
        return self._beyond_base(self.gained, 1.0) & ~self.amplified

    @property
    def segmental_loss(self) -> np.ndarray:
        """Lost beyond any numerical change."""
        return self._beyond_base(self.lost, -1.0)

    def _beyond_base(self, altered: np.ndarray, sign: float) -> np.ndarray:
        side = "gain" if sign > 0 else "loss"
        threshold = self.scales[f"threshold_{side}"].to_numpy()[self.segments.sample]
        return altered & (sign * (self.copies - self.base) > threshold)


@dataclass(frozen=True)
class SegmentBlock:
    """The segments of some patients, and what is needed to read them.

    Parameters
    ----------
    segments : MergedSegments
    platform : DataFrame
        The platform's scale of each sample, indexed by ``patient_id``.
    purity : ndarray of float64, shape (n_patients,)
    build : ndarray of int, shape (n_patients,)
        See :class:`CopyNumberProfile`.
    """

    segments: MergedSegments
    platform: pd.DataFrame
    purity: np.ndarray
    build: np.ndarray


def segment_blocks(cohort: Cohort, patients_at_once: int = 10_000) -> Iterator[SegmentBlock]:
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
            expected=" or ".join(BUILDS),
            mend="name the build of the segments when importing the cohort",
        )
    platform = platform_scales(cohort).reindex(chosen).set_index(chosen.index)
    purity = _purity(cohort, chosen)
    for first in range(0, len(chosen), patients_at_once):
        block = slice(first, first + patients_at_once)
        part = _of_samples(segments, block)
        yield SegmentBlock(part, platform.iloc[block], purity[block], build[block])


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


def copy_number_profile(block: SegmentBlock) -> CopyNumberProfile:
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
    >>> [copy_number_profile(block).lost.tolist() for block in segment_blocks(cohort)]
    [[True, False]]
    """
    platform = block.platform
    segments = smooth_segments(block.segments, np.minimum(platform["gain"].to_numpy(), -platform["loss"].to_numpy()))
    scales = sample_scales(segments, platform, block.purity)
    threshold = {
        side: np.maximum(ALTERED, NOISE_WIDTHS * scales["noise"].abs().to_numpy() / scales[side].abs().to_numpy())
        for side in ("gain", "loss")
    }
    copies = in_copies(segments.log2_ratio, scales, segments.sample)
    gained = copies > threshold["gain"][segments.sample]
    lost = copies < -threshold["loss"][segments.sample]
    amplified = (copies >= AMPLIFIED) & (segments.end - segments.start <= FOCAL)
    known = _scale_is_told(segments, copies, gained | lost, len(scales))
    scales = scales.assign(threshold_gain=threshold["gain"], threshold_loss=threshold["loss"], known=known)
    base = _numerical_base(segments, copies, scales)
    return CopyNumberProfile(
        scales.index, block.segments, segments, scales, block.build, copies, gained, lost, base, amplified
    )


def _scale_is_told(segments: MergedSegments, copies: np.ndarray, altered: np.ndarray, n_samples: int) -> np.ndarray:
    """Whether a sample has a large altered segment and most of its genome lies at a level."""
    length = np.where(segments.chromosome == X, 0, segments.end - segments.start)
    distance = np.abs(copies)
    between = (distance > BETWEEN[0]) & (distance < BETWEEN[1])
    large = altered & (length >= MIN_LENGTH)
    seen, unclear, covered = (
        np.bincount(segments.sample, weights=length * chosen, minlength=n_samples)
        for chosen in (large, between, np.ones(len(length)))
    )
    return (seen > 0) & (unclear <= UNCLEAR * covered)


def _purity(cohort: Cohort, chosen: pd.Series) -> np.ndarray:
    """Share of tumour cells of each sample, NaN where it is not known."""
    if "purity" not in cohort.samples:
        return np.full(len(chosen), np.nan)
    return cohort.samples.set_index("sample_id")["purity"].reindex(chosen).to_numpy(dtype=np.float64)


def _builds(cohort: Cohort, chosen: pd.Series) -> np.ndarray:
    """Place of each sample's genome build in BUILDS, -1 where it is not known."""
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    return pd.Index(BUILDS).get_indexer(pd.Index(assays["genome_build"].reindex(chosen)))


def _numerical_base(segments: MergedSegments, copies: np.ndarray, scales: pd.DataFrame) -> np.ndarray:
    """Level that nine tenths of a chromosome reach or exceed where it is altered, else 0; by segment."""
    if not len(copies):
        return np.empty(0)
    chromosome = np.cumsum(~segments.follows) - 1
    order = np.lexsort((copies, chromosome))
    first = np.flatnonzero(~segments.follows)
    length = (segments.end - segments.start)[order]
    covered = np.add.reduceat(length, first)
    ends = np.cumsum(length)
    before = ends[first] - length[first]
    level = copies[order]
    # Whole bases: the position in the table must not move a comparison by a rounding error.
    low = level[np.searchsorted(ends, before + covered * (10 - NUMERICAL_TENTHS) // 10, side="right")]
    high = level[np.searchsorted(ends, before - (-covered * NUMERICAL_TENTHS // 10), side="left")]
    sample = segments.sample[first]
    gained = np.where(low > scales["threshold_gain"].to_numpy()[sample], low, 0.0)
    lost = np.where(high < -scales["threshold_loss"].to_numpy()[sample], high, 0.0)
    return (gained + lost)[chromosome]
