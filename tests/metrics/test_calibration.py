from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from sklearn.linear_model import LinearRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import cumulative_incidence_competing_risks

from nbrelapse.metrics.calibration import (
    _integrated_calibration_index,
    _SmoothCalibration,
    calibration_curve,
    calibration_intercept,
    calibration_slope,
)
from nbrelapse.metrics.evaluation import _metric_replicates
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.incidence import pseudo_observations
from nbrelapse.metrics.predictions import Predictions, _JudgedPatients
from nbrelapse.metrics.resampling import bootstrap_weights


@pytest.mark.parametrize("seed", range(3))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(120, seed, competing=True)
    weights = bootstrap_weights(len(y), 10, seed)
    found = calibration_slope(y, 3 * risk[np.newaxis], weights=weights)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        cox = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12).fit(3 * risk[rows, None], as_boolean(y[rows]))
        assert found[column] == pytest.approx(cox.coef_[0], abs=1e-7)


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # lifelines' own
def test_folds_are_strata_as_in_lifelines(outcome):
    y, risk = outcome(200, 7)
    y["time"] += np.random.default_rng(0).permutation(200) / 1000  # lifelines breaks ties after Efron
    fold = np.arange(200) % 4
    shifted = risk + fold
    table = pd.DataFrame({"x": shifted, "time": y["time"], "event": y["event"] == 1, "fold": fold})
    expected = CoxPHFitter().fit(table, "time", "event", strata=["fold"]).params_["x"]
    found = calibration_slope(y, shifted[np.newaxis], fold=fold[np.newaxis], weights=np.ones((200, 1)))
    assert found[0] == pytest.approx(expected, abs=1e-5)


def test_a_log_risk_twice_too_large_has_half_the_slope(outcome):
    y, risk = outcome(100, 1)
    fold = np.zeros((1, 100), dtype=int)
    weights = bootstrap_weights(100, 5, 0)
    once = calibration_slope(y, risk[np.newaxis], fold=fold, weights=weights)
    twice = calibration_slope(y, 2 * risk[np.newaxis], fold=fold, weights=weights)
    np.testing.assert_allclose(once, 2 * twice, rtol=1e-6)


@pytest.mark.parametrize(
    ("event", "risk"),
    [([1, 1, 0, 0], [1.0, 1.0, 1.0, 1.0]), ([0, 0, 0, 0], [1.0, 2.0, 3.0, 4.0]), ([1, 1, 1, 1], [4.0, 3.0, 2.0, 1.0])],
    ids=["constant", "no events", "separated"],
)
def test_no_finite_slope_is_nan(event, risk):
    y = np.array(list(zip(event, range(1, 5), strict=True)), dtype=[("event", np.int8), ("time", float)])
    found = calibration_slope(y, np.array([risk]), weights=np.ones((4, 2)))
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("event", "risk"),
    [
        # One log risk is far from the others, so that Newton's method takes six steps, then ten.
        ([1, 1, 1, 0, 0, 1], [1000.0, -5.0, -4.0, 7.0, -1.0, -4.0]),
        ([1, 1, 0, 0, 1, 1], [1000.0, 3.0, 4.0, 8.0, 8.0, 8.0]),
        # The slope is more than five per standard deviation.
        ([1, 0, 0, 1, 1, 0], [100.0, -3.0, 3.0, 4.0, -9.0, -6.0]),
        # A step of full length would leave the maximum for good.
        ([1, 0, 1, 0, 0, 1, 0, 1], [100.0, 0.0, -2.0, -7.0, 9.0, -1.0, 8.0, 6.0]),
    ],
)
def test_an_extreme_log_risk_has_the_slope_of_the_partial_likelihood(event, risk):
    y = np.array(list(zip(event, range(1, len(event) + 1), strict=True)), dtype=[("event", np.int8), ("time", float)])
    x = np.array(risk)

    def score(slope):
        """Of each event, the log risk less the mean of those at risk."""
        at_risk = [np.exp(slope * (x[i:] - x[i:].max())) for i in range(len(x))]
        return sum(x[i] - at_risk[i] @ x[i:] / at_risk[i].sum() for i in range(len(x)) if event[i])

    assert calibration_slope(y, x) == pytest.approx(brentq(score, 0, 1, xtol=1e-12), rel=1e-6)


HORIZON = 1000.0


def natural_spline(x, knots):
    """The natural cubic splines through unit vectors at the knots, straight outside: another basis of the space."""
    columns = []
    for unit in np.eye(len(knots)):
        spline = CubicSpline(knots, unit, bc_type="natural")
        inside = np.clip(x, knots[0], knots[-1])
        columns.append(spline(inside) + spline(inside, 1) * (x - inside))
    return np.stack(columns, axis=-1)


@pytest.fixture
def judged(outcome):
    y, risk = outcome(150, 11, competing=True)
    generator = np.random.default_rng(0)
    log_risk = risk + 0.1 * generator.normal(size=(2, 150))
    return y, 1 - np.exp(-0.7 * np.exp(1.5 * log_risk))


def test_resamples_equal_scikit_learn_on_another_basis(judged):
    y, predicted = judged
    pseudo, weights = pseudo_observations(y, HORIZON), bootstrap_weights(150, 8, 0)
    x = np.log(-np.log1p(-np.clip(predicted, 0.01, 0.99)))
    basis = natural_spline(x, np.quantile(x, [0.1, 0.5, 0.9]))
    basis = np.concatenate([basis, predicted[:, :, None]], axis=-1).reshape(300, -1)
    curve = _SmoothCalibration.fit(predicted, pseudo, weights).at(predicted)
    index = _integrated_calibration_index(predicted, pseudo, weights)
    for column in range(weights.shape[1]):
        own = np.tile(weights[:, column], 2)
        fitted = LinearRegression(fit_intercept=False).fit(basis, np.tile(pseudo, 2), own).predict(basis).clip(0, 1)
        np.testing.assert_allclose(curve[:, :, column].ravel(), fitted, atol=1e-6)
        expected = np.average(np.abs(fitted - predicted.ravel()), weights=own)
        assert index[column] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_model_has_index_zero():
    predicted = np.linspace(0.01, 0.95, 40)[None]
    assert _integrated_calibration_index(predicted, predicted[0], bootstrap_weights(40, 5, 0)) == pytest.approx(0)


