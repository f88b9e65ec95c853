from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from scipy.stats import binomtest

from nbrelapse.validation.observed_incidence import observed_incidence


def followed(*rows):
    return np.array(list(rows), dtype=[("event", np.int8), ("time", float)])


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_lifelines(outcome, seed):
    y, _ = outcome(90, seed, competing=True)
    y["time"] += np.random.default_rng(seed).permutation(90) / 1000  # lifelines breaks ties at random
    theirs = AalenJohansenFitter(calculate_variance=False).fit(y["time"], y["event"], event_of_interest=1)
    expected = theirs.cumulative_density_.loc[:1000].iloc[-1, 0]
    found, low, high = observed_incidence(y, 1000.0)
    assert found == pytest.approx(expected, abs=1e-9)
    assert low < found < high


def test_without_competing_events_the_interval_is_that_of_lifelines(outcome):
    y, _ = outcome(90, 3)
    theirs = KaplanMeierFitter().fit(y["time"], y["event"])
    low, high = 1 - theirs.confidence_interval_.loc[:1000].iloc[-1].to_numpy()[::-1]
    assert observed_incidence(y, 1000.0) == pytest.approx((1 - theirs.predict(1000.0), low, high), abs=1e-6)


def test_without_events_and_with_nothing_but_events_the_interval_is_exact():
    none = followed((0, 50.0), (0, 50.0), (2, 5.0), (0, 10.0))
    assert observed_incidence(none, 20.0) == pytest.approx((0.0, 0.0, binomtest(0, 3).proportion_ci().high))
    every = followed((1, 5.0), (1, 6.0), (1, 7.0))
    assert observed_incidence(every, 20.0) == pytest.approx((1.0, binomtest(3, 3).proportion_ci().low, 1.0))


def test_a_follow_up_that_ends_early_is_not_estimable():
    assert np.isnan(observed_incidence(followed((1, 10.0), (0, 30.0)), 40.0)).all()
    assert np.isnan(observed_incidence(followed(), 40.0)).all()
