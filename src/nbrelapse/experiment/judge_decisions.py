"""Decisions by a model beside those by the clinical groups of a cohort."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.clinical_groups import clinical_groups
from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.clinical_utility import ClinicalUtility, clinical_utility
from nbrelapse.validation.predictions import Predictions

_MOST_RESAMPLES = 500
"""A choice: there are many thresholds, and nothing is decided by the last digit of an interval."""


def judge_decisions(
    model: str,
    predictions: Mapping[str, Predictions],
    cohort: Cohort,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_bootstrap: int,
    seed: int,
) -> ClinicalUtility | None:
    """Ask whether decisions by a model would be better than those by the cohort's clinical groups.

    Parameters
    ----------
    model : str
        Which of the predictions.
    predictions : mapping of str to Predictions
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients that the predictions are of.
    y : ndarray of shape (n,)
    n_bootstrap, seed : int
        Of the intervals; 500 resamples at most.

    Returns
    -------
    ClinicalUtility or None
        None of a binary endpoint, which has no horizon.
    """
    if not is_survival(y):
        return None
    resamples = min(n_bootstrap, _MOST_RESAMPLES)
    return clinical_utility(model, predictions, clinical_groups(cohort, X), y, n_bootstrap=resamples, seed=seed)
