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
    both = replace(CATALOGUE.features["p53__mdm2_amplification"], therapies=("crizotinib", MDM2, "6-thio-dG"))
    catalogue = replace(CATALOGUE, features={**CATALOGUE.features, "p53__mdm2_amplification": both})
    known = {"p53__mdm2_amplification": 1.0, **dict.fromkeys(CATALOGUE.therapies["crizotinib"].requires.any_of, 0.0)}
    found = addressing_therapies(catalogue, "p53", ["p53__mdm2_amplification"], known)
    assert [(entry.therapy.name, entry.requirement) for entry in found] == [
        (MDM2, "unknown"),
        ("6-thio-dG", "unknown"),
        ("crizotinib", "contradicted"),
    ]


ALTERED = "alk__subclonal_mutation"
"""Names both inhibitors, and is none of the alterations that they require."""


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
        ALTERED: 1.0,
        "alk__hotspot_mutation": mutation,
        "alk__other_kinase_mutation": 0.0,
        "alk__amplified": amplified,
        "alk__rearrangement": 0.0,
    }
    found = addressed("alk", [ALTERED], values)
    assert list(found) == ["crizotinib", "lorlatinib"]
    assert {entry.requirement for entry in found.values()} == {requirement}
    assert all(entry.findings == (ALTERED,) for entry in found.values())


def test_6_thio_dg_is_contradicted_by_alternative_lengthening() -> None:
    values = {"telomere__alt": 1.0, "telomere__tert_rearrangement": 1.0}
    entry = addressed("telomere", list(values), values)["6-thio-dG"]
    assert entry.requirement == "contradicted"
    assert "Alternative lengthening of telomeres" in entry.note
    assert addressed("telomere", ["telomere__alt"], {"telomere__alt": 1.0}) == {}


def test_a_requirement_that_no_feature_tells_is_unknown() -> None:
    entry = addressed("p53", ["p53__cdk4_amplification"], {"p53__cdk4_amplification": 1.0})["CDK4/6 inhibitors"]
    assert (entry.requirement, entry.note) == (
        "unknown",
        "It requires retained RB1 protein, which is not known of this patient.",
    )


def test_an_agent_named_by_two_findings_stands_once() -> None:
    values = {"p53__cdk4_amplification": 1.0, "p53__ccnd1_amplification": 1.0}
    found = addressing_therapies(CATALOGUE, "p53", list(values), values)
    assert [(entry.therapy.name, entry.findings) for entry in found] == [("CDK4/6 inhibitors", tuple(values))]


def test_what_requires_nothing_has_no_note() -> None:
    found = addressed("microenvironment", [GD2], {GD2: 0.2})
    assert list(found) == ["dinutuximab", "naxitamab"]
    assert {(entry.requirement, entry.note) for entry in found.values()} == {("none", "")}


def test_of_two_conditions_both_must_hold() -> None:
    both = Therapy("agent", requires=_Requirement("A without B", ("alk__amplified",), ("p53__tp53_mutation",)))
    gain = replace(CATALOGUE.features["alk__gain"], therapies=("agent",))
    catalogue = replace(CATALOGUE, features={**CATALOGUE.features, "alk__gain": gain}, own_therapies={"agent": both})

    def judged(amplified: float, mutated: float) -> str:
        values = {"alk__gain": 1.0, "alk__amplified": amplified, "p53__tp53_mutation": mutated}
        return addressing_therapies(catalogue, "alk", ["alk__gain"], values)[0].requirement

    assert judged(1.0, 0.0) == "supported"
    assert judged(1.0, 1.0) == "contradicted"
    assert judged(0.0, 0.0) == "contradicted"
    assert judged(1.0, math.nan) == "unknown"
    assert judged(math.nan, 0.0) == "unknown"


def test_agents_of_a_catalogue_without_evidence_come_after_those_with() -> None:
    amplified = replace(CATALOGUE.features["alk__amplified"], therapies=("nobody's agent", "lorlatinib"))
    catalogue = replace(CATALOGUE, features={**CATALOGUE.features, "alk__amplified": amplified})
    found = addressing_therapies(catalogue, "alk", ["alk__amplified"], {"alk__amplified": 1.0})
    assert [entry.therapy.level for entry in found] == ["early", "not_reviewed"]


