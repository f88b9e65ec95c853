from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.evaluate_groups import MEAN, evaluate_groups
from nbrelapse.validation.horizons import prediction_times
from nbrelapse.validation.predictions import Predictions


def judge(outcome, groups, interval):
    y, risk = outcome(len(groups), 5)
    times = prediction_times(y)
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 1500)
    model = Predictions("model", risk[None], np.zeros((1, len(y)), int), incidence[None], times)
    found = evaluate_groups({"model": model}, y, groups, references=[], n_bootstrap=200, interval=interval)
    return found.metrics.set_index(["population", "metric"])[["value", "low", "high"]]


def test_bca_moves_the_limits_of_the_groups_and_of_their_mean(outcome):
    groups = np.repeat(["A", "B", "C"], [60, 40, 50])
    percentile, bca = (judge(outcome, groups, interval) for interval in ("percentile", "bca"))
    np.testing.assert_allclose(bca["value"], percentile["value"], rtol=1e-9)
    for population in ("A", "B", "C", MEAN):
        before, after = percentile.loc[population].dropna(), bca.loc[population].dropna()
        assert not before["low"].equals(after["low"])
        assert ((after["low"] <= after["value"]) & (after["value"] <= after["high"])).all()


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_the_mean_of_one_group_is_that_group(outcome, interval):
    found = judge(outcome, np.repeat("A", 80), interval)
    np.testing.assert_allclose(found.loc[MEAN], found.loc["A"], rtol=1e-9)
