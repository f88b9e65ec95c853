from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.weighted_incidence import weighted_incidence


def step(times, known, values):
    return np.concatenate([[0.0], values])[np.searchsorted(known, times, side="right")]


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_resamples_equal_scikit_survival(outcome, seed, competing):
    y, _ = outcome(120, seed, competing=competing)
    times = np.linspace(1, 2600, 40)
    weights = bootstrap_weights(len(y), 10, seed)
    found = weighted_incidence(y, weights, times)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        event, time = y["event"][rows].astype(int), y["time"][rows]
        if competing:
            known, incidence = cumulative_incidence_competing_risks(event, time)
            expected = step(times, known, incidence[1])
        else:
            known, survival = kaplan_meier_estimator(event == 1, time)
            expected = step(times, known, 1 - survival)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-9)


def test_equals_lifelines_without_ties(outcome):
    y, _ = outcome(120, 3, competing=True)
    y["time"] += np.random.default_rng(0).uniform(-20, 20, size=len(y))
    fitter = AalenJohansenFitter(calculate_variance=False).fit(y["time"], y["event"], event_of_interest=1)
    curve = fitter.cumulative_density_.iloc[:, 0]
    times = np.linspace(1, 2600, 40)
    expected = curve.to_numpy()[np.searchsorted(curve.index, times, side="right") - 1]
    np.testing.assert_allclose(weighted_incidence(y, np.ones((120, 1)), times)[:, 0], expected, atol=1e-9)


def test_nobody_with_an_event_or_a_weight_has_no_incidence():
    y = np.array([(0, 1.0), (0, 2.0)], dtype=[("event", np.int8), ("time", float)])
    assert weighted_incidence(y, np.ones((2, 1)), np.array([3.0])).tolist() == [[0.0]]
    y["event"] = 1
    assert weighted_incidence(y, np.array([[1, 0], [1, 0]]), np.array([1.0, 9.0])).tolist() == [[0.5, 0], [1, 0]]


def test_an_event_at_time_zero_counts_from_the_start():
    y = np.array([(1, 0.0), (0, 2.0)], dtype=[("event", np.int8), ("time", float)])
    assert weighted_incidence(y, np.ones((2, 1)), np.array([0.0, 1.0])).ravel().tolist() == [0.5, 0.5]
