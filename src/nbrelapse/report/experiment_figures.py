"""The pictures of one experiment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.outcome.event_of import is_survival
from nbrelapse.report.explanation_figures import explanation_figures
from nbrelapse.report.plots import (
    binary_calibration,
    calibration,
    decision_curve_plot,
    feature_coverage,
    kaplan_meier_by_risk,
    leaderboard_forest,
)
from nbrelapse.validation.clinical_utility import ClinicalUtility
from nbrelapse.validation.evaluate import Evaluation
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.predictions import Predictions

_HORIZONS = (3, 5)


def experiment_figures(
    chosen: str,
    evaluation: Evaluation,
    predictions: Predictions,
    y: np.ndarray,
    explanation: Explanation,
    coverage: pd.DataFrame,
    catalogue: Catalogue,
    utility: ClinicalUtility | None = None,
    stability: Stability | None = None,
    groups: pd.Series | None = None,
) -> dict[str, Figure]:
    """Draw everything that an experiment report has a place for.

    Parameters
    ----------
    chosen : str
        The chosen model.
    evaluation : Evaluation
        Of the patients that the answer rests on: the hold-out, or the training patients.
    predictions : Predictions
        The chosen model's for these patients; repeats are averaged as probabilities, which share a scale.
    y : ndarray of shape (n_patients,)
        Their outcome.
    explanation : Explanation
        Of the chosen model.
    coverage : DataFrame
        From :func:`nbrelapse.report.coverage.coverage_table`.
    catalogue : Catalogue
    utility : ClinicalUtility, optional
        Of the chosen model for these patients.
    stability : Stability, optional
        Of the explanation.
    groups : Series, optional
        Risk groups of the explained patients, see :func:`nbrelapse.report.explanation_figures.explanation_figures`.

    Returns
    -------
    dict of str to Figure
        ``leaderboard``, ``coverage`` and those of the explanation; of a time to an event ``kaplan_meier``, and
        ``calibration`` and ``decision_curve`` where the follow-up reaches three years; of a binary endpoint
        ``calibration``.
    """
    figures = {
        "leaderboard": leaderboard_forest(evaluation, chosen),
        **explanation_figures(explanation, catalogue, stability, groups),
        "coverage": feature_coverage(coverage, catalogue),
    }
    if not is_survival(y):
        return figures | {"calibration": binary_calibration(predictions.incidence[:, :, 0].mean(axis=0), y)}
    return figures | _over_time(predictions, y, utility)


def _over_time(predictions: Predictions, y: np.ndarray, utility: ClinicalUtility | None) -> dict[str, Figure]:
    incidence = predictions.incidence.mean(axis=0)
    end = y["time"].max()
    reached = [years for years in _HORIZONS if predictions.times[-1] >= years * YEAR and end > years * YEAR]
    horizon = np.searchsorted(predictions.times, max(reached, default=_HORIZONS[0]) * YEAR, side="right") - 1
    figures = {"kaplan_meier": kaplan_meier_by_risk(incidence[:, max(int(horizon), 0)], y)}
    if reached:
        figures["calibration"] = calibration(predictions, y, reached)
    if utility is not None and not utility.decisions.net_benefit.empty:
        figures["decision_curve"] = decision_curve_plot(utility)
    return figures
