from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.report.facts import coverage_table
from nbrelapse.report.plots import (
    beeswarm,
    calibration,
    feature_coverage,
    incidence_course,
    kaplan_meier_by_risk,
    leaderboard_forest,
    mechanism_bar,
    patient_waterfall,
)
from nbrelapse.report.plots.style import _drawn_patients


def texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [
        label.get_text() for axes in figure.axes for label in axes.get_yticklabels()
    ]


def inside(figure: Any) -> bool:
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    width, height = figure.get_size_inches()
    return box.x0 >= -0.01 and box.y0 >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


def test_mechanism_bars_have_the_length_of_the_importance(explanation: Explanation, catalogue: Catalogue) -> None:
    figure = mechanism_bar(explanation, catalogue)
    importance = explanation.mechanism_importance()
    missing = importance * explanation.not_assayed_share()[importance.index]
    widths = [bar.get_width() for bar in figure.axes[0].patches[: len(importance)]]
    assert widths == pytest.approx(list((importance - missing)[::-1]))
    assert "MYCN amplification" in texts(figure)
    assert inside(figure)


def test_beeswarm_has_a_dot_a_patient_and_greys_the_missing(explanation: Explanation, catalogue: Catalogue) -> None:
    figure = beeswarm(explanation, catalogue, top=4)
    dots = figure.axes[0].collections
    assert sum(len(part.get_offsets()) for part in dots) == 4 * len(explanation.values)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "MYCN amplified"
    assert inside(figure)


def test_beeswarm_of_a_large_cohort_draws_a_part_with_both_ends(
    explanation: Explanation, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_drawn_patients, "__defaults__", (3,))
    risk = explanation.mechanisms.sum(axis=1).to_numpy()
    drawn = np.sort(np.argsort(risk, kind="stable")[[0, round((len(risk) - 1) / 2), len(risk) - 1]])
    axes = beeswarm(explanation, catalogue, top=4).axes[0]
    dots = np.vstack([part.get_offsets() for part in axes.collections])
    assert len(dots) == 4 * 3
    shown = explanation.feature_importance().index[:4]
    np.testing.assert_array_equal(np.sort(dots[:, 0]), np.sort(explanation.features[shown].to_numpy()[drawn].ravel()))
    assert "3 of 240 patients, evenly spaced by predicted risk" in axes.get_xlabel()


def test_beeswarm_is_the_same_every_time(explanation: Explanation, catalogue: Catalogue) -> None:
    first, second = (
        np.vstack([part.get_offsets() for part in beeswarm(explanation, catalogue).axes[0].collections])
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_waterfall_ends_at_the_log_risk_and_marks_what_was_not_assayed(
    explanation: Explanation, catalogue: Catalogue
) -> None:
    patient = explanation.values.index[explanation.values["alk__hotspot_mutation"].isna()][0]
    figure = patient_waterfall(explanation, patient, catalogue)
    bars = figure.axes[0].patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(explanation.prediction[patient])
    missing = explanation.features.loc[patient][explanation.values.loc[patient].isna()].sum()
    assert bars[-1].get_width() == pytest.approx(missing)
    assert [bool(bar.get_hatch()) for bar in bars] == [False] * (len(bars) - 1) + [True]
    assert "Not assayed" in texts(figure)
    assert "ALK" not in texts(figure)
    assert not any(patient in text for text in texts(figure))
    assert inside(figure)


def test_waterfall_of_a_probability_is_in_percentage_points(explanation: Explanation, catalogue: Catalogue) -> None:
    patient = explanation.values.index[0]
    scaled = replace(
        explanation,
        baseline=0.4,
        features=explanation.features / 10,
        mechanisms=explanation.mechanisms / 10,
        prediction=0.4 + explanation.prediction / 10,
        scale="probability",
        horizon_days=5 * YEAR,
    )
    figure = patient_waterfall(scaled, patient, catalogue)
    assert figure.axes[0].get_xlabel() == "Predicted probability of the event by 5 years"
    written = texts(figure)
    assert "baseline 40%" in written
    assert f"this patient {scaled.prediction[patient]:.0%}" in written
    assert sum(text.endswith(" pp") for text in written) == len(figure.axes[0].patches)
    assert inside(figure)


def test_waterfall_of_an_unknown_patient_is_refused(explanation: Explanation, catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="not among the explained"):
        patient_waterfall(explanation, "nobody", catalogue)


def test_kaplan_meier_of_the_highest_third_is_lifelines(explanation: Explanation, y: np.ndarray) -> None:
    risk = explanation.prediction.to_numpy()
    figure = kaplan_meier_by_risk(risk, y)
    line = figure.axes[0].lines[2]
    own = y[np.argsort(np.argsort(risk, kind="stable"), kind="stable") >= 160]
    theirs = KaplanMeierFitter().fit(own["time"] / 365.25, own["event"] > 0)
    np.testing.assert_allclose(
        line.get_ydata(), theirs.survival_function_at_times(line.get_xdata()).to_numpy(), atol=1e-12
    )
    assert inside(figure)


def test_calibration_has_a_panel_a_horizon_with_curve_and_groups(explanation: Explanation, y: np.ndarray) -> None:
    times = np.array([3, 5]) * YEAR
    log_risk = explanation.prediction.to_numpy()[None]
    incidence = 1 - np.exp(-np.exp(log_risk)[:, :, None] * times / 2500)
    predictions = Predictions("cox", log_risk, np.zeros(log_risk.shape, int), incidence, times)
    figure = calibration(predictions, y, [3, 5])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Within 3 years", "Within 5 years"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [2, 5, 101]
    assert figure.axes[0].texts[0].get_text().startswith("ICI 0.")
    assert inside(figure)


def test_forest_shows_every_model_and_the_difference_from_the_strongest_baseline(evaluation: Evaluation) -> None:
    figure = leaderboard_forest(evaluation, "cox")
    shown = texts(figure)
    assert "0.792 (0.742 to 0.842)" in shown
    assert "+0.051 (+0.012 to +0.090)" in shown
    assert "+0.062 (−0.030 to +0.150)" in shown
    assert shown.count(" reference") == 2
    assert inside(figure)


def test_coverage_counts_known_values(values: pd.DataFrame, catalogue: Catalogue) -> None:
    coverage = coverage_table(FeatureTable(values, catalogue))
    assert coverage.loc["mycn__amplified", "observed"] == 1.0
    assert coverage.loc["alk__hotspot_mutation", "observed"] == values["alk__hotspot_mutation"].notna().mean()
    assert inside(feature_coverage(coverage, catalogue))


def test_the_course_rises_with_its_band_beside_what_was_observed() -> None:
    times = np.linspace(0, 5 * YEAR, 21)
    incidence = 1 - np.exp(-times / 4000)
    days = np.arange(1, 9) * YEAR / 4
    observed = pd.DataFrame({"days": days, "incidence": days / 4000, "low": days / 5000, "high": days / 3000})
    axes = incidence_course(times, incidence, incidence * 0.8, incidence * 1.2, observed, start="day 120").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), incidence)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [0.0, *observed["incidence"]])
    assert axes.get_xlabel() == "Years from day 120"
    assert len(axes.collections) == 2
    assert len(axes.collections[1].get_segments()) == 2


def test_the_course_stands_without_an_observed_one() -> None:
    times = np.linspace(0, 5 * YEAR, 21)
    figure = incidence_course(times, times / 4000, times / 5000, times / 3000)
    assert len(figure.axes[0].collections) == 1
    assert texts(figure)[0] == "this patient,\npredicted"
    assert inside(figure)


def test_no_picture_touches_pyplot() -> None:
    assert plt.get_fignums() == []