GD2 = "microenvironment__gd2_synthesis"
NAMING = [name for name, feature in CATALOGUE.features.items() if feature.therapies]
ABSENT = [0.0, 0.49, math.nan, None]
"""Of a yes or no; None: not in the table at all."""


def test_every_agent_of_a_mechanism_has_a_finding_that_names_it() -> None:
    named = {
        (CATALOGUE.features[name].mechanism, agent) for name in NAMING for agent in CATALOGUE.features[name].therapies
    }
    listed = {(name, agent) for name, mechanism in CATALOGUE.mechanisms.items() for agent in mechanism.therapies}
    assert listed <= named


@pytest.mark.parametrize("feature", CATALOGUE.features)
def test_a_finding_names_its_agents_when_it_is_there_and_never_otherwise(feature: str) -> None:
    definition = CATALOGUE.features[feature]
    for value in ABSENT if definition.kind == "binary" else [-0.1, 0.0, math.nan, None]:
        known = {} if value is None else {feature: value}
        assert addressed(definition.mechanism, [feature], known) == {}
    there = addressed(definition.mechanism, [feature], {feature: 1.0})
    assert sorted(there) == sorted(definition.therapies)
    assert all(entry.findings == (feature,) for entry in there.values())


@pytest.mark.parametrize("feature", NAMING)
def test_all_other_findings_of_the_mechanism_do_not_name_it(feature: str) -> None:
    definition = CATALOGUE.features[feature]
    others = [
        name
        for name, other in CATALOGUE.features.items()
        if other.mechanism == definition.mechanism and not set(other.therapies) & set(definition.therapies)
    ]
    values = dict.fromkeys(others, 1.0) | {feature: 0.0}
    assert not set(addressed(definition.mechanism, [*others, feature], values)) & set(definition.therapies)


def test_a_no_that_raises_the_risk_names_nothing_beside_a_yes_that_does() -> None:
    values = {"p53__ccnd1_amplification": 0.0, "p53__cdk4_amplification": 0.0, "p53__tp53_mutation": 1.0}
    assert list(addressed("p53", list(values), values)) == ["WEE1 inhibitors"]


def test_a_finding_that_does_not_raise_the_risk_or_is_of_another_mechanism_names_nothing() -> None:
    values = {"p53__cdk4_amplification": 1.0, "alk__amplified": 1.0}
    assert addressed("p53", ["alk__amplified"], values) == {}


@pytest.mark.parametrize(
    ("kind", "parameters", "direction", "present", "absent"),
    [
        ("score", {"genes": ["A"]}, {"relapse": 1}, 0.1, -0.1),
        ("score", {"genes": ["A"]}, {}, 0.1, 0.0),
        ("score", {"genes": ["A"]}, {"relapse": -1}, -0.1, 0.1),
        ("score", {"genes": ["A"]}, {"relapse": -1, "refractory": 1}, 0.1, -0.1),
        ("score", {"gene": "A"}, {"relapse": 1}, 0.7, 0.4),
        ("score", {"gene": "A"}, {"relapse": -1}, 0.4, 0.7),
        ("score", {"difference": ["a", "b"]}, {"relapse": 0}, 0.1, -0.1),
        ("binary", {}, {"relapse": -1}, 1.0, 0.0),
        ("count", {}, {"relapse": 1}, 1.0, 0.0),
        ("count", {}, {"relapse": -1}, 3.0, 0.0),
        ("ordinal", {}, {}, 2.0, 0.0),
        ("fraction", {}, {}, 0.3, 0.0),
        ("continuous", {}, {"relapse": 1}, None, 9.0),
    ],
)
def test_what_is_present_by_kind_and_direction(
    kind: str, parameters: dict[str, object], direction: dict[str, int], present: float | None, absent: float
) -> None:
    definition = replace(
        CATALOGUE.features[GD2], kind=kind, parameters=parameters, direction=direction, therapies=("naxitamab",)
    )
    catalogue = replace(CATALOGUE, features={**CATALOGUE.features, GD2: definition})

    def named(value: float) -> list[str]:
        found = addressing_therapies(catalogue, "microenvironment", [GD2], {GD2: value})
        return [entry.therapy.name for entry in found]

    assert present is None or named(present) == ["naxitamab"]
    assert named(absent) == []
    assert named(math.nan) == []
