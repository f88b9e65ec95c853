"""Which therapies address a patient's findings, in which order, and what the patient's own features contradict."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nbrelapse.mechanisms import Therapy, load_catalogue
from nbrelapse.mechanisms.addressing_therapies import AddressingTherapy, addressing_therapies
from nbrelapse.mechanisms.therapies import _Requirement

CATALOGUE = load_catalogue()
MDM2 = "MDM2 inhibitors (TP53 wild type)"


def addressed(mechanism: str, raising: list[str], values: dict[str, float]) -> dict[str, AddressingTherapy]:
    found = addressing_therapies(CATALOGUE, mechanism, raising, values)
    return {entry.therapy.name: entry for entry in found}


@pytest.mark.parametrize(
    ("tp53", "requirement"),
    [(1.0, "contradicted"), (0.0, "supported"), (math.nan, "unknown"), (None, "unknown")],
)
def test_mdm2_inhibitors_want_wild_type_tp53(tp53: float | None, requirement: str) -> None:
    values = {"p53__mdm2_amplification": 1.0} | ({} if tp53 is None else {"p53__tp53_mutation": tp53})
    entry = addressed("p53", ["p53__mdm2_amplification"], values)[MDM2]
    assert entry.requirement == requirement
    assert "TP53 wild type" in entry.note
    assert entry.findings == ("p53__mdm2_amplification",)


def test_what_is_contradicted_stands_last_whatever_its_evidence() -> None:
    none = dict.fromkeys(
        ["alk__hotspot_mutation", "alk__other_kinase_mutation", "alk__amplified", "alk__rearrangement"], 0.0
    )
    catalogue = replace(
        CATALOGUE, mechanisms={"alk": replace(CATALOGUE.mechanisms["alk"], therapies=("crizotinib", "6-thio-dG"))}
    )
    found = addressing_therapies(catalogue, "alk", [], none)
    assert [(entry.therapy.name, entry.requirement) for entry in found] == [
        ("6-thio-dG", "unknown"),
        ("crizotinib", "contradicted"),
    ]


@pytest.mark.parametrize(
    ("mutation", "amplified", "requirement"),
    [
        (1.0, 0.0, "supported"),
        (math.nan, 1.0, "supported"),
        (0.0, 0.0, "contradicted"),
        (0.0, math.nan, "unknown"),
        (math.nan, math.nan, "unknown"),
    ],
)
def test_alk_inhibitors_want_an_alk_alteration(mutation: float, amplified: float, requirement: str) -> None:
    values = {
        "alk__hotspot_mutation": mutation,
        "alk__other_kinase_mutation": 0.0,
        "alk__amplified": amplified,
        "alk__rearrangement": 0.0,
    }
    found = addressed("alk", ["alk__expression"], values)
    assert list(found) == ["crizotinib", "lorlatinib"]
    assert {entry.requirement for entry in found.values()} == {requirement}
    assert all(entry.findings == () for entry in found.values())


def test_6_thio_dg_is_contradicted_by_alternative_lengthening() -> None:
    entry = addressed("telomere", ["telomere__alt"], {"telomere__alt": 1.0})["6-thio-dG"]
    assert entry.requirement == "contradicted"
    assert "Alternative lengthening of telomeres" in entry.note


def test_a_requirement_that_no_feature_tells_is_unknown() -> None:
    entry = addressed("p53", ["p53__cdk4_amplification"], {"p53__cdk4_amplification": 1.0})["CDK4/6 inhibitors"]
    assert (entry.requirement, entry.note) == (
        "unknown",
        "It requires retained RB1 protein, which is not known of this patient.",
    )


def test_an_agent_named_by_mechanism_and_findings_stands_once() -> None:
    found = addressing_therapies(CATALOGUE, "microenvironment", ["microenvironment__gd2_synthesis"], {})
    assert [entry.therapy.name for entry in found] == ["dinutuximab", "naxitamab"]
    assert {entry.requirement for entry in found} == {"none"}
    assert {entry.note for entry in found} == {""}
    assert addressing_therapies(CATALOGUE, "clinical", ["clinical__log2_age"], {}) == []


def test_of_two_conditions_both_must_hold() -> None:
    both = Therapy("agent", requires=_Requirement("A without B", ("alk__amplified",), ("p53__tp53_mutation",)))
    alk = replace(CATALOGUE.mechanisms["alk"], therapies=("agent",))
    catalogue = replace(CATALOGUE, mechanisms={"alk": alk}, own_therapies={"agent": both})

    def judged(amplified: float, mutated: float) -> str:
        values = {"alk__amplified": amplified, "p53__tp53_mutation": mutated}
        return addressing_therapies(catalogue, "alk", [], values)[0].requirement

    assert judged(1.0, 0.0) == "supported"
    assert judged(1.0, 1.0) == "contradicted"
    assert judged(0.0, 0.0) == "contradicted"
    assert judged(1.0, math.nan) == "unknown"
    assert judged(math.nan, 0.0) == "unknown"


def test_agents_of_a_catalogue_without_evidence_come_after_those_with() -> None:
    alk = replace(CATALOGUE.mechanisms["alk"], therapies=("nobody's agent", "lorlatinib"))
    catalogue = replace(CATALOGUE, mechanisms={"alk": alk})
    found = addressing_therapies(catalogue, "alk", [], {"alk__amplified": 1.0})
    assert [entry.therapy.level for entry in found] == ["early", "not_reviewed"]
