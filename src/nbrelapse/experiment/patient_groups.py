"""The groups of patients that explanations are shown for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.clinical_groups import clinical_groups

_THREE = {0: "Low", 1: "Intermediate", 2: "High"}
GROUPINGS = {
    "clinical_risk_group": ("Recorded risk group", _THREE),
    "high_risk": ("Recorded risk group", {0: "Not high risk", 1: "High risk"}),
    "clinical_cog_v2": ("COG v2 risk group", _THREE),
    "clinical_inrg": ("INRG risk group", {0: "Very low", 1: "Low", 2: "Intermediate", 3: "High"}),
}
"""Those preferred first, the most detailed that was recorded before those that rules give."""

_LEAST_KNOWN = 0.8
"""Share of the patients whose group must be known, as in clinical utility. A choice."""

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
    for name, (title, levels) in GROUPINGS.items():
        if name in found and np.mean(np.isin(found[name], list(levels))) >= _LEAST_KNOWN:
            labels = pd.Series(found[name], index=X.index).map(levels)
            return pd.Series(pd.Categorical(labels, list(levels.values()), ordered=True), X.index, name=title)
    cuts = np.quantile(prediction, [1 / 3, 2 / 3]) if len(prediction) else [0.0, 0.0]
    third = np.array(_THIRDS)[np.searchsorted(cuts, prediction.to_numpy(), side="left")]
    return pd.Series(pd.Categorical(third, _THIRDS, ordered=True), prediction.index, name="Third of predicted risk")
