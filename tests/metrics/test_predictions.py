from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.metrics.predictions import Predictions


def parts(**changed):
    values = {
        "log_risk": np.array([[0.1, 0.2, 0.3]]),
        "fold": np.array([[0, 1, 0]]),
        "incidence": np.arange(6.0).reshape(1, 3, 2) / 10,
        "times": np.array([100.0, 200.0]),
    }
    return values | changed


def test_take_keeps_patients_together():
    taken = Predictions("cox", **parts()).take(np.array([2, 0]))
    assert taken.log_risk.tolist() == [[0.3, 0.1]]
    assert taken.fold.tolist() == [[0, 0]]
    assert taken.incidence.tolist() == [[[0.4, 0.5], [0.0, 0.1]]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"log_risk": np.zeros(3)}, "do not agree"),
        ({"fold": np.zeros((1, 2), int)}, "do not agree"),
        ({"times": np.array([1.0])}, "do not agree"),
        ({"log_risk": np.array([[0.1, np.nan, 0.3]])}, "1 values of log_risk are NaN or infinite"),
        ({"incidence": np.full((1, 3, 2), np.inf)}, "6 values of incidence are NaN or infinite"),
        ({"times": np.array([200.0, 100.0])}, "times do not increase"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Predictions("cox", **parts(**changed))
