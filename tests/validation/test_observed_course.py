from __future__ import annotations

import numpy as np

from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.observed_course import observed_course
from nbrelapse.validation.observed_incidence import observed_incidence

DTYPE = [("event", "i1"), ("time", "f8")]


def test_each_quarter_year_has_the_aalen_johansen_estimate() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(60, dtype=DTYPE)
    y["event"], y["time"] = rng.integers(0, 3, 60), rng.uniform(10, 8 * YEAR, 60)
    course = observed_course(y)
    np.testing.assert_allclose(course["days"], np.arange(1, 21) * YEAR / 4)
    found = zip(course["incidence"], course["low"], course["high"], strict=True)
    assert list(found) == [observed_incidence(y, day) for day in course["days"]]


def test_it_ends_with_the_follow_up() -> None:
    y = np.array([(1, 100.0), (0, 1.3 * YEAR)], dtype=DTYPE)
    assert observed_course(y)["days"][-1] == 1.25 * YEAR
