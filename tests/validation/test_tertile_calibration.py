from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter

from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.tertile_calibration import tertile_calibration


def predict(risk, factor=1.0):
    incidence = 1 - np.exp(-factor * np.exp(0.8 * risk) * 1000.0 / 900)
    repeats = np.stack([incidence - 0.01 * incidence, incidence + 0.01 * incidence]).clip(0, 1)
    return Predictions("m", np.stack([risk, risk]), np.zeros((2, len(risk)), int), repeats[:, :, None], np.array([1e3]))


def test_a_true_model_lies_within_and_a_wrong_one_does_not(outcome):
    y, risk = outcome(600, 3)
    true = tertile_calibration(predict(risk), y, 1000.0)
    assert list(true) == ["group", "n", "predicted", "observed", "low", "high", "within"]
    assert true["group"].tolist() == ["lowest", "middle", "highest"]
    assert true["n"].sum() == 600
    assert true["within"].all()
    assert not tertile_calibration(predict(risk, 2.0), y, 1000.0)["within"].any()


def test_observed_is_aalen_johansen_of_the_third(outcome):
    y, risk = outcome(90, 1, competing=True)
    y["time"] += np.random.default_rng(0).permutation(90) / 1000
    found = tertile_calibration(predict(risk), y, 1000.0)
    top = y[risk > np.quantile(risk, 2 / 3)]
    theirs = AalenJohansenFitter(calculate_variance=False).fit(top["time"], top["event"], event_of_interest=1)
    assert found["observed"].iloc[2] == pytest.approx(theirs.cumulative_density_.loc[:1000].iloc[-1, 0], abs=1e-9)


def test_tied_predictions_give_fewer_groups(outcome):
    y, _ = outcome(60, 2)
    assert tertile_calibration(predict(np.zeros(60)), y, 1000.0)["group"].tolist() == ["all"]
    assert tertile_calibration(predict(np.arange(60) // 40 * 1.0), y, 1000.0)["n"].sum() == 60


def test_a_follow_up_that_is_too_short_is_not_within(outcome):
    y, risk = outcome(60, 3)
    y["event"][y["time"] > 600] = 0
    y["time"] = np.minimum(y["time"], 600.0)
    found = tertile_calibration(predict(risk), y, 1000.0)
    assert found["observed"].isna().all()
    assert not found["within"].any()
