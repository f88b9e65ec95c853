"""An explanation as one table, a row a patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation


def attribution_table(explanation: Explanation, evidence: np.ndarray | None = None) -> pd.DataFrame:
    """Lay out what an explanation says of each patient.

    Parameters
    ----------
    explanation : Explanation
    evidence : ndarray of shape (n_patients,), optional
        How much is known of each patient, 0 to 1.

    Returns
    -------
    DataFrame of shape (n_patients, n_columns)
        Rows as in the explanation, ``patient_id`` first; ``log_risk`` or ``probability``, the prediction; of a
        probability by a time ``horizon_days``; ``baseline``; ``evidence``, where it was given; ``mechanism__<name>``,
        which add up to the prediction with the baseline; ``not_assayed__<name>``, the part of each that comes from
        missing values; and the features, which add up to it, too.

    Examples
    --------
    >>> features = pd.DataFrame({"alk__a": [0.5, -0.25]}, index=["P1", "P2"])
    >>> mechanisms = features.set_axis(["alk"], axis=1)
    >>> values = pd.DataFrame({"alk__a": [1.0, None]}, index=["P1", "P2"])
    >>> total = features.sum(axis=1).rename("log_risk")
    >>> mechanism_of = pd.Series({"alk__a": "alk"})
    >>> attribution_table(Explanation(0.0, features, mechanisms, values, total, mechanism_of)).to_dict("records")[1]
    {'patient_id': 'P2', 'log_risk': -0.25, 'baseline': 0.0, 'mechanism__alk': -0.25, 'not_assayed__alk': -0.25,
     'alk__a': -0.25}
    """
    head = {
        str(explanation.prediction.name): explanation.prediction,
        **({} if explanation.horizon_days is None else {"horizon_days": explanation.horizon_days}),
        "baseline": explanation.baseline,
        **({} if evidence is None else {"evidence": evidence}),
    }
    parts = [
        pd.DataFrame(head, index=explanation.features.index),
        explanation.mechanisms.add_prefix("mechanism__"),
        explanation.mechanisms_not_assayed.add_prefix("not_assayed__"),
        explanation.features,
    ]
    return pd.concat(parts, axis=1).rename_axis("patient_id").reset_index()
