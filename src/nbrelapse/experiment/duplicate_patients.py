"""Patients who are in a cohort more than once under different names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.mechanisms.known_at import OUTCOME_COLUMNS

_FEWEST_VALUES = 20
"""Distinct values that a profile needs before an equal one cannot be chance. A choice."""

_PERSON = ("age_days", "sex", *OUTCOME_COLUMNS)


def profile_fingerprints(cohort: Cohort, assay: str) -> pd.Series:
    """Return a number for each patient's profile at diagnosis; equal profiles have equal numbers.

    Parameters
    ----------
    cohort : Cohort
    assay : {"expression", "copy_number"}

    Returns
    -------
    Series of uint64
        By patient; without those who have no profile, or one with fewer than 20 distinct values.
    """
    samples = cohort.assayed_samples(assay)
    if assay == "expression" and cohort.expression is not None:
        found = _expression(cohort.expression[samples])
    elif assay == "copy_number" and cohort.segments is not None:
        found = _segments(cohort.segments[cohort.segments["sample_id"].isin(samples)])
    else:
        return pd.Series(dtype=np.uint64)
    patient_of = pd.Series(samples.index, index=samples.to_numpy())
    return found.set_axis(patient_of.reindex(found.index), axis=0)


def _expression(matrix: pd.DataFrame) -> pd.Series:
    values = matrix.to_numpy(dtype=float)
    hashes = pd.util.hash_array(values.ravel()).reshape(values.shape)
    numbers = (hashes * _odd_numbers(len(values))[:, np.newaxis]).sum(axis=0, dtype=np.uint64)
    varied = matrix.nunique().to_numpy() >= _FEWEST_VALUES
    return pd.Series(numbers[varied], index=matrix.columns[varied])


def _segments(segments: pd.DataFrame) -> pd.Series:
    rows = pd.util.hash_pandas_object(segments[["chromosome", "start", "end", "log2_ratio"]], index=False)
    by_sample = segments["sample_id"].astype("str")
    numbers = rows.astype(np.uint64).groupby(by_sample).sum()
    varied = segments["log2_ratio"].groupby(by_sample).nunique() >= _FEWEST_VALUES
    return numbers[varied]


def _odd_numbers(n: int) -> np.ndarray:
    """Weights that make a sum of hashes depend on their order; sums of uint64 wrap around, on purpose."""
    return np.random.default_rng(0).integers(0, 2**63, n, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def person_fingerprints(cohort: Cohort) -> pd.Series:
    """Return a number for each patient's age, sex and course; equal ones have equal numbers.

    Returns
    -------
    Series of uint64
        By patient; without those whose age or time of follow-up is unknown. Recorded in days these hardly ever
        coincide in two patients; in whole months or years they may.
    """
    patients = cohort.patients.set_index("patient_id")
    columns = [name for name in _PERSON if name in patients]
    if not {"age_days", "followup_days"} <= set(columns):
        return pd.Series(dtype=np.uint64)
    known = patients[columns].dropna(subset=["age_days", "followup_days"])
    return pd.util.hash_pandas_object(known.astype("str"), index=False)


def count_twins(fingerprints: pd.Series, first: pd.Index, second: pd.Index | None = None) -> int:
    """Return how many patients of one group have an equal in the other, or, without another, in their own.

    Examples
    --------
    >>> numbers = pd.Series([7, 7, 8, 9], index=list("abcd"), dtype=np.uint64)
    >>> count_twins(numbers, pd.Index(list("ac")), pd.Index(list("bd")))
    1
    >>> count_twins(numbers, pd.Index(list("abcd")))
    1
    """
    own = fingerprints[fingerprints.index.isin(first)]
    if second is None:
        return int(own.duplicated().sum())
    return int(fingerprints[fingerprints.index.isin(second)].isin(own).sum())
