"""Arms, bands and genome-wide measures at the very edges of their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import FeatureDefinition
from nbrelapse.mechanisms.builders.copy_number import build
from nbrelapse.mechanisms.genome import AUTOSOMES, chromosome_arms

GAIN, LOSS = 0.3, -0.4
HG19 = {name: int(chromosome_arms("hg19")["length"][name]) for name in AUTOSOMES}
GENOME = 2_881_033_286
M = 1_000_000
END_1, END_2, END_6, END_10, END_11 = 249_250_621, 243_199_373, 171_115_067, 135_534_747, 135_006_516

Piece = tuple[str, int, int, float]
"""Chromosome, first and last base, copies: 0 = neutral, 1 = a single-copy gain, -1 = a single-copy loss."""

LOST_10: Piece = ("10", 0, END_10, -1)
"""A profile without any change has no scale; this shows that there are tumour cells."""


def measured(measure: str, *pieces: Piece, build_name: str = "hg19", noise: float = 0.01, **parameters: Any) -> float:
    """One measure of one patient, whose segments are exactly the pieces."""
    rows = [("s", name, first, last, copies * (GAIN if copies > 0 else -LOSS)) for name, first, last, copies in pieces]
    cohort = Cohort(
        "one",
        pd.DataFrame({"patient_id": ["p"]}),
        pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
        pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": [build_name], "platform": ["P"]}),
        segments=pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"]),
        metadata={"platforms": {"P": {"centre": 0.0, "loss": LOSS, "gain": GAIN, "noise": noise}}},
    )
    entry = FeatureDefinition("x__y", "x", "", "", "copy_number", "continuous", "copy_number", parameters)
    parameters["measure"] = measure
    return float(build(cohort, [entry]).loc["p", "x__y"])


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
    assert measured("arm", *pieces, arm="3q", change="loss") == 0
    assert np.isnan(measured("arm", *pieces, arm="3q", change="loss", build_name="hg38"))


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
    assert measured("breakpoints", *pieces, noise=noise) == pytest.approx(math.log1p(6 + steps))


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


@pytest.mark.parametrize("measure", [measure for measure, _ in GENOME_WIDE])
def test_genome_wide_measures_of_a_profile_without_a_scale_are_missing(measure: str) -> None:
    assert np.isnan(measured(measure, *((name, 0, end, 0) for name, end in HG19.items())))
