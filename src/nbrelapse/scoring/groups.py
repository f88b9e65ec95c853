"""Groups of patients: clinical groups, populations of an evaluation, groups that explanations are shown for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.metrics.decisions import MOST_UNKNOWN, ClinicalUtility, clinical_utility
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.clinical import CLINICAL_COLUMNS
from nbrelapse.outcome import Outcome, kind_of

_THREE = {0: "Low", 1: "Intermediate", 2: "High"}
_GROUPINGS = {
    "clinical_risk_group": ("Recorded risk group", _THREE),
    "high_risk": ("Recorded risk group", {0: "Not high risk", 1: "High risk"}),
    "clinical_cog_v2": ("COG v2 risk group", _THREE),
    "clinical_inrg": ("INRG risk group", {0: "Very low", 1: "Low", 2: "Intermediate", 3: "High"}),
}
"""Those preferred first, the most detailed that was recorded before those that rules give."""

_THIRDS = ["Lowest third", "Middle third", "Highest third"]


def patient_groups(cohort: Cohort, X: pd.DataFrame, prediction: pd.Series) -> pd.Series:
    """Return the clinical risk groups of the patients, or thirds of their predicted risk where too few are known.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients, the clinical groupings among them.
    prediction : Series of shape (n,)
        Predicted risk of the same patients.

    Returns
    -------
    Series
        By patient, an ordered categorical, the group of lowest risk first; its name says which grouping it is. NaN
        where the group is unknown.
    """
    found = clinical_groups(cohort, X)
    for name, (title, levels) in _GROUPINGS.items():
        if name in found and np.mean(np.isin(found[name], list(levels))) >= 1 - MOST_UNKNOWN:
            labels = pd.Series(found[name], index=X.index).map(levels)
            return pd.Series(pd.Categorical(labels, list(levels.values()), ordered=True), X.index, name=title)
    cuts = np.quantile(prediction, [1 / 3, 2 / 3]) if len(prediction) else [0.0, 0.0]
    third = np.array(_THIRDS)[np.searchsorted(cuts, prediction.to_numpy(), side="left")]
    return pd.Series(pd.Categorical(third, _THIRDS, ordered=True), prediction.index, name="Third of predicted risk")


def clinical_groups(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the clinical groupings that distinguish patients.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients, the clinical groupings among them.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        ``high_risk`` (recorded by the clinic) first, then each grouping that is a baseline, by its name; higher is
        worse, NaN where a rule leaves more than one group possible.
    """
    levels = _clinical_levels(cohort, X)
    return {name: level for name, level in levels.items() if len(np.unique(level[~np.isnan(level)])) > 1}


def _clinical_levels(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return all clinical groupings, whether or not they distinguish the patients; see :func:`clinical_groups`."""
    recorded = _recorded_high_risk(cohort, X.index)
    found = {"high_risk": recorded.astype("Float64").to_numpy(dtype=float, na_value=np.nan)}
    for name, columns in CLINICAL_COLUMNS.items():
        if len(columns) == 1 and columns[0] in X:
            level = X[columns[0]].to_numpy(dtype=float)
            found[name] = np.where(level == np.round(level), level, np.nan)
    return found


def _recorded_high_risk(cohort: Cohort, patient_ids: pd.Index) -> pd.Series:
    """Return whether the clinic says that patients are high-risk, missing where it does not say."""
    return cohort.patients.set_index("patient_id")["high_risk"].reindex(patient_ids)


def populations(cohort: Cohort, outcome: Outcome) -> dict[str, np.ndarray]:
    """Masks over the patients of an outcome: ``all``, and ``high_risk`` where the clinic has said so.

    Where all patients are high-risk there is one population, ``all``.
    """
    masks = {"all": np.ones(len(outcome.y), dtype=bool)}
    mask = _recorded_high_risk(cohort, outcome.patient_ids).fillna(False).to_numpy(dtype=bool)
    return masks if mask.all() else masks | {"high_risk": mask}


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
    if not kind_of(y).has_time:
        return None
    resamples = min(n_bootstrap, _MOST_RESAMPLES)
    return clinical_utility(model, predictions, clinical_groups(cohort, X), y, n_bootstrap=resamples, seed=seed)
