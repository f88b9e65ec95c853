from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from nbrelapse.errors import InputError
from nbrelapse.scoring.explained_horizon import explained_horizon


@dataclass
class Followed:
    followed_days: float | None


def horizon(followed_days: float | None, years: float | None) -> float | None:
    bundle: Any = Followed(followed_days)
    return explained_horizon(bundle, years)


@pytest.mark.parametrize(
    ("followed_days", "expected"),
    [(300.0, 300.0), (365.25, 365.25), (1500.0, 3 * 365.25), (9000.0, 5 * 365.25), (None, None)],
)
def test_the_longest_horizon_within_the_follow_up(followed_days: float | None, expected: float | None) -> None:
    assert horizon(followed_days, None) == expected


def test_a_horizon_of_ones_own() -> None:
    assert horizon(730.5, 2.0) == 730.5


@pytest.mark.parametrize("years", [0.0, -1.0, 2.1, float("nan"), float("inf")])
def test_a_horizon_beyond_the_follow_up_is_refused(years: float) -> None:
    with pytest.raises(InputError, match=r"at most 2\.00 years"):
        horizon(730.5, years)


def test_a_binary_endpoint_has_no_horizon() -> None:
    with pytest.raises(InputError, match="knows no time"):
        horizon(None, 1.0)
