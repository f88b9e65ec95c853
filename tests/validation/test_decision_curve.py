from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.decision_curve import TREAT_ALL, TREAT_NONE, decision_curve
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.predictions import Predictions

THRESHOLDS = np.array([0.2, 0.5])


@pytest.fixture
def judged(outcome):
    y, risk = outcome(300, 8, competing=True)
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
        ("good", "high_risk"),
        ("noise", "high_risk"),
    }
    assert found.notes == []


def test_differences_are_of_the_same_resamples(judged):
    models, groups, y = judged
    found = decision_curve(models, groups, y, thresholds=THRESHOLDS, n_bootstrap=100)
    values = found.net_benefit.set_index(["strategy", "years", "threshold"])["net_benefit"]
    for row in found.differences.itertuples():
        expected = values[row.strategy, row.years, row.threshold] - values["high_risk", row.years, row.threshold]
        assert row.difference == pytest.approx(expected, abs=1e-12)
    twin = decision_curve(
        {"rule": models["good"]},
        {"high_risk": models["good"].incidence_at(3 * YEAR)[0] >= 0.5},
        y,
        years=[3],
        thresholds=np.array([0.5]),
        n_bootstrap=100,
    ).differences
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
    assert found.notes == ["net benefit at 5 years is left out, the follow-up or the predictions end before"]
