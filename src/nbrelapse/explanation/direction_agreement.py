"""Whether the model pushes the risk the way the literature expects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.rank_correlation import rank_correlation
from nbrelapse.mechanisms.catalogue import Catalogue


def direction_agreement(explanation: Explanation, catalogue: Catalogue, endpoint: str) -> pd.DataFrame:
    """Compare each feature's effect in the model with the direction that the catalogue expects.

    A feature's direction in the model is the sign of Spearman's correlation between its value and its contribution
    among the patients that have the value.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    endpoint : {"relapse", "efs", "os", "refractory"}

    Returns
    -------
    DataFrame
        Index ``feature``, most important first: ``mechanism``, ``importance`` (mean absolute contribution),
        ``correlation`` (NaN where the value or the contribution does not vary), ``expected`` and ``found``
        (-1, 0, +1; 0 = no expectation, no effect) and ``agrees`` (missing where either is 0, or where the model was
        constrained to the direction).
    """
    importance = explanation.feature_importance()
    correlation = rank_correlation(explanation.values, explanation.features)[importance.index]
    expected = pd.Series(
        [catalogue.features[name].direction_for(endpoint) for name in importance.index], index=importance.index
    )
    found = pd.Series(np.sign(correlation.fillna(0.0)).astype(int), index=importance.index)
    undecided = (expected == 0) | (found == 0) | importance.index.isin(explanation.constrained)
    agrees = (expected == found).astype("boolean").mask(undecided)
    return pd.DataFrame(
        {
            "mechanism": explanation.mechanism_of[importance.index],
            "importance": importance,
            "correlation": correlation,
            "expected": expected,
            "found": found,
            "agrees": agrees,
        }
    ).rename_axis("feature")
