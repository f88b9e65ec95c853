from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from nbrelapse.models.logistic import _penalised_logistic


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.001, 0.05), (0.01, 0.5), (0.05, 1.0), (0.1, 0.1)])
@pytest.mark.parametrize(("n", "n_features"), [(200, 20), (100, 30)])
def test_it_reaches_the_optimum_of_scikit_learn(n, n_features, alpha, l1_ratio):
    rng = np.random.default_rng(n)
    Z = rng.normal(size=(n, n_features)).round(1)
    y = (rng.random(n) < expit(Z[:, 0] - Z[:, 1] - 1)).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = LogisticRegression(
            C=1 / (n * alpha), l1_ratio=l1_ratio, solver="saga", max_iter=20_000, tol=1e-9, random_state=0
        ).fit(Z, y)
    coefficients, (intercept,) = _penalised_logistic(Z, y, alpha, l1_ratio, np.zeros(n, dtype=int))
    np.testing.assert_allclose(coefficients, peer.coef_[0], atol=1e-6)
    assert intercept == pytest.approx(peer.intercept_[0], abs=1e-6)


def test_separated_patients_have_a_finite_optimum():
    Z, y = np.repeat([[-1.0], [1.0]], 20, axis=0), np.repeat([0, 1], 20)
    coefficients, (intercept,) = _penalised_logistic(Z, y, 0.01, 0.5, np.zeros(40, dtype=int))
    # Where the score of the likelihood equals the slope of the penalty.
    assert expit(-coefficients[0]) == pytest.approx(0.01 * (0.5 + 0.5 * coefficients[0]), abs=1e-6)
    assert intercept == pytest.approx(0.0, abs=1e-6)
