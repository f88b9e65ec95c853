from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from nbrelapse.mechanisms.within_sample_ranks import within_sample_ranks

NAN = np.nan


@pytest.mark.parametrize(
    ("row", "ranks"),
    [
        ([3.0, 1.0, 2.0], [3, 1, 2]),
        ([5.0, 5.0, 5.0], [2, 2, 2]),
        ([1.0, 2.0, 2.0, 9.0], [1, 2.5, 2.5, 4]),
        ([NAN, 2.0, NAN, 1.0], [NAN, 2, NAN, 1]),
        ([NAN, NAN], [NAN, NAN]),
        ([-np.inf, 0.0, -0.0, np.inf], [1, 2.5, 2.5, 4]),
        ([7.0], [1]),
    ],
)
def test_ranks_of_a_row(row: list[float], ranks: list[float]) -> None:
    np.testing.assert_array_equal(within_sample_ranks(np.array([row])), [ranks])


def test_a_tie_does_not_reach_into_the_next_row() -> None:
    np.testing.assert_array_equal(within_sample_ranks(np.array([[1.0, 4.0], [4.0, 4.0]])), [[1, 2], [1.5, 1.5]])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_rank(shape: tuple[int, int]) -> None:
    assert within_sample_ranks(np.empty(shape)).shape == shape


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.integers(0, 6).map(float)))
def test_agrees_with_scipy(values: np.ndarray) -> None:
    np.testing.assert_array_equal(within_sample_ranks(values), rankdata(values, axis=1))
