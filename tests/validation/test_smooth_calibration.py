from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from sklearn.linear_model import LinearRegression

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.pseudo_observations import pseudo_observations
from nbrelapse.validation.smooth_calibration import SmoothCalibration, integrated_calibration_index

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
    curve = SmoothCalibration.fit(predicted, pseudo, weights).at(predicted)
    index = integrated_calibration_index(predicted, pseudo, weights)
    for column in range(weights.shape[1]):
        own = np.tile(weights[:, column], 2)
        fitted = LinearRegression(fit_intercept=False).fit(basis, np.tile(pseudo, 2), own).predict(basis).clip(0, 1)
        np.testing.assert_allclose(curve[:, :, column].ravel(), fitted, atol=1e-6)
        expected = np.average(np.abs(fitted - predicted.ravel()), weights=own)
        assert index[column] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_model_has_index_zero():
    predicted = np.linspace(0.01, 0.95, 40)[None]
    assert integrated_calibration_index(predicted, predicted[0], bootstrap_weights(40, 5, 0)) == pytest.approx(0)


def test_a_constant_prediction_is_compared_with_the_mean(judged):
    y, _ = judged
    pseudo = pseudo_observations(y, HORIZON)
    found = integrated_calibration_index(np.full((1, 150), 0.3), pseudo, np.ones((150, 1)))
    assert found[0] == pytest.approx(abs(pseudo.mean() - 0.3))


def test_predictions_of_zero_and_one_are_legal():
    predicted = np.array([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    found = integrated_calibration_index(predicted, np.array([0, 0, 1.0, 1.0, 1.0, 1.0]), np.ones((6, 1)))
    assert found[0] == pytest.approx(1 / 6)
