from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.decisions import ClinicalUtility
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.report.experiment_report import _PLACED_FIGURES, experiment_figures
from nbrelapse.report.explanation_report import explanation_figures
from nbrelapse.report.facts import coverage_table


def test_every_figure_of_the_report_is_drawn_at_the_horizons_reached(
    evaluation: Evaluation,
    explanation: Explanation,
    catalogue: Catalogue,
    values: pd.DataFrame,
    y: np.ndarray,
    utility: ClinicalUtility,
    stable: Stability,
    groups: pd.Series,
) -> None:
    times = np.array([365.25, 730.5, 1095.75, 1826.25])
    hazard = np.exp(explanation.prediction.to_numpy())
    incidence = 1 - np.exp(-np.outer(hazard, times / 4000))
    log_risk = np.log(hazard)[None].repeat(2, axis=0)
    repeats = np.stack([incidence * 0.9, incidence * 1.0])
    fold = np.zeros(log_risk.shape, dtype=int)
    coverage = coverage_table(FeatureTable(values, catalogue))

    def draw(last: int) -> dict[str, object]:
        predictions = Predictions("cox", log_risk, fold, repeats[:, :, :last], times[:last])
        plots = experiment_figures("cox", evaluation, predictions, y, coverage, catalogue, utility)
        plots |= explanation_figures(explanation, catalogue, stable, groups)
        return {name: plot() for name, plot in plots.items()}

    full = draw(4)
    assert set(full) == set(_PLACED_FIGURES)
    panels = full["calibration"].axes  # type: ignore[attr-defined]
    assert [panel.get_title(loc="left") for panel in panels] == ["Within 3 years", "Within 5 years"]
    marks = panels[1].lines[1].get_xdata()
    assert np.isclose(marks.mean(), (incidence[:, 3] * 0.95).mean())
    assert "calibration" not in draw(2)
