from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.errors import InputError
from nbrelapse.validation.horizons import YEAR, prediction_times


def followed(*times):
    return np.array([(1, time) for time in times], dtype=[("event", np.int8), ("time", float)])


def test_the_grid_holds_the_years_and_ends_at_five():
    times = prediction_times(followed(100.0, 9000.0))
    assert len(times) == 20
    assert np.isin(np.array([1, 2, 3, 5]) * YEAR, times).all()
    assert times[-1] == 5 * YEAR


def test_the_grid_ends_before_the_follow_up_does():
    assert prediction_times(followed(100.0, 2 * YEAR))[-1] == 1.75 * YEAR


def test_months_given_as_days_are_refused():
    with pytest.raises(InputError, match="check the unit"):
        prediction_times(followed(12.0, 60.0))
