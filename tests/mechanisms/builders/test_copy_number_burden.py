"""Burden measures and levels, by hand-written profiles; what neither scale, purity nor cutting may change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.builders.copy_number import build
from nbrelapse.models import ensemble_blocks

ROOT = Path(__file__).parents[3]
CATALOGUE = load_catalogue(ROOT / "experiments" / "catalogues" / "copy_number_burden.toml")
NEW = [entry for name, entry in CATALOGUE.features.items() if name not in load_catalogue().features]

Segment = tuple[str, float, float, float]
"""Chromosome, first and last megabase, log2 ratio."""
SCALE = {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.01}
END = {"1": 249, "2": 243, "3": 198, "4": 191, "5": 180, "6": 170, "8": 146, "9": 141, "11": 134, "12": 133}
END |= {"14": 107, "17": 81}
NOT_COVERED = {"7", "13", "15", "16", "18", "19", "20", "21", "22"}


def cohort(profiles: dict[str, Sequence[Segment]], factor: float = 1.0, purity: float | None = None) -> Cohort:
    """One patient a key; all log2 ratios, and the platform's scale, times a factor."""
    rows = [
        (sample, chromosome, round(start * 1e6) + 1, round(end * 1e6), ratio * factor)
        for sample, segments in profiles.items()
        for chromosome, start, end, ratio in segments
    ]
    scale = {name: value * factor for name, value in SCALE.items()} | {"purity": 0.6}
    ids = [f"p-{name}" for name in profiles]
    samples = pd.DataFrame({"sample_id": list(profiles), "patient_id": ids, "timepoint": "diagnosis"})
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": ids}),
        samples if purity is None else samples.assign(purity=purity),
        samples[["sample_id"]].assign(assay="copy_number", genome_build="hg19", platform="P"),
        segments=pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"]),
        metadata={"platforms": {"P": scale}},
    )


def profile(*changed: Segment) -> list[Segment]:
    """All chromosomes of END neutral, but for those that `changed` describes in full, and a lost chromosome 10."""
    named = {chromosome for chromosome, *_ in changed}
    neutral = [(name, 0, end, 0.0) for name, end in END.items() if name not in named]
    return [*changed, *neutral, ("10", 0, 135, -0.4)]


# Chromosome 10 is lost in every profile: a profile without any change has no scale.
REARRANGED = [
    ("1", 0, 30, -0.4),
    ("1", 30, 249, 0.0),
    ("2", 0, 14, 0.0),
    ("2", 14, 16, 3.0),
    ("2", 16, 18, 2.0),
    ("2", 18, 243, 0.0),
    ("12", 0, 57, 0.0),
    ("12", 57, 58, 2.0),
    ("12", 58, 69, 0.0),
    ("12", 69, 71, 2.0),
    ("12", 71, 133, 0.0),
    ("17", 0, 40, 0.0),
    ("17", 40, 60, 0.3),
    ("17", 60, 81, 0.52),
]


def measured(*changed: Segment) -> pd.Series:
    """The new features of one patient; those of instability without the mechanism."""
    found = build(cohort({"s": profile(*changed)}), NEW).loc["p-s"]
    return found.rename(lambda name: name.split("__")[1] if name.startswith("instability") else name)


def one(measure: str, **parameters: str) -> FeatureDefinition:
    return FeatureDefinition(
        "x__y", "x", "", "", "copy_number", "count", "copy_number", {"measure": measure, **parameters}
    )


def test_stretches_of_one_direction_are_one_and_short_ones_are_none() -> None:
    found = measured(*REARRANGED, ("5", 0, 100, 0.0), ("5", 100, 102.5, 0.3), ("5", 102.5, 180, 0.0))
    assert found["stretches"] == pytest.approx(math.log(3))
    assert found["stretch_length"] == pytest.approx(np.log2((30 + 41) / 2), abs=1e-6)
    assert found["segmental_gains"] == pytest.approx(math.log(2))
    assert found["segmental_losses"] == pytest.approx(math.log(2))


def test_without_segmental_change_a_length_is_missing_and_the_rest_is_zero() -> None:
    found = measured()
    assert np.isnan(found["stretch_length"])
    others = found.drop(["stretch_length", "whole_10", "level_10p", "level_10q"])
    covered = [name.split("_")[-1].rstrip("pq") not in NOT_COVERED for name in others.index]
    assert others[covered].eq(0).all()
    assert others[np.logical_not(covered)].isna().all()
    assert found["whole_10"] == found["level_10p"] == pytest.approx(-1.0, abs=0.02)


def test_steps_are_counted_by_chromosome() -> None:
    found = measured(*REARRANGED)
    assert found["steps_of_a_chromosome"] == pytest.approx(math.log(5))  # chromosome 12
    assert found["broken_chromosomes"] == 4


def test_neighbouring_amplified_segments_are_one_amplicon() -> None:
    found = measured(*REARRANGED)
    assert found["amplicons_outside_mycn"] == pytest.approx(math.log(3))
    assert found["amplicon_span_outside_mycn"] == pytest.approx(math.log(4), abs=1e-6)
    assert found["mycn__amplicon_span"] == pytest.approx(math.log(5), abs=1e-6)


