from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import cumulative_incidence_competing_risks

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.calibration_metrics import calibration_intercept, calibration_metrics
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.pseudo_observations import pseudo_observations
from nbrelapse.validation.smooth_calibration import integrated_calibration_index
from nbrelapse.validation.supported_horizons import SupportedHorizons


def cloglog(probability):
    return np.log(-np.log(1 - probability))


def test_the_intercept_of_a_resample_is_that_of_its_patients(outcome):
    y, risk = outcome(100, 3, competing=True)
    predicted = 1 - np.exp(-0.4 * np.exp(np.stack([risk, risk + 0.2])))
    weights = bootstrap_weights(100, 6, 0)
    found = calibration_intercept(predicted, y, 1000.0, weights)
    for column in range(7):
        rows = np.repeat(np.arange(100), weights[:, column].astype(int))
        times, incidence = cumulative_incidence_competing_risks(y["event"][rows].astype(int), y["time"][rows])
        observed = incidence[1][np.searchsorted(times, 1000.0, side="right") - 1]
        assert found[column] == pytest.approx(cloglog(observed) - cloglog(predicted[:, rows].mean()), abs=1e-7)


def test_hazards_twice_too_large_shift_it_by_log_two():
    y = np.array([(1, 10.0), (1, 20.0), (0, 50.0), (0, 60.0)], dtype=[("event", np.int8), ("time", float)])
    ones = np.ones((4, 1))
    assert calibration_intercept(np.full((1, 4), 0.5), y, 30.0, ones)[0] == pytest.approx(0.0)
    assert calibration_intercept(np.full((1, 4), 0.75), y, 30.0, ones)[0] == pytest.approx(-np.log(2))


def test_it_is_undefined_without_events_before_the_horizon():
    y = np.array([(1, 10.0), (0, 20.0)], dtype=[("event", np.int8), ("time", float)])
    weights = np.array([[1.0, 0.0], [1.0, 2.0]])
    assert np.isnan(calibration_intercept(np.full((1, 2), 0.5), y, 15.0, weights)).tolist() == [False, True]


def test_there_are_two_metrics_a_horizon(outcome):
    y, risk = outcome(60, 1)
    times = np.array([1, 2]) * YEAR
    predictions = Predictions("x", risk[None], np.zeros((1, 60), int), np.full((1, 60, 2), 0.3), times)
    censoring = CensoringDistribution.fit(y)
    judged = JudgedPatients(y, np.ones((60, 1)), censoring, SupportedHorizons.of(y, censoring, times))
    found = calibration_metrics(predictions, judged)
    assert list(found) == [f"{metric}_{year}y" for year in (1, 2) for metric in ("calibration_intercept", "ici")]
    expected = integrated_calibration_index(np.full((1, 60), 0.3), pseudo_observations(y, YEAR), np.ones((60, 1)))
    assert found["ici_1y"] == expected
