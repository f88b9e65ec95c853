from __future__ import annotations

import numpy as np

from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.supported_horizons import SupportedHorizons

GRID = np.arange(1, 25) * YEAR / 4


def followed(*rows):
    return np.array(list(rows), dtype=[("event", np.int8), ("time", float)])


def test_long_follow_up_supports_everything_up_to_five_years():
    y = followed((1, 100.0), (0, 8 * YEAR))
    found = SupportedHorizons.of(y, CensoringDistribution.fit(y), GRID)
    assert (found.auc_years, found.tau, found.n_times, found.notes) == ((1, 2, 3, 5), 5 * YEAR, 20, ())


def test_the_shorter_of_training_and_test_follow_up_counts():
    long, short = followed((1, 100.0), (0, 8 * YEAR)), followed((1, 100.0), (0, 1.1 * YEAR))
    for y, training in ((long, short), (short, long)):
        found = SupportedHorizons.of(y, CensoringDistribution.fit(training), GRID)
        assert (found.auc_years, found.tau, found.n_times) == ((1,), 1.1 * YEAR, 4)
        assert len(found.notes) == 5


def test_a_horizon_that_ends_before_the_first_event_or_grid_time_is_left_out():
    y = followed((1, 1.5 * YEAR), (0, 8 * YEAR))
    found = SupportedHorizons.of(y, CensoringDistribution.fit(y), GRID[23:])
    assert found.auc_years == (2, 3, 5)
    assert found.notes == (
        "metrics at 1 y are left out, there is no event before",
        "metrics of the incidence at 2 y are left out, it was not predicted then",
        "metrics of the incidence at 3 y are left out, it was not predicted then",
        "metrics of the incidence at 5 y are left out, it was not predicted then",
        "integrated_brier is left out, it needs two times within 5 years",
    )
