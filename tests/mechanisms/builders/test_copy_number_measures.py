"""Arms, bands and genome-wide measures at the very edges of their definitions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import FeatureDefinition
from nbrelapse.mechanisms.builders.copy_number import build
from nbrelapse.mechanisms.genome import _AUTOSOMES, chromosome_arms

GAIN, LOSS = 0.3, -0.4
HG19 = {name: int(chromosome_arms("hg19")["length"][name]) for name in _AUTOSOMES}
GENOME = 2_881_033_286
M = 1_000_000
END_1, END_2, END_6, END_10, END_11 = 249_250_621, 243_199_373, 171_115_067, 135_534_747, 135_006_516

Piece = tuple[str, int, int, float]
"""Chromosome, first and last base, copies: 0 = neutral, 1 = a single-copy gain, -1 = a single-copy loss."""

LOST_10: Piece = ("10", 0, END_10, -1)
"""A profile without any change has no scale; this shows that there are tumour cells."""


def measured(measure: str, *pieces: Piece, build_name: str = "hg19", **options: Any) -> float:
    """One measure of one patient, whose segments are exactly the pieces."""
    return measured_of_each(measure, pieces, (build_name,), **options)[0]


def measured_of_each(
    measure: str,
    pieces: Iterable[Piece],
    builds: tuple[str, ...],
    *,
    noise: float = 0.01,
    levels: tuple[float, float] = (LOSS, GAIN),
    **parameters: Any,
) -> list[float]:
    """One measure of patients with the same pieces, a patient a build."""
    loss, gain = levels
    samples = [f"s{number}" for number in range(len(builds))]
    table = [(name, first, last, copies * (gain if copies > 0 else -loss)) for name, first, last, copies in pieces]
    segments = pd.DataFrame(table, columns=["chromosome", "start", "end", "log2_ratio"])
    cohort = Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": samples}),
        pd.DataFrame({"sample_id": samples, "patient_id": samples, "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "copy_number", "genome_build": builds, "platform": "P"}),
        segments=pd.concat([segments.assign(sample_id=sample) for sample in samples]),
        metadata={"platforms": {"P": {"centre": 0.0, "loss": loss, "gain": gain, "noise": noise}}},
    )
    parameters["measure"] = measure
    entry = FeatureDefinition("x__y", "x", "", "", "copy_number", "continuous", "copy_number", parameters)
    return [float(value) for value in build(cohort, [entry])["x__y"]]


def genome(*changed: Piece) -> list[Piece]:
    """All autosomes neutral, but for those that `changed` describes in full, and a lost chromosome 10."""
    named = {name for name, *_ in changed} | {"10"}
    return [*changed, LOST_10, *((name, 0, end, 0) for name, end in HG19.items() if name not in named)]


def within(name: str, first: int, last: int, copies: float, end: int) -> list[Piece]:
    """A chromosome with one changed stretch."""
    pieces = [(name, 0, first, 0.0), (name, first, last, copies), (name, last, end, 0.0)]
    return [piece for piece in pieces if piece[2] > piece[1]]


def same(found: float, expected: float) -> bool:
    return found == expected or (np.isnan(found) and np.isnan(expected))


@pytest.mark.parametrize(("change", "copies"), [("loss", -1), ("gain", 1)])
@pytest.mark.parametrize(
    ("first", "last", "p", "q"),
    [
        (70 * M, 73 * M, 0, 1),
        (70 * M, 73 * M - 1, 0, 0),
        # Cut at the centromere, 53.7 Mb: each arm needs 3 Mb of its own.
        (50_700_000, 56_700_000, 1, 1),
        (50_700_001, 56_700_000, 0, 1),
        (50_700_000, 56_699_999, 1, 0),
    ],
)
def test_three_megabases_of_an_arm(change: str, copies: float, first: int, last: int, p: float, q: float) -> None:
    pieces = genome(*within("11", first, last, copies, END_11))
    assert measured("arm", *pieces, arm="11p", change=change) == p
    assert measured("arm", *pieces, arm="11q", change=change) == q
    assert measured("segmental_arms", *pieces) == pytest.approx(math.log1p(p + q))
    other = "gain" if change == "loss" else "loss"
    assert measured("arm", *pieces, arm="11q", change=other) == 0


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # 11q has 81,306,516 bases.
        ([("11", 53_700_000, 94_353_258, 0)], 0),
        ([("11", 53_700_000, 94_353_257, 0)], np.nan),
        ([("11", 0, 94_353_257, 0)], np.nan),
        # What is seen to be lost is lost, however little was looked at.
        ([("11", 70 * M, 73 * M, -1), ("11", 73 * M, 80 * M, 0)], 1),
        ([], np.nan),
    ],
)
def test_an_arm_is_normal_where_half_of_it_was_looked_at(pieces: list[Piece], expected: float) -> None:
    assert same(measured("arm", LOST_10, *pieces, arm="11q", change="loss"), expected)


def test_half_of_an_arm_is_that_of_its_build() -> None:
    # 3q has 107,022,430 bases in hg19 and 107,395,559 in hg38, where it begins at 90.9 Mb.
    pieces = [LOST_10, ("3", 91 * M, 91 * M + 53_511_215, 0)]
    for builds, expected in ((("hg19", "hg38"), [False, True]), (("hg38", "hg19"), [True, False])):
        found = measured_of_each("arm", pieces, builds, arm="3q", change="loss")
        assert np.isnan(found).tolist() == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # 10 Mb from the end of chromosome 6.
        (within("6", 140 * M, END_6 - 10 * M, -1, END_6), 1),
        (within("6", 140 * M, END_6 - 10 * M - 1, -1, END_6), 0),
        # It reaches the end, but is too small, or of exactly 3 Mb.
        (within("6", END_6 - 3 * M + 1, END_6, -1, END_6), 0),
        (within("6", END_6 - 3 * M, END_6, -1, END_6), 1),
        # A gain at the end and a loss elsewhere on the arm.
        ([("6", 0, 100 * M, 0), ("6", 100 * M, 110 * M, -1), ("6", 110 * M, 160 * M, 0), ("6", 160 * M, END_6, 1)], 0),
        # 2 Mb at the end make one with 5 Mb elsewhere.
        (
            [
                ("6", 0, 100 * M, 0),
                ("6", 100 * M, 105 * M, -1),
                ("6", 105 * M, END_6 - 2 * M, 0),
                ("6", END_6 - 2 * M, END_6, -1),
            ],
            1,
        ),
        # The end of the other arm is not this one's.
        ([("6", 0, 20 * M, -1), ("6", 20 * M, 70 * M, 0), ("6", 70 * M, 90 * M, -1), ("6", 90 * M, END_6, 0)], 0),
    ],
)
def test_a_distal_loss_of_6q(pieces: list[Piece], expected: float) -> None:
    assert measured("distal_loss", *genome(*pieces), arm="6q") == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(10 * M, 20 * M, 1), (10 * M + 1, 20 * M, 0), (0, 3 * M, 1), (0, 3 * M - 1, 0), (120 * M, END_1, 0)],
)
def test_a_distal_loss_of_1p(first: int, last: int, expected: float) -> None:
    assert measured("distal_loss", *genome(*within("1", first, last, -1, END_1)), arm="1p") == expected


# 1q42.2: 230.7 to 234.7 Mb in hg19, 230.5 to 234.6 in hg38.
@pytest.mark.parametrize(("change", "copies"), [("loss", -1), ("gain", 1)])
@pytest.mark.parametrize(
    ("first", "last", "build_name", "expected"),
    [
        (220_000_000, 232_700_000, "hg19", 1),
        (220_000_000, 232_699_999, "hg19", 0),
        (232_700_000, 240_000_000, "hg19", 1),
        (232_700_001, 240_000_000, "hg19", 0),
        (220_000_000, 232_550_000, "hg38", 1),
        (220_000_000, 232_549_999, "hg38", 0),
        (232_550_000, 240_000_000, "hg38", 1),
        (232_550_001, 240_000_000, "hg38", 0),
        # Beside the band, on either side.
        (200_000_000, 230_700_000, "hg19", 0),
        (234_700_000, 245_000_000, "hg19", 0),
    ],
)
def test_half_of_a_band(change: str, copies: float, first: int, last: int, build_name: str, expected: float) -> None:
    pieces = genome(*within("1", first, last, copies, END_1))
    assert measured("band", *pieces, band="1q42.2", change=change, build_name=build_name) == expected
    other = "gain" if change == "loss" else "loss"
    assert measured("band", *pieces, band="1q42.2", change=other, build_name=build_name) == 0


@pytest.mark.parametrize(("band", "there", "end"), [("1q42.2", "2", END_2), ("2q36", "1", END_1)])
def test_the_same_place_on_another_chromosome_is_not_the_band(band: str, there: str, end: int) -> None:
    for change, copies in (("loss", -1), ("gain", 1)):
        pieces = genome(*within(there, 200 * M, 240 * M, copies, end))
        assert measured("band", *pieces, band=band, change=change) == 0
    # Neither does it count as looked at.
    own = "1" if there == "2" else "2"
    without = [piece for piece in genome() if piece[0] != own]
    assert np.isnan(measured("band", *without, band=band, change="loss"))


@pytest.mark.parametrize(
    ("last", "expected"), [(232_700_000, 0), (232_699_999, np.nan), (230_700_000, np.nan), (END_1, 0)]
)
def test_a_band_is_normal_where_half_of_it_was_looked_at(last: int, expected: float) -> None:
    assert same(measured("band", LOST_10, ("1", 0, last, 0), band="1q42.2", change="loss"), expected)


@pytest.mark.parametrize(("change", "copies"), [("loss", -1), ("gain", 1)])
def test_a_whole_chromosome_is_no_change_of_the_band(change: str, copies: float) -> None:
    assert measured("band", *genome(("1", 0, END_1, copies)), band="1q42.2", change=change) == 0


ARMS = {"losses": ["1p", "11q"], "gains": ["17q"]}
LOSS_1P = within("1", 0, 30 * M, -1, END_1)
LOSS_11Q = within("11", 70 * M, END_11, -1, END_11)
GAIN_17Q: list[Piece] = [("17", 0, 40 * M, 0), ("17", 40 * M, HG19["17"], 1)]


@pytest.mark.parametrize(
    ("pieces", "count", "some"),
    [
        ([LOST_10, *LOSS_1P, *LOSS_11Q, *GAIN_17Q], 3, 1),
        ([LOST_10, *LOSS_1P, ("11", 0, END_11, 0), *GAIN_17Q], 2, 1),
        ([LOST_10, ("1", 0, END_1, 0), ("11", 0, END_11, 0), *GAIN_17Q], 1, 1),
        ([LOST_10, ("1", 0, END_1, 0), *LOSS_11Q, ("17", 0, HG19["17"], 0)], 1, 1),
        ([LOST_10, ("1", 0, END_1, 0), ("11", 0, END_11, 0), ("17", 0, HG19["17"], 0)], 0, 0),
        # 17q was not looked at: how many is not known, but whether there are some is where one is seen.
        ([LOST_10, *LOSS_1P, ("11", 0, END_11, 0)], np.nan, 1),
        ([LOST_10, ("1", 0, END_1, 0), ("11", 0, END_11, 0)], np.nan, np.nan),
        # A gain of an arm of which the loss is meant, and the reverse.
        (
            [
                LOST_10,
                *within("1", 0, 30 * M, 1, END_1),
                ("11", 0, END_11, 0),
                ("17", 0, 40 * M, 0),
                ("17", 40 * M, HG19["17"], -1),
            ],
            0,
            0,
        ),
    ],
)
def test_named_arms_are_counted(pieces: list[Piece], count: float, some: float) -> None:
    assert same(measured("segmental_count", *pieces, **ARMS), count)
    assert same(measured("any_segmental", *pieces, **ARMS), some)


def test_all_segmental_arms_are_counted_gains_and_losses() -> None:
    assert measured("segmental_arms", *genome()) == 0
    assert measured("segmental_arms", *genome(*LOSS_1P)) == pytest.approx(math.log(2))
    assert measured("segmental_arms", *genome(*GAIN_17Q)) == pytest.approx(math.log(2))
    assert measured("segmental_arms", *genome(*LOSS_1P, *LOSS_11Q, *GAIN_17Q)) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("changed", "count", "only"),
    [
        ([], 1, 1),
        ([("6", 0, END_6, 1)], 2, 1),
        ([("6", 0, END_6, -1), ("1", 0, END_1, 1)], 3, 1),
        ([("X", 0, 155 * M, -1)], 1, 1),
        # One segmental arm, two and three.
        (LOSS_1P, 1, 0),
        ([*LOSS_1P, *LOSS_11Q], 1, 0),
        ([*LOSS_1P, *LOSS_11Q, *GAIN_17Q], 1, 0),
        (GAIN_17Q, 1, 0),
    ],
)
def test_numerical_changes(changed: list[Piece], count: float, only: float) -> None:
    assert measured("numerical_count", *genome(*changed)) == count
    assert measured("numerical_only", *genome(*changed)) == only


def test_segmental_changes_alone_are_not_numerical() -> None:
    pieces = [piece for piece in genome(*LOSS_1P) if piece[0] != "10"]
    assert measured("numerical_count", *pieces) == 0
    assert measured("numerical_only", *pieces) == 0


def test_the_altered_part_of_what_was_looked_at() -> None:
    # Of 17 covered autosomes 10 Mb are gained, 20 Mb and chromosome 10 lost, and an amplicon has 4 Mb.
    pieces = [
        piece
        for piece in genome(
            *within("1", 50 * M, 60 * M, 1, END_1), *within("6", 30 * M, 50 * M, -1, END_6), *MYCN_AMPLICON
        )
        if piece[0] not in {"3", "4", "5", "7", "8"}
    ]
    covered = GENOME - sum(HG19[name] for name in ("3", "4", "5", "7", "8"))
    expected = (34 * M + END_10) / covered
    assert measured("fraction_altered", *pieces) == pytest.approx(expected, rel=1e-12)
    assert measured("fraction_altered", *pieces, ("X", 0, 155 * M, -1)) == pytest.approx(expected, rel=1e-12)


MYCN_AMPLICON = within("2", 14 * M, 18 * M, 10, END_2)


def test_amplicons_do_not_count_in_the_ploidy() -> None:
    pieces = genome(*MYCN_AMPLICON, *within("1", 50 * M, 60 * M, 1, END_1), *within("11", 70 * M, 90 * M, 0.75, END_11))
    expected = (10 * M + 0.75 * 20 * M - END_10) / (GENOME - 4 * M)
    assert measured("ploidy_shift", *pieces) == pytest.approx(expected, rel=1e-9)
    # An amplified level over more than 10 Mb is a gain.
    long = genome(*within("2", 14 * M, 24 * M + 1, 10, END_2))
    assert measured("ploidy_shift", *long) == pytest.approx((10 * (10 * M + 1) - END_10) / GENOME, rel=1e-9)


CLEAR_STEPS = [piece for name in "367" for piece in within(name, 50 * M, 80 * M, -1, HG19[name])]
"""Six steps of one copy, which say what a copy is."""


@pytest.mark.parametrize(
    ("copies", "noise", "steps"),
    [
        (-0.55, 0.01, 2),
        (-0.45, 0.01, 0),
        (0.55, 0.01, 2),
        (0.45, 0.01, 0),
        # Half a copy itself is not beyond the threshold.
        (-0.5, 0.01, 0),
        # Two standard deviations of noise are half a copy of a loss and two thirds of one of a gain: the larger counts.
        (-0.6, 0.1, 0),
        (0.6, 0.1, 0),
        (-0.7, 0.1, 2),
        (0.7, 0.1, 2),
    ],
)
def test_a_step_within_a_chromosome_exceeds_half_a_copy_and_the_noise(copies: float, noise: float, steps: int) -> None:
    pieces = genome(*within("11", 70 * M, 100 * M, copies, END_11), *CLEAR_STEPS)
    expected = pytest.approx(math.log1p(6 + steps))
    assert measured("breakpoints", *pieces, noise=noise) == expected
    # Where a gain is the larger step, that of a loss has the larger threshold.
    assert measured("breakpoints", *pieces, noise=noise, levels=(-0.3, 0.4)) == expected


def test_steps_on_x_and_between_chromosomes_are_no_breakpoints() -> None:
    # Chromosome 10 is lost between two neutral ones.
    pieces = genome(*within("11", 70 * M, 100 * M, -1, END_11))
    assert measured("breakpoints", *pieces) == pytest.approx(math.log(3))
    x = [("X", place * 20 * M, (place + 1) * 20 * M, -(place % 2)) for place in range(7)]
    assert measured("breakpoints", *pieces, *x) == pytest.approx(math.log(3))


GENOME_WIDE = [
    ("segmental_arms", math.log(2)),
    ("numerical_count", 1.0),
    ("numerical_only", 0.0),
    ("breakpoints", math.log(2)),
    ("fraction_altered", (30 * M + END_10) / 1_440_516_643),
    ("ploidy_shift", -(30 * M + END_10) / 1_440_516_643),
    ("oscillation", math.log(2)),
]


@pytest.mark.parametrize(("measure", "expected"), GENOME_WIDE)
def test_genome_wide_measures_need_half_of_the_autosomes(measure: str, expected: float) -> None:
    # Half of hg19's 2,881,033,286 autosomal bases are 1,440,516,643; the last of them lie on 8q.
    whole = [(name, 0, HG19[name], 0.0) for name in ("2", "3", "4", "5", "6")]
    pieces = [*LOSS_1P, LOST_10, *whole]
    rest = 1_440_516_643 - sum(last - first for _, first, last, _ in pieces)
    assert 0 < rest < HG19["8"]
    assert measured(measure, *pieces, ("8", 0, rest, 0)) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(measured(measure, *pieces, ("8", 0, rest - 1, 0)))
    # X is not a part of them.
    assert np.isnan(measured(measure, *pieces, ("8", 0, rest - 1, 0), ("X", 0, 155 * M, 0)))
    # The same number of bases is asked for in the other build.
    assert np.isnan(measured(measure, *pieces, ("8", 0, rest - 1, 0), build_name="hg38"))


@pytest.mark.parametrize(
    ("measure", "parameters"),
    [
        *((measure, {}) for measure, _ in GENOME_WIDE),
        ("arm", {"arm": "11q", "change": "loss"}),
        ("distal_loss", {"arm": "11q"}),
        ("band", {"band": "1q42.2", "change": "loss"}),
    ],
)
def test_a_profile_without_a_scale_is_missing(measure: str, parameters: dict[str, str]) -> None:
    assert np.isnan(measured(measure, *((name, 0, end, 0) for name, end in HG19.items()), **parameters))


GAIN, LOSS = 0.3, -0.4
COPY_NUMBER_GENES_END_2, END_X = HG19["2"], 155_270_560
CHANGES = ("amplification", "gain", "loss", "deep_deletion")


def cohort(
    *pieces: Piece,
    genes: dict[str, list[float]] | None = None,
    unit: str | None = None,
    sex: str | None = None,
    build_name: str = "hg19",
    centre: float = 0.0,
) -> Cohort:
    """Patient p with the pieces, and q without segments; `genes` are of sample s of p, or of s and of t of q."""
    rows = [
        ("s", name, first, last, centre + copies * (GAIN if copies > 0 else -LOSS))
        for name, first, last, copies in pieces
    ]
    matrix = None if genes is None else pd.DataFrame.from_dict(genes, orient="index")
    if matrix is not None:
        matrix.columns = ["s", "t"][: matrix.shape[1]]
    platform = {"centre": centre, "loss": LOSS, "gain": GAIN, "noise": 0.01}
    return Cohort(
        "two",
        pd.DataFrame({"patient_id": ["p", "q"], "sex": sex}),
        pd.DataFrame({"sample_id": ["s", "t"], "patient_id": ["p", "q"], "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": ["s", "t"], "assay": "copy_number", "genome_build": build_name, "platform": "P"}),
        segments=pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"]),
        gene_copy_number=matrix,
        metadata={"platforms": {"P": platform}} | ({"gene_copy_number": {"unit": unit}} if unit else {}),
    )


def copy_number_genes_measured(table: Cohort, measure: str, patient: str = "p", **parameters: Any) -> float:
    parameters["measure"] = measure
    entry = FeatureDefinition("x__y", "x", "", "", "copy_number", "continuous", "copy_number", parameters)
    return float(build(table, [entry]).loc[patient, "x__y"])


def changes(table: Cohort, gene: str, patient: str = "p") -> set[str]:
    """The changes that hit the gene; none may be missing."""
    found = {change: copy_number_genes_measured(table, "gene", patient, gene=gene, change=change) for change in CHANGES}
    assert set(found.values()) <= {0.0, 1.0}
    return {change for change, value in found.items() if value == 1}


def copy_number_genes_genome(*changed: Piece) -> list[Piece]:
    """All autosomes neutral, but for those that `changed` describes in full, and a lost chromosome 10."""
    named = {name for name, *_ in changed} | {"10"}
    neutral = [(name, 0, end, 0.0) for name, end in HG19.items() if name not in named]
    return [*changed, ("10", 0, HG19["10"], -1), *neutral]


def copy_number_genes_within(name: str, first: int, last: int, copies: float, end: int) -> list[Piece]:
    """A chromosome with one changed stretch."""
    return [(name, 0, first, 0.0), (name, first, last, copies), (name, last, end, 0.0)]


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        # A copy is 0.3 up and 0.4 down; half of one is no change yet.
        (0.15, set()),
        (0.16, {"gain"}),
        # Five copies where three are a gain: log2(5/2) / log2(3/2) = 2.26 times the level.
        (0.67, {"gain"}),
        (0.68, {"gain", "amplification"}),
        (-0.2, set()),
        (-0.21, {"loss"}),
        (-0.79, {"loss"}),
        (-0.8, {"loss", "deep_deletion"}),
    ],
)
def test_log2_ratios_of_genes(ratio: float, expected: set[str]) -> None:
    assert changes(cohort(genes={"MYCN": [ratio]}, unit="log2"), "MYCN") == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (2, {"gain", "amplification"}),
        (1, {"gain"}),
        (0, set()),
        (-1, {"loss"}),
        (-2, {"loss", "deep_deletion"}),
    ],
)
@pytest.mark.parametrize("unit", ["gistic", None])
def test_discrete_calls_of_genes(call: float, unit: str | None, expected: set[str]) -> None:
    # A gene without a call does not make the others log2 ratios.
    table = cohort(genes={"MYCN": [call], "ALK": [np.nan]}, unit=unit)
    assert changes(table, "MYCN") == expected
    assert np.isnan(copy_number_genes_measured(table, "gene", gene="ALK", change="gain"))


def test_what_the_study_says_of_its_unit_comes_before_what_the_values_look_like() -> None:
    assert changes(cohort(genes={"MYCN": [1.0], "ALK": [-1.0]}, unit="log2"), "MYCN") == {"gain", "amplification"}
    assert changes(cohort(genes={"MYCN": [1.0], "ALK": [-1.0]}), "MYCN") == {"gain"}
    # One value that is no call, and all are ratios.
    assert changes(cohort(genes={"MYCN": [1.0], "ALK": [-0.7]}), "MYCN") == {"gain", "amplification"}


@pytest.mark.parametrize("genes", [{"NMYC": [2], "MYCN": [0]}, {"MYCN": [0], "NMYC": [2]}])
def test_a_current_symbol_comes_before_a_former_one(genes: dict[str, list[float]]) -> None:
    assert changes(cohort(genes=genes), "MYCN") == set()
    assert changes(cohort(genes={"NMYC": [2]}), "MYCN") == {"gain", "amplification"}


def test_genes_serve_only_where_segments_do_not_cover_them() -> None:
    calls = {"MYCN": [2, 2], "CDKN2A": [-2, -2]}
    covered = cohort(*copy_number_genes_genome(), genes=calls)
    assert changes(covered, "MYCN") == changes(covered, "CDKN2A") == set()
    assert changes(covered, "CDKN2A", "q") == {"loss", "deep_deletion"}
    # A flat profile covers the gene but does not say what a copy is; calls do not take its place.
    flat = cohort(*((name, 0, end, 0.0) for name, end in HG19.items()), genes=calls)
    assert np.isnan(copy_number_genes_measured(flat, "gene", gene="CDKN2A", change="loss"))
    beside = cohort(*(piece for piece in copy_number_genes_genome() if piece[0] != "9"), genes=calls)
    assert changes(beside, "CDKN2A") == {"loss", "deep_deletion"}
    # A call has no extent.
    assert np.isnan(copy_number_genes_measured(beside, "gene", gene="CDKN2A", change="loss", extent="focal"))


def test_a_sample_that_the_matrix_lacks_is_missing() -> None:
    table = cohort(genes={"MYCN": [2]})
    assert copy_number_genes_measured(table, "gene", gene="MYCN", change="gain") == 1
    assert np.isnan(copy_number_genes_measured(table, "gene", "q", gene="MYCN", change="gain"))


@pytest.mark.parametrize(
    ("gene", "first", "last", "copies", "expected"),
    [
        # Smoothing takes a small stretch of one copy for noise; an amplicon and a lost gene may be small.
        ("MYCN", 16_080_000, 16_090_000, 1, set()),
        ("MYCN", 16_080_000, 16_090_000, 5, {"gain", "amplification"}),
        ("CDKN2A", 21_960_000, 22_000_000, -1, set()),
        ("CDKN2A", 21_960_000, 22_000_000, -2.5, {"loss", "deep_deletion"}),
        # Long stretches.
        ("MYCN", 10 * M, 20 * M, 1, {"gain"}),
        ("CDKN2A", 20 * M, 30 * M, -1, {"loss"}),
        ("MYCN", 10 * M, 20 * M, -1, {"loss"}),
        # Elsewhere on the chromosome.
        ("MYCN", 20 * M, 40 * M, 1, set()),
        ("CDKN2A", 30 * M, 40 * M, -1, set()),
    ],
)
def test_changes_of_a_gene(gene: str, first: int, last: int, copies: float, expected: set[str]) -> None:
    name = {"MYCN": "2", "CDKN2A": "9"}[gene]
    assert (
        changes(
            cohort(*copy_number_genes_genome(*copy_number_genes_within(name, first, last, copies, HG19[name]))), gene
        )
        == expected
    )


@pytest.mark.parametrize(("change", "copies"), [("gain", 1), ("loss", -1), ("amplification", 4), ("deep_deletion", -3)])
@pytest.mark.parametrize(("last", "focal"), [(20 * M, 1), (20 * M + 1, 0)])
def test_a_focal_change_has_ten_megabases_at_most(change: str, copies: float, last: int, focal: float) -> None:
    table = cohort(
        *copy_number_genes_genome(*copy_number_genes_within("2", 10 * M, last, copies, COPY_NUMBER_GENES_END_2))
    )
    assert copy_number_genes_measured(table, "gene", gene="MYCN", change=change) == 1
    assert copy_number_genes_measured(table, "gene", gene="MYCN", change=change, extent="focal") == focal
    assert copy_number_genes_measured(table, "gene", gene="MYCN", change=change, extent="broad") == 1 - focal


# MYCN: 16,080,686 to 16,087,129 in hg19, 15,940,550 to 15,947,007 in hg38.
@pytest.mark.parametrize(
    ("name", "first", "last", "build_name", "expected"),
    [
        ("2", 16_087_129, 30 * M, "hg19", 1),
        ("2", 16_087_130, 30 * M, "hg19", 0),
        ("2", 8 * M, 16_080_686, "hg19", 1),
        ("2", 8 * M, 16_080_685, "hg19", 0),
        ("2", 15_947_007, 30 * M, "hg38", 1),
        ("2", 15_947_008, 30 * M, "hg38", 0),
        ("2", 8 * M, 15_940_550, "hg38", 1),
        ("2", 8 * M, 15_940_549, "hg38", 0),
        # The same place on other chromosomes.
        ("1", 8 * M, 30 * M, "hg19", 0),
        ("3", 8 * M, 30 * M, "hg19", 0),
    ],
)
def test_a_segment_overlaps_a_gene_from_its_first_to_its_last_base(
    name: str, first: int, last: int, build_name: str, expected: float
) -> None:
    table = cohort(
        *copy_number_genes_genome(*copy_number_genes_within(name, first, last, 1, HG19[name])), build_name=build_name
    )
    assert copy_number_genes_measured(table, "gene", gene="MYCN", change="gain") == expected


def test_a_gene_that_is_not_covered_is_missing_and_an_amplicon_is_seen_on_any_scale() -> None:
    beside = cohort(
        *(piece for piece in copy_number_genes_genome() if piece[0] != "2"), ("2", 20 * M, COPY_NUMBER_GENES_END_2, 0)
    )
    assert all(np.isnan(copy_number_genes_measured(beside, "gene", gene="MYCN", change=change)) for change in CHANGES)
    flat = [(name, 0, end, 0.0) for name, end in HG19.items() if name != "2"]
    small = cohort(*flat, *copy_number_genes_within("2", 16_080_000, 16_090_000, 5, COPY_NUMBER_GENES_END_2))
    assert copy_number_genes_measured(small, "gene", gene="MYCN", change="amplification") == 1
    assert copy_number_genes_measured(small, "gene", gene="MYCN", change="gain") == 1
    assert np.isnan(copy_number_genes_measured(small, "gene", gene="ALK", change="amplification"))
    deep = cohort(
        *(piece for piece in flat if piece[0] != "9"),
        ("2", 0, COPY_NUMBER_GENES_END_2, 0),
        *copy_number_genes_within("9", 21_960_000, 22_000_000, -3, HG19["9"]),
    )
    assert np.isnan(copy_number_genes_measured(deep, "gene", gene="CDKN2A", change="deep_deletion"))
    assert np.isnan(copy_number_genes_measured(deep, "gene", gene="CDKN2A", change="loss"))


# 2p24.3: 12.2 to 16.7 Mb in hg19.
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (copy_number_genes_within("2", 14 * M, 15 * M, 5, COPY_NUMBER_GENES_END_2), 0),
        (copy_number_genes_within("2", 16 * M, 20 * M, 5, COPY_NUMBER_GENES_END_2), 0),
        (copy_number_genes_within("2", 17 * M, 20 * M, 5, COPY_NUMBER_GENES_END_2), 1),
        (copy_number_genes_within("12", 14 * M, 15 * M, 5, HG19["12"]), 1),
        # A long stretch at that level is a gain.
        (copy_number_genes_within("12", 14 * M, 24 * M, 5, HG19["12"]), 1),
        (copy_number_genes_within("12", 14 * M, 24 * M + 1, 5, HG19["12"]), 0),
        (copy_number_genes_within("X", 70 * M, 72 * M, 5, END_X), 0),
        ([], 0),
    ],
)
def test_an_amplification_outside_a_band(changed: list[Piece], expected: float) -> None:
    assert (
        copy_number_genes_measured(
            cohort(*copy_number_genes_genome(*changed)), "other_amplification", outside_band="2p24.3"
        )
        == expected
    )


def test_without_a_scale_an_amplification_outside_a_band_can_only_be_seen() -> None:
    flat = [(name, 0, end, 0.0) for name, end in HG19.items() if name != "12"]
    seen = cohort(*flat, *copy_number_genes_within("12", 14 * M, 15 * M, 5, HG19["12"]))
    assert copy_number_genes_measured(seen, "other_amplification", outside_band="2p24.3") == 1
    unseen = cohort(*flat, ("12", 0, HG19["12"], 0))
    assert np.isnan(copy_number_genes_measured(unseen, "other_amplification", outside_band="2p24.3"))


# ATRX: 76.76 to 77.04 Mb of X.
@pytest.mark.parametrize("centre", [0.0, 0.1])
@pytest.mark.parametrize(
    ("copies", "female", "male", "unknown"),
    [
        (0.0, 0, 0, 0),
        (-0.45, 0, 0, 0),
        (-0.55, 1, 0, np.nan),
        # One copy of two: a loss in females only. The only copy is half way from there to both.
        (-0.99, 1, 0, np.nan),
        (-1.001, 1, 1, np.nan),
        (-1.95, 1, 1, np.nan),
        (-2.05, 1, 1, 1),
    ],
)
def test_a_deletion_on_x(centre: float, copies: float, female: float, male: float, unknown: float) -> None:
    for sex, expected in (("female", female), ("male", male), (None, unknown)):
        table = cohort(
            *copy_number_genes_genome(),
            *copy_number_genes_within("X", 76 * M, 78 * M, copies, END_X),
            sex=sex,
            centre=centre,
        )
        assert same(copy_number_genes_measured(table, "deletion_on_x", gene="ATRX"), expected)


@pytest.mark.parametrize(("sex", "copies", "expected"), [("female", -0.5, 1), ("male", -1, 0), (None, -2, 1)])
def test_levels_between_two_numbers_of_copies(sex: str | None, copies: float, expected: float) -> None:
    table = cohort(*copy_number_genes_genome(), *copy_number_genes_within("X", 76 * M, 78 * M, copies, END_X), sex=sex)
    assert copy_number_genes_measured(table, "deletion_on_x", gene="ATRX") == expected


def test_the_lowest_piece_of_a_gene_on_x_counts_relative_to_the_rest_of_x() -> None:
    pieces = [("X", 0, 76_900_000, -1.0), ("X", 76_900_000, 77_000_000, -2.2), ("X", 77_000_000, END_X, -1.0)]
    for sex in ("male", "female"):
        assert (
            copy_number_genes_measured(
                cohort(*copy_number_genes_genome(), *pieces, sex=sex), "deletion_on_x", gene="ATRX"
            )
            == 1
        )
        whole = cohort(*copy_number_genes_genome(), ("X", 0, END_X, -2.2), sex=sex)
        assert copy_number_genes_measured(whole, "deletion_on_x", gene="ATRX") == 0
    flat = [(name, 0, end, 0.0) for name, end in HG19.items()]
    assert np.isnan(copy_number_genes_measured(cohort(*flat, *pieces, sex="male"), "deletion_on_x", gene="ATRX"))
    assert np.isnan(
        copy_number_genes_measured(
            cohort(*copy_number_genes_genome(), ("X", 0, 76 * M, 0), sex="male"), "deletion_on_x", gene="ATRX"
        )
    )


def alternating(name: str, levels: list[float], end: int) -> list[Piece]:
    """Pieces of 10 Mb; the last one fills the chromosome."""
    return [
        (name, place * 10 * M, (place + 1) * 10 * M if place + 1 < len(levels) else end, level)
        for place, level in enumerate(levels)
    ]


@pytest.mark.parametrize(
    ("levels", "switches"),
    [
        ([0, -1], 1),
        ([0, -1, 0], 2),
        ([0, -1, 0, -1], 3),
        # A third state ends the series; the switch into it begins the next.
        ([0, -1, 0, 1], 2),
        ([0, -1, 1, -1, 1], 3),
        # Two levels of one state are one piece.
        ([0, 1, 2, 0], 2),
        ([0, 0.2, 0, 0.2], 0),
    ],
)
def test_switches_between_two_states(levels: list[float], switches: int) -> None:
    table = cohort(*copy_number_genes_genome(*alternating("1", levels, HG19["1"])))
    assert copy_number_genes_measured(table, "oscillation") == pytest.approx(math.log1p(switches))
    assert copy_number_genes_measured(table, "oscillation", at_least=switches) == 1
    assert copy_number_genes_measured(table, "oscillation", at_least=switches + 1) == 0


def test_the_chromosome_with_the_longest_series_counts_and_x_does_not() -> None:
    pieces = [
        *alternating("1", [0, -1, 0], HG19["1"]),
        *alternating("2", [0, 1, 0, 1, 0], COPY_NUMBER_GENES_END_2),
        *alternating("3", [0, -1], HG19["3"]),
        *alternating("X", [0, -1] * 5, END_X),
    ]
    assert copy_number_genes_measured(cohort(*copy_number_genes_genome(*pieces)), "oscillation") == pytest.approx(
        math.log(5)
    )


def test_a_series_does_not_go_on_from_one_chromosome_to_the_next() -> None:
    pieces = [piece for name in "123" for piece in alternating(name, [0, -1], HG19[name])]
    assert copy_number_genes_measured(cohort(*copy_number_genes_genome(*pieces)), "oscillation") == pytest.approx(
        math.log(2)
    )
