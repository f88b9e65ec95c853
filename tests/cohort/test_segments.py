from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.segments import (
    MergedSegments,
    _check_segments,
    _repair_segments,
    _weighted_median,
    merge_segments,
    smooth_segments,
    weighted_median_rows,
)
from nbrelapse.errors import InputError

Row = tuple[str, str, int, int, float]


def merged(*rows: Row) -> MergedSegments:
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    return merge_segments(table.astype({"sample_id": "str", "chromosome": "str"}))


def rows(found: MergedSegments) -> list[tuple[str, int, int, int, float]]:
    samples = found.sample_ids[found.sample]
    columns = (found.chromosome, found.start, found.end, found.log2_ratio)
    return list(zip(samples, *(values.tolist() for values in columns), strict=True))


def test_neighbours_of_one_ratio_are_one_segment() -> None:
    found = merged(("s", "1", 51, 90, 0.1), ("s", "1", 91, 100, 0.2), ("s", "1", 1, 50, 0.1))
    assert rows(found) == [("s", 1, 1, 90, 0.1), ("s", 1, 91, 100, 0.2)]


def test_neither_samples_nor_chromosomes_are_joined() -> None:
    found = merged(("b", "2", 91, 99, 0.1), ("a", "2", 51, 90, 0.1), ("a", "1", 1, 50, 0.1))
    assert rows(found) == [("a", 1, 1, 50, 0.1), ("a", 2, 51, 90, 0.1), ("b", 2, 91, 99, 0.1)]
    assert found.follows.tolist() == [False, False, False]


def test_chromosomes_are_numbers_however_they_are_named() -> None:
    found = merged(("s", "chrX", 1, 9, 0.1), ("s", "23", 10, 20, 0.2), ("s", "CHR7", 1, 9, 0.0))
    assert rows(found) == [("s", 7, 1, 9, 0.0), ("s", 23, 1, 9, 0.1), ("s", 23, 10, 20, 0.2)]


def test_other_chromosomes_are_left_out() -> None:
    assert rows(merged(("s", "Y", 1, 9, 0.1), ("s", "MT", 1, 9, 0.1), ("s", "2", 1, 9, 0.1))) == [("s", 2, 1, 9, 0.1)]


def test_segments_of_one_place_have_one_order() -> None:
    twice = [("s", "1", 1, 9, 0.2), ("s", "1", 1, 5, 0.2), ("s", "1", 1, 9, 0.1)]
    assert rows(merged(*twice)) == rows(merged(*twice[::-1]))


def test_no_segments() -> None:
    assert rows(merged()) == []


SmoothSegmentsRow = tuple[str, str, float, float, float]
MB = 1_000_000


def smoothed(*rows: SmoothSegmentsRow, copy: float = 0.4) -> list[tuple[str, float, float, float]]:
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    table[["start", "end"]] *= MB
    merged = merge_segments(table.astype({"sample_id": "str", "chromosome": "str"}))
    found = smooth_segments(merged, np.full(len(merged.sample_ids), copy))
    samples = found.sample_ids[found.sample]
    numbers = (found.start / MB, found.end / MB, np.round(found.log2_ratio, 9))
    return list(zip(samples, *(values.tolist() for values in numbers), strict=True))


def test_a_small_step_goes_and_the_mean_is_weighted_by_length() -> None:
    assert smoothed(("s", "1", 0, 30, 0.04), ("s", "1", 30, 90, 0.01)) == [("s", 0.0, 90.0, 0.02)]


def test_a_single_copy_step_stays() -> None:
    rows = [("s", "1", 0, 30, -0.4), ("s", "1", 30, 90, 0.0)]
    assert smoothed(*rows) == [("s", 0.0, 30.0, -0.4), ("s", 30.0, 90.0, 0.0)]


def test_the_same_step_goes_where_a_copy_makes_a_larger_one() -> None:
    assert len(smoothed(("s", "1", 0, 30, -0.1), ("s", "1", 30, 90, 0.0), copy=1.5)) == 1


@pytest.mark.parametrize(("length", "kept"), [(0.5, 1), (2.0, 1), (4.0, 3)])
def test_a_short_segment_of_one_copy_needs_three_megabases(length: float, kept: int) -> None:
    pieces = [("s", "1", 0, 50, 0.0), ("s", "1", 50, 50 + length, -0.2), ("s", "1", 50 + length, 120, 0.0)]
    assert len(smoothed(*pieces)) == kept


def test_a_small_amplicon_stays() -> None:
    pieces = [("s", "2", 0, 16, 0.0), ("s", "2", 16, 16.2, 3.0), ("s", "2", 16.2, 243, 0.0)]
    assert [row[3] for row in smoothed(*pieces)] == [0.0, 3.0, 0.0]


def test_the_closest_neighbours_join_first() -> None:
    # 0.15 is nearer to 0.2 than to 0; joined in order, the first two would pull each other away from their levels.
    pieces = [("s", "1", 0, 3, 0.0), ("s", "1", 3, 6, 0.15), ("s", "1", 6, 100, 0.2), ("s", "1", 100, 200, -0.4)]
    assert len(smoothed(*pieces)) == 2


def test_chromosomes_and_samples_stay_apart() -> None:
    rows = [("a", "1", 0, 30, 0.0), ("a", "2", 0, 30, 0.01), ("b", "2", 0, 30, 0.02)]
    assert smoothed(*rows) == [(sample, start, end, ratio) for sample, _, start, end, ratio in rows]


