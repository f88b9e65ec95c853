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


def one_step(sample: str, level: float, length: int = 30_000_000) -> list[tuple[str, str, int, int, float]]:
    """A neutral stretch of 60 Mb, and one of a level."""
    return [(sample, "1", 0, 60_000_000, 0.0), (sample, "1", 60_000_000, 60_000_000 + length, level)]


def steps(level: float, count: int, length: int = 30_000_000) -> list[tuple[str, str, int, int, float]]:
    return [row for number in range(count) for row in one_step(f"{level}-{number}", level, length)]


@pytest.mark.parametrize(("count", "trust"), [(0, 0), (1, 1 / 3), (2, 2 / 3), (3, 1), (4, 1)])
def test_fewer_than_three_steps_are_drawn_toward_sixty_percent_tumour_cells(count: int, trust: float) -> None:
    flat = broken("flat", 0.0)
    # At share p a loss is log2(1 - p/2), a gain log2(1 + p/2); here p = 0.4.
    implied = (trust * 0.4 + (1 - trust) * 0.6) / 2
    losses = scales([*flat, *steps(np.log2(0.8), count)])
    assert losses["loss"] == pytest.approx(trust * np.log2(0.8) + (1 - trust) * np.log2(0.7), abs=1e-6)
    assert losses["gain"] == pytest.approx(np.log2(1 + implied), abs=1e-6)
    gains = scales([*flat, *steps(np.log2(1.2), count)])
    assert gains["gain"] == pytest.approx(trust * np.log2(1.2) + (1 - trust) * np.log2(1.3), abs=1e-6)
    assert gains["loss"] == pytest.approx(np.log2(1 - implied), abs=1e-6)
    assert losses["source"] == gains["source"] == ("shrunk" if count else "default")


def test_a_gain_does_not_imply_more_tumour_cells_than_there_are() -> None:
    assert scales(steps(np.log2(1.7), 3))["loss"] == -1.0


def test_both_directions_need_three_steps_to_be_estimated() -> None:
    assert scales([*steps(-0.5, 3), *steps(0.3, 3)])["source"] == "estimated"
    for losses, gains in ((3, 2), (2, 3)):
        assert scales([*steps(-0.5, losses), *steps(0.3, gains)])["source"] == "shrunk"


@pytest.mark.parametrize(("length", "seen"), [(5_000_000, True), (4_999_999, False)])
def test_a_segment_of_five_megabases_shows_a_level(length: int, seen: bool) -> None:
    found = scales([*steps(-0.5, 3, length), *steps(0.3, 3, length)])
    assert found["source"] == ("estimated" if seen else "default")


@pytest.mark.parametrize(
    ("level", "seen"),
    # Ten per cent tumour cells: log2(0.95) = -0.0740 and log2(1.05) = 0.0704.
    [(-0.0745, True), (-0.0735, False), (0.071, True), (0.07, False)],
)
def test_the_smallest_step_is_a_copy_of_ten_per_cent(level: float, seen: bool) -> None:
    assert scales(steps(level, 3))["source"] == ("shrunk" if seen else "default")


def test_a_small_step_between_short_segments_is_not_smoothed_away_at_first() -> None:
    rows = [
        row
        for number in range(3)
        for row in (
            (f"s{number}", "1", 0, 5_000_000, 0.0),
            (f"s{number}", "1", 5_000_000, 10_000_000, -0.075),
            (f"s{number}", "2", 0, 60_000_000, 0.0),
        )
    ]
    assert scales(rows)["loss"] == -0.075


def test_smoothing_keeps_the_smaller_of_the_two_levels() -> None:
    found = scales([*steps(-0.5, 4), *steps(0.1, 4, 5_000_000)])
    assert (found["loss"], found["gain"], found["source"]) == (-0.5, 0.1, "estimated")
    found = scales([*steps(-0.1, 4, 5_000_000), *steps(0.5, 4)])
    assert (found["loss"], found["gain"], found["source"]) == (-0.1, 0.5, "estimated")


