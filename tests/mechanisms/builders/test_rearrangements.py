from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders import rearrangements
from nbrelapse.mechanisms.builders.rearrangements import _clustered_breakpoints, _rearrangement_rule
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.genome import _GENE_SPANS

DEFINITIONS = {definition.name: definition for definition in load_catalogue().by_builder("rearrangements")}
TERT = "telomere__tert_rearrangement"
ATRX = "telomere__atrx_deletion"
ALK = "alk__rearrangement"
MYCN = "mycn__enhancer_hijacking"
NEURITE = "instability__neuritogenesis_rearrangement"
CLUSTERS = "instability__clustered_breakpoints"


def sv(sample: str, site1: tuple, site2: tuple = (None, None, None), kind: str = "TRANSLOCATION") -> tuple:
    return (sample, *site1, *site2, kind)


def values(name: str, calls: list[tuple], panels: list[str | None], build: str | None = "hg19") -> list[float]:
    samples = [f"s{number}" for number in range(len(panels))]
    patients = [f"p{number}" for number in range(len(panels) + 1)]
    table = pd.DataFrame(calls, columns=rearrangements._COLUMNS).astype("str")
    cohort = Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": patients}),
        pd.DataFrame({"sample_id": samples, "patient_id": patients[:-1], "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "rearrangements", "genome_build": build, "panel": panels}),
        panels=pd.DataFrame({"panel": ["P"], "gene": ["ALK"]}),
        rearrangements=table.astype({"site1_position": "float64", "site2_position": "float64"}),
    )
    column = rearrangements.build(cohort, [DEFINITIONS[name]])[name]
    assert column.dtype == np.float64
    return column.tolist()


@pytest.mark.parametrize(
    ("position", "build", "expected"),
    [
        (1203262, "hg19", 1.0),
        (1203261, "hg19", 0.0),
        (1345184, "hg19", 1.0),
        (1345185, "hg19", 0.0),
        (1203147, "hg38", 1.0),
        (1345068, "hg38", 1.0),
        (1345069, "hg38", 0.0),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_breakpoints_within_50_kb_of_tert(position: int, build: str, expected: float, side: int) -> None:
    sites = [(None, "5", position), (None, "7", 30_000_000)]
    found = values(TERT, [sv("s0", sites[side], sites[1 - side])], [None, None], build)
    np.testing.assert_array_equal(found, [expected, 0.0, np.nan])


@pytest.mark.parametrize(
    ("call", "build", "expected"),
    [
        (sv("s0", ("TERT", None, None)), "hg19", 1.0),
        (sv("s0", ("TERT", "5", 1_300_000)), None, 1.0),
        (sv("s0", ("TERT", "5", 9_000_000)), "hg19", 0.0),
        (sv("s0", ("ALK", "2", 29_500_000)), None, 0.0),
        (sv("s0", (None, "5", 1_300_000)), None, np.nan),
        (sv("s0", (None, None, None)), "hg19", np.nan),
        (sv("s0", (None, "7", 1_300_000)), "hg19", 0.0),
    ],
)
def test_the_symbol_decides_where_there_are_no_usable_coordinates(call: tuple, build: str, expected: float) -> None:
    np.testing.assert_array_equal(values(TERT, [call], [None], build), [expected, np.nan])


@pytest.mark.parametrize(
    ("start", "end", "kind", "expected"),
    [
        (76_800_000, 76_950_000, "DELETION", 1.0),
        (76_800_000, 76_950_000, "del", 1.0),
        (76_800_000, 76_950_000, "DUPLICATION", 0.0),
        (76_800_000, 77_500_000, "DEL", 0.0),
        (76_760_356, 77_041_702, "DEL", 1.0),
        (76_800_000, 76_950_000, "BND", np.nan),
        (1_000_000, 76_950_000, "BND", 0.0),
    ],
)
def test_atrx_deletions_lie_within_the_gene(start: int, end: int, kind: str, expected: float) -> None:
    call = sv("s0", ("ATRX", "X", start), ("ATRX", "X", end), kind)
    np.testing.assert_array_equal(values(ATRX, [call], [None]), [expected, np.nan])


def test_counts_are_of_all_and_need_the_whole_genome() -> None:
    calls = [sv("s0", (None, "1", 5), (None, "2", 6))] * 4 + [sv("s2", ("ALK", "2", 29_500_000))]
    found = values("instability__rearrangement_count", calls, [None, None, "P"])
    np.testing.assert_allclose(found, [np.log(5), 0.0, np.nan, np.nan])


def test_a_panel_without_tert_says_nothing_of_it() -> None:
    np.testing.assert_array_equal(values(TERT, [], ["P", None]), [np.nan, 0.0, np.nan])


def test_a_deletion_with_one_known_end_in_atrx_cannot_be_judged() -> None:
    call = sv("s0", ("ATRX", "X", 76_800_000), (None, None, None), "DEL")
    np.testing.assert_array_equal(values(ATRX, [call], [None]), [np.nan, np.nan])


def test_a_finding_counts_although_another_rearrangement_cannot_be_judged() -> None:
    calls = [sv("s0", (None, None, None)), sv("s0", ("TERT", "5", 1_300_000))]
    np.testing.assert_array_equal(values(TERT, calls, [None]), [1.0, np.nan])


@pytest.mark.parametrize(
    ("position", "build", "expected"),
    [
        (29_415_640, "hg19", 1.0),
        (30_144_432, "hg19", 1.0),
        (30_144_433, "hg19", 0.0),
        (29_192_774, "hg38", 1.0),
        (29_921_586, "hg38", 1.0),
        (29_921_587, "hg38", 0.0),
    ],
)
def test_breakpoints_within_alk(position: int, build: str, expected: float) -> None:
    call = sv("s0", (None, "2", position), (None, "2", 42_000_000), "INVERSION")
    np.testing.assert_array_equal(values(ALK, [call], [None], build), [expected, np.nan])


@pytest.mark.parametrize(
    ("first", "second", "kind", "expected"),
    [
        (("2", 16_000_000), ("12", 58_000_000), "TRA", 1.0),
        (("12", 58_000_000), ("2", 16_000_000), "BND", 1.0),
        (("2", 16_000_000), ("2", 40_000_000), "DEL", 1.0),
        (("2", 16_000_000), ("2", 40_000_000), "h2hINV", 1.0),
        (("2", 16_000_000), ("2", 40_000_000), "DUP", 0.0),
        (("2", 16_000_000), ("2", 16_500_000), "DEL", 0.0),
        (("2", 15_000_000), ("2", 40_000_000), "INV", 0.0),
        (("2", 16_000_000), ("2", 40_000_000), "BND", np.nan),
        (("2", 16_000_000), (None, None), "TRA", np.nan),
        (("2", 15_580_686), ("3", 1), "TRA", 1.0),
        (("2", 15_580_685), ("3", 1), "TRA", 0.0),
    ],
)
def test_enhancer_hijacking_brings_distant_dna_to_mycn(first: tuple, second: tuple, kind: str, expected: float) -> None:
    call = sv("s0", (None, *first), (None, *second), kind)
    np.testing.assert_array_equal(values(MYCN, [call], [None]), [expected, np.nan])


@pytest.mark.parametrize(
    ("genes", "expected"), [(("MYCN", "ALK"), 1.0), (("MYCN", "MYCN"), 0.0), (("MYCN", None), np.nan)]
)
def test_partners_are_told_by_symbol_without_coordinates(genes: tuple, expected: float) -> None:
    call = sv("s0", (genes[0], None, None), (genes[1], None, None), "INVERSION")
    np.testing.assert_array_equal(values(MYCN, [call], [None]), [expected, np.nan])


@pytest.mark.parametrize(
    ("site", "build", "expected"),
    [
        ((None, "9", 8_500_000), "hg19", 1.0),
        ((None, "4", 183_100_000), "hg19", 1.0),
        ((None, "4", 182_150_000), "hg38", 1.0),
        ((None, "4", 182_150_000), "hg19", 0.0),
        (("KIAA1455", None, None), "hg19", 1.0),
        (("ODZ3", None, None), "hg19", np.nan),  # TENM1 was ODZ3, too
        (("TENM3", None, None), None, 1.0),
    ],
)
def test_either_gene_of_neuritogenesis_also_by_a_former_symbol(site: tuple, build: str | None, expected: float) -> None:
    np.testing.assert_array_equal(values(NEURITE, [sv("s0", site)], [None], build), [expected, np.nan])


def test_a_panel_has_to_list_every_gene_to_say_no() -> None:
    calls = [sv("s1", ("ALK", "2", 29_500_000))]
    np.testing.assert_array_equal(values(ALK, calls, ["P", "P", "Q"]), [0.0, 1.0, np.nan, np.nan])
    np.testing.assert_array_equal(
        values(NEURITE, [sv("s0", ("PTPRD", "9", 8_500_000))], ["P", "P"]), [1.0, np.nan, np.nan]
    )


def shattered(sample: str, chromosome: str, joins: int = 5) -> list[tuple]:
    """Neighbours 1 Mb apart, two a join."""
    starts = [10_000_000 + 2_000_000 * number for number in range(joins)]
    return [sv(sample, (None, chromosome, start), (None, chromosome, start + 1_000_000), "DEL") for start in starts]


def test_chromosomes_with_clustered_breakpoints_are_counted() -> None:
    calls = shattered("s0", "5") + shattered("s1", "5") + shattered("s1", "17") + shattered("s2", "5", joins=4)
    found = values(CLUSTERS, calls, [None] * 4 + ["P"])
    np.testing.assert_allclose(found, [np.log(2), np.log(3), 0.0, 0.0, np.nan, np.nan])


def test_clusters_cannot_be_counted_where_a_rearrangement_has_no_place() -> None:
    calls = [*shattered("s0", "5"), sv("s0", ("ALK", None, None), ("EML4", None, None))]
    np.testing.assert_array_equal(values(CLUSTERS, calls, [None]), [np.nan, np.nan])


def test_the_same_events_in_both_builds_give_the_same_features() -> None:
    hg19 = [
        sv("s0", (None, "5", 1_300_000), (None, "2", 16_000_000)),
        sv("s1", (None, "X", 76_800_000), (None, "X", 76_950_000), "DELETION"),
        sv("s2", (None, "2", 29_500_000), (None, "8", 128_700_000), "INVERSION"),
        *shattered("s3", "17", joins=12),
    ]
    shift = {"5": -115, "2": -140_137, "X": 744_520, "8": -1_012_246, "17": 1_700_000}
    hg38 = [
        (sample, gene1, place1, at1 + shift[place1], gene2, place2, at2 + shift[place2], kind)
        for sample, gene1, place1, at1, gene2, place2, at2, kind in hg19
    ]
    for name in DEFINITIONS:
        np.testing.assert_array_equal(
            values(name, hg19, [None] * 5, "hg19"), values(name, hg38, [None] * 5, "hg38"), err_msg=name
        )
    assert values(MYCN, hg19, [None] * 5)[0] == 1.0


def test_row_order_and_side_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    calls = [
        sv(
            f"s{rng.integers(4)}",
            (None, str(rng.choice(["2", "5", "8", "X"])), float(rng.integers(1, 160_000_000))),
            (None, str(rng.choice(["2", "5", "8", "X"])), float(rng.integers(1, 160_000_000))),
            str(rng.choice(["DEL", "INV", "BND", "DUP"])),
        )
        for _ in range(400)
    ]
    turned = [(call[0], *call[4:7], *call[1:4], call[7]) for call in calls[::-1]]
    for name in DEFINITIONS:
        np.testing.assert_array_equal(values(name, calls, [None] * 4), values(name, turned, [None] * 4), err_msg=name)


def test_no_table_of_rearrangements() -> None:
    for name in DEFINITIONS:
        np.testing.assert_array_equal(values(name, [], [None]), [0.0, np.nan], err_msg=name)


FLANKS = {
    "telomere__tert_rearrangement": 50_000,
    "mycn__enhancer_hijacking": 500_000,
    "mycn__myc_enhancer_hijacking": 500_000,
}
ENTRIES = load_catalogue().by_builder("rearrangements")


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_windows_of_the_catalogue_are_the_genes_and_their_flanks(entry: FeatureDefinition) -> None:
    rule, flank = _rearrangement_rule(entry), FLANKS.get(entry.name, 0)
    for build, windows in rule.windows.items():
        spans = [_GENE_SPANS[build][gene] for gene in rule.genes]
        assert windows == [(chromosome, first - flank, last + flank) for chromosome, first, last in spans]
    assert set(rule.windows) == (set(_GENE_SPANS) if rule.genes else set())


@pytest.mark.parametrize(
    ("kind", "parameters", "problem"),
    [
        ("binary", {"genes": ["TERT"], "window": {}}, "does not read window"),
        ("binary", {}, "not clear which"),
        ("score", {"genes": ["TERT"]}, "not clear which"),
        ("count", {"classes": ["DEL"]}, "not clear which"),
        ("binary", {"genes": "TERT"}, "not a list"),
        ("binary", {"genes": []}, "not a list"),
        ("binary", {"genes": ["TERT"], "windows": {"hg18": "5:1-2"}}, "unknown genome build 'hg18'"),
        ("binary", {"genes": ["TERT"], "windows": "5:1-2"}, "not given by genome build"),
        ("binary", {"genes": ["TERT"], "windows": {"hg19": "chr5:1-2"}}, "'chr5:1-2' is no window"),
        ("binary", {"genes": ["TERT"], "windows": {"hg19": "25:1-2"}}, "is no window"),
        ("binary", {"genes": ["TERT"], "windows": {"hg19": "5:9-2"}}, "is no window"),
        ("binary", {"genes": ["TERT"], "windows": {"hg19": "5:1,000-2,000"}}, "is no window"),
        ("binary", {"genes": ["TERT", "ALK"], "windows": {"hg19": "5:1-2"}}, "1 windows for 2 genes"),
        ("binary", {"genes": ["TERT"], "classes": ["BND"]}, "unknown class"),
        ("binary", {"genes": ["TERT"], "classes": "DEL"}, None),
        ("binary", {"genes": ["TERT"], "both_ends": "yes"}, "both_ends is 'yes'"),
        ("binary", {"genes": ["TERT"], "both_ends": True, "partner_outside": True}, "exclude each other"),
        ("binary", {"genes": ["TERT"], "clusters": {"size": 10, "density": 10}}, "illegal clusters"),
        ("count", {"clusters": {"size": 1, "density": 10}}, "illegal clusters"),
        ("count", {"clusters": {"size": 10, "density": 0}}, "illegal clusters"),
        ("count", {"clusters": {"size": 10}}, "illegal clusters"),
        ("count", {"clusters": 10}, "illegal clusters"),
    ],
)
def test_parameters(kind: str, parameters: dict[str, Any], problem: str | None) -> None:
    entry = FeatureDefinition("mycn__x", "mycn", "X", "", "rearrangements", kind, "rearrangements", parameters)
    if problem is None:
        assert _rearrangement_rule(entry).classes == ["DELETION"]
        return
    with pytest.raises(InputError, match=problem) as caught:
        _rearrangement_rule(entry)
    assert caught.value.column == "[mycn.x]"


TEN = np.arange(10) * 1_000_000


def clustered(position: np.ndarray, chromosome: int | np.ndarray = 0, **options: float) -> list[bool]:
    zero = np.zeros(len(position), dtype=int)
    return _clustered_breakpoints(zero, zero + chromosome, position, **options).tolist()


def test_ten_close_breakpoints_are_a_cluster_nine_are_not() -> None:
    assert clustered(TEN) == [True] * 10
    assert clustered(TEN[:9]) == [False] * 9


def test_the_mean_distance_is_at_most_a_tenth_of_the_tumours() -> None:
    # Ten breakpoints: 310 Mb apart on average, so 9 gaps of 31 Mb at most.
    assert all(clustered(np.linspace(0, 9 * 31e6, 10).astype(int)))
    assert not any(clustered(np.linspace(0, 9 * 31e6 + 90, 10).astype(int)))


def test_breakpoints_elsewhere_make_the_tumours_own_mean_smaller() -> None:
    elsewhere = np.arange(90) * 2_500_000
    position = np.concatenate([np.arange(10) * 4_000_000, elsewhere])
    chromosome = np.repeat([0, 1], [10, 90])
    # 100 breakpoints, 31 Mb apart: a cluster needs 3.1 Mb.
    assert clustered(position, chromosome) == [False] * 10 + [True] * 90


def test_a_run_does_not_leave_its_chromosome_or_sample() -> None:
    assert not any(clustered(TEN, np.repeat([0, 1], 5)))
    assert not _clustered_breakpoints(np.repeat([0, 1], 5), np.zeros(10, dtype=int), TEN).any()


def test_a_long_run_is_marked_from_its_first_to_its_last() -> None:
    elsewhere = np.arange(50) * 5_000_000
    position = np.concatenate([[0], 200_000_000 + np.arange(12) * 1000, elsewhere])
    found = clustered(position, np.repeat([0, 1], [13, 50]))
    assert found == [False] + [True] * 12 + [False] * 50


@pytest.mark.parametrize("seed", [0, 1])
def test_row_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample, chromosome = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    position = np.where(chromosome == 1, rng.integers(0, 10_000_000, 200), rng.integers(0, 200_000_000, 200))
    straight = _clustered_breakpoints(sample, chromosome, position, size=8)
    order = rng.permutation(200)
    mixed = _clustered_breakpoints(sample[order], chromosome[order], position[order], size=8)
    assert straight.any()
    assert not straight.all()
    np.testing.assert_array_equal(mixed, straight[order])


def test_no_breakpoints() -> None:
    assert clustered(np.array([], dtype=int)) == []
