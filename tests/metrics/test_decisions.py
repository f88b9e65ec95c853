from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lifelines import AalenJohansenFitter
from sksurv.nonparametric import cumulative_incidence_competing_risks

from nbrelapse.metrics.decisions import (
    TREAT_ALL,
    TREAT_NONE,
    clinical_utility,
    decision_curve,
    net_benefit,
    reclassification,
    tertile_calibration,
)
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import bootstrap_weights

THRESHOLDS = np.array([0.2, 0.5])


@pytest.fixture
def judged(outcome):
    y, risk = outcome(300, 8, competing=True)
    y["time"] *= 1.1
    times = np.array([3, 5]) * YEAR
    model = {}
    for name, log_risk in (("good", 0.8 * risk), ("noise", np.random.default_rng(0).normal(size=300))):
        incidence = 1 - np.exp(-np.exp(log_risk)[None, :, None] * times / 900)
        model[name] = Predictions(name, log_risk[None], np.zeros((1, 300), int), incidence, times)
    return model, {"high_risk": risk > 0.5, "stage_4": risk > 1}, y


def test_every_strategy_has_a_row_a_threshold_and_horizon(judged):
    found = decision_curve(*judged, thresholds=THRESHOLDS, n_bootstrap=100)
    table = found.net_benefit
    assert table["strategy"].unique().tolist() == [TREAT_ALL, TREAT_NONE, "high_risk", "stage_4", "good", "noise"]
    assert (table.groupby(["strategy", "years"]).size() == 2).all()
    assert ((table["low"] <= table["net_benefit"]) & (table["net_benefit"] <= table["high"])).all()
    assert set(zip(found.differences["strategy"], found.differences["reference"], strict=True)) == {
        *(("good", reference) for reference in ("high_risk", TREAT_ALL)),
        *(("noise", reference) for reference in ("high_risk", TREAT_ALL)),
    }
    assert found.notes == []


def test_differences_are_of_the_same_resamples(judged):
    models, groups, y = judged
    found = decision_curve(models, groups, y, thresholds=THRESHOLDS, n_bootstrap=100)
    values = found.net_benefit.set_index(["strategy", "years", "threshold"])["net_benefit"]
    for row in found.differences.itertuples():
        expected = values[row.strategy, row.years, row.threshold] - values[row.reference, row.years, row.threshold]
        assert row.difference == pytest.approx(expected, abs=1e-12)
    twin = decision_curve(
        {"rule": models["good"]},
        {"high_risk": models["good"].incidence_at(3 * YEAR)[0] >= 0.5},
        y,
        years=[3],
        thresholds=np.array([0.5]),
        n_bootstrap=100,
    ).differences.query("reference == 'high_risk'")
    assert (twin[["difference", "low", "high"]] == 0).all(axis=None)


def test_a_model_that_knows_something_beats_one_that_does_not(judged):
    table = decision_curve(*judged, thresholds=THRESHOLDS, n_bootstrap=100).net_benefit
    mean = table.groupby("strategy")["net_benefit"].mean()
    assert mean["good"] > mean["noise"]


def test_without_groups_there_are_no_differences_and_without_follow_up_a_note(judged):
    models, _, y = judged
    short = y.copy()
    short["event"][y["time"] > 4 * YEAR] = 0
    short["time"] = np.minimum(y["time"], 4 * YEAR)
    found = decision_curve(models, {}, short, thresholds=THRESHOLDS, n_bootstrap=100)
    assert found.differences.empty
    assert set(found.net_benefit["years"]) == {3}
    assert found.notes == ["net benefit at 5 years is left out: 0 patients are at risk then, 10 are needed"]
    early = {name: replace(own, incidence=own.incidence[:, :, :1], times=own.times[:1]) for name, own in models.items()}
    found = decision_curve(early, {}, y, years=[3, 5], thresholds=THRESHOLDS, n_bootstrap=20)
    assert found.notes == ["net benefit at 5 years is left out: it was not predicted so far"]


NET_BENEFIT_THRESHOLDS = np.array([0.1, 0.4, 0.7])


