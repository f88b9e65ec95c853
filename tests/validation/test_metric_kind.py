from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.report.wording import METRICS
from nbrelapse.validation.metric_kind import MetricKind


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("harrell_c", 0.8, 0.7),
        ("cause_specific_c", 0.8, 0.7),
        ("auc_3y", 0.8, 0.7),
        ("ipa_5y", 0.1, -0.2),
        ("brier_5y", 0.1, 0.2),
        ("integrated_brier", 0.1, 0.2),
        ("calibration_slope", 1.1, 0.8),
        ("calibration_slope", 0.9, 1.2),
    ],
)
def test_goodness_is_higher_for_the_better_value(metric, better, worse):
    kind = MetricKind.of(metric)
    assert kind.goodness(better) > kind.goodness(worse)
    assert np.isnan(kind.goodness(np.nan))


def test_every_metric_with_a_title_has_a_kind():
    assert all(MetricKind.of(metric) for metric in METRICS)
