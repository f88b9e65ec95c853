from __future__ import annotations

import json

import numpy as np
import pytest

from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.observed_incidence import observed_incidence
from nbrelapse.validation.similar_outcomes import similar_outcomes

RNG = np.random.default_rng(4)
PROBABILITY = RNG.permutation(np.arange(200) / 200)
TIME = RNG.exponential(3 * YEAR / (0.2 + PROBABILITY))
Y = np.array(
    list(zip(np.where(TIME < 8 * YEAR, 1, 0), np.minimum(TIME, 8 * YEAR), strict=True)),
    dtype=[("event", "i1"), ("time", "f8")],
)


def test_each_point_holds_the_fifty_nearest() -> None:
    point = similar_outcomes(PROBABILITY, Y)[20]
    nearest = np.argsort(np.abs(PROBABILITY - point["probability"]), kind="stable")[:50]
    assert (point["patients"], point["events"]) == (50, int(Y["event"][nearest].sum()))
    assert (point["low"], point["high"]) == (PROBABILITY[nearest].min(), PROBABILITY[nearest].max())
    assert [row["years"] for row in point["observed"]] == [1, 2, 3, 5]
    row = point["observed"][2]
    assert (row["incidence"], row["low"], row["high"]) == observed_incidence(Y[nearest], 3 * YEAR)


def test_the_grid_reaches_from_the_lowest_to_the_highest_prediction() -> None:
    points = similar_outcomes(PROBABILITY, Y)
    centres = [point["probability"] for point in points]
    assert len(points) == 41
    assert centres == sorted(centres)
    assert (centres[0], centres[-1]) == (0.0, 0.995)


def test_the_order_of_the_patients_does_not_matter() -> None:
    order = RNG.permutation(200)
    assert similar_outcomes(PROBABILITY[order], Y[order]) == similar_outcomes(PROBABILITY, Y)


def test_horizons_beyond_the_follow_up_are_left_out() -> None:
    short = Y.copy()
    short["event"] = np.where(Y["time"] > 2.5 * YEAR, 0, Y["event"])
    short["time"] = np.minimum(Y["time"], 2.5 * YEAR)
    assert [row["years"] for row in similar_outcomes(PROBABILITY, short)[0]["observed"]] == [1, 2]


def test_a_binary_outcome_has_one_share() -> None:
    point = similar_outcomes(PROBABILITY, np.zeros(200, dtype=np.int8))[0]
    (row,) = point["observed"]
    assert (row["years"], row["incidence"], row["low"]) == (None, 0.0, 0.0)
    assert row["high"] == pytest.approx(1 - 0.025 ** (1 / 50))


@pytest.mark.parametrize(("n", "neighbours"), [(79, None), (80, 20), (120, 30)])
def test_no_more_than_a_quarter_is_near(n: int, neighbours: int | None) -> None:
    points = similar_outcomes(PROBABILITY[:n], Y[:n])
    assert {point["patients"] for point in points} == ({neighbours} if neighbours else set())


def test_it_is_plain_data() -> None:
    json.dumps(similar_outcomes(PROBABILITY, Y), allow_nan=False)
