from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort import Cohort
from nbrelapse.cohort.segments import MergedSegments, merge_segments
from nbrelapse.mechanisms.profile import _copy_number_profile, _in_copies, _sample_scales, _segment_blocks

MB = 1_000_000
PLATFORM = {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.01, "purity": 0.6}


def merged(**profiles: list[tuple[str, int, int, float]]) -> MergedSegments:
    rows = [
        (name, chromosome, start * MB, end * MB, level)
        for name, profile in profiles.items()
        for chromosome, start, end, level in profile
    ]
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    return merge_segments(table, pd.Index(list(profiles), dtype="str"))


def scales(segments: MergedSegments, known_purity: list[float] | None = None, **changed: float) -> pd.DataFrame:
    platform = pd.DataFrame([{**PLATFORM, **changed}] * len(segments.sample_ids), index=segments.sample_ids)
    known = np.full(len(platform), np.nan) if known_purity is None else np.array(known_purity)
    return _sample_scales(segments, platform, known)


def broken(levels: list[float]) -> list[tuple[str, int, int, float]]:
    """A chromosome a level: its last third changed."""
    return [
        piece
        for number, level in enumerate(levels, 1)
        for piece in ((str(number), 0, 80, 0.0), (str(number), 80, 120, level))
    ]


def test_a_profile_at_the_platforms_level_keeps_it() -> None:
    found = scales(merged(s=broken([-0.4, 0.3, 0.0])))
    assert found.loc["s", list(PLATFORM)].to_dict() == pytest.approx(PLATFORM)


def test_a_sample_with_half_the_tumour_cells_is_drawn_half_the_way_by_eight_steps() -> None:
    found = scales(merged(s=broken([-0.2] * 8)))
    assert found.loc["s", "loss"] == pytest.approx(-0.4 * 0.5**0.5)
    assert found.loc["s", "gain"] == pytest.approx(0.3 * 0.5**0.5)


def test_chromosomes_in_one_piece_count_like_steps() -> None:
    whole = [(str(number), 0, 120, -0.2) for number in range(1, 9)]
    neutral = [(str(number), 0, 120, 0.0) for number in range(9, 22)]
    assert scales(merged(s=[*whole, *neutral])).loc["s", "loss"] == pytest.approx(-0.4 * 0.5**0.5)


def test_two_copies_and_amplicons_do_not_raise_the_level() -> None:
    found = scales(merged(s=broken([-0.4, -0.4, 0.3, 0.6, 2.0])))
    assert found.loc["s", ["loss", "gain"]].tolist() == pytest.approx([-0.4, 0.3])


def test_the_centre_moves_half_the_way_to_the_neutral_level() -> None:
    shifted = [(chromosome, start, end, level + 0.08) for chromosome, start, end, level in broken([0.0] * 6)]
    # Half of 0.08, and half of what was left.
    assert scales(merged(s=shifted)).loc["s", "centre"] == pytest.approx(0.06)


def test_a_profile_without_a_neutral_part_keeps_the_platforms_centre() -> None:
    gained = [(str(number), 0, 120, 0.3) for number in range(1, 9)]
    assert scales(merged(s=gained)).loc["s", "centre"] == 0.0


def test_a_sample_without_segments_has_the_platforms_scale() -> None:
    assert scales(merged(s=[])).loc["s"].to_dict() == {**PLATFORM, "steps": 0, "purity_hint": 1.0}


def level(purity: float, *steps: float) -> float:
    """Single-copy loss of a sample, in units of its platform's -0.4 at a purity of 0.6."""
    return float(scales(merged(s=broken([-0.4 * step for step in steps])), [purity]).loc["s", "loss"]) / -0.4


def test_a_purity_that_the_steps_bear_out_draws_the_scale_toward_them() -> None:
    expected = np.log2(1 - 0.3 / 2) / np.log2(1 - 0.6 / 2)
    # Two steps weigh 2 of 10, the hint as much again; with eight steps they share the whole weight.
    assert level(0.3, 0.4, 0.4) == pytest.approx(0.4**0.2 * expected**0.2)
    assert level(0.3, *[0.4] * 8) == pytest.approx(0.4**0.5 * expected**0.5)


