from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.brier_score import brier_score
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.null_brier_score import null_brier_score
from nbrelapse.validation.weighted_incidence import weighted_incidence


@pytest.mark.parametrize("competing", [False, True])
def test_it_is_the_brier_score_of_the_incidence_of_each_resample(outcome, competing):
    y, _ = outcome(120, 0, competing=competing)
    times = np.array([365.25, 1095.75])
    censoring = CensoringDistribution.fit(y)
    weights = bootstrap_weights(len(y), 8, 0)
    found = null_brier_score(y, times, weights, censoring)
    for column in range(weights.shape[1]):
        own = weights[:, [column]]
        average = np.broadcast_to(weighted_incidence(y, own, times).T, (1, len(y), 2))
        np.testing.assert_allclose(found[:, [column]], brier_score(y, average, times, own, censoring), rtol=1e-9)


def test_without_censoring_it_is_the_variance_of_the_event():
    y = np.array([(1, 1.0), (2, 2.0), (1, 5.0), (1, 6.0)], dtype=[("event", np.int8), ("time", float)])
    found = null_brier_score(y, np.array([0.5, 3.0]), np.ones((4, 1)), CensoringDistribution.fit(y))
    assert found.ravel().tolist() == [0, 0.25 * 0.75]
