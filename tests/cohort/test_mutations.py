from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.genome import genome_landmarks
from nbrelapse.cohort.mutations import (
    _check_mutations,
    _repair_mutations,
    _repair_rearrangements,
    class_of_word,
    rearrangement_class,
    variant_numbers,
    without_germline,
)
from nbrelapse.errors import InputError

CHROMOSOMES = {"ALK": "2", "NRAS": "1", "KRAS": "12", "BRAF": "7", "TP53": "17", "TERT": "5"}


def mutation(gene: str, position: float, change: str | None = None, kind: str = "Missense_Mutation") -> pd.DataFrame:
    row = (gene, CHROMOSOMES[gene], position, position, change, kind)
    names = ["Hugo_Symbol", "Chromosome", "Start_Position", "End_Position", "HGVSp_Short", "Variant_Classification"]
    return pd.DataFrame([row], columns=names).astype({"HGVSp_Short": "str"})


@pytest.mark.parametrize("hotspot", genome_landmarks()["hotspots"], ids=lambda one: f"{one['gene']} {one['residue']}")
@pytest.mark.parametrize(("build", "other"), [("hg19", "hg38"), ("hg38", "hg19")])
def test_hotspots_in_both_builds(hotspot: dict[str, object], build: str, other: str) -> None:
    for base in range(int(hotspot.get("bases", 3))):  # type: ignore[call-overload]
        found = mutation(str(hotspot["gene"]), float(hotspot[build]) + base, f"p.{hotspot['residue']}X")  # type: ignore[arg-type]
        if "change" in hotspot:
            reference, _, alternative = str(hotspot["change"]).partition(">")
            found = found.assign(Reference_Allele=reference, Tumor_Seq_Allele2=alternative)
        _check_mutations(found, build, "f")
        _check_mutations(found, None, "f")
        with pytest.raises(InputError, match=f"the file says {other}, but") as caught:
            _check_mutations(found, other, "f")
        assert (caught.value.file, caught.value.column, caught.value.rows) == ("f", "Start_Position", [1])


def test_another_change_at_such_a_place_is_no_proof() -> None:
    _check_mutations(mutation("ALK", 29443695.0, kind="Intron"), "hg38", "f")
    _check_mutations(mutation("ALK", 29443695.0, "p.K99N"), "hg38", "f")
    with pytest.raises(InputError, match="ALK F1174 lies where hg19 has it"):
        _check_mutations(mutation("ALK", 29443695.0), "hg38", "f")


def test_the_last_base_of_a_chromosome() -> None:
    _check_mutations(mutation("TP53", 81195210.0), "hg19", "f")
    with pytest.raises(InputError, match="beyond the end of its chromosome in hg19"):
        _check_mutations(mutation("TP53", 81195211.0), "hg19", "f")
    _check_mutations(mutation("TP53", 81195211.0), "hg38", "f")


@pytest.mark.parametrize(
    ("start", "end", "alleles", "problem"),
    [
        (100.0, 99.0, ("A", "AT"), "ends before it starts"),
        (99.0, 100.0, ("A", "G"), "count from 0"),
    ],
)
def test_impossible_intervals(start: float, end: float, alleles: tuple[str, str], problem: str) -> None:
    good = mutation("ALK", 100.0, kind="Intron")
    wrong = good.assign(
        Start_Position=start, End_Position=end, Reference_Allele=alleles[0], Tumor_Seq_Allele2=alleles[1]
    )
    with pytest.raises(InputError, match=problem) as caught:
        _check_mutations(pd.concat([good, wrong], ignore_index=True), None, "f")
    assert (caught.value.file, caught.value.column) == ("f", "Start_Position, End_Position")
    assert caught.value.rows == [2]
    assert caught.value.expected and caught.value.fix


def test_an_insertion_between_two_bases_is_no_mistake() -> None:
    inserted = mutation("ALK", 99.0, kind="Intron").assign(
        End_Position=100.0, Reference_Allele="-", Tumor_Seq_Allele2="T"
    )
    _check_mutations(inserted, None, "f")


@pytest.mark.parametrize(("end", "alleles"), [(101.0, ("A", "TG")), (101.0, ("AC", "T")), (102.0, ("ACG", "T"))])
def test_changes_of_several_bases_span_them(end: float, alleles: tuple[str, str]) -> None:
    several = mutation("ALK", 100.0, kind="Intron").assign(
        End_Position=end, Reference_Allele=alleles[0], Tumor_Seq_Allele2=alleles[1]
    )
    _check_mutations(several, None, "f")