def by_hand(treated, y, horizon, threshold):
    share = treated.mean()
    times, incidence = cumulative_incidence_competing_risks(y["event"][treated].astype(int), y["time"][treated])
    found = incidence[1][np.searchsorted(times, horizon, side="right") - 1]
    return share * found - share * (1 - found) * threshold / (1 - threshold)


def test_resamples_equal_the_formula_on_scikit_survival(outcome):
    y, risk = outcome(200, 2, competing=True)
    treated = (risk[:, None] > NET_BENEFIT_THRESHOLDS)[None]
    weights = bootstrap_weights(200, 5, 0)
    found = net_benefit(treated, y, 1000.0, NET_BENEFIT_THRESHOLDS, weights)
    for column in range(6):
        rows = np.repeat(np.arange(200), weights[:, column].astype(int))
        for i, threshold in enumerate(NET_BENEFIT_THRESHOLDS):
            expected = by_hand(treated[0, rows, i], y[rows], 1000.0, threshold)
            assert found[i, column] == pytest.approx(expected, abs=1e-9)


def test_without_censoring_it_counts_true_and_false_positives(outcome):
    y, risk = outcome(150, 3)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    treated = risk > 0
    event = y["time"] <= 1000
    expected = (treated & event).mean() - (treated & ~event).mean() * NET_BENEFIT_THRESHOLDS / (
        1 - NET_BENEFIT_THRESHOLDS
    )
    found = net_benefit(treated[None], y, 1000.0, NET_BENEFIT_THRESHOLDS, np.ones((150, 1)))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


def test_repeats_are_averaged_as_decisions(outcome):
    y, risk = outcome(150, 3)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    repeats = np.stack([risk > 0, risk > 1])
    ones = np.ones((150, 1))
    single = [net_benefit(repeat[None], y, 1000.0, NET_BENEFIT_THRESHOLDS, ones) for repeat in repeats]
    np.testing.assert_allclose(
        net_benefit(repeats, y, 1000.0, NET_BENEFIT_THRESHOLDS, ones), np.mean(single, axis=0), atol=1e-12
    )


def test_treating_nobody_has_none(outcome):
    y, _ = outcome(30, 1)
    assert (net_benefit(np.zeros((1, 30), bool), y, 1000.0, NET_BENEFIT_THRESHOLDS, np.ones((30, 2))) == 0).all()


HORIZON = 1000.0


def predict(risk):
    incidence = 1 - np.exp(-np.exp(0.8 * risk) * HORIZON / 900)
    return Predictions("m", risk[None], np.zeros((1, len(risk)), int), incidence[None, :, None], np.array([HORIZON]))


def incidence(y):
    times, found = cumulative_incidence_competing_risks(y["event"].astype(int), y["time"])
    return found[1][np.searchsorted(times, HORIZON, side="right") - 1]


@pytest.fixture
def reclassification_judged(outcome):
    y, risk = outcome(400, 4, competing=True)
    generator = np.random.default_rng(0)
    fine = risk + 0.001 * generator.normal(size=400)
    return np.digitize(risk + generator.normal(size=400), [-0.5, 1.0]).astype(float), predict(fine), y


def test_model_groups_have_the_sizes_of_the_clinical_groups(reclassification_judged):
    clinical, predictions, y = reclassification_judged
    cells = reclassification(clinical, predictions, y, HORIZON, n_bootstrap=100).cells
    sizes = np.bincount(clinical.astype(int))
    assert cells.groupby("clinical")["n"].sum().tolist() == sizes.tolist()
    assert cells.groupby("model")["n"].sum().tolist() == sizes.tolist()
    corner = cells.query("clinical == 1 and model == 2").iloc[0]
    risk = predictions.incidence[0, :, 0]
    inside = (clinical == 1) & (risk >= np.sort(risk)[sizes[:2].sum()])
    assert corner["n"] == inside.sum()
    assert corner["observed"] == pytest.approx(incidence(y[inside]), abs=1e-9)


