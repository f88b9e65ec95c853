from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import CensoringDistributionEstimator

from nbrelapse.errors import InputError
from nbrelapse.metrics.horizons import YEAR, CensoringDistribution, _SupportedHorizons, prediction_times


def followed(*times, each=10):
    return np.array([(1, time) for time in times for _ in range(each)], dtype=[("event", np.int8), ("time", float)])


def test_the_grid_holds_the_years_and_ends_at_five():
    times = prediction_times(followed(100.0, 9000.0))
    assert len(times) == 20
    assert np.isin(np.array([1, 2, 3, 5]) * YEAR, times).all()
    assert (times[0], times[-1]) == (YEAR / 4, 5 * YEAR)


def test_the_grid_ends_before_the_follow_up_does():
    assert prediction_times(followed(100.0, 2 * YEAR))[-1] == 1.75 * YEAR


def test_the_grid_ends_where_nine_patients_are_left_but_has_two_times():
    few = followed(9000.0, each=9)
    assert prediction_times(np.concatenate([followed(2 * YEAR), few]))[-1] == 1.75 * YEAR
    assert prediction_times(np.concatenate([followed(50.0), few])).tolist() == [YEAR / 4, YEAR / 2]
    assert prediction_times(few[:4]).tolist() == [YEAR / 4, YEAR / 2]


def test_months_given_as_days_are_refused():
    for y in (followed(12.0, 60.0), followed()):
        with pytest.raises(InputError, match="check the unit") as caught:
            prediction_times(y)
        assert caught.value.column == "time"


GRID = np.arange(1, 25) * YEAR / 4


def supported(*rows):
    """Outcomes of ten patients a row."""
    return np.repeat(np.array(list(rows), dtype=[("event", np.int8), ("time", float)]), 10)


def test_long_follow_up_supports_everything_up_to_five_years():
    found = _SupportedHorizons.of(supported((1, 100.0), (0, 8 * YEAR)), GRID)
    assert (list(found.at), found.tau, found.n_times, found.notes) == ([1, 2, 3, 5], 5 * YEAR, 20, ())
    assert (found.at[5].at_risk, found.at[5].events_by) == (10, 10)


def test_the_ten_who_are_followed_longest_count_and_nobody_beyond():
    y = np.concatenate([supported((1, 100.0), (0, 1.1 * YEAR)), supported((0, 8 * YEAR))[:9]])
    found = _SupportedHorizons.of(y, GRID)
    assert (list(found.at), found.tau, found.n_times) == ([1], 1.1 * YEAR, 4)
    assert len(found.notes) == 5


def test_a_horizon_that_ends_before_the_first_event_or_grid_time_is_left_out():
    found = _SupportedHorizons.of(supported((1, 1.5 * YEAR), (0, 8 * YEAR)), GRID[23:])
    assert list(found.at) == [2, 3, 5]
    assert found.notes == (
        "figures at 1 year are left out: 0 events are known by then, 5 are needed",
        "figures of the incidence at 2 years are left out: it was not predicted then",
        "figures of the incidence at 3 years are left out: it was not predicted then",
        "figures of the incidence at 5 years are left out: it was not predicted then",
        "the integrated Brier score is left out, it needs two times within 5 years",
    )


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
