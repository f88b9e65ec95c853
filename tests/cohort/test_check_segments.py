from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort.check_segments import check_segments
from nbrelapse.cohort.repair_segments import repair_segments
from nbrelapse.errors import InputError


def segments(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    return table.assign(n_probes=float("nan"))


def genome(*values: float) -> pd.DataFrame:
    return segments(*(("s", str(number), 1.0, 1e8, values[number % len(values)]) for number in range(1, 13)))


def test_neighbours_may_share_a_boundary_in_any_order_of_rows() -> None:
    check_segments(segments(("a", "1", 50.0, 90.0, 0.1), ("b", "1", 10.0, 90.0, 0.1), ("a", "1", 1.0, 50.0, -0.2)), "f")


def test_overlaps_are_named_by_the_rows_of_the_file() -> None:
    table = segments(("a", "1", 49.0, 90.0, 0.1), ("b", "1", 1.0, 90.0, 0.1), ("a", "1", 1.0, 50.0, -0.2))
    table.index = pd.Index([3, 5, 8])
    with pytest.raises(InputError, match="overlap by up to 2 bases") as caught:
        check_segments(table, "a.seg")
    assert (caught.value.file, caught.value.rows) == ("a.seg", [4])


@pytest.mark.parametrize("factor", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.25])
def test_log2_ratios_of_any_platform_pass(factor: float, shift: float) -> None:
    check_segments(genome(*(factor * value + shift for value in (0.0, 0.02, -0.5, 0.4, 2.0))), "f")


@pytest.mark.parametrize("values", [(2.0, 3.0, 1.0), (2.1, 2.05, 0.0), (4.0, 3.0, 5.0)])
def test_copy_numbers(values: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="look like copy numbers") as caught:
        check_segments(genome(*values), "f")
    assert caught.value.mend == "give log2(copies / 2)"


def test_amplicons_alone_do_not_tell() -> None:
    check_segments(segments(("s", "2", 1.6e7, 1.7e7, 4.0), ("s", "12", 5.8e7, 5.9e7, 2.0)), "f")


def test_repairs_leave_a_table_in_order_alone() -> None:
    table, repairs = genome(0.0, -0.4), []
    pd.testing.assert_frame_equal(repair_segments(table, repairs), table)
    assert repairs == []


def test_a_row_that_differs_in_its_ratio_is_no_repetition() -> None:
    repairs: list[str] = []
    table = segments(("s", "1", 1.0, 9.0, 0.1), ("s", "1", 1.0, 9.0, 0.1), ("s", "1", 1.0, 9.0, 0.2))
    assert repair_segments(table, repairs).index.tolist() == [0, 2]
    assert repairs == ["segments: 1 rows that repeat another removed"]
