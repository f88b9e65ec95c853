"""How far bootstrap refits agree on what drives one patient's prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.risk_model import RiskModel

NOT_ASSAYED = "not_assayed"
"""The row of all contributions from missing values together."""

_TAILS = (0.025, 0.975)


def patient_intervals(explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue) -> pd.DataFrame:
    """Return what a patient's measured features contribute by mechanism, and what the refits make of it.

    Parameters
    ----------
    explanation : Explanation
        Of the log risk of one patient.
    refits : sequence of RiskModel
        Bootstrap refits of the model.
    catalogue : Catalogue

    Returns
    -------
    DataFrame
        Index ``mechanism``: those of which something was measured, the largest absolute contribution first, then
        ``NOT_ASSAYED`` where something was not. ``value``; ``low`` and ``high``, which hold 95% of the refits; NaN
        without refits; ``established``, whether they lie on one side of zero, the side of ``value``. They hold the
        uncertainty of estimation, not that of tuning, and not whether the patient is like those of the training.

    Raises
    ------
    ValueError
        The explanation is of another number of patients, or of a probability.
    """
    if len(explanation.features) != 1 or explanation.scale == "probability":
        raise ValueError("intervals are of the log risk of one patient")
    known = explanation.values.iloc[0].notna().to_numpy()
    row = np.where(known, explanation.mechanism_of.to_numpy(dtype=object), NOT_ASSAYED)
    value = _summed(explanation.features.iloc[0], row)
    by_size = value.abs().sort_values(ascending=False, kind="stable").index
    order = [*by_size.drop(NOT_ASSAYED, errors="ignore"), *([] if known.all() else [NOT_ASSAYED])]
    table = pd.DataFrame({"value": value.loc[order], "low": np.nan, "high": np.nan}).rename_axis("mechanism")
    if refits:
        columns = explanation.features.columns
        found = [explain(refit, explanation.values, catalogue, background=explanation.background) for refit in refits]
        by_refit = [_summed(own.features.iloc[0].reindex(columns, fill_value=0.0), row) for own in found]
        table["low"], table["high"] = np.quantile(pd.DataFrame(by_refit)[order], _TAILS, axis=0)
    table["established"] = ((table["low"] > 0) & (table["value"] > 0)) | ((table["high"] < 0) & (table["value"] < 0))
    return table


def _summed(contributions: pd.Series, row: np.ndarray) -> pd.Series:
    return contributions.groupby(row, sort=False).sum()
