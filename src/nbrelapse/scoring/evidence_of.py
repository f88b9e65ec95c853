"""How much of what a model relies on is known of each patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.scoring.bundle import Bundle


def evidence_of(bundle: Bundle, values: pd.DataFrame) -> np.ndarray:
    """Share of the importance of the model's features (mean absolute training contributions) that is known.

    Parameters
    ----------
    bundle : Bundle
    values : DataFrame of shape (n_patients, n_features)
        The model's features; NaN = not assayed.

    Returns
    -------
    ndarray of shape (n_patients,)
        0 to 1. Where no feature has any importance they all count alike.
    """
    importance = bundle.schema["importance"].to_numpy(dtype=float)
    if not importance.sum() > 0:
        importance = np.ones(len(importance))
    known = values[list(bundle.schema.index)].notna().to_numpy()
    # Rounded, so that everything known is 1 and no threshold falls on the order of a sum.
    return np.asarray(np.round(known @ (importance / importance.sum()), 12))
