from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import cumulative_incidence_competing_risks

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.net_benefit import net_benefit

THRESHOLDS = np.array([0.1, 0.4, 0.7])


def by_hand(treated, y, horizon, threshold):
    share = treated.mean()
    times, incidence = cumulative_incidence_competing_risks(y["event"][treated].astype(int), y["time"][treated])
    found = incidence[1][np.searchsorted(times, horizon, side="right") - 1]
    return share * found - share * (1 - found) * threshold / (1 - threshold)


def test_resamples_equal_the_formula_on_scikit_survival(outcome):
    y, risk = outcome(200, 2, competing=True)
    treated = (risk[:, None] > THRESHOLDS)[None]
    weights = bootstrap_weights(200, 5, 0)
    found = net_benefit(treated, y, 1000.0, THRESHOLDS, weights)
    for column in range(6):
        rows = np.repeat(np.arange(200), weights[:, column].astype(int))
        for i, threshold in enumerate(THRESHOLDS):
            expected = by_hand(treated[0, rows, i], y[rows], 1000.0, threshold)
            assert found[i, column] == pytest.approx(expected, abs=1e-9)


def test_without_censoring_it_counts_true_and_false_positives(outcome):
    y, risk = outcome(150, 3)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    treated = risk > 0
    event = y["time"] <= 1000
    expected = (treated & event).mean() - (treated & ~event).mean() * THRESHOLDS / (1 - THRESHOLDS)
    found = net_benefit(treated[None], y, 1000.0, THRESHOLDS, np.ones((150, 1)))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


def test_repeats_are_averaged_as_decisions(outcome):
    y, risk = outcome(150, 3)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    repeats = np.stack([risk > 0, risk > 1])
    ones = np.ones((150, 1))
    single = [net_benefit(repeat[None], y, 1000.0, THRESHOLDS, ones) for repeat in repeats]
    np.testing.assert_allclose(net_benefit(repeats, y, 1000.0, THRESHOLDS, ones), np.mean(single, axis=0), atol=1e-12)


def test_treating_nobody_has_none(outcome):
    y, _ = outcome(30, 1)
    assert (net_benefit(np.zeros((1, 30), bool), y, 1000.0, THRESHOLDS, np.ones((30, 2))) == 0).all()
