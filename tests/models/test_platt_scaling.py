from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from nbrelapse.models.platt_scaling import platt_scaling
from nbrelapse.models.weighted_logistic import weighted_logistic


def test_it_is_logistic_regression_on_platts_targets():
    """Each patient counts as a case with the weight of his target, and as a control with the rest."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=150).round(1)
    y = (rng.random(150) < expit(0.5 * log_odds - 1)).astype(int)
    cases, controls = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (cases + 1) / (cases + 2), 1 / (controls + 2))
    peer = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky").fit(
        np.tile(log_odds, 2)[:, None], np.repeat([1, 0], 150), np.concatenate([target, 1 - target])
    )
    intercept, slope = platt_scaling(y, log_odds)
    assert (intercept, slope) == pytest.approx((peer.intercept_[0], peer.coef_[0, 0]), abs=1e-6)


def test_log_odds_that_point_the_wrong_way_give_everybody_the_same_probability():
    y = np.repeat([0, 1], 50)
    intercept, slope = platt_scaling(y, np.linspace(2, -2, 100))
    assert (intercept, slope) == (pytest.approx(0.0), 0.0)


def test_constant_log_odds_give_the_share():
    y = np.repeat([0, 1], [80, 20])
    assert platt_scaling(y, np.full(100, 0.3)) == (pytest.approx(logit(0.2), abs=0.05), 0.0)


def test_a_perfect_separation_has_a_finite_slope():
    _, slope = platt_scaling(np.repeat([0, 1], 20), np.repeat([-1.0, 1.0], 20))
    assert slope == pytest.approx(logit(21 / 22), abs=1e-6)


def test_a_separated_column_is_nan_beside_one_that_is_not():
    terms = np.column_stack([np.ones(4), [0.0, 0, 1, 1]])
    weights = np.array([[1.0, 1], [1, 0], [1, 1], [1, 0]])
    found = weighted_logistic(terms, np.array([0.0, 1, 1, 0]), weights)
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-9)
    assert np.isnan(found[:, 1]).all()