def test_the_improvement_is_that_of_the_formula(reclassification_judged):
    clinical, predictions, y = reclassification_judged
    found = reclassification(clinical, predictions, y, HORIZON, cuts=[0.4, 0.7], n_bootstrap=100)
    model = np.digitize(predictions.incidence[0, :, 0], [0.4, 0.7])
    up, down = model > clinical, model < clinical
    overall = incidence(y)
    events = (up.mean() * incidence(y[up]) - down.mean() * incidence(y[down])) / overall
    nonevents = (down.mean() * (1 - incidence(y[down])) - up.mean() * (1 - incidence(y[up]))) / (1 - overall)
    np.testing.assert_allclose(found.improvement["value"], [events, nonevents], atol=1e-9)
    table = found.improvement
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_without_censoring_it_is_the_share_that_moves(outcome):
    y, risk = outcome(200, 6)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    clinical = (np.random.default_rng(1).normal(size=200) + risk > 0).astype(int)
    found = reclassification(clinical, predict(risk), y, HORIZON, cuts=[0.5], n_bootstrap=100)
    move = (predict(risk).incidence[0, :, 0] >= 0.5).astype(int) - clinical
    event = y["time"] <= HORIZON
    np.testing.assert_allclose(found.improvement["value"], [move[event].mean(), -move[~event].mean()], atol=1e-9)


def test_the_same_groups_move_nobody(reclassification_judged):
    _, predictions, y = reclassification_judged
    same = np.digitize(predictions.incidence[0, :, 0], [0.3, 0.6])
    found = reclassification(same, predictions, y, HORIZON, n_bootstrap=100)
    assert (found.improvement[["value", "low", "high"]] == 0).all(axis=None)
    assert (found.cells["clinical"] == found.cells["model"]).all()


def test_patients_without_a_group_are_left_out_and_counted(reclassification_judged):
    clinical, predictions, y = reclassification_judged
    clinical = np.where(np.arange(400) < 30, np.nan, clinical)
    found = reclassification(clinical, predictions, y, HORIZON, n_bootstrap=100)
    assert (found.unknown, found.cells["n"].sum()) == (30, 370)


def test_what_cannot_be_crossed_is_refused(reclassification_judged):
    clinical, predictions, y = reclassification_judged
    with pytest.raises(ValueError, match="two clinical groups, there are 1"):
        reclassification(np.zeros(400), predictions, y, HORIZON)
    with pytest.raises(ValueError, match="3 clinical groups need 2 rising cuts"):
        reclassification(clinical, predictions, y, HORIZON, cuts=[0.5])


@pytest.fixture
def clinical_utility_judged(outcome):
    y, risk = outcome(300, 9, competing=True)
    times = np.array([1, 3, 5]) * YEAR
    found = {}
    for name, log_risk in (("cox", 0.8 * risk), ("clinical_cox", 0.4 * risk), ("clinical_inrg", 0 * risk)):
        incidence = 1 - np.exp(-np.exp(log_risk)[None, :, None] * times / 900)
        found[name] = Predictions(name, log_risk[None], np.zeros((1, 300), int), incidence, times)
    level = np.digitize(risk, [-0.5, 0.5]).astype(float)
    return found, level, y


def test_the_model_is_held_against_the_clinic(clinical_utility_judged):
    predictions, level, y = clinical_utility_judged
    groups = {"high_risk": (level == 2) * 1.0, "clinical_risk_group": level, "clinical_inrg": level.clip(1)}
    found = clinical_utility("cox", predictions, groups, y, n_bootstrap=100)
    strategies = ["treat all", "treat none", "high_risk", "cox", "clinical_cox"]
    assert found.decisions.net_benefit["strategy"].unique().tolist() == strategies
    assert found.years == (3, 5)
    assert found.tertiles["years"].tolist() == [3, 3, 3, 5, 5, 5]
    assert found.grouping == "clinical_risk_group"
    expected = reclassification(level, predictions["cox"], y, 5 * YEAR, n_bootstrap=100)
    assert found.reclassification.cells.equals(expected.cells)
    assert list(found.tables()) == [
        "net_benefit",
        "net_benefit_differences",
        "tertile_calibration",
        "event_free_time",
        "reclassification",
        "reclassification_improvement",
    ]


