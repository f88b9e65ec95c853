from __future__ import annotations

import numpy as np
from sksurv.nonparametric import CensoringDistributionEstimator

from nbrelapse.validation.censoring import CensoringDistribution


def test_equals_scikit_survival_with_competing_events_observed(outcome):
    y, _ = outcome(200, 0, competing=True)
    observed = np.empty(len(y), dtype=[("event", bool), ("time", float)])
    observed["event"], observed["time"] = y["event"] != 0, y["time"]
    times = np.linspace(1, y["time"].max(), 50)
    expected = CensoringDistributionEstimator().fit(observed).predict_proba(times)
    np.testing.assert_allclose(CensoringDistribution.fit(y).at(times), expected, rtol=1e-12)


def test_nobody_censored_is_one_as_far_as_is_known():
    y = np.array([(1, 5.0), (1, 9.0)], dtype=[("event", np.int8), ("time", float)])
    np.testing.assert_array_equal(CensoringDistribution.fit(y).at([1, 5, 9, 9.5]), [1, 1, 1, np.nan])
