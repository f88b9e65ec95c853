from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import brier_score as scikit_survival_brier_score

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.brier_score import brier_score
from nbrelapse.validation.censoring import CensoringDistribution


@pytest.mark.parametrize("seed", range(3))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False
    times = np.array([365.25, 730.5, 1095.75, 1500.0])
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 900)
    weights = bootstrap_weights(len(y), 10, seed)
    found = brier_score(y, incidence[np.newaxis], times, weights, CensoringDistribution.fit(train))
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        _, expected = scikit_survival_brier_score(train, as_boolean(y[rows]), 1 - incidence[rows], times)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-9)


def test_competing_events_equal_the_definition(outcome):
    y, _ = outcome(60, 1, competing=True)
    times = np.array([400.0, 900.0])
    incidence = np.random.default_rng(0).uniform(size=(2, 60, 2))
    censoring = CensoringDistribution.fit(y)
    weights = bootstrap_weights(60, 2, 0)
    expected = np.zeros((2, 3))
    for k, time in enumerate(times):
        for i, (event, end) in enumerate(y):
            if end > time:
                squared = (incidence[:, i, k] ** 2).mean() / censoring.at(time)
            elif event:
                squared = ((incidence[:, i, k] - (event == 1)) ** 2).mean() / censoring.at(end)
            else:
                squared = 0.0
            expected[k] += weights[i] * squared / 60
    np.testing.assert_allclose(brier_score(y, incidence, times, weights, censoring), expected, rtol=1e-9)


def test_chunks_of_columns_change_nothing(outcome, monkeypatch):
    y, _ = outcome(60, 1)
    times, incidence = np.array([400.0, 900.0]), np.random.default_rng(0).uniform(size=(1, 60, 2))
    arguments = (y, incidence, times, bootstrap_weights(60, 40, 0), CensoringDistribution.fit(y))
    whole = brier_score(*arguments)
    monkeypatch.setattr("nbrelapse.validation.bootstrap_weights._CHUNK_VALUES", 60)
    np.testing.assert_allclose(brier_score(*arguments), whole, rtol=1e-12)