def test_noise_of_a_finely_cut_profile_goes_and_its_losses_stay() -> None:
    random = np.random.default_rng(0)
    pieces = [
        ("s", str(chromosome), start, start + 5, (-0.4 if chromosome == 4 and start >= 60 else 0.0) + noise)
        for chromosome in range(1, 9)
        for start, noise in zip(range(0, 120, 5), random.normal(0, 0.08, 24), strict=True)
    ]
    found = smoothed(*pieces)
    assert len(pieces) == 192
    assert len(found) < 20
    assert [row[1:3] for row in found if row[3] < -0.2] == [(60.0, 120.0)]
    assert all(abs(row[3]) < 0.2 for row in found if row[3] > -0.2)


def test_samples_do_not_influence_each_other() -> None:
    random = np.random.default_rng(1)
    noisy = [("n", "1", start, start + 1, random.normal(0, 0.3)) for start in range(200)]
    clean = [("c", "1", 0, 30, -0.3), ("c", "1", 30, 35, -0.1), ("c", "1", 35, 90, 0.0)]
    assert [row for row in smoothed(*noisy, *clean) if row[0] == "c"] == smoothed(*clean)


def test_smooth_segments_no_segments() -> None:
    assert smoothed() == []


def segments(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    return table.assign(n_probes=float("nan"))


def genome(*values: float) -> pd.DataFrame:
    return segments(*(("s", str(number), 1.0, 1e8, values[number % len(values)]) for number in range(1, 13)))


def test_neighbours_may_share_a_boundary_in_any_order_of_rows() -> None:
    _check_segments(
        segments(("a", "1", 50.0, 90.0, 0.1), ("b", "1", 10.0, 90.0, 0.1), ("a", "1", 1.0, 50.0, -0.2)), "f"
    )


def test_overlaps_are_named_by_the_rows_of_the_file() -> None:
    table = segments(("a", "1", 49.0, 90.0, 0.1), ("b", "1", 1.0, 90.0, 0.1), ("a", "1", 1.0, 50.0, -0.2))
    table.index = pd.Index([3, 5, 8])
    with pytest.raises(InputError, match="overlap by up to 2 bases") as caught:
        _check_segments(table, "a.seg")
    assert (caught.value.file, caught.value.rows) == ("a.seg", [4])


@pytest.mark.parametrize("factor", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.25])
def test_log2_ratios_of_any_platform_pass(factor: float, shift: float) -> None:
    _check_segments(genome(*(factor * value + shift for value in (0.0, 0.02, -0.5, 0.4, 2.0))), "f")


@pytest.mark.parametrize("values", [(2.0, 3.0, 1.0), (2.1, 2.05, 0.0), (4.0, 3.0, 5.0)])
def test_copy_numbers(values: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="look like copy numbers") as caught:
        _check_segments(genome(*values), "f")
    assert caught.value.fix == "give log2(copies / 2)"


def test_amplicons_alone_do_not_tell() -> None:
    _check_segments(segments(("s", "2", 1.6e7, 1.7e7, 4.0), ("s", "12", 5.8e7, 5.9e7, 2.0)), "f")


def test_repairs_leave_a_table_in_order_alone() -> None:
    table, repairs = genome(0.0, -0.4), Repairs()
    pd.testing.assert_frame_equal(_repair_segments(table, repairs), table)
    assert list(repairs) == []


def test_zeros_alone_are_raised_where_neighbours_are_a_base_apart() -> None:
    repairs = Repairs()
    found = _repair_segments(
        segments(("a", "1", 0, 50, 0.0), ("a", "1", 51, 90, -0.4), ("a", "1", 91, 99, 0.0), ("a", "2", 0, 70, 0.1)),
        repairs,
    )
    assert found["start"].tolist() == [1, 51, 91, 1]
    assert list(repairs) == ["segments: 2 starts of 0 read as 1, positions count from 1"]


def test_all_starts_are_raised_where_neighbours_share_a_position() -> None:
    found = _repair_segments(
        segments(("a", "1", 0, 50, 0.0), ("a", "1", 50, 90, -0.4), ("b", "2", 7, 70, 0.1)), Repairs()
    )
    assert found["start"].tolist() == [1, 51, 8]
    assert found["end"].tolist() == [50, 90, 70]


def test_a_row_that_differs_in_its_ratio_is_no_repetition() -> None:
    repairs = Repairs()
    table = segments(("s", "1", 1.0, 9.0, 0.1), ("s", "1", 1.0, 9.0, 0.1), ("s", "1", 1.0, 9.0, 0.2))
    assert _repair_segments(table, repairs).index.tolist() == [0, 2]
    assert list(repairs) == ["segments: 1 rows that repeat another removed"]


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9), st.integers(1, 6)), min_size=1, max_size=20)


@given(ROWS)
def test_a_weight_counts_as_so_many_values(rows: list[tuple[int, int, int]]) -> None:
    group, values, weights = (np.array(column) for column in zip(*sorted(rows), strict=True))
    found = values[weighted_median_rows(weights, group)]
    repeated = {one: np.repeat(values[group == one], weights[group == one]) for one in np.unique(group)}
    assert found.tolist() == [np.sort(each)[(len(each) - 1) // 2] for each in repeated.values()]
    assert _weighted_median(values[group == group[0]], weights[group == group[0]]) == found[0]


def test_no_values() -> None:
    assert np.isnan(_weighted_median(np.empty(0), np.empty(0)))
    assert weighted_median_rows(np.empty(0), np.empty(0, dtype=int)).tolist() == []
