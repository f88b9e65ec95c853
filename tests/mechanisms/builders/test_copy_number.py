from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort import Cohort, estimate_platform_scales
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureDefinition, copy_number_calls, copy_number_segments, load_catalogue
from nbrelapse.mechanisms.builders.copy_number import CALLS, build
from nbrelapse.readers import import_tables

ROOT = Path(__file__).parents[3]
SCALE = {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.01, "source": "estimated"}
DEFINITIONS = load_catalogue().by_builder("copy_number")
END = {"1": 249, "2": 243, "3": 198, "4": 191, "5": 180, "6": 170, "8": 146, "9": 141, "11": 134, "12": 133}
END |= {"14": 107, "17": 81}

FOCAL = [definition.name for definition in DEFINITIONS if "amplif" in definition.name]

Segment = tuple[str, float, float, float]


def cohort(segments: dict[str, Iterable[Segment]], build_name: str | None = "hg19", **scale: float) -> Cohort:
    """One patient a key; segments as chromosome, first and last megabase, log2 ratio."""
    rows = [
        (sample, chromosome, round(start * 1e6) + 1, round(end * 1e6), ratio)
        for sample, profile in segments.items()
        for chromosome, start, end, ratio in profile
    ]
    samples = list(segments)
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": [f"p-{name}" for name in samples]}),
        pd.DataFrame({"sample_id": samples, "patient_id": [f"p-{name}" for name in samples], "timepoint": "diagnosis"}),
        pd.DataFrame(
            {"sample_id": samples, "assay": "copy_number", "genome_build": build_name, "panel": None, "platform": "P"}
        ),
        segments=pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"]),
        metadata={"platforms": {"P": {**SCALE, **scale}}},
    )


def profile(*changed: Segment) -> list[Segment]:
    """All chromosomes of END neutral, but for those that `changed` describes in full, and a lost chromosome 10.

    A profile without any change has no scale; the lost chromosome shows that there are tumour cells.
    """
    named = {chromosome for chromosome, *_ in changed}
    neutral = [(name, 0, end, 0.0) for name, end in END.items() if name not in named]
    return [*changed, *neutral, ("10", 0, 135, -0.4)]


def features(*changed: Segment, build_name: str = "hg19", **scale: float) -> pd.Series:
    return build(cohort({"s": profile(*changed)}, build_name, **scale), DEFINITIONS).loc["p-s"]


def called(found: pd.Series) -> set[str]:
    """Names of the positive binary features."""
    binary = {definition.name for definition in DEFINITIONS if definition.kind == "binary"}
    return {name.split("__")[1] for name in binary if found[name] == 1} - {"numerical_profile"}


def test_a_numerical_change_alone() -> None:
    found = features()
    assert called(found) == set()
    assert found["instability__numerical_profile"] == 1
    assert found["instability__numerical_count"] == 1
    assert found["instability__segmental_arms"] == 0
    assert found["instability__fraction_altered"] == pytest.approx(135 / (sum(END.values()) + 135), abs=1e-6)
    assert found["instability__ploidy_shift"] == pytest.approx(-135 / (sum(END.values()) + 135), abs=1e-6)


def test_a_profile_without_any_change_has_no_scale() -> None:
    flat = cohort({"s": [(name, 0, end, 0.0) for name, end in END.items()]})
    assert build(flat, DEFINITIONS).isna().all(axis=None)


def test_an_amplification_is_seen_on_any_scale() -> None:
    flat = [(name, 0, end, 0.0) for name, end in END.items() if name != "2"]
    found = build(cohort({"s": [*flat, ("2", 0, 14, 0.0), ("2", 14, 18, 3.0), ("2", 18, 243, 0.0)]}), DEFINITIONS)
    assert called(found.loc["p-s"]) == {"amplified_copy_number", "gain_copy_number"}
    assert np.isnan(found.loc["p-s", "alk__amplified"])
    assert np.isnan(found.loc["p-s", "instability__loss_1p"])