STATUS = pd.DataFrame(
    {
        "Hugo_Symbol": list("ABCDEFG"),
        "Mutation_Status": ["Somatic", "GERMLINE", "LOH", None, "Unknown", "germline", "Somatic"],
        "Validation_Status": ["Valid", None, "Valid", "Untested", "Invalid", "Wildtype", "redacted"],
    },
    index=[3, 4, 5, 6, 7, 8, 9],
)
"""B and F are germline; C, E and G say that there is no mutation, F as well."""


def test_only_somatic_rows_stay_and_each_left_out_is_counted_once() -> None:
    repairs = Repairs()
    left = without_germline(STATUS, "folder/a.maf", repairs)
    assert left["Hugo_Symbol"].tolist() == ["A", "D"]
    assert left.index.tolist() == [3, 6]
    assert list(repairs) == [
        "a.maf: 2 germline rows left out",
        "a.maf: 3 rows that say that there is no mutation left out",
    ]


def test_without_a_status_or_a_row_nothing_is_left_out() -> None:
    repairs = Repairs()
    plain = STATUS[["Hugo_Symbol"]]
    assert without_germline(plain, "a.maf", repairs) is plain
    assert without_germline(STATUS.iloc[:0], "a.maf", repairs).empty
    assert without_germline(STATUS.loc[[3, 6]], "a.maf", repairs)["Hugo_Symbol"].tolist() == ["A", "D"]
    assert list(repairs) == []


def test_structural_variants_have_a_status_of_their_own_and_none_left_is_an_error() -> None:
    calls = pd.DataFrame({"class": ["DEL", "DUP"], "SV_Status": ["SOMATIC", "Germline"]})
    assert without_germline(calls, "a.txt", Repairs())["class"].tolist() == ["DEL"]
    with pytest.raises(InputError, match="no row is a somatic event") as caught:
        without_germline(calls.iloc[1:], "a.txt", Repairs())
    assert (caught.value.file, caught.value.column) == ("a.txt", "SV_Status")
    with pytest.raises(InputError) as caught:
        without_germline(STATUS.loc[[4, 5]], "a.maf", Repairs())
    assert caught.value.column == "Mutation_Status, Validation_Status"
    assert caught.value.expected and caught.value.fix


def called(**columns: list[object]) -> pd.DataFrame:
    """Calls of sample s at one place, with what is told of them replaced."""
    rows = len(next(iter(columns.values())))
    row = {"sample_id": "s", "Hugo_Symbol": "TP53", "Chromosome": "17", "Start_Position": 7577538.0}
    row |= {"Reference_Allele": "C", "Tumor_Seq_Allele2": "T", "Variant_Classification": "Missense_Mutation"}
    return pd.DataFrame({name: [value] * rows for name, value in row.items()} | columns)


def test_a_row_that_repeats_another_is_removed_where_its_position_is_known() -> None:
    repairs = Repairs()
    calls = called(Start_Position=[5.0, 5.0, np.nan, np.nan, 5.0, 6.0], sample_id=["s", "s", "s", "s", "t", "s"])
    assert _repair_mutations(calls, repairs).index.tolist() == [0, 2, 3, 4, 5]
    assert list(repairs) == ["mutations: 1 rows that repeat another removed"]


def test_of_several_callers_the_one_with_most_reads_stays_and_the_first_of_equals() -> None:
    repairs = Repairs()
    calls = called(
        t_alt_count=[10.0, 30.0, np.nan, 20.0, 30.0, 3.0], t_ref_count=[90.0, 90.0, 500.0, np.nan, 90.0, 4.0]
    ).assign(Tumor_Seq_Allele2=["T", "T", "T", "T", "T", "A"])
    # 100 reads, 120, 500, 20, the second once more, and another variant of the place.
    assert _repair_mutations(calls, repairs).index.tolist() == [2, 5]
    assert list(repairs) == [
        "mutations: 1 rows that repeat another removed",
        "mutations: 3 rows of the same variant with other read counts removed",
    ]
    equal = called(t_alt_count=[40.0, 60.0], t_ref_count=[60.0, 40.0])
    assert _repair_mutations(equal, Repairs()).index.tolist() == [0]
    assert _repair_mutations(called(HGVSp_Short=["p.R1W", "p.R1W"]), Repairs()).index.tolist() == [0]
    uncounted = called(t_alt_count=[np.nan, 0.0], t_ref_count=[np.nan, 0.0])
    assert _repair_mutations(uncounted, Repairs()).index.tolist() == [1]


def test_variants_that_differ_in_more_than_reads_are_two() -> None:
    calls = called(HGVSp_Short=["p.R1W", "p.R2W"])
    assert _repair_mutations(calls, Repairs()).index.tolist() == [0, 1]


