from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from sksurv.linear_model import CoxPHSurvivalAnalysis

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.calibration_slope import calibration_slope


@pytest.mark.parametrize("seed", range(3))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(120, seed, competing=True)
    weights = bootstrap_weights(len(y), 10, seed)
    found = calibration_slope(y, 3 * risk[np.newaxis], np.zeros((1, len(y)), dtype=int), weights)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        cox = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12).fit(3 * risk[rows, None], as_boolean(y[rows]))
        assert found[column] == pytest.approx(cox.coef_[0], abs=1e-7)


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # lifelines' own
def test_folds_are_strata_as_in_lifelines(outcome):
    y, risk = outcome(200, 7)
    y["time"] += np.random.default_rng(0).permutation(200) / 1000  # lifelines breaks ties after Efron
    fold = np.arange(200) % 4
    shifted = risk + fold
    table = pd.DataFrame({"x": shifted, "time": y["time"], "event": y["event"] == 1, "fold": fold})
    expected = CoxPHFitter().fit(table, "time", "event", strata=["fold"]).params_["x"]
    found = calibration_slope(y, shifted[np.newaxis], fold[np.newaxis], np.ones((200, 1)))
    assert found[0] == pytest.approx(expected, abs=1e-5)


def test_a_log_risk_twice_too_large_has_half_the_slope(outcome):
    y, risk = outcome(100, 1)
    fold = np.zeros((1, 100), dtype=int)
    weights = bootstrap_weights(100, 5, 0)
    once = calibration_slope(y, risk[np.newaxis], fold, weights)
    twice = calibration_slope(y, 2 * risk[np.newaxis], fold, weights)
    np.testing.assert_allclose(once, 2 * twice, rtol=1e-6)


@pytest.mark.parametrize(
    ("event", "risk"),
    [([1, 1, 0, 0], [1.0, 1.0, 1.0, 1.0]), ([0, 0, 0, 0], [1.0, 2.0, 3.0, 4.0]), ([1, 1, 1, 1], [4.0, 3.0, 2.0, 1.0])],
    ids=["constant", "no events", "separated"],
)
def test_no_finite_slope_is_nan(event, risk):
    y = np.array(list(zip(event, range(1, 5), strict=True)), dtype=[("event", np.int8), ("time", float)])
    found = calibration_slope(y, np.array([risk]), np.zeros((1, 4), dtype=int), np.ones((4, 2)))
    assert np.isnan(found).all()