def test_a_profile_between_the_levels_has_no_scale() -> None:
    # One chromosome says what a copy is, many times; most of the others lie half way to it.
    clear = [("1", start, start + 10, -0.4 * (start // 10 % 2)) for start in range(0, 240, 10)]
    levels = [0.0, 0.15, -0.2, 0.15, -0.2]
    unclear = [(str(number), 0, 130, levels[number % 5]) for number in range(3, 23)]
    found = build(cohort({"s": [*clear, *unclear]}), DEFINITIONS)
    known = found.drop(columns=FOCAL).notna().any()
    assert list(known[known].index) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # Part of an arm.
        ([("1", 0, 30, -0.4), ("1", 30, 249, 0)], {"loss_1p"}),
        ([("11", 0, 70, 0), ("11", 70, 134, -0.4)], {"loss_11q"}),
        ([("17", 0, 40, 0), ("17", 40, 81, 0.3)], {"gain_17q"}),
        # A whole arm, the other one normal; the breakpoint need not be at the centromere.
        ([("3", 0, 91, -0.4), ("3", 91, 198, 0)], {"loss_3p"}),
        ([("4", 0, 52, -0.4), ("4", 52, 191, 0)], {"loss_4p"}),
        ([("1", 0, 125, 0), ("1", 125, 249, 0.3)], {"gain_1q"}),
        ([("2", 0, 93, 0.3), ("2", 93, 243, 0)], {"gain_2p"}),
        # The other direction is none of the seven.
        ([("1", 0, 125, 0.3), ("1", 125, 249, 0)], set()),
        # A whole chromosome is numerical, not segmental.
        ([("11", 0, 134, -0.4)], set()),
        ([("17", 0, 81, 0.3)], set()),
        # A whole chromosome and a further copy of the arm are both.
        ([("17", 0, 40, 0.3), ("17", 40, 81, 0.6)], {"gain_17q"}),
        # 92 % of a chromosome is numerical.
        ([("1", 0, 230, 0.3), ("1", 230, 249, 0)], set()),
        # Less than 3 Mb is too little; 3.1 Mb in two pieces are enough.
        ([("1", 0, 2.9, -0.4), ("1", 2.9, 249, 0)], set()),
        ([("1", 0, 2, -0.4), ("1", 2, 9, 0), ("1", 9, 10.1, -0.4), ("1", 10.1, 249, 0)], {"loss_1p"}),
        # Less than half of the single-copy level is not altered.
        ([("1", 0, 30, -0.17), ("1", 30, 249, 0)], set()),
        ([("17", 0, 40, 0), ("17", 40, 81, 0.14)], set()),
    ],
)
def test_segmental_calls(changed: list[Segment], expected: set[str]) -> None:
    found = features(*changed)
    assert called(found) - {"segmental_profile", "gain_copy_number", "gain", "tert_gain", "loss_1q42"} == expected
    assert found["instability__segmental_count"] == len(expected)
    assert found["instability__segmental_profile"] == float(bool(expected))


def test_numerical_changes_are_counted() -> None:
    found = features(
        ("11", 0, 134, -0.4), ("17", 0, 40, 0.3), ("17", 40, 81, 0.6), ("3", 0, 91, -0.4), ("3", 91, 198, 0)
    )
    assert found["instability__numerical_count"] == 3
    assert found["instability__numerical_profile"] == 0


def test_fraction_and_breakpoints() -> None:
    found = features(("1", 0, 100, -0.4), ("1", 100, 249, 0), ("2", 0, 50, 0.3), ("2", 50, 90, 0.02), ("2", 90, 243, 0))
    assert found["instability__fraction_altered"] == pytest.approx(285 / (sum(END.values()) + 135), abs=1e-6)
    assert found["instability__breakpoints"] == pytest.approx(math.log(3))


def test_sex_chromosomes_do_not_count() -> None:
    found = build(cohort({"s": [*profile(), ("X", 0, 155, -1.0)]}), DEFINITIONS).loc["p-s"]
    expected = features()
    expected["telomere__atrx_copy_loss"] = 0.0
    pd.testing.assert_series_equal(found, expected, check_exact=True)


def test_a_mycn_amplicon_is_neither_a_gain_nor_an_amplification_outside() -> None:
    found = features(("2", 0, 14, 0), ("2", 14, 18, 3.0), ("2", 18, 243, 0))
    assert called(found) == {"amplified_copy_number", "gain_copy_number"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            [("2", 0, 29, 0), ("2", 29, 30.5, 2.0), ("2", 30.5, 243, 0)],
            {"amplified", "gain", "amplification_outside_mycn"},
        ),
        (
            [("12", 0, 69, 0), ("12", 69, 70, 2.0), ("12", 70, 133, 0)],
            {"mdm2_amplification", "amplification_outside_mycn"},
        ),
        (
            [("12", 0, 58, 0), ("12", 58, 58.5, 2.0), ("12", 58.5, 133, 0)],
            {"cdk4_amplification", "amplification_outside_mycn"},
        ),
        ([("9", 0, 21.5, 0), ("9", 21.5, 22.5, -1.5), ("9", 22.5, 141, 0)], {"cdkn2a_deletion", "cdkn2a_loss"}),
        ([("9", 0, 21.5, 0), ("9", 21.5, 29.5, -0.4), ("9", 29.5, 141, 0)], {"cdkn2a_loss"}),
        ([("9", 0, 40, -0.4), ("9", 40, 141, 0)], set()),
        ([("5", 0, 4, 0.3), ("5", 4, 180, 0)], {"tert_gain"}),
        ([("6", 0, 150, 0), ("6", 150, 170, -0.4)], {"loss_distal_6q"}),
        ([("6", 0, 90, 0), ("6", 90, 120, -0.4), ("6", 120, 170, 0)], set()),
        ([("6", 0, 170, -0.4)], set()),
        (
            [("8", 0, 128, 0), ("8", 128, 129, 2.0), ("8", 129, 146, 0)],
            {"myc_amplification", "amplification_outside_mycn"},
        ),
        (
            [("11", 0, 69, 0), ("11", 69, 70, 2), ("11", 70, 134, 0)],
            {"ccnd1_amplification", "amplification_outside_mycn"},
        ),
        ([("14", 0, 70, 0), ("14", 70, 107, -0.4)], {"loss_14q"}),
        ([("1", 0, 229, 0), ("1", 229, 236, -0.4), ("1", 236, 249, 0)], {"loss_1q42"}),
    ],
)
def test_focal_and_distal_changes(changed: list[Segment], expected: set[str]) -> None:
    assert called(features(*changed)) == expected