def test_classes_are_spelled_as_the_format_does_and_unknown_ones_named_with_the_legal() -> None:
    repairs = Repairs()
    words = ["missense_mutation", "Silent", "MISSENSE_MUTATION", "missense_mutation", "exonic", None]
    calls = called(Variant_Classification=words).assign(Start_Position=np.arange(6.0))
    found = _repair_mutations(calls, repairs)["Variant_Classification"]
    assert found.tolist()[:5] == ["Missense_Mutation", "Silent", *["Missense_Mutation"] * 2, "exonic"]
    assert found.isna().tolist() == [False] * 5 + [True]
    where = "mutations.Variant_Classification"
    assert sorted(repairs)[:3] == [
        f"{where}: 'MISSENSE_MUTATION' read as 'Missense_Mutation' (1)",
        f"{where}: 'exonic' is no class of the MAF format (1)",
        f"{where}: 'missense_mutation' read as 'Missense_Mutation' (2)",
    ]
    assert "legal are " in sorted(repairs)[3] and "Nonstop_Mutation" in sorted(repairs)[3]
    quiet = Repairs()
    _repair_mutations(called(Variant_Classification=["Silent", None]), quiet)
    assert list(quiet) == []


def test_rows_of_one_sample_place_and_change_are_one_variant() -> None:
    calls = called(
        sample_id=["s", "s", "t", "s", "s", "s", "s"],
        Chromosome=["17", "17", "17", "3", "17", "17", "17"],
        Tumor_Seq_Allele2=["T", "T", "T", "T", "G", None, None],
    )
    assert variant_numbers(calls).tolist() == [0, 0, 2, 3, 4, 5, 6]
    assert variant_numbers(calls.drop(columns="Chromosome")).tolist() == [*range(7)]
    assert variant_numbers(calls.iloc[:0]).tolist() == []


def test_structural_variants_repeat_each_other_where_either_position_is_known() -> None:
    repairs = Repairs()
    sites = {"site1_position": [5.0, 5.0, np.nan, np.nan, np.nan, np.nan], "site2_position": [np.nan] * 6}
    sites["site2_position"][2:4] = [7.0, 7.0]
    found = _repair_rearrangements(pd.DataFrame({"sample_id": "s", **sites}), repairs)
    assert found.index.tolist() == [0, 2, 4, 5]
    assert list(repairs) == ["rearrangements: 2 rows that repeat another removed"]


@pytest.mark.parametrize(
    ("strands", "positions", "expected"),
    [
        ("+-", (5, 9), "DELETION"),
        ("-+", (5, 9), "DUPLICATION"),
        ("++", (5, 9), "INVERSION"),
        ("--", (5, 9), "INVERSION"),
        # The site that comes first is told first, whichever the file calls site 1.
        ("-+", (9, 5), "DELETION"),
        ("+-", (9, 5), "DUPLICATION"),
        ("+-", (5, 5), "DELETION"),
        ("", (5, 9), None),
        (None, (5, 9), None),
    ],
)
def test_strands_tell_the_class_within_a_chromosome(
    strands: str | None, positions: tuple, expected: str | None
) -> None:
    call = {"class": ["BND"], "site1_chromosome": ["1"], "site2_chromosome": ["1"]}
    calls = pd.DataFrame(call | {"site1_position": [positions[0]], "site2_position": [positions[1]]})
    found = rearrangement_class(calls, pd.Series([strands], dtype="str"))
    assert found.isna().tolist() == [True] if expected is None else found.tolist() == [expected]
    assert rearrangement_class(calls).isna().all()
    elsewhere = calls.assign(site2_chromosome="2")
    assert rearrangement_class(elsewhere, pd.Series([strands], dtype="str")).tolist() == ["TRANSLOCATION"]
    assert rearrangement_class(elsewhere).tolist() == ["TRANSLOCATION"]
    assert rearrangement_class(elsewhere.assign(site2_chromosome=None)).isna().all()
    # A word that names a class comes before the strands and the chromosomes.
    assert rearrangement_class(elsewhere.assign(**{"class": "INV"}), pd.Series(["+-"])).tolist() == ["INVERSION"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["DEL", "Deletion", "del", " DELETION ", "DEL:ME"], "DELETION"),
        (["DUP", "Duplication", "DUP:TANDEM", "tandem-duplication", "Tandem duplication"], "DUPLICATION"),
        (["INV", "Inversion", "h2hINV", "t2tINV", "INV3"], "INVERSION"),
        (["t", "t(2;5)", "TRA", "Translocation", "CTX", "Interchromosomal translocation"], "TRANSLOCATION"),
        (["INS", "Insertion", "INS:ME:L1"], "INSERTION"),
    ],
)
def test_words(words: list[str], expected: str) -> None:
    assert class_of_word(pd.Series(words)).tolist() == [expected] * len(words)


def test_words_that_name_no_class() -> None:
    assert class_of_word(pd.Series(["BND", "FUSION", "TRANSCRIPT FUSION", "complex", "", None])).isna().all()
