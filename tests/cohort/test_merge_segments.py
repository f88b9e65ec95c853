from __future__ import annotations

import pandas as pd

from nbrelapse.cohort.merge_segments import MergedSegments, merge_segments

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