WITHOUT_STEPS = [(name, 0, end, 0.0) for name, end in END.items() if name != "2"]


@pytest.mark.parametrize("purity", [0.0, 0.05, 0.1, 0.15, 0.3, 1.0])
@pytest.mark.parametrize("end", [48, 93, 243])
@pytest.mark.parametrize("ratio", [0.2, 0.3, 0.5])
def test_a_low_purity_makes_no_amplification_of_a_gain(purity: float, end: int, ratio: float) -> None:
    rest = [] if end == 243 else [("2", end, 243, 0.0)]
    given = cohort({"s": [("2", 0, end, ratio), *rest, *WITHOUT_STEPS, ("10", 0, 135, -0.4)]}, purity=0.6)
    found = build(replace(given, samples=given.samples.assign(purity=purity)), DEFINITIONS).loc["p-s"]
    assert found[FOCAL].tolist() == [0.0] * len(FOCAL)
    assert found["mycn__gain_copy_number"] == found["alk__gain"] == 1


@pytest.mark.parametrize("ratio", [0.8, 1.2, 3.0])
def test_a_level_that_an_arm_shares_is_a_gain_however_it_is_cut(ratio: float) -> None:
    pieces = [("2", start, start + 8, ratio + 0.02 * (start % 3)) for start in range(0, 88, 8)]
    for arm in ([("2", 0, 88, ratio)], pieces):
        found = features(*arm, ("2", 88, 243, 0.0))
        assert found[FOCAL].tolist() == [0.0] * len(FOCAL)
        assert found["mycn__gain_copy_number"] == found["instability__gain_2p"] == 1


def test_an_amplicon_on_a_gained_or_amplified_arm_is_one() -> None:
    for arm, peak in ((0.3, 0.75), (0.5, 1.2), (1.0, 3.0)):
        found = features(("2", 0, 14, arm), ("2", 14, 18, peak), ("2", 18, 90, arm), ("2", 90, 243, 0.0))
        assert called(found) >= {"amplified_copy_number"}, arm
        assert found["alk__amplified"] == 0


@pytest.mark.parametrize("purity", [0.0, 0.05, 0.3, 1.0, math.nan])
def test_a_purity_changes_no_amplification(purity: float) -> None:
    amplicons = [("2", 0, 15, 0.0), ("2", 15, 17, 0.7), ("2", 17, 29, 0.0), ("2", 29, 31, 0.62), ("2", 31, 243, 0.0)]
    given = cohort({"s": profile(*amplicons, ("17", 0, 22, 0), ("17", 22, 81, 0.15))}, purity=0.6)
    found = build(replace(given, samples=given.samples.assign(purity=purity)), DEFINITIONS).loc["p-s"]
    assert found[["mycn__amplified_copy_number", "alk__amplified"]].tolist() == [1, 0]


