"""Join neighbouring segments whose difference is noise, so that a finely cut profile reads like a coarse one."""

from __future__ import annotations

import numpy as np

from nbrelapse.cohort.merge_segments import MergedSegments

EVIDENCE = 0.25 * 3_000_000
"""A step must carry as much as half a copy over 3 Mb: squared copies times bases."""
TRUE_STEPS = 60
"""Steps between neighbours that a profile may really have; what it has beyond them measures its noise. The most
rearranged of the 397 profiles of 10.1038/sdata.2018.240 has 61."""
NOISE_WIDTH = 20.0
"""A step must also exceed the variance of noise this many times: 4.5 standard deviations, for there are hundreds."""
MEDIAN_CHI_SQUARED = 0.455


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
    >>> from nbrelapse.cohort.merge_segments import merge_segments
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
    bar = np.full(len(single_copy), EVIDENCE)
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
    busy = steps > TRUE_STEPS
    of_busy = within & busy[sample]
    order = np.lexsort((evidence[of_busy], sample[of_busy]))
    steps = np.where(busy, steps, 0)
    median = (np.cumsum(steps) - steps + (steps - TRUE_STEPS) // 2)[busy]
    bars = np.full(n_samples, EVIDENCE)
    bars[busy] = np.maximum(EVIDENCE, NOISE_WIDTH * evidence[of_busy][order][median] / MEDIAN_CHI_SQUARED)
    return bars
