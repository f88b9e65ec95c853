from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.mechanisms.breakpoint_clusters import clustered_breakpoints

TEN = np.arange(10) * 1_000_000


def clustered(position: np.ndarray, chromosome: int | np.ndarray = 0, **options: float) -> list[bool]:
    zero = np.zeros(len(position), dtype=int)
    return clustered_breakpoints(zero, zero + chromosome, position, **options).tolist()


def test_ten_close_breakpoints_are_a_cluster_nine_are_not() -> None:
    assert clustered(TEN) == [True] * 10
    assert clustered(TEN[:9]) == [False] * 9


def test_the_mean_distance_is_at_most_a_tenth_of_the_tumours() -> None:
    # Ten breakpoints: 310 Mb apart on average, so 9 gaps of 31 Mb at most.
    assert all(clustered(np.linspace(0, 9 * 31e6, 10).astype(int)))
    assert not any(clustered(np.linspace(0, 9 * 31e6 + 90, 10).astype(int)))


def test_breakpoints_elsewhere_make_the_tumours_own_mean_smaller() -> None:
    elsewhere = np.arange(90) * 2_500_000
    position = np.concatenate([np.arange(10) * 4_000_000, elsewhere])
    chromosome = np.repeat([0, 1], [10, 90])
    # 100 breakpoints, 31 Mb apart: a cluster needs 3.1 Mb.
    assert clustered(position, chromosome) == [False] * 10 + [True] * 90


def test_a_run_does_not_leave_its_chromosome_or_sample() -> None:
    assert not any(clustered(TEN, np.repeat([0, 1], 5)))
    assert not clustered_breakpoints(np.repeat([0, 1], 5), np.zeros(10, dtype=int), TEN).any()


def test_a_long_run_is_marked_from_its_first_to_its_last() -> None:
    elsewhere = np.arange(50) * 5_000_000
    position = np.concatenate([[0], 200_000_000 + np.arange(12) * 1000, elsewhere])
    found = clustered(position, np.repeat([0, 1], [13, 50]))
    assert found == [False] + [True] * 12 + [False] * 50


@pytest.mark.parametrize("seed", [0, 1])
def test_row_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample, chromosome = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    position = np.where(chromosome == 1, rng.integers(0, 10_000_000, 200), rng.integers(0, 200_000_000, 200))
    straight = clustered_breakpoints(sample, chromosome, position, size=8)
    order = rng.permutation(200)
    mixed = clustered_breakpoints(sample[order], chromosome[order], position[order], size=8)
    assert straight.any()
    assert not straight.all()
    np.testing.assert_array_equal(mixed, straight[order])


def test_no_breakpoints() -> None:
    assert clustered(np.array([], dtype=int)) == []
