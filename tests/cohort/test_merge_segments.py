from __future__ import annotations

import pandas as pd

from nbrelapse.cohort.merge_segments import merge_segments


def segments(*rows: tuple[str, str, int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])


def test_neighbours_of_one_ratio_are_one_segment() -> None:
    found = merge_segments(segments(("s", "1", 51, 90, 0.1), ("s", "1", 91, 100, 0.2), ("s", "1", 1, 50, 0.1)))
    pd.testing.assert_frame_equal(found, segments(("s", "1", 1, 90, 0.1), ("s", "1", 91, 100, 0.2)))


def test_neither_samples_nor_chromosomes_are_joined() -> None:
    apart = segments(("a", "1", 1, 50, 0.1), ("a", "2", 51, 90, 0.1), ("b", "2", 91, 99, 0.1))
    pd.testing.assert_frame_equal(merge_segments(apart), apart)


def test_no_segments() -> None:
    assert merge_segments(segments()).empty
