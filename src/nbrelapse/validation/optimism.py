"""How much a model flatters itself in the patients it was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.binary_calibration import binary_calibration
from nbrelapse.validation.calibration_slope import calibration_slope
from nbrelapse.validation.discrimination import discriminations
from nbrelapse.validation.predictions import Predictions

if TYPE_CHECKING:
    from nbrelapse.models.risk_model import RiskModel


def optimism(
    model: RiskModel, refits: Sequence[RiskModel], rows: Sequence[np.ndarray], X: pd.DataFrame, y: np.ndarray
) -> pd.DataFrame:
    """Correct a final model's apparent figures by the bootstrap [1]_.

    A refit is judged by the resample that it was fitted to and by all patients; the mean of the differences is the
    optimism, and the apparent figure less the optimism estimates that of new patients. The resamples are stratified by
    event. The parameters are those of the final model, not tuned again in each resample, where copies of one patient
    would stand on both sides of the inner folds: what tuning and the choice between families add to the optimism is
    missing, and nested cross-validation has it.

    Parameters
    ----------
    model : RiskModel
        Fitted to all patients.
    refits : sequence of RiskModel
        The same model fitted to resamples.
    rows : sequence of ndarray
        The patients of each resample, see :func:`nbrelapse.models.resamples.bootstrap_rows`.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)

    Returns
    -------
    DataFrame
        A row a metric, ``harrell_c`` (``auc`` of a binary outcome) and ``calibration_slope``: ``apparent``,
        ``optimism``, ``corrected``, and ``resamples``, in how many it is defined. NaN where it is in none, as the slope
        of a model that gives everybody the same risk.

    References
    ----------
    .. [1] Harrell 1996, Statistics in Medicine,
       10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
    """
    ones = np.ones(len(y))
    apparent = _figures(model, X, y, ones[:, np.newaxis])
    gaps = []
    for refit, drawn in zip(refits, rows, strict=True):
        counts = np.bincount(drawn, minlength=len(y)).astype(float)
        found = _figures(refit, X, y, np.column_stack([counts, ones]))
        gaps.append({name: values[0] - values[1] for name, values in found.items()})
    differences = pd.DataFrame(gaps, columns=list(apparent), dtype=float)
    table = pd.DataFrame(
        {"apparent": {name: float(values[0]) for name, values in apparent.items()}, "optimism": differences.mean()}
    )
    table["corrected"] = table["apparent"] - table["optimism"]
    table["resamples"] = differences.notna().sum()
    table.index.name = "metric"
    return table


def _figures(model: RiskModel, X: pd.DataFrame, y: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    risk = model.predict_log_risk(X)[np.newaxis]
    fold = np.zeros(risk.shape, dtype=np.int64)
    ranking = discriminations(y, Predictions("", risk, fold, np.zeros((*risk.shape, 1)), np.ones(1)), weights)
    if not is_survival(y):
        return {"auc": ranking, "calibration_slope": binary_calibration(y, risk, fold, weights)["calibration_slope"]}
    # Column 0 of the slopes is where the search for the others starts: the sample itself.
    slopes = calibration_slope(y, risk, fold, weights[:, ::-1])[::-1]
    return {"harrell_c": ranking, "calibration_slope": slopes}
