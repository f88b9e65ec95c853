"""Restricted mean event-free time, against lifelines and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from nbrelapse.metrics import bootstrap_weights, event_free_time, restricted_mean_time
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions


def followed(*rows):
    return np.array(list(rows), dtype=[("event", np.int8), ("time", float)])


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_equals_lifelines_with_any_event_ending_the_time(outcome, seed, competing):
    y, _ = outcome(120, seed, competing=competing)
    y["time"] = np.ceil(y["time"] / 30) * 30  # ties
    theirs = KaplanMeierFitter().fit(y["time"], y["event"] != 0)
    for horizon in (200.0, 365.25, 900.0):
        expected = restricted_mean_survival_time(theirs, t=horizon)
        assert restricted_mean_time(y, horizon) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_the_port_of_the_survival_package_of_r(outcome, seed):
    survival = pytest.importorskip("survival.surv_analysis")
    y, _ = outcome(150, seed, competing=True)
    ended = (y["event"] != 0).astype(float)
    fit = survival.survfitkm(y["time"], ended)
    expected = survival.survmean(fit, rmean="800").rmean[0]
    assert restricted_mean_time(y, 800.0) == pytest.approx(expected, abs=1e-6)


def test_a_weight_counts_as_a_patient_as_often(outcome):
    y, _ = outcome(80, 1, competing=True)
    weights = bootstrap_weights(len(y), 30, seed=0)
    found = restricted_mean_time(y, 700.0, weights=weights)
    expected = [restricted_mean_time(np.repeat(y, column.astype(int)), 700.0) for column in weights.T]
    assert np.allclose(found, expected, rtol=1e-9, equal_nan=True)


def test_beyond_the_follow_up_it_is_unknown_unless_nobody_is_left():
    assert np.isnan(restricted_mean_time(followed((1, 100), (0, 300)), 400.0))
    assert restricted_mean_time(followed((1, 100), (2, 300)), 400.0) == 200.0
    assert restricted_mean_time(followed((0, 500), (0, 500)), 400.0) == 400.0
    assert restricted_mean_time(followed((1, 400), (0, 500)), 400.0) == 400.0  # the day itself was still lived


def test_days_with_everybody_known_are_the_mean_of_the_truncated_times():
    times = np.random.default_rng(0).exponential(800, 300)
    y = followed(*((1 + number % 2, time) for number, time in enumerate(times)))
    assert restricted_mean_time(y, 730.5) == pytest.approx(np.minimum(times, 730.5).mean())


@pytest.fixture
def judged():
    rng = np.random.default_rng(5)
    hazard = np.exp(rng.normal(size=400)) / 1500
    time, censored = rng.exponential(1 / hazard), rng.uniform(900, 4000, 400)
    y = followed(*zip(np.where(time < censored, 1, 0), np.minimum(time, censored), strict=True))
    days = np.array([1, 2, 3, 5]) * YEAR
    incidence = 1 - np.exp(-np.outer(hazard, days))
    return Predictions("m", np.log(hazard)[None], np.zeros((1, 400), int), incidence[None], days), y, hazard


def test_thirds_of_predicted_risk_and_clinical_groups_have_rows_with_intervals(judged):
    model, y, hazard = judged
    group = np.where(np.arange(400) < 20, np.nan, (hazard > np.median(hazard)) * 1.0)
    table, _ = event_free_time(model, {"high_risk": group}, y, n_bootstrap=200)
    assert set(table["grouping"]) == {"all", "high_risk", "predicted_third"}
    assert (table["low"] < table["event_free"]).all()
    assert (table["event_free"] < table["high"]).all()
    assert (table["high"] <= table["years"] * YEAR).all()
    assert (table[["at_risk", "events"]].min() >= [10, 5]).all()
    at_three = table[table["years"] == 3].set_index(["grouping", "group"])["event_free"]
    assert at_three["predicted_third"].is_monotonic_decreasing
    assert at_three[("high_risk", 0)] > at_three[("high_risk", 1)]
    own = y[group == 1]
    assert at_three[("high_risk", 1)] == pytest.approx(restricted_mean_time(own, 3 * YEAR), rel=1e-6)


def test_a_group_that_too_few_patients_carry_has_no_row_and_one_note_counts_them(judged):
    model, y, _ = judged
    few = np.where(np.arange(400) < 12, 1.0, 0.0)
    table, notes = event_free_time(model, {"few": few}, y, n_bootstrap=50)
    assert table[(table["grouping"] == "few") & (table["group"] == 1) & (table["years"] == 5)].empty
    assert len(notes) == 1
    assert "fewer than 10 patients of a group are at risk" in notes[0]


def test_tied_predictions_make_no_thirds(judged):
    model, y, _ = judged
    flat = Predictions("m", model.log_risk, model.fold, np.full_like(model.incidence, 0.4), model.times)
    table, _ = event_free_time(flat, {}, y, n_bootstrap=50)
    assert set(table["grouping"]) == {"all"}


def test_the_same_patients_stand_there_once_under_the_first_name(judged):
    model, y, hazard = judged
    rank = np.searchsorted(np.quantile(hazard, [0.3, 0.6]), hazard)
    groups = {"high_risk": (rank == 2) * 1.0, "clinical_risk_group": rank * 1.0}
    table, _ = event_free_time(model, groups, y, n_bootstrap=50)
    at_one = table[(table["years"] == 1) & table["grouping"].isin(groups)]
    assert list(at_one[["grouping", "group", "groups"]].itertuples(index=False, name=None)) == [
        ("high_risk", 0, 2),
        ("high_risk", 1, 2),
        ("clinical_risk_group", 0, 3),
        ("clinical_risk_group", 1, 3),
    ]