def test_a_grouping_that_few_patients_have_is_left_out_with_a_note(clinical_utility_judged):
    predictions, level, y = clinical_utility_judged
    some, most = level.copy(), level.copy()
    some[:30] = np.nan
    most[:200] = np.nan
    found = clinical_utility("cox", predictions, {"inrg": most, "cog": some}, y, n_bootstrap=100)
    assert set(found.decisions.differences["reference"]) == {"cog", TREAT_ALL}
    assert found.notes[:2] == [
        "decisions by groupings that too many patients lack are left out: inrg (200 of 300 patients)",
        "patients of an unknown group count as not treated by it: cog (30 patients)",
    ]


def test_several_groupings_that_few_have_are_one_note(clinical_utility_judged):
    predictions, level, y = clinical_utility_judged
    few, fewer = np.where(np.arange(300) < 200, np.nan, level), np.where(np.arange(300) < 250, np.nan, level)
    groups = {"clinical_inrg": few, "clinical_cog_v2": fewer}
    notes = clinical_utility("cox", predictions, groups, y, n_bootstrap=100).notes
    assert [note for note in notes if note.startswith("decisions")] == [
        "decisions by groupings that too many patients lack are left out: "
        "INRG risk group (200 of 300 patients), COG v2 risk group (250 of 300 patients)"
    ]


def test_without_groups_or_follow_up_less_is_said(clinical_utility_judged):
    predictions, _, y = clinical_utility_judged
    found = clinical_utility("cox", predictions, {}, y, n_bootstrap=100)
    assert (found.grouping, found.reclassification) == (None, None)
    assert list(found.tables()) == ["net_benefit", "tertile_calibration", "event_free_time"]
    short = y.copy()
    short["event"][y["time"] > 2 * YEAR] = 0
    short["time"] = np.minimum(y["time"], 2 * YEAR)
    none = clinical_utility("cox", predictions, {}, short, n_bootstrap=100)
    assert (none.years, list(none.tables()), len(none.notes)) == ((), ["event_free_time"], 3)
    assert none.event_free["years"].unique().tolist() == [1]


def tertile_calibration_predict(risk, factor=1.0):
    incidence = 1 - np.exp(-factor * np.exp(0.8 * risk) * 1000.0 / 900)
    repeats = np.stack([incidence - 0.01 * incidence, incidence + 0.01 * incidence]).clip(0, 1)
    return Predictions("m", np.stack([risk, risk]), np.zeros((2, len(risk)), int), repeats[:, :, None], np.array([1e3]))


def test_a_true_model_lies_within_and_a_wrong_one_does_not(outcome):
    y, risk = outcome(600, 3)
    true = tertile_calibration(tertile_calibration_predict(risk), y, 1000.0)
    assert list(true) == ["group", "n", "predicted", "observed", "low", "high", "within"]
    assert true["group"].tolist() == ["lowest", "middle", "highest"]
    assert true["n"].sum() == 600
    assert true["within"].all()
    assert not tertile_calibration(tertile_calibration_predict(risk, 2.0), y, 1000.0)["within"].any()


def test_observed_is_aalen_johansen_of_the_third(outcome):
    y, risk = outcome(90, 1, competing=True)
    y["time"] += np.random.default_rng(0).permutation(90) / 1000
    found = tertile_calibration(tertile_calibration_predict(risk), y, 1000.0)
    top = y[risk > np.quantile(risk, 2 / 3)]
    theirs = AalenJohansenFitter(calculate_variance=False).fit(top["time"], top["event"], event_of_interest=1)
    assert found["observed"].iloc[2] == pytest.approx(theirs.cumulative_density_.loc[:1000].iloc[-1, 0], abs=1e-9)


def test_tied_predictions_give_fewer_groups(outcome):
    y, _ = outcome(60, 2)
    assert tertile_calibration(tertile_calibration_predict(np.zeros(60)), y, 1000.0)["group"].tolist() == ["all"]
    assert tertile_calibration(tertile_calibration_predict(np.arange(60) // 40 * 1.0), y, 1000.0)["n"].sum() == 60


def test_a_follow_up_that_is_too_short_is_not_within(outcome):
    y, risk = outcome(60, 3)
    y["event"][y["time"] > 600] = 0
    y["time"] = np.minimum(y["time"], 600.0)
    found = tertile_calibration(tertile_calibration_predict(risk), y, 1000.0)
    assert found["observed"].isna().all()
    assert not found["within"].any()
