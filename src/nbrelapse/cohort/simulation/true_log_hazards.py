"""The true Cox model of a simulation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def true_log_hazards(drawn: pd.DataFrame, log_hazards: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Contribution of each mechanism to the log hazard of relapse or progression.

    Parameters
    ----------
    drawn : DataFrame
        From :func:`draw_patients`.
    log_hazards : dict of str to dict
        Log hazard ratio per unit of a drawn quantity, by mechanism.

    Returns
    -------
    DataFrame of float64
        A row a patient, a column a mechanism. ``microenvironment`` has no effect and is 0.

    Examples
    --------
    >>> drawn = pd.DataFrame({"alk_hotspot": [1, 0], "alk_expression": [2.0, 0.0]})
    >>> true_log_hazards(drawn, {"alk": {"alk_hotspot": 0.5, "alk_expression": 0.25}})["alk"].tolist()
    [1.0, 0.0]
    """
    columns = {
        mechanism: sum((drawn[name] * effect for name, effect in effects.items()), start=np.zeros(len(drawn)))
        for mechanism, effects in log_hazards.items()
    }
    return pd.DataFrame({**columns, "microenvironment": 0.0}, index=drawn.index, dtype=np.float64)
