from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import integrated_brier_score

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.integrated_brier import integrated_brier


@pytest.mark.parametrize("seed", range(3))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False
    times = np.arange(300, 1500, 91.3)
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 900)
    weights = bootstrap_weights(len(y), 10, seed)
    found = integrated_brier(y, incidence[np.newaxis], times, weights, CensoringDistribution.fit(train))
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        expected = integrated_brier_score(train, as_boolean(y[rows]), 1 - incidence[rows], times)
        assert found[column] == pytest.approx(expected, abs=1e-9)


def test_a_competing_event_counts_as_not_having_the_event():
    y = np.array([(1, 10.0), (2, 10.0), (0, 40.0)], dtype=[("event", np.int8), ("time", float)])
    times = np.array([20.0, 30.0])
    perfect = np.array([[[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]])
    censoring = CensoringDistribution.fit(y)
    ones = np.ones((3, 1))
    assert integrated_brier(y, perfect, times, ones, censoring)[0] == 0
    wrong = perfect.copy()
    wrong[0, 1] = 1
    assert integrated_brier(y, wrong, times, ones, censoring)[0] == pytest.approx(1 / 3)


def test_repeats_are_averaged(outcome):
    y, _ = outcome(40, 0)
    times = np.array([200.0, 400.0])
    incidence = np.random.default_rng(0).uniform(size=(2, 40, 2))
    weights = bootstrap_weights(40, 3, 0)
    censoring = CensoringDistribution.fit(y)
    single = [integrated_brier(y, incidence[[r]], times, weights, censoring) for r in range(2)]
    np.testing.assert_allclose(integrated_brier(y, incidence, times, weights, censoring), np.mean(single, axis=0))
