from __future__ import annotations

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.driving_mechanisms import driving_mechanisms


def test_only_measured_findings_drive(explanation: Explanation, catalogue: Catalogue) -> None:
    values = explanation.values
    mutated = str(values.index[values["alk__hotspot_mutation"] == 1][0])
    unknown = str(values.index[values["alk__hotspot_mutation"].isna()][0])
    drivers = {row["title"]: row for row in driving_mechanisms(explanation, mutated, catalogue)}
    assert drivers["ALK"]["findings"] == ["ALK kinase hotspot mutation: yes"]
    assert [row["name"] for row in drivers["ALK"]["therapies"]] == ["lorlatinib"]
    assert "ALK" not in {row["title"] for row in driving_mechanisms(explanation, unknown, catalogue)}


def test_an_agent_comes_with_its_level_finding_and_source(explanation: Explanation, catalogue: Catalogue) -> None:
    mutated = str(explanation.values.index[explanation.values["alk__hotspot_mutation"] == 1][0])
    drivers = {row["title"]: row for row in driving_mechanisms(explanation, mutated, catalogue)}
    (agent,) = drivers["ALK"]["therapies"]
    assert agent["level"] == "early"
    assert agent["finding"]
    assert agent["source"]


def test_what_the_model_does_not_read_contradicts_all_the_same(explanation: Explanation, catalogue: Catalogue) -> None:
    mutated = str(explanation.values.index[explanation.values["alk__hotspot_mutation"] == 1][0])

    def note(known: dict[str, float]) -> tuple[bool, str]:
        drivers = {row["title"]: row for row in driving_mechanisms(explanation, mutated, catalogue, known)}
        (agent,) = drivers["ALK"]["therapies"]
        return agent["contradicted"], agent["note"]

    enabling = catalogue.therapies["lorlatinib"].requires
    assert enabling is not None
    contradicted, why = note(dict.fromkeys((*enabling.any_of, *enabling.none_of), 0.0))
    assert contradicted
    assert why.startswith("Contradicted")
    assert note({}) == (False, f"It requires {enabling.text}, which is not known of this patient.")
