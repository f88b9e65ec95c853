"""All metrics of one model."""

from __future__ import annotations

import numpy as np

from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.binary_metrics import binary_metrics
from nbrelapse.validation.brier_score import brier_score
from nbrelapse.validation.calibration_metrics import calibration_metrics
from nbrelapse.validation.calibration_slope import calibration_slope
from nbrelapse.validation.concordance import concordance
from nbrelapse.validation.dynamic_auc import dynamic_auc
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.integrated_brier import integrated_brier
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.predictions import Predictions


def compute_metrics(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    """Compute every metric that the patients support.

    Parameters
    ----------
    prediction : Predictions
    judged : JudgedPatients

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)
        By metric, a value a column of patient weights; NaN where a metric is undefined, for the reason that
        :class:`MetricKind` gives.
    """
    if not is_survival(judged.y):
        return binary_metrics(prediction, judged.y, judged.weights)
    return _discrimination(prediction, judged) | _accuracy(prediction, judged) | _calibration(prediction, judged)


def _discrimination(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    patients = (judged.y, prediction.log_risk, prediction.fold, judged.weights, judged.censoring)
    c = concordance(*patients, judged.horizons.tau)
    found = {"harrell_c": c.harrell, "uno_c": c.uno}
    if judged.compete:
        found["cause_specific_c"] = c.cause_specific
    for years in judged.horizons.auc_years:
        found[f"auc_{years}y"] = dynamic_auc(*patients, years * YEAR)
    return found


def _accuracy(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    horizons, y, weights, censoring = judged.horizons, judged.y, judged.weights, judged.censoring
    if horizons.incidence_at:
        at = list(horizons.incidence_at.values())
        brier = brier_score(y, prediction.incidence[:, :, at], prediction.times[at], weights, censoring)
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy = np.where(judged.null_brier > np.finfo(float).eps, 1 - brier / judged.null_brier, np.nan)
        for name, values in (("brier", brier), ("ipa", accuracy)):
            found |= {f"{name}_{years}y": row for years, row in zip(horizons.incidence_at, values, strict=True)}
    if horizons.n_times > 1:
        until = slice(horizons.n_times)
        incidence, times = prediction.incidence[:, :, until], prediction.times[until]
        found["integrated_brier"] = integrated_brier(y, incidence, times, weights, censoring)
    return found


def _calibration(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    slope = calibration_slope(judged.y, prediction.log_risk, prediction.fold, judged.weights)
    return {"calibration_slope": slope} | calibration_metrics(prediction, judged)
