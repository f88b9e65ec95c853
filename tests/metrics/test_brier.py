from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import brier_score as scikit_survival_brier_score
from sksurv.metrics import integrated_brier_score

from nbrelapse.metrics.brier import brier_score, integrated_brier, null_brier_score
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.incidence import weighted_incidence
from nbrelapse.metrics.resampling import bootstrap_weights


@pytest.mark.parametrize("seed", range(3))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False
    times = np.array([365.25, 730.5, 1095.75, 1500.0])
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 900)
    weights = bootstrap_weights(len(y), 10, seed)
    found = brier_score(y, incidence[np.newaxis], times, weights=weights, censoring=CensoringDistribution.fit(train))
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
    np.testing.assert_allclose(
        brier_score(y, incidence, times, weights=weights, censoring=censoring), expected, rtol=1e-9
    )


def test_each_patient_by_hand():
    """Observation ends on day 10 and 30 of four patients, so G falls to 3/4 and to 3/8."""
    y = np.array([(0, 10.0), (1, 20.0), (0, 30.0), (2, 40.0)], dtype=[("event", np.int8), ("time", float)])
    incidence = np.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.1, 0.1, 0.2], [0.3, 0.5, 0.7]]])
    weights = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 0.0], [1.0, 0.0]])
    times = np.array([10.0, 20.0, 40.0])
    found = brier_score(y, incidence, times, weights=weights, censoring=CensoringDistribution.fit(y))
    # Of the patient censored on the day itself nothing is known; an event has happened on its day.
    day_10 = np.array([0, 0.4**2, 0.1**2, 0.3**2]) * 4 / 3
    day_20 = np.array([0, 0.5**2, 0.1**2, 0.5**2]) * 4 / 3
    day_40 = np.array([0, 0.4**2 * 4 / 3, 0, 0.7**2 * 8 / 3])
    days = np.stack([day_10, day_20, day_40])
    # The sum is divided by the patients' weights, whatever these add up to.
    np.testing.assert_allclose(found, np.column_stack([days.sum(axis=1) / 4, days @ weights[:, 1] / 3]), rtol=1e-9)


def test_chunks_of_columns_change_nothing(outcome, monkeypatch):
    y, _ = outcome(60, 1)
    times, incidence = np.array([400.0, 900.0]), np.random.default_rng(0).uniform(size=(1, 60, 2))
    weights = bootstrap_weights(60, 40, 0)
    whole = brier_score(y, incidence, times, weights=weights)
    monkeypatch.setattr("nbrelapse.metrics.resampling._CHUNK_VALUES", 60)
    np.testing.assert_allclose(brier_score(y, incidence, times, weights=weights), whole, rtol=1e-12)


@pytest.mark.parametrize("competing", [False, True])
def test_it_is_the_brier_score_of_the_incidence_of_each_resample(outcome, competing):
    y, _ = outcome(120, 0, competing=competing)
    times = np.array([365.25, 1095.75])
    censoring = CensoringDistribution.fit(y)
    weights = bootstrap_weights(len(y), 8, 0)
    found = null_brier_score(y, times, weights=weights, censoring=censoring)
    for column in range(weights.shape[1]):
        own = weights[:, [column]]
        average = np.broadcast_to(weighted_incidence(y, own, times).T, (1, len(y), 2))
        np.testing.assert_allclose(
            found[:, [column]], brier_score(y, average, times, weights=own, censoring=censoring), rtol=1e-9
        )


def test_without_censoring_it_is_the_variance_of_the_event():
    y = np.array([(1, 1.0), (2, 2.0), (1, 5.0), (1, 6.0)], dtype=[("event", np.int8), ("time", float)])
    found = null_brier_score(y, np.array([0.5, 3.0]), weights=np.ones((4, 1)))
    assert found.ravel().tolist() == [0, 0.25 * 0.75]


@pytest.mark.parametrize("seed", range(3))
def test_integrated_brier_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False
    times = np.arange(300, 1500, 91.3)
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 900)
    weights = bootstrap_weights(len(y), 10, seed)
    found = integrated_brier(
        y, incidence[np.newaxis], times, weights=weights, censoring=CensoringDistribution.fit(train)
    )
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
    assert integrated_brier(y, perfect, times, weights=ones, censoring=censoring)[0] == 0
    wrong = perfect.copy()
    wrong[0, 1] = 1
    assert integrated_brier(y, wrong, times, weights=ones, censoring=censoring)[0] == pytest.approx(1 / 3)


def test_repeats_are_averaged(outcome):
    y, _ = outcome(40, 0)
    times = np.array([200.0, 400.0])
    incidence = np.random.default_rng(0).uniform(size=(2, 40, 2))
    weights = bootstrap_weights(40, 3, 0)
    censoring = CensoringDistribution.fit(y)
    single = [integrated_brier(y, incidence[[r]], times, weights=weights, censoring=censoring) for r in range(2)]
    np.testing.assert_allclose(
        integrated_brier(y, incidence, times, weights=weights, censoring=censoring), np.mean(single, axis=0)
    )
