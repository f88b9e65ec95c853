from __future__ import annotations

from typing import Any

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.genome import GENE_SPANS
from nbrelapse.mechanisms.rearrangement_rule import rearrangement_rule

FLANKS = {
    "telomere__tert_rearrangement": 50_000,
    "mycn__enhancer_hijacking": 500_000,
    "mycn__myc_enhancer_hijacking": 500_000,
}
ENTRIES = load_catalogue().by_builder("rearrangements")


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_windows_of_the_catalogue_are_the_genes_and_their_flanks(entry: FeatureDefinition) -> None:
    rule, flank = rearrangement_rule(entry), FLANKS.get(entry.name, 0)
    for build, windows in rule.windows.items():
        spans = [GENE_SPANS[build][gene] for gene in rule.genes]
        assert windows == [(chromosome, first - flank, last + flank) for chromosome, first, last in spans]
    assert set(rule.windows) == (set(GENE_SPANS) if rule.genes else set())


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
        assert rearrangement_rule(entry).classes == ["DELETION"]
        return
    with pytest.raises(InputError, match=problem) as caught:
        rearrangement_rule(entry)
    assert caught.value.column == "[mycn.x]"
