from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders._mutation_rules import check_mutation_rules, short_protein_changes
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue

GENES: dict[str, Any] = {"genes": ["ALK"]}
CODON = {"hg19": ["2:29443695-29443697"]}


def entry(parameters: dict[str, Any], kind: str = "binary") -> FeatureDefinition:
    return FeatureDefinition("alk__mine", "alk", "Mine", "", "mutations", kind, "mutations", parameters)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"gene": ["ALK"]}, "gene"),
        ({"genes": "ALK"}, "genes"),
        ({"genes": []}, "genes"),
        ({"genes": [""]}, "genes"),
        (GENES | {"variants": "missense"}, "variants"),
        (GENES | {"variants": ["truncating"]}, "variants"),
        (GENES | {"protein_changes": ["Phe1174"]}, "protein_changes"),
        (GENES | {"protein_changes": ["1392-1116"]}, "protein_changes"),
        (GENES | {"protein_changes": []}, "protein_changes"),
        (GENES | {"except_changes": [1174]}, "except_changes"),
        (GENES | {"protein_changes": ["F1174*"], "codons": {"R1275": CODON}}, "codons"),
        (GENES | {"protein_changes": ["F1174*"], "codons": {"F1174": {"hg18": CODON["hg19"]}}}, "codons"),
        (GENES | {"protein_changes": ["F1174*"], "codons": {"F1174": {"hg19": ["2:9-8"]}}}, "codons"),
        (GENES | {"protein_changes": ["F1174*"], "codons": {"F1174": "2:29443695-29443697"}}, "codons"),
        (GENES | {"protein_changes": ["F1174*"], "codons": {"F1174": {"hg19": [29443695]}}}, "codons"),
        (GENES | {"positions": {"hg19": ["5:1295228"]}}, "positions"),
        (GENES | {"positions": {"hg19": ["5:1295228:G>A"]}, "variants": "truncating"}, "positions"),
        (GENES | {"vaf_above": 20}, "vaf_above"),
        (GENES | {"vaf_at_most": True}, "vaf_at_most"),
        (GENES | {"vaf_at_least": float("nan")}, "vaf_at_least"),
        ({"vaf_above": 0.2}, "vaf_above"),
        ({"protein_changes": ["V600E"]}, "protein_changes"),
        ({"any_of": []}, "any_of"),
        ({"any_of": ["ALK"]}, "any_of"),
        ({"any_of": [{"variants": "truncating"}]}, "keys"),
        ({"any_of": [GENES | {"gene": "ALK"}]}, "gene"),
        ({"any_of": [GENES], "genes": ["TP53"]}, "genes"),
        ({"any_of": [GENES | {"vaf_above": 2}]}, "vaf_above"),
        ({"exome_mb": 30}, "kind"),
        ({"least_mb": 0.2}, "least_mb"),
    ],
)
def test_an_entry_that_no_rule_can_mean_is_refused(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        check_mutation_rules(entry(parameters))
    assert caught.value.column == "[alk.mine]"
    assert named in caught.value.problem
    assert caught.value.expected


def test_codons_of_no_protein_change_are_named() -> None:
    parameters = GENES | {"protein_changes": ["F1174*"], "codons": {"R1275": CODON, "F1174": CODON, "F1245": CODON}}
    with pytest.raises(InputError, match="illegal codons 'F1245, R1275'"):
        check_mutation_rules(entry(parameters))


def test_a_burden_needs_the_size_of_the_exome() -> None:
    with pytest.raises(InputError, match="illegal kind"):
        check_mutation_rules(entry({}, "continuous"))
    with pytest.raises(InputError, match="illegal exome_mb"):
        check_mutation_rules(entry({"exome_mb": 0}, "continuous"))
    assert check_mutation_rules(entry({"exome_mb": 30}, "continuous")) == [{"exome_mb": 30}]


def test_the_packaged_entries_are_legal() -> None:
    rules = [check_mutation_rules(definition) for definition in load_catalogue().by_builder("mutations")]
    assert all(rules)


@pytest.mark.parametrize("build", ["hg19", "hg38"])
def test_packaged_codons_have_three_bases(build: str) -> None:
    found = 0
    for definition in load_catalogue().by_builder("mutations"):
        for rule in check_mutation_rules(definition):
            for codon, intervals in rule.get("codons", {}).items():
                ends = [interval.partition(":")[2].split("-") for interval in intervals[build]]
                bases = sum(int(last) - int(first) + 1 for first, last in ends)
                residues = 1 if codon[0].isalpha() else 1392 - 1116 + 1
                assert bases == 3 * residues
                found += 1
    assert found > 20


@pytest.mark.parametrize(
    ("raw", "short"),
    [
        ("p.Gln61Lys", "Q61K"),
        ("ENSP00000373700.3:p.Phe1174Leu", "F1174L"),
        (" p.V600E ", "V600E"),
        ("p.Arg213Ter", "R213*"),
        ("p.Glu1757LysfsTer5", "E1757Kfs*5"),
        ("p.Glu746_Ala750del", "E746_A750del"),
        ("p.Phe1174=", "F1174="),
        ("X1174_splice", "X1174_splice"),
    ],
)
def test_one_spelling(raw: str, short: str) -> None:
    assert short_protein_changes(pd.Series([raw])).tolist() == [short]


@pytest.mark.parametrize("nothing", ["", "p.", "p.?", ".", "-", None])
def test_nothing_said_is_missing(nothing: str | None) -> None:
    found = short_protein_changes(pd.Series([nothing, "p.V600E", nothing], index=[7, 8, 9], dtype="str"))
    assert found.index.tolist() == [7, 8, 9]
    assert found.isna().tolist() == [True, False, True]