def test_builds_place_genes_and_centromeres() -> None:
    # 21.2 to 27.1 Mb of chromosome 17 holds 3.1 Mb of 17q in hg19, 2.0 Mb in hg38.
    changed = [("17", 0, 21.2, 0), ("17", 21.2, 27.1, 0.3), ("17", 27.1, 81, 0)]
    assert features(*changed)["instability__gain_17q"] == 1
    assert features(*changed, build_name="hg38")["instability__gain_17q"] == 0
    mycn = [("2", 0, 15.93, 0), ("2", 15.93, 15.95, 3.0), ("2", 15.95, 243, 0)]
    assert features(*mycn)["mycn__amplified_copy_number"] == 0
    assert features(*mycn, build_name="hg38")["mycn__amplified_copy_number"] == 1


def test_calls_follow_the_scale_of_the_platform() -> None:
    loss = [("11", 0, 70, 0.05), ("11", 70, 134, -0.11)]
    assert "loss_11q" not in called(features(*loss))
    scale = {"centre": 0.05, "loss": -0.16, "gain": 0.12}
    neutral = [(name, 0, end, 0.05) for name, end in END.items() if name != "11"]
    compressed = [*loss, *neutral, ("10", 0, 135, -0.11)]
    assert "loss_11q" in called(build(cohort({"s": compressed}, **scale), DEFINITIONS).loc["p-s"])
    # On a platform that is too noisy the same loss is not called.
    noisy = build(cohort({"s": compressed}, **scale, noise=0.1), DEFINITIONS).loc["p-s"]
    assert "loss_11q" not in called(noisy)


def test_not_assayed_and_not_covered_are_missing() -> None:
    partly = cohort({"s": [("1", 0, 249, 0.0), ("11", 0, 60, 0.0), ("10", 0, 135, -0.4)], "none": []})
    found = build(partly, DEFINITIONS)
    assert found.loc["p-none"].isna().all()
    assert found.loc["p-s", "instability__loss_1p"] == 0
    assert found.loc["p-s", ["instability__loss_11q", "mycn__amplified_copy_number"]].isna().all()
    assert np.isnan(found.loc["p-s", "instability__segmental_count"])
    assert np.isnan(found.loc["p-s", "instability__breakpoints"])


def test_a_relapse_sample_never_stands_in() -> None:
    relapse = cohort({"s": profile(("11", 0, 70, 0), ("11", 70, 134, -0.4))})
    relapse.samples["timepoint"] = "relapse"
    assert build(relapse, DEFINITIONS).isna().all(axis=None)


def test_discrete_gene_calls_serve_patients_without_segments() -> None:
    genes = cohort({"s": [], "t": profile()})
    matrix = pd.DataFrame({"s": [2, 1, -2], "t": [0, 2, 0]}, index=["MYCN", "TERT", "CDKN2A"]).astype("float64")
    found = build(Cohort(**{**vars(genes), "gene_copy_number": matrix}), DEFINITIONS)
    assert called(found.loc["p-s"]) == {"amplified_copy_number", "gain_copy_number", "tert_gain", "cdkn2a_deletion"}
    assert np.isnan(found.loc["p-s", "alk__amplified"])
    assert np.isnan(found.loc["p-s", "instability__loss_1p"])
    assert called(found.loc["p-t"]) == set()


def test_gene_log2_ratios_are_read_with_the_scale() -> None:
    genes = cohort({"s": [], "t": []})
    matrix = pd.DataFrame({"s": [0.9, 0.2], "t": [0.3, 0.1]}, index=["MYCN", "TERT"])
    found = build(Cohort(**{**vars(genes), "gene_copy_number": matrix}), DEFINITIONS)
    assert called(found.loc["p-s"]) == {"amplified_copy_number", "gain_copy_number", "tert_gain"}
    assert called(found.loc["p-t"]) == {"gain_copy_number"}


def x(*pieces: tuple[float, float, float]) -> list[Segment]:
    return [("X", start, end, level) for start, end, level in pieces]