@pytest.mark.parametrize(
    ("level", "neutral"), [(0.149, True), (0.151, False), (-0.249, True), (-0.251, False), (0.0123, True)]
)
def test_noise_is_that_of_segments_within_half_a_copy(level: float, neutral: bool) -> None:
    # Eight samples have 480 Mb at 0; three have 720 Mb at a level, and no step.
    whole = [(f"whole-{number}", "2", 0, 240_000_000, level) for number in range(3)]
    found = scales([*steps(-0.5, 4), *steps(0.3, 4), *whole])
    assert (found["centre"], found["loss"], found["gain"]) == (0.0, -0.5, 0.3)
    # 1.4826 times the median distance is the standard deviation of a normal distribution.
    assert found["noise"] == (pytest.approx(1.4826 * abs(level), abs=1e-6) if neutral else 0.0)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        # The median of the steps that exceed half of it.
        ((-0.4, -0.5, -0.5, -0.5, -0.9), -0.5),
        ((-0.3, -0.4, -0.6), -0.4),
        ((-0.2, -0.2, -0.2, -0.5, -0.6, -0.7), -0.6),
        ((-0.3, -0.3, -0.3, -0.3, -0.5, -0.5), -0.3),
        ((-0.3, -0.35, -0.4, -1.5), -0.375),
        ((-0.5, -0.5, -0.5, -0.6, -0.9), -0.5),
    ],
)
def test_the_level_is_the_median_of_the_steps_beyond_half_of_it(levels: tuple[float, ...], expected: float) -> None:
    rows = [row for number, level in enumerate(levels) for row in one_step(f"s{number}", level)]
    assert scales(rows)["loss"] == expected


def test_steps_lead_from_the_side_that_is_closer_to_the_centre_and_within_a_chromosome() -> None:
    # The altered side comes first, and the next chromosome has another level.
    rows = [
        row
        for number in range(3)
        for row in (
            (f"s{number}", "1", 0, 30_000_000, -0.5),
            (f"s{number}", "1", 30_000_000, 90_000_000, 0.0),
            (f"s{number}", "2", 0, 60_000_000, 0.3),
            (f"s{number}", "3", 0, 60_000_000, 0.0),
        )
    ]
    found = scales(rows)
    assert found["loss"] == -0.5
    assert found["gain"] == pytest.approx(np.log2(1 + (1 - 2**-0.5)), abs=1e-6)


def test_the_centre_is_the_median_over_samples_of_their_median_by_length() -> None:
    rows = [
        ("a", "1", 0, 40_000_000, 0.1),
        ("a", "2", 0, 30_000_000, -0.9),
        ("a", "3", 0, 30_000_000, 0.9),
        ("b", "1", 0, 51_000_000, 0.2),
        ("b", "2", 0, 10_000_000, 0.7),
        ("b", "3", 0, 40_000_000, -0.6),
        ("c", "1", 0, 40_000_000, 0.8),
        # Just half of the bases lie at the lower level or below.
        ("c", "2", 0, 40_000_000, 0.123456),
    ]
    assert scales(rows)["centre"] == 0.123456
    assert scales(rows[:6])["centre"] == 0.15
    assert scales(rows[:3])["centre"] == 0.1


def test_only_steps_beyond_half_of_the_level_are_counted() -> None:
    # Two of three show a copy; the third is a smaller clone's.
    assert scales([*steps(-0.5, 2), *steps(-0.2, 1)])["loss"] == pytest.approx(
        2 / 3 * -0.5 + 1 / 3 * np.log2(0.7), abs=1e-6
    )


@pytest.mark.parametrize(("small", "large", "expected"), [(420, 500, 0.02), (480, 0, 0.0), (481, 0, 0.02)])
def test_the_median_distance_is_by_length_and_the_lower_one_at_just_half(
    small: int, large: int, expected: float
) -> None:
    # 480 Mb lie at 0.
    whole = [
        (f"whole-{name}-{half}", "2", 0, length * 500_000, level)
        for name, length, level in (("a", small, 0.02), ("b", large, 0.05))
        for half in range(2)
        if length
    ]
    found = scales([*steps(-0.5, 4), *steps(0.3, 4), *whole])
    assert found["noise"] == pytest.approx(1.4826 * expected, abs=1e-6)


def test_a_platform_of_many_samples_is_judged_by_two_thousand_spread_over_their_names() -> None:
    chosen = set(np.linspace(0, 3_999, 2_000).round().astype(int))
    level = [-0.5 if number in chosen else -0.6 for number in range(4_000)]
    # The names are not in order: places in the table would meet the others.
    order = np.roll(np.arange(4_000), 1)
    assert scales([row for number in order for row in one_step(f"s{number:04}", level[number])])["loss"] == -0.5


def test_the_purity_of_a_platform_is_the_median_of_those_known() -> None:
    table = pd.DataFrame(CLEAR, columns=COLUMNS)
    names = table["sample_id"].unique()
    assays = pd.DataFrame({"sample_id": names, "assay": "copy_number", "platform": ["P"] * 4 + ["Q"] * 4})
    other = pd.DataFrame({"sample_id": names, "assay": "expression", "platform": "RNA"})
    samples = pd.DataFrame({"sample_id": names, "purity": [0.1, 0.1234567, 0.9, None] + [None] * 4})
    found = estimate_platform_scales(table, pd.concat([assays, other]), samples)
    assert list(found) == ["P", "Q"]
    assert found["P"]["purity"] == 0.123457
    assert "purity" not in found["Q"]
