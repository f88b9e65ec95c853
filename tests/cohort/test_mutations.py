from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort.genome import genome_landmarks
from nbrelapse.cohort.mutations import _check_mutations, class_of_word
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
        with pytest.raises(InputError, match=f"the file says {other}, but"):
            _check_mutations(found, other, "f")


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
    assert "rows: 2" in str(caught.value)


def test_an_insertion_between_two_bases_is_no_mistake() -> None:
    inserted = mutation("ALK", 99.0, kind="Intron").assign(
        End_Position=100.0, Reference_Allele="-", Tumor_Seq_Allele2="T"
    )
    _check_mutations(inserted, None, "f")


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