@pytest.mark.parametrize(
    ("sex", "pieces", "expected"),
    [
        # The only copy of a male is gone; X as a whole is at one copy.
        ("male", x((0, 76, -0.5), (76, 78, -1.6), (78, 155, -0.5)), 1.0),
        # One copy of two.
        ("female", x((0, 76, 0.0), (76, 78, -0.4), (78, 155, 0.0)), 1.0),
        (None, x((0, 76, 0.0), (76, 78, -0.4), (78, 155, 0.0)), np.nan),
        (None, x((0, 76, 0.0), (76, 78, -1.6), (78, 155, 0.0)), 1.0),
        (None, x((0, 155, -0.5)), 0.0),
        # A lost X is no deletion of ATRX.
        ("female", x((0, 155, -0.4)), 0.0),
        ("male", x((0, 76, 0.0), (76, 78, -0.3), (78, 155, 0.0)), 0.0),
        # ATRX is not covered.
        ("male", x((0, 70, 0.0)), np.nan),
        ("male", [], np.nan),
    ],
)
def test_atrx_is_judged_against_the_rest_of_x(sex: str | None, pieces: list[Segment], expected: float) -> None:
    with_x = cohort({"s": [*profile(), *pieces]})
    with_x.patients["sex"] = sex
    found = build(with_x, DEFINITIONS).loc["p-s", "telomere__atrx_copy_loss"]
    assert found == expected or (np.isnan(found) and np.isnan(expected))


@pytest.mark.parametrize(
    ("levels", "switches"),
    [
        ([0, -0.4] * 6, 11),
        ([0, -0.4] * 5, 9),
        ([0, 0.3, 0, 0.3, -0.4, 0.3, -0.4, 0], 3),
        ([0, 0.3, 0.6, 0.3, 0], 2),
        ([0, -0.4, 0.3, 0], 1),
        ([0], 0),
    ],
)
def test_oscillation_counts_switches_between_two_states(levels: list[float], switches: int) -> None:
    pieces = [("5", 14 * place, 14 * place + 14, level) for place, level in enumerate(levels)]
    end = 14 * len(levels)
    found = features(*pieces, ("5", end, 180, levels[-1]))
    assert found["instability__oscillation"] == pytest.approx(math.log1p(switches))
    assert found["instability__chromothripsis"] == float(switches >= 10)


def test_a_missing_build_is_refused() -> None:
    with pytest.raises(InputError, match="genome build"):
        build(cohort({"s": profile()}, build_name=None), DEFINITIONS)


@pytest.mark.parametrize(
    "parameters",
    [
        {"measure": "wave"},
        {},
        {"measure": "arm", "arm": "23p", "change": "loss"},
        {"measure": "arm", "arm": "1p", "change": "deletion"},
        {"measure": "gene", "gene": "NONE1", "change": "gain"},
        {"measure": "gene", "gene": "MYCN", "change": "lost"},
        {"measure": "gene", "gene": "MYCN", "change": "loss", "extent": "long"},
        {"measure": "deletion_on_x", "gene": "MYCN"},
        {"measure": "band", "band": "1q42.2", "change": "lost"},
    ],
)
def test_illegal_entries_are_refused(parameters: dict[str, str]) -> None:
    entry = FeatureDefinition("x__y", "x", "", "", "copy_number", "binary", "copy_number", parameters)
    with pytest.raises(InputError, match="illegal"):
        build(cohort({"s": profile()}), [entry])


@st.composite
def profiles(draw: st.DrawFn) -> list[Segment]:
    found: list[Segment] = []
    for chromosome, end in END.items():
        cuts = sorted(draw(st.sets(st.integers(1, end - 1), max_size=3)))
        levels = st.sampled_from([-1.2, -0.4, -0.1, 0.0, 0.1, 0.3, 0.6, 1.5])
        for start, stop in zip([0, *cuts], [*cuts, end], strict=True):
            found.append((chromosome, start, stop, draw(levels)))
    return [*found, ("10", 0, 135, -0.4)]