def test_levels_are_in_copies() -> None:
    found = measured(*REARRANGED)
    # 28 and 30 Mb of 57 (17q) at one and at log2 ratio 0.52 over 0.3 copies; the sample's own steps say what one is.
    assert found["level_17p"] == pytest.approx(0.0, abs=1e-9)
    assert 1.2 < found["level_17q"] * (81.195 - 24) / 41 < 1.5
    assert found["level_1p"] == pytest.approx(-30 / 125, rel=0.05)
    assert found["level_1q"] == 0
    assert found["load_1"] == pytest.approx(30 / 249, rel=0.05)
    assert found["whole_1"] == 0
    # An amplicon is no level of its arm, and no load.
    assert found["level_12q"] == found["load_12"] == found["level_2p"] == 0


def test_a_numerical_change_is_no_segmental_load_and_what_exceeds_it_is() -> None:
    found = measured(("17", 0, 40, 0.3), ("17", 40, 81, 0.6), ("3", 0, 198, -0.4))
    assert found["whole_3"] == pytest.approx(-1, rel=0.1)
    assert found["load_3"] == 0
    assert found["whole_17"] == pytest.approx(1, rel=0.1)
    assert found["load_17"] == pytest.approx(41 / 81, rel=0.1)
    assert found["level_17q"] == pytest.approx((16 + 2 * 41) / 57, rel=0.1)


def test_levels_stop_at_two_copies() -> None:
    high = measured(("7", 0, 60, 1.4), ("7", 60, 159, 1.4), ("17", 0, 40, 0), ("17", 40, 81, 0.3))
    assert high["whole_7"] == high["level_7p"] == 2.0


def test_what_is_not_covered_is_missing() -> None:
    partly = cohort({"s": [("1", 0, 249, 0.0), ("11", 0, 60, 0.0), ("10", 0, 135, -0.4)], "none": []})
    found = build(partly, NEW)
    assert found.loc["p-none"].isna().all()
    known = found.loc["p-s"].dropna().index.str.split("__").str[1]
    assert set(known) == {
        *("amplicon_span", "amplicons_outside_mycn", "amplicon_span_outside_mycn"),
        *("level_1p", "level_1q", "level_10p", "level_10q", "level_11p", "whole_1", "whole_10", "load_1", "load_10"),
    }


def test_an_amplicon_counts_where_the_scale_cannot_be_told() -> None:
    flat = [(name, 0, end, 0.0) for name, end in (("1", 249), ("3", 198), ("12", 133))]
    seen = [("2", 0, 14, 0.0), ("2", 14, 18, 3.0), ("2", 18, 243, 0.0)]
    found = build(cohort({"s": [*flat, *seen]}), NEW).loc["p-s"]
    assert found["mycn__amplicon_span"] == pytest.approx(math.log(5), abs=1e-6)
    assert list(found.dropna().index) == ["mycn__amplicon_span"]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_platforms_scale_changes_nothing(factor: float) -> None:
    neutral, scaled = (cohort({"s": profile(*REARRANGED)}, factor=size) for size in (1.0, factor))
    pd.testing.assert_frame_equal(build(scaled, NEW), build(neutral, NEW), rtol=1e-6)


def test_cutting_segments_changes_nothing() -> None:
    whole = profile(*REARRANGED)
    cut = [
        (name, first, last, ratio + 0.004 * sign)
        for name, start, end, ratio in whole
        for first, last, sign in ((start, (start + end) / 2, 1), ((start + end) / 2, end, -1))
    ]
    found = build(cohort({"whole": whole, "cut": cut}), NEW)
    counts = [entry.name for entry in NEW if entry.kind == "count"]
    assert found.loc["p-cut", counts].equals(found.loc["p-whole", counts])
    np.testing.assert_allclose(found.loc["p-cut"], found.loc["p-whole"], atol=0.03)


@pytest.mark.parametrize("purity", [0.3, 0.6, 1.0])
def test_a_recorded_purity_changes_no_count(purity: float) -> None:
    found, without = (build(cohort({"s": profile(*REARRANGED)}, purity=value), NEW) for value in (purity, None))
    counts = [entry.name for entry in NEW if entry.kind == "count"]
    assert found[counts].equals(without[counts])


@pytest.mark.parametrize(
    "entry",
    [
        one("arm_level", arm="1r"),
        one("chromosome_level", chromosome="X"),
        one("chromosome_load", chromosome="chr1"),
        one("amplicons"),
        one("amplicon_span", inside_band="2p24.3", outside_band="2p24.3"),
        one("amplicons", outside_band="2p99"),
        one("segmental_arms", change="either"),
    ],
)
def test_illegal_parameters_are_refused(entry: FeatureDefinition) -> None:
    with pytest.raises(InputError):
        build(cohort({"s": profile()}), [entry])


def test_the_catalogue_extends_the_packaged_one() -> None:
    assert len(NEW) == 93
    assert all(entry.reference and entry.parameters["block"] in {"burden", "arms", "chromosomes"} for entry in NEW)
    assert ensemble_blocks(CATALOGUE, ["instability__level_1p", "mycn__amplicon_span", "instability__loss_1p"]) == {
        "instability__level_1p": "arms",
        "mycn__amplicon_span": "burden",
        "instability__loss_1p": "copy_number",
    }
    assert {entry.role for entry in NEW if entry.parameters["block"] == "burden"} == {"feature"}
    assert {entry.role for entry in NEW if entry.parameters["block"] != "burden"} == {"gene"}
    assert {entry.parameters["arm"] for entry in NEW if "arm" in entry.parameters}.isdisjoint({"13p", "14p", "15p"})