def test_a_constant_prediction_is_compared_with_the_mean(judged):
    y, _ = judged
    pseudo = pseudo_observations(y, HORIZON)
    found = _integrated_calibration_index(np.full((1, 150), 0.3), pseudo, np.ones((150, 1)))
    assert found[0] == pytest.approx(abs(pseudo.mean() - 0.3))


def test_predictions_of_zero_and_one_are_legal():
    predicted = np.array([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    found = _integrated_calibration_index(predicted, np.array([0, 0, 1.0, 1.0, 1.0, 1.0]), np.ones((6, 1)))
    assert found[0] == pytest.approx(1 / 6)


def cloglog(probability):
    return np.log(-np.log(1 - probability))


def test_the_intercept_of_a_resample_is_that_of_its_patients(outcome):
    y, risk = outcome(100, 3, competing=True)
    predicted = 1 - np.exp(-0.4 * np.exp(np.stack([risk, risk + 0.2])))
    weights = bootstrap_weights(100, 6, 0)
    found = calibration_intercept(y, predicted, 1000.0, weights=weights)
    for column in range(7):
        rows = np.repeat(np.arange(100), weights[:, column].astype(int))
        times, incidence = cumulative_incidence_competing_risks(y["event"][rows].astype(int), y["time"][rows])
        observed = incidence[1][np.searchsorted(times, 1000.0, side="right") - 1]
        assert found[column] == pytest.approx(cloglog(observed) - cloglog(predicted[:, rows].mean()), abs=1e-7)


def test_hazards_twice_too_large_shift_it_by_log_two():
    y = np.array([(1, 10.0), (1, 20.0), (0, 50.0), (0, 60.0)], dtype=[("event", np.int8), ("time", float)])
    assert calibration_intercept(y, np.full(4, 0.5), 30.0) == pytest.approx(0.0)
    assert calibration_intercept(y, np.full(4, 0.75), 30.0) == pytest.approx(-np.log(2))


def test_it_is_undefined_without_events_before_the_horizon():
    y = np.array([(1, 10.0), (0, 20.0)], dtype=[("event", np.int8), ("time", float)])
    weights = np.array([[1.0, 0.0], [1.0, 2.0]])
    assert np.isnan(calibration_intercept(y, np.full(2, 0.5), 15.0, weights=weights)).tolist() == [False, True]


def test_there_are_two_metrics_a_horizon(outcome):
    y, risk = outcome(60, 1)
    times = np.array([1, 2]) * YEAR
    predictions = Predictions("x", risk[None], np.zeros((1, 60), int), np.full((1, 60, 2), 0.3), times)
    judged = _JudgedPatients(y, np.ones((60, 1)), times)
    replicates = _metric_replicates({"x": predictions}, judged)
    found = {metric: values for (_, metric), values in replicates.items()}
    assert list(found)[-4:] == [f"{metric}_{year}y" for year in (1, 2) for metric in ("calibration_intercept", "ici")]
    expected = _integrated_calibration_index(np.full((1, 60), 0.3), pseudo_observations(y, YEAR), np.ones((60, 1)))
    assert found["ici_1y"] == expected


@pytest.fixture
def calibration_curve_judged(outcome):
    y, risk = outcome(200, 5, competing=True)
    log_risk = np.stack([risk, risk + 0.3])
    incidence = 1 - np.exp(-np.exp(0.8 * log_risk)[:, :, None] * np.array([500.0, 1000.0]) / 900)
    return Predictions("m", log_risk, np.zeros(log_risk.shape, int), incidence, np.array([500.0, 1000.0])), y


def test_curve_band_groups_and_index_belong_together(calibration_curve_judged):
    predictions, y = calibration_curve_judged
    found = calibration_curve(predictions, y, 1000.0, groups=4, n_bootstrap=100)
    expected = _integrated_calibration_index(
        predictions.incidence_at(1000.0), pseudo_observations(y, 1000.0), np.ones((200, 1))
    )
    assert found.ici == pytest.approx(expected[0])
    assert found.e50 <= found.e90
    inside = (found.curve["low"] <= found.curve["observed"]) & (found.curve["observed"] <= found.curve["high"])
    assert inside.mean() > 0.95
    assert found.curve["predicted"].iloc[[0, -1]].tolist() == [
        np.quantile(predictions.incidence[:, :, 1], 0.01),
        np.quantile(predictions.incidence[:, :, 1], 0.99),
    ]
    assert found.groups["n"].sum() == 200


def test_the_same_seed_gives_the_same_band(calibration_curve_judged):
    first, second, third = (
        calibration_curve(*calibration_curve_judged, 1000.0, n_bootstrap=100, seed=seed).curve for seed in (1, 1, 2)
    )
    assert first.equals(second)
    assert not first["low"].equals(third["low"])


def test_what_cannot_be_judged_is_refused(calibration_curve_judged):
    predictions, y = calibration_curve_judged
    with pytest.raises(ValueError, match="none of their times"):
        calibration_curve(predictions, y, 700.0)
    short = y.copy()
    short["time"] = np.minimum(y["time"], 900)
    with pytest.raises(ValueError, match="the follow-up ends after 900 days, before 1000"):
        calibration_curve(predictions, short, 1000.0)