@settings(max_examples=25, deadline=None)
@given(first=profiles(), second=profiles(), data=st.data())
def test_features_do_not_depend_on_how_the_profile_is_written(
    first: list[Segment], second: list[Segment], data: st.DataObject
) -> None:
    original = cohort({"s": first, "t": second})
    assert original.segments is not None
    expected = build(original, DEFINITIONS)
    place = data.draw(st.integers(0, len(first) - 1))
    chromosome, start, end, ratio = first[place]
    halves = [(chromosome, start, (start + end) / 2, ratio), (chromosome, (start + end) / 2, end, ratio)]
    split = cohort({"s": [*first[:place], *halves, *first[place + 1 :]], "t": second}).segments
    assert split is not None
    order = data.draw(st.permutations(range(len(split))))
    rewritten = split.iloc[order].assign(chromosome=lambda table: "chr" + table["chromosome"])
    found = build(Cohort(**{**vars(original), "segments": rewritten}), DEFINITIONS)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    alone = build(cohort({"t": second}), DEFINITIONS)
    pd.testing.assert_frame_equal(alone, expected.loc[["p-t"]], check_exact=True)


@pytest.fixture(scope="module")
def high_risk() -> tuple[Cohort, pd.DataFrame]:
    """The cohort of 10.1038/sdata.2018.240 and its published calls."""
    folder = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data")) / "high_risk_copy_number"
    if not folder.is_dir():
        pytest.skip("the high-risk copy-number cohort is not on this machine")
    imported = import_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", source=folder)
    published = pd.read_csv(folder / "samples.txt", sep="\t", dtype={"Name": "str"}).set_index("Name")
    return imported, published


def with_purity(given: Cohort, purity: np.ndarray) -> Cohort:
    """The cohort as an import would have left it with these purities."""
    assert given.segments is not None
    samples = given.samples.assign(purity=purity)
    platforms = estimate_platform_scales(given.segments, given.assays, samples)
    return replace(given, samples=samples, metadata={**given.metadata, "platforms": platforms})


def mean_of_arms(called: pd.DataFrame, published: pd.DataFrame) -> float:
    """Mean balanced accuracy of the arms; not known counts as negative."""
    found = []
    for name in ("loss_1p", "loss_3p", "loss_4p", "loss_11q", "gain_1q", "gain_2p", "gain_17q"):
        positive = (called[f"instability__{name}"] == 1).to_numpy()
        true = (published[f"chr{name.split('_')[1]}"] == 1).to_numpy()
        found.append((positive[true].mean() + 1 - positive[~true].mean()) / 2)
    return float(np.mean(found))


def test_wrong_purities_change_no_amplification_and_hardly_an_arm(high_risk: tuple[Cohort, pd.DataFrame]) -> None:
    given, published = high_risk
    expected = build(given, DEFINITIONS).loc[published.index]
    for seed in range(3):
        random = np.random.default_rng(seed).uniform(0.05, 1, len(given.samples))
        found = build(with_purity(given, random), DEFINITIONS).loc[published.index]
        pd.testing.assert_frame_equal(found[FOCAL], expected[FOCAL], check_exact=True)
        assert abs(mean_of_arms(found, published) - mean_of_arms(expected, published)) <= 0.005


@pytest.mark.parametrize("purity", [0.0, 0.05, math.nan])
def test_implausible_purities_are_none(high_risk: tuple[Cohort, pd.DataFrame], purity: float) -> None:
    given, _ = high_risk
    found = build(with_purity(given, np.full(len(given.samples), purity)), DEFINITIONS)
    pd.testing.assert_frame_equal(found, build(given, DEFINITIONS), check_exact=True)


def arm_calls(given: Cohort) -> pd.DataFrame:
    return copy_number_calls(given).set_index(["patient_id", "arm"])


