from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.pseudo_observations import pseudo_observations


def incidence(y, horizon):
    """Aalen-Johansen as in the book, a time after the other."""
    found, free = 0.0, 1.0
    for time in np.unique(y["time"][y["time"] <= horizon]):
        at_risk, own = (y["time"] >= time).sum(), y["event"][y["time"] == time]
        found += free * (own == 1).sum() / at_risk
        free *= 1 - (own > 0).sum() / at_risk
    return found


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("horizon", [425.0, 1000.0, 1800.0])
def test_they_are_the_jackknife(outcome, seed, competing, horizon):
    y, _ = outcome(50, seed, competing=competing)
    n = len(y)
    whole = incidence(y, horizon)
    expected = [n * whole - (n - 1) * incidence(np.delete(y, i), horizon) for i in range(n)]
    np.testing.assert_allclose(pseudo_observations(y, horizon), expected, atol=1e-9)


def test_without_censoring_they_are_what_happened(outcome):
    y, _ = outcome(40, 1, competing=True)
    y = y[y["event"] > 0]
    happened = (y["event"] == 1) & (y["time"] <= 700)
    np.testing.assert_allclose(pseudo_observations(y, 700.0), happened, atol=1e-12)


def test_the_order_of_patients_does_not_matter(outcome):
    y, _ = outcome(40, 2, competing=True)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(pseudo_observations(y[order], 700.0), pseudo_observations(y, 700.0)[order], atol=1e-12)


def test_a_hundred_thousand_patients_fit_in_memory(outcome):
    y, _ = outcome(100_000, 3, competing=True)
    assert np.isfinite(pseudo_observations(y, 1000.0)).all()
