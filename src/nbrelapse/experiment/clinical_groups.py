"""The clinical groups that decisions by a model are held against."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.models.clinical import CLINICAL_COLUMNS


def clinical_groups(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the clinical groupings that tell patients apart.

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
    levels = clinical_levels(cohort, X)
    return {name: level for name, level in levels.items() if len(np.unique(level[~np.isnan(level)])) > 1}


def clinical_levels(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return all clinical groupings, whether or not they tell the patients apart; see :func:`clinical_groups`."""
    recorded = cohort.patients.set_index("patient_id")["high_risk"].reindex(X.index)
    found = {"high_risk": recorded.astype("Float64").to_numpy(dtype=float, na_value=np.nan)}
    for name, columns in CLINICAL_COLUMNS.items():
        if len(columns) == 1 and columns[0] in X:
            level = X[columns[0]].to_numpy(dtype=float)
            found[name] = np.where(level == np.round(level), level, np.nan)
    return found
