from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import cumulative_dynamic_auc

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.dynamic_auc import dynamic_auc


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("horizon", [365.25, 700.0, 1800.0])
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed, horizon):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False  # scikit-survival wants G at every test time
    weights = bootstrap_weights(len(y), 10, seed)
    fold = np.zeros((1, len(y)), dtype=int)
    found = dynamic_auc(y, risk[np.newaxis], fold, weights, CensoringDistribution.fit(train), horizon)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        expected, _ = cumulative_dynamic_auc(train, as_boolean(y[rows]), risk[rows], horizon)
        assert found[column] == pytest.approx(expected[0], abs=1e-9)


def test_competing_events_folds_and_repeats_equal_the_definition(outcome):
    y, risk = outcome(60, 5, competing=True)
    generator = np.random.default_rng(0)
    log_risk = np.stack([risk, np.round(risk + generator.normal(size=60), 1)])
    fold = generator.integers(0, 3, size=(2, 60))
    weights = bootstrap_weights(60, 2, 1)
    censoring = CensoringDistribution.fit(y)
    horizon = 800.0
    expected = np.zeros((2, 3))
    for r, f in zip(log_risk, fold, strict=True):
        for i in range(60):
            for j in range(60):
                case = y["event"][i] == 1 and y["time"][i] <= horizon
                control = y["time"][j] > horizon or y["event"][j] == 2
                if case and control and f[i] == f[j]:
                    credit = 1.0 if r[i] > r[j] else 0.5 if r[i] == r[j] else 0.0
                    pair = weights[i] * weights[j] / censoring.at(y["time"][i])
                    pair = pair / censoring.at(min(y["time"][j], horizon))
                    expected += np.outer([credit, 1], pair)
    found = dynamic_auc(y, log_risk, fold, weights, censoring, horizon)
    np.testing.assert_allclose(found, expected[0] / expected[1], rtol=1e-6)


def test_cases_without_controls_in_their_fold_are_nan():
    y = np.array([(1, 5.0), (0, 60.0)], dtype=[("event", np.int8), ("time", float)])
    fold = np.array([[0, 1]])
    found = dynamic_auc(y, np.array([[1.0, 0.0]]), fold, np.ones((2, 1)), CensoringDistribution.fit(y), 20.0)
    assert np.isnan(found).all()