@pytest.mark.parametrize("purity", [0.0, 0.01, 0.05, 0.099, 1.01, 80.0, np.nan])
def test_no_purity_and_an_implausible_one_say_nothing(purity: float) -> None:
    assert level(purity, 0.4, 0.4) == pytest.approx(0.4**0.2)


@pytest.mark.parametrize("purity", [0.1, 0.2, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("step", [0.4, 0.7, 1.0, 1.3])
@pytest.mark.parametrize("number", [1, 3, 8, 20])
def test_a_purity_never_scales_a_profile_beyond_its_own_steps(purity: float, step: float, number: int) -> None:
    found, without = level(purity, *[step] * number), level(np.nan, *[step] * number)
    assert min(step, without) - 1e-9 <= found <= max(step, without) + 1e-9


@pytest.mark.parametrize("purity", [0.1, 0.3, 1.0])
def test_a_flat_profile_bears_out_no_purity(purity: float) -> None:
    assert scales(merged(a=[("1", 0, 240, 0.0)]), [purity]).loc["a", "loss"] == -0.4


def test_without_the_purity_of_the_platform_that_of_a_sample_says_nothing() -> None:
    assert scales(merged(a=[("1", 0, 240, 0.0)]), [0.3], purity=np.nan).loc["a", "loss"] == -0.4


def test_in_copies_divides_by_the_level_of_the_direction() -> None:
    table = pd.DataFrame([PLATFORM, {**PLATFORM, "centre": 0.1}])
    copies = _in_copies(np.array([0.6, -0.2, 0.1]), table, np.array([0, 0, 1]))
    assert copies.tolist() == pytest.approx([2.0, -0.5, 0.0])


@settings(max_examples=30, deadline=None)
@given(
    levels=st.lists(st.sampled_from([-0.8, -0.4, -0.3, -0.2, 0.1, 0.3, 0.5]), min_size=1, max_size=12),
    others=st.lists(st.sampled_from([-0.4, 0.3, 0.02]), min_size=1, max_size=5),
)
def test_no_sample_influences_another(levels: list[float], others: list[float]) -> None:
    alone = scales(merged(s=broken(levels)))
    together = scales(merged(a=broken(others), s=broken(levels), z=broken(others)))
    pd.testing.assert_frame_equal(together.loc[["s"]], alone, check_exact=True)


def profiled(segments: pd.DataFrame | None, **of_samples: list[float]) -> Cohort:
    """Two patients on one platform, whose samples stand in the table the other way round."""
    samples = pd.DataFrame({"sample_id": ["b", "a"], "patient_id": ["B", "A"], "timepoint": "diagnosis", **of_samples})
    assays = pd.DataFrame({"sample_id": ["a", "b"], "assay": "copy_number", "genome_build": "hg19", "platform": "P"})
    metadata = {"platforms": {"P": PLATFORM}}
    return Cohort(
        "two", pd.DataFrame({"patient_id": ["A", "B"]}), samples, assays, segments=segments, metadata=metadata
    )


def test_a_recorded_purity_is_read_for_its_own_sample() -> None:
    rows = [(name, *piece) for name in ("a", "b") for piece in broken([-0.15] * 8)]
    table = pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])
    table[["start", "end"]] *= MB
    (plain,) = map(_copy_number_profile, _segment_blocks(profiled(table)))
    (hinted,) = map(_copy_number_profile, _segment_blocks(profiled(table, purity=[0.3, np.nan])))
    assert plain.scales["purity_hint"].tolist() == [1.0, 1.0]
    assert hinted.scales.loc["A"].equals(plain.scales.loc["A"])
    # Fewer tumour cells than the platform's samples have: a single copy is a smaller step.
    assert hinted.scales.loc["B", "purity_hint"] < 1
    assert hinted.scales.loc["B", "loss"] > plain.scales.loc["B", "loss"]


def test_a_cohort_without_segments_has_profiles_that_know_nothing() -> None:
    (found,) = map(_copy_number_profile, _segment_blocks(profiled(None)))
    assert found.patient_ids.tolist() == ["A", "B"]
    assert not found.scales["known"].any()
    assert len(found.copies) == 0
