"""The table of metrics, and the metrics as a user calls them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from nbrelapse.metrics.brier import brier_score, integrated_brier, ipa, null_brier_score
from nbrelapse.metrics.calibration import calibration_intercept, calibration_slope, ici
from nbrelapse.metrics.discrimination import auc, cause_specific_c, dynamic_auc, harrell_c, uno_c
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.table import METRICS, metric_title
from nbrelapse.outcome import BINARY, HORIZON_YEARS, SURVIVAL, YEAR, Outcome


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("harrell_c", 0.8, 0.7),
        ("cause_specific_c", 0.8, 0.7),
        ("auc_3y", 0.8, 0.7),
        ("ipa_5y", 0.1, -0.2),
        ("brier_5y", 0.1, 0.2),
        ("integrated_brier", 0.1, 0.2),
        ("calibration_slope", 1.1, 0.8),
        ("calibration_slope", 0.9, 1.2),
    ],
)
def test_goodness_is_higher_for_the_better_value(metric, better, worse):
    assert METRICS[metric].goodness(better) > METRICS[metric].goodness(worse)
    assert np.isnan(METRICS[metric].goodness(np.nan))


def test_each_kind_has_its_leading_metric_first():
    for kind in (SURVIVAL, BINARY):
        own = [metric.name for metric in METRICS.values() if kind in metric.kinds]
        assert own[0] == kind.leading_metric
        assert METRICS[own[0]].chance == 0.5


def test_a_metric_at_a_horizon_says_so_in_its_title():
    assert metric_title("ici_5y") == "Calibration error (ICI) 5 y"
    assert {name for name in METRICS if name.startswith("ipa_")} == {f"ipa_{years}y" for years in HORIZON_YEARS}


@pytest.fixture(scope="module")
def survival() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes with competing events beyond five years, log risks, incidence at each quarter."""
    rng = np.random.default_rng(8)
    risk = rng.normal(size=200).round(2)
    times = np.stack([rng.exponential(1500 * np.exp(-risk)), rng.exponential(9000, 200), rng.uniform(300, 4000, 200)])
    y = np.empty(200, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = np.array([1, 2, 0])[times.argmin(axis=0)], times.min(axis=0)
    grid = np.arange(1, 21) * YEAR / 4
    return y, risk, 1 - np.exp(-np.exp(risk)[:, None] * grid / 2000), grid


def evaluated(y, risk, incidence, grid) -> dict[str, float]:
    prediction = Predictions("m", risk[None], np.zeros((1, len(y)), int), incidence[None], grid)
    found = evaluate({"m": prediction}, y, populations={"all": np.ones(len(y), bool)}, references=[], n_bootstrap=100)
    return found.metrics.set_index("metric")["value"].to_dict()


def test_every_metric_of_a_time_to_an_event_can_be_called_alone(survival):
    y, risk, incidence, grid = survival
    horizons = np.array(HORIZON_YEARS) * YEAR
    at = incidence[:, np.searchsorted(grid, horizons)]
    outcome = Outcome("relapse", pd.RangeIndex(200), y)
    alone = {
        "harrell_c": harrell_c(outcome, risk),
        "uno_c": uno_c(y, risk, tau=5 * YEAR),
        "cause_specific_c": cause_specific_c(y, pd.Series(risk)),
        "integrated_brier": integrated_brier(y, incidence, grid),
        "calibration_slope": calibration_slope(y, risk),
    }
    for name, values in {
        "auc": dynamic_auc(y, risk, horizons),
        "brier": brier_score(y, at, horizons),
        "ipa": ipa(y, at, horizons),
        "calibration_intercept": calibration_intercept(y, at, horizons),
        "ici": ici(y, at, horizons),
    }.items():
        alone |= {f"{name}_{years}y": value for years, value in zip(HORIZON_YEARS, values, strict=True)}
    assert alone == pytest.approx(evaluated(*survival), rel=1e-9)


def test_every_metric_of_a_yes_or_no_can_be_called_alone():
    rng = np.random.default_rng(2)
    log_odds = rng.normal(size=120)
    y = (rng.random(120) < expit(log_odds)).astype(np.int8)
    probability = expit(log_odds)
    alone = {
        "auc": auc(y, log_odds),
        "brier": brier_score(y, probability),
        "ipa": ipa(y, probability),
        "calibration_slope": calibration_slope(y, log_odds),
        "calibration_intercept": calibration_intercept(y, log_odds),
        "ici": ici(y, log_odds),
    }
    assert alone == pytest.approx(evaluated(y, log_odds, probability[:, None], np.array([np.inf])), rel=1e-9)


@pytest.mark.parametrize("metric", [brier_score, ipa, calibration_intercept, ici])
def test_axes_follow_the_times_and_the_weights(survival, metric):
    y, _, incidence, grid = survival
    weights = np.random.default_rng(0).integers(0, 3, (200, 4)).astype(float)
    both = metric(y, incidence[:, [7, 11]], grid[[7, 11]], weights=weights)
    assert both.shape == (2, 4)
    assert metric(y, incidence[:, 7], grid[7], weights=weights) == pytest.approx(both[0], rel=1e-9)
    assert metric(y, incidence[:, [7, 11]], grid[[7, 11]], weights=weights[:, 0]) == pytest.approx(both[:, 0], rel=1e-9)
    assert isinstance(metric(y, incidence[:, 7], grid[7], weights=weights[:, 0]), float)


@pytest.mark.parametrize("metric", [harrell_c, uno_c, cause_specific_c, calibration_slope])
def test_a_weight_is_how_often_a_patient_counts(survival, metric):
    y, risk, _, _ = survival
    rows = np.random.default_rng(1).integers(0, 200, 200)
    counts = np.bincount(rows, minlength=200)
    own = {} if metric is not uno_c else {"tau": 1000.0}
    if metric is not uno_c:  # whose censoring weights are those of all patients
        assert metric(y, risk, weights=counts, **own) == pytest.approx(metric(y[rows], risk[rows], **own), abs=1e-6)
    columns = metric(y, risk, weights=np.stack([counts, np.ones(200)], axis=1), **own)
    assert columns[1] == pytest.approx(metric(y, risk, **own), abs=1e-9)


def test_the_score_of_the_average_is_that_of_the_share():
    assert null_brier_score(np.array([0, 1, 1, 1])) == pytest.approx(0.75 * 0.25)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y, risk: auc(y, risk), "the outcome is survival, it must be binary"),
        (lambda y, risk: harrell_c(y["event"] % 2, risk), "the outcome is binary, it must be survival"),
        (lambda y, risk: harrell_c(y, risk[:9]), r"log risks \(1, 9\), folds \(1, 9\) and 200 outcomes"),
        (lambda y, risk: harrell_c(y, risk, weights=np.ones(9)), r"weights \(9,\) of 200 patients"),
        (lambda y, risk: brier_score(y, risk, np.ones(3)), r"predictions \(200,\), 3 times and 200 outcomes"),
    ],
)
def test_what_does_not_agree_is_refused(survival, call, words):
    with pytest.raises(ValueError, match=words):
        call(*survival[:2])