def test_calls_part_segmental_from_numerical_changes() -> None:
    changed = [
        ("1", 0, 60, -0.4), ("1", 60, 249, 0.0),
        ("2", 0, 15, 0.3), ("2", 15, 17, 2.0), ("2", 17, 90, 0.3), ("2", 90, 243, 0.0),
        ("7", 0, 159, 0.3),
        ("9", 0, 21, 0.0), ("9", 21, 24, -1.2), ("9", 24, 141, 0.0),
        ("17", 0, 22, 0.3), ("17", 22, 81, 0.65),
    ]  # fmt: skip
    found = arm_calls(cohort({"s": profile(*changed)})).loc["p-s"]
    expected = {
        "1p": "segmental loss", "1q": "neutral", "2p": "amplified", "2q": "neutral", "7p": "numerical gain",
        "7q": "numerical gain", "9p": "deep deletion", "9q": "neutral", "10p": "numerical loss",
        "10q": "numerical loss", "17p": "numerical gain", "17q": "segmental gain", "16p": "not assessable",
        "Xp": "not assessable", "Xq": "not assessable",
    }  # fmt: skip
    assert found.loc[list(expected), "call"].to_dict() == expected
    assert set(found["call"]) <= set(CALLS) and len(found) == 46
    assert found.loc[["1p", "10q", "7p"], "copies"].tolist() == pytest.approx([1, 1, 3], abs=0.05)
    assert found.loc["1p", ["altered_mb", "lost_mb", "gained_mb"]].tolist() == [60, 60, 0]
    # What the call does not say stands beside it.
    assert found.loc["2p", "amplified_genes"] == "MYCN"
    assert found.loc["2p", "gained_mb"] == pytest.approx(88, abs=0.001)
    assert found.loc["17q", "whole_chromosome"] == pytest.approx(3, abs=0.05)
    assert (found["scale_source"] == "own steps").all() and found["scale_told"].all()
    assert found.loc["16p", ["copies", "altered_mb", "gained_mb"]].isna().all()


def test_calls_agree_with_the_features() -> None:
    given = cohort({"s": profile(("11", 0, 60, 0.0), ("11", 60, 134, -0.4), ("12", 0, 69, 0), ("12", 69, 70, 2.0),
                                 ("12", 70, 133, 0))})  # fmt: skip
    found, of_features = arm_calls(given).loc["p-s"], build(given, DEFINITIONS).loc["p-s"]
    assert found.loc["11q", "call"] == "segmental loss" and of_features["instability__loss_11q"] == 1
    assert found.loc["12q", "amplified_genes"] == "MDM2" and of_features["p53__mdm2_amplification"] == 1


def test_a_profile_whose_scale_cannot_be_told_is_not_assessable_but_for_amplicons() -> None:
    flat = [(name, 0, end, 0.0) for name, end in END.items() if name != "2"]
    found = arm_calls(cohort({"s": [*flat, ("2", 0, 15, 0.0), ("2", 15, 17, 2.0), ("2", 17, 243, 0.0)]})).loc["p-s"]
    assert found["call"].value_counts().to_dict() == {"not assessable": 45, "amplified": 1}
    assert not found["scale_told"].any()


def test_a_patient_without_a_profile_has_rows_without_calls() -> None:
    given = cohort({"s": profile()})
    patients = pd.DataFrame({"patient_id": ["p-s", "other"]})
    found = arm_calls(replace(given, patients=patients)).loc["other"]
    assert len(found) == 46 and (found["call"] == "not assessable").all()
    assert found.drop(columns=["call", "amplified_genes", "scale_told", "scale_source"]).isna().all(axis=None)


@pytest.mark.parametrize(("sex", "expected"), [("male", "numerical gain"), (None, "not assessable")])
def test_x_is_called_against_the_patients_of_a_sex(sex: str | None, expected: str) -> None:
    males = {f"m{number}": [*profile(), ("X", 0, 155, -0.4)] for number in range(4)}
    given = cohort({**males, "s": [*profile(), ("X", 0, 155, -0.05)]})
    patients = given.patients.assign(sex=["male"] * 4 + [sex])
    found = arm_calls(replace(given, patients=patients))
    assert found.loc[("p-m0", "Xq"), "call"] == "neutral"
    assert found.loc[("p-s", "Xq"), "call"] == expected


def test_segments_are_those_that_arms_are_called_from() -> None:
    found = copy_number_segments(cohort({"s": profile(("1", 0, 60, -0.4), ("1", 60, 249, 0.0))}))
    first = found[found["chromosome"] == "1"]
    assert first["call"].tolist() == ["segmental loss", "neutral"]
    assert first["copies"].tolist() == pytest.approx([1, 2], abs=0.05)


def test_segments_of_whole_chromosomes_and_amplicons_have_their_own_calls() -> None:
    changed = [("7", 0, 159, 0.3), ("2", 0, 15, 0.0), ("2", 15, 17, 2.0), ("2", 17, 243, 0.0)]
    found = copy_number_segments(cohort({"s": profile(*changed)})).set_index("chromosome")
    assert found.loc["7", "call"] == "numerical gain"
    assert found.loc["10", "call"] == "numerical loss"
    assert found.loc["2", "call"].tolist() == ["neutral", "amplified", "neutral"]
