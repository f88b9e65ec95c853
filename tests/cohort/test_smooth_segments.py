from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.merge_segments import merge_segments
from nbrelapse.cohort.smooth_segments import smooth_segments

Row = tuple[str, str, float, float, float]
MB = 1_000_000


def smoothed(*rows: Row, copy: float = 0.4) -> list[tuple[str, float, float, float]]:
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


def test_no_segments() -> None:
    assert smoothed() == []
