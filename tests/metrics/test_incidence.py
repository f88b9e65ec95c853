from __future__ import annotations

import json

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from scipy.stats import binomtest
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.incidence import (
    observed_course,
    observed_incidence,
    pseudo_observations,
    similar_outcomes,
    weighted_incidence,
)
from nbrelapse.metrics.resampling import bootstrap_weights


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


DTYPE = [("event", "i1"), ("time", "f8")]


def test_each_quarter_year_has_the_aalen_johansen_estimate() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(60, dtype=DTYPE)
    y["event"], y["time"] = rng.integers(0, 3, 60), rng.uniform(10, 8 * YEAR, 60)
    course = observed_course(y)
    np.testing.assert_allclose(course["days"], np.arange(1, 21) * YEAR / 4)
    found = zip(course["incidence"], course["low"], course["high"], strict=True)
    assert list(found) == [observed_incidence(y, day) for day in course["days"]]


def test_it_ends_with_the_follow_up() -> None:
    y = np.array([(1, 100.0), (0, 1.3 * YEAR)], dtype=DTYPE)
    assert observed_course(y)["days"][-1] == 1.25 * YEAR


RNG = np.random.default_rng(4)
PROBABILITY = RNG.permutation(np.arange(200) / 200)
TIME = RNG.exponential(3 * YEAR / (0.2 + PROBABILITY))
Y = np.array(
    list(zip(np.where(TIME < 8 * YEAR, 1, 0), np.minimum(TIME, 8 * YEAR), strict=True)),
    dtype=[("event", "i1"), ("time", "f8")],
)


def test_each_point_holds_the_fifty_nearest() -> None:
    point = similar_outcomes(PROBABILITY, Y)[20]
    nearest = np.argsort(np.abs(PROBABILITY - point["probability"]), kind="stable")[:50]
    assert (point["patients"], point["events"]) == (50, int(Y["event"][nearest].sum()))
    assert (point["low"], point["high"]) == (PROBABILITY[nearest].min(), PROBABILITY[nearest].max())
    assert [row["years"] for row in point["observed"]] == [1, 2, 3, 5]
    row = point["observed"][2]
    assert (row["incidence"], row["low"], row["high"]) == observed_incidence(Y[nearest], 3 * YEAR)


def test_the_grid_reaches_from_the_lowest_to_the_highest_prediction() -> None:
    points = similar_outcomes(PROBABILITY, Y)
    centres = [point["probability"] for point in points]
    assert len(points) == 41
    assert centres == sorted(centres)
    assert (centres[0], centres[-1]) == (0.0, 0.995)


def test_the_order_of_the_patients_does_not_matter() -> None:
    order = RNG.permutation(200)
    assert similar_outcomes(PROBABILITY[order], Y[order]) == similar_outcomes(PROBABILITY, Y)


def test_horizons_beyond_the_follow_up_are_left_out() -> None:
    short = Y.copy()
    short["event"] = np.where(Y["time"] > 2.5 * YEAR, 0, Y["event"])
    short["time"] = np.minimum(Y["time"], 2.5 * YEAR)
    assert [row["years"] for row in similar_outcomes(PROBABILITY, short)[0]["observed"]] == [1, 2]


def test_a_binary_outcome_has_one_share() -> None:
    point = similar_outcomes(PROBABILITY, np.zeros(200, dtype=np.int8))[0]
    (row,) = point["observed"]
    assert (row["years"], row["incidence"], row["low"]) == (None, 0.0, 0.0)
    assert row["high"] == pytest.approx(1 - 0.025 ** (1 / 50))


@pytest.mark.parametrize(("n", "neighbours"), [(79, None), (80, 20), (120, 30)])
def test_no_more_than_a_quarter_is_near(n: int, neighbours: int | None) -> None:
    points = similar_outcomes(PROBABILITY[:n], Y[:n])
    assert {point["patients"] for point in points} == ({neighbours} if neighbours else set())


def test_it_is_plain_data() -> None:
    json.dumps(similar_outcomes(PROBABILITY, Y), allow_nan=False)
