from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.calibration_curve import calibration_curve
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.pseudo_observations import pseudo_observations
from nbrelapse.validation.smooth_calibration import integrated_calibration_index


@pytest.fixture
def judged(outcome):
    y, risk = outcome(200, 5, competing=True)
    log_risk = np.stack([risk, risk + 0.3])
    incidence = 1 - np.exp(-np.exp(0.8 * log_risk)[:, :, None] * np.array([500.0, 1000.0]) / 900)
    return Predictions("m", log_risk, np.zeros(log_risk.shape, int), incidence, np.array([500.0, 1000.0])), y


def test_curve_band_groups_and_index_belong_together(judged):
    predictions, y = judged
    found = calibration_curve(predictions, y, 1000.0, groups=4, n_bootstrap=100)
    expected = integrated_calibration_index(
        predictions.incidence_at(1000.0), pseudo_observations(y, 1000.0), np.ones((200, 1))
    )
    assert found.ici == pytest.approx(expected[0])
    assert found.e50 <= found.e90
    inside = (found.curve["low"] <= found.curve["observed"]) & (found.curve["observed"] <= found.curve["high"])
    assert inside.mean() > 0.95
    assert found.curve["predicted"].iloc[[0, -1]].tolist() == [
        np.quantile(predictions.incidence[:, :, 1], 0.01),
        np.quantile(predictions.incidence[:, :, 1], 0.99),
    ]
    assert found.groups["n"].sum() == 200


def test_the_same_seed_gives_the_same_band(judged):
    first, second, third = (calibration_curve(*judged, 1000.0, n_bootstrap=100, seed=seed).curve for seed in (1, 1, 2))
    assert first.equals(second)
    assert not first["low"].equals(third["low"])


def test_what_cannot_be_judged_is_refused(judged):
    predictions, y = judged
    with pytest.raises(ValueError, match="none of their times"):
        calibration_curve(predictions, y, 700.0)
    short = y.copy()
    short["time"] = np.minimum(y["time"], 900)
    with pytest.raises(ValueError, match="the follow-up ends after 900 days, before 1000"):
        calibration_curve(predictions, short, 1000.0)
