from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort.log2_scale import estimate_platform_scales

COLUMNS = ["sample_id", "chromosome", "start", "end", "log2_ratio"]


def broken(sample: str, *levels: float, chromosome: str = "1") -> list[tuple[str, str, int, int, float]]:
    """A chromosome cut into pieces of 30 Mb."""
    return [
        (sample, chromosome, place * 30_000_000 + 1, (place + 1) * 30_000_000, level)
        for place, level in enumerate(levels)
    ]


def scales(rows: list[tuple[str, str, int, int, float]], platform: str | None = "P") -> dict[str, object]:
    table = pd.DataFrame(rows, columns=COLUMNS)
    assays = pd.DataFrame({"sample_id": table["sample_id"].unique(), "assay": "copy_number", "platform": platform})
    found = estimate_platform_scales(table, assays)
    assert list(found) == [platform or "unknown"]
    return found[platform or "unknown"]


CLEAR = [
    *(row for number in range(4) for row in broken(f"l{number}", 0.0, 0.0, 0.0, -0.5)),
    *(row for number in range(4) for row in broken(f"g{number}", 0.0, 0.0, 0.0, 0.3)),
]


def test_levels_of_clear_profiles() -> None:
    assert scales(CLEAR) == {"centre": 0.0, "loss": -0.5, "gain": 0.3, "noise": 0.0, "source": "estimated"}


def test_a_missing_platform_is_called_unknown() -> None:
    assert scales(CLEAR, platform=None)["loss"] == -0.5


def test_small_steps_and_amplicons_do_not_move_the_levels() -> None:
    wobble = [row for number in range(20) for row in broken(f"w{number}", 0.0, 0.03, 0.0)]
    amplicon = [
        ("a", "2", 1, 16_000_000, 0.0),
        ("a", "2", 16_000_001, 17_000_000, 5.0),
        ("a", "2", 17_000_001, 9**9, 0.0),
    ]
    found = scales([*CLEAR, *wobble, *amplicon])
    assert (found["loss"], found["gain"]) == (-0.5, 0.3)


def test_sex_chromosomes_do_not_count() -> None:
    with_x = [*CLEAR, *(row for number in range(9) for row in broken(f"x{number}", -1.0, 0.0, chromosome="X"))]
    assert scales(with_x)["loss"] == -0.5


def test_a_flat_profile_has_the_default_levels() -> None:
    found = scales(broken("flat", 0.01, 0.0, 0.01))
    assert found["source"] == "default"
    # 60 % tumour cells: log2(1 - 0.3) and log2(1 + 0.3)
    assert (found["loss"], found["gain"]) == (pytest.approx(-0.514573), pytest.approx(0.378512))


def test_one_direction_informs_the_other() -> None:
    found = scales([row for number in range(3) for row in broken(f"l{number}", 0.0, 0.0, np.log2(0.8))])
    assert found["source"] == "shrunk"
    # A loss of log2(1 - p/2) at p = 0.4 goes with a gain of log2(1 + p/2).
    assert found["loss"] == pytest.approx(np.log2(0.8), abs=1e-6)
    assert found["gain"] == pytest.approx(np.log2(1.2), abs=1e-6)


def test_no_segments_at_all() -> None:
    assays = pd.DataFrame({"sample_id": ["s"], "assay": "copy_number", "platform": "P"})
    assert estimate_platform_scales(pd.DataFrame(columns=COLUMNS), assays)["P"]["source"] == "default"


def test_platforms_do_not_influence_each_other() -> None:
    table = pd.DataFrame(CLEAR, columns=COLUMNS)
    other = table.assign(sample_id="other-" + table["sample_id"], log2_ratio=table["log2_ratio"] / 2)
    both = pd.concat([table, other])
    platform = both["sample_id"].drop_duplicates()
    assays = pd.DataFrame({"sample_id": platform, "assay": "copy_number"})
    assays["platform"] = np.where(platform.str.startswith("other-"), "Q", "P")
    found = estimate_platform_scales(both, assays)
    assert found["P"] == scales(CLEAR)
    assert (found["Q"]["loss"], found["Q"]["gain"]) == (-0.25, 0.15)


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0.4, 2.0), shift=st.floats(-0.05, 0.05), seed=st.integers(0, 99))
def test_levels_follow_a_rescaling_and_ignore_a_shift_and_the_order(factor: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [(*row[:4], row[4] + rng.normal(0, 0.01)) for row in CLEAR]
    before = scales(rows)
    moved = [(*row[:4], row[4] * factor + shift) for row in rows]
    after = scales([moved[place] for place in rng.permutation(len(moved))])
    assert after["loss"] == pytest.approx(before["loss"] * factor, abs=1e-5)
    assert after["gain"] == pytest.approx(before["gain"] * factor, abs=1e-5)
    assert after["centre"] == pytest.approx(before["centre"] * factor + shift, abs=1e-5)
