"""A therapy in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.explanation.explanation import Explanation, roll_up
from nbrelapse.mechanisms import FeatureTable, Therapy, load_catalogue
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.mechanisms.therapies import _Requirement
from nbrelapse.report.facts import (
    _COUNTS,
    _cooccurrence_rows,
    _driving_mechanisms,
    _game_rows,
    _mechanism_rows,
    agents_in_words,
    feature_patients,
    mechanism_patients,
    therapy_facts,
)


def test_all_that_is_known_is_said_in_a_fixed_order() -> None:
    requires = _Requirement("TP53 wild type", none_of=("p53__tp53_mutation",))
    therapy = Therapy("agent", "MDM2", "single_arm", "Children.", "1 of 9 responded.", "10.1000/example", requires)
    facts = therapy_facts(therapy)
    assert list(facts) == ["acts on", "evidence", "population", "finding", "requires", "source"]
    assert facts["evidence"].startswith("single arm: phase 2 trial")
    assert facts["requires"] == "TP53 wild type"


def test_agents_of_one_level_keep_their_order() -> None:
    therapies = {
        name: Therapy(name, level=level) for name, level in (("a", "early"), ("b", "approved"), ("c", "early"))
    }
    assert agents_in_words(["c", "a", "b"], therapies) == "b (approved), c (early), a (early)"
    assert agents_in_words([], therapies) == ""


def test_only_measured_findings_drive(explanation: Explanation, catalogue: Catalogue) -> None:
    values = explanation.values
    mutated = str(values.index[values["alk__hotspot_mutation"] == 1][0])
    unknown = str(values.index[values["alk__hotspot_mutation"].isna()][0])
    drivers = {row["title"]: row for row in _driving_mechanisms(explanation, mutated, catalogue)}
    assert drivers["ALK"]["findings"] == ["ALK kinase hotspot mutation: yes"]
    assert [row["name"] for row in drivers["ALK"]["therapies"]] == ["lorlatinib"]
    assert "ALK" not in {row["title"] for row in _driving_mechanisms(explanation, unknown, catalogue)}


def test_an_agent_comes_with_its_level_finding_and_source(explanation: Explanation, catalogue: Catalogue) -> None:
    mutated = str(explanation.values.index[explanation.values["alk__hotspot_mutation"] == 1][0])
    drivers = {row["title"]: row for row in _driving_mechanisms(explanation, mutated, catalogue)}
    (agent,) = drivers["ALK"]["therapies"]
    assert agent["level"] == "early"
    assert agent["finding"]
    assert agent["source"]


def test_what_the_model_does_not_read_contradicts_all_the_same(explanation: Explanation, catalogue: Catalogue) -> None:
    mutated = str(explanation.values.index[explanation.values["alk__hotspot_mutation"] == 1][0])
    wants = Therapy("lorlatinib", requires=_Requirement("no lengthening", none_of=("telomere__alt",)))
    own = replace(catalogue, own_therapies={"lorlatinib": wants})

    def note(known: dict[str, float]) -> tuple[bool, str]:
        drivers = {row["title"]: row for row in _driving_mechanisms(explanation, mutated, own, known)}
        (agent,) = drivers["ALK"]["therapies"]
        return agent["contradicted"], agent["note"]

    contradicted, why = note({"telomere__alt": 1.0})
    assert contradicted
    assert why.startswith("Contradicted")
    assert note({}) == (False, "It requires no lengthening, which is not known of this patient.")


def test_a_no_that_raises_the_risk_is_a_finding_without_an_agent(
    explanation: Explanation, catalogue: Catalogue
) -> None:
    """The model holds the mutation to lower the risk, so that its absence raises it."""
    free = str(explanation.values.index[explanation.values["alk__hotspot_mutation"] == 0][0])
    turned = explanation.features.copy()
    turned.loc[free, "alk__hotspot_mutation"] = 0.3
    found = _driving_mechanisms(replace(explanation, features=turned), free, catalogue)
    (alk,) = [row for row in found if row["title"] == "ALK"]
    assert alk["findings"] == ["ALK kinase hotspot mutation: no"]
    assert alk["therapies"] == []


NAN = float("nan")


@pytest.fixture
def cohort() -> Cohort:
    """A: two diagnosis samples. B: a diagnosis and a relapse sample. C: only at relapse. D: nothing at all."""
    samples = pd.DataFrame(
        [
            ("A1", "A", "diagnosis"),
            ("A2", "A", "diagnosis"),
            ("B1", "B", "diagnosis"),
            ("B2", "B", "relapse"),
            ("C1", "C", "relapse"),
        ],
        columns=["sample_id", "patient_id", "timepoint"],
    )
    assays = pd.DataFrame(
        [
            ("A1", "mutations"),
            ("A2", "mutations"),
            ("A2", "copy_number"),
            ("B1", "copy_number"),
            ("B2", "mutations"),
            ("C1", "mutations"),
            ("C1", "copy_number"),
        ],
        columns=["sample_id", "assay"],
    )
    return Cohort("four", pd.DataFrame({"patient_id": list("ABCD")}), samples, assays)


@pytest.fixture
def table(cohort: Cohort) -> FeatureTable:
    values = pd.DataFrame(
        {
            "mycn__amplified": [1.0, NAN, 0.0, NAN],
            "mycn__amplified_copy_number": [0.0, NAN, NAN, NAN],
            "mycn__any_amplification": [1.0, NAN, 0.0, NAN],
            "p53__tp53_mutation": [NAN, NAN, NAN, NAN],
            "p53__mdm2_amplification": [NAN, 1.0, NAN, NAN],
            "p53__cdk4_amplification": [0.0, NAN, NAN, NAN],
        },
        index=cohort.patient_ids,
    )
    return FeatureTable(values, load_catalogue())


def test_features_are_counted_by_their_diagnosis_sample(cohort: Cohort, table: FeatureTable) -> None:
    found = feature_patients(cohort, table)
    assert found[["assay", *_COUNTS]].apply(tuple, axis=1).to_dict() == {
        # The patients' table is the record of FISH: B and D are not assayed.
        "mycn__amplified": ("fish", 2, 0, 2),
        "mycn__amplified_copy_number": ("copy_number", 1, 1, 2),
        "mycn__any_amplification": ("combined", 2, 1, 1),
        "p53__tp53_mutation": ("mutations", 0, 1, 3),
        "p53__mdm2_amplification": ("copy_number", 1, 1, 2),
        "p53__cdk4_amplification": ("copy_number", 1, 1, 2),
    }


def test_a_mechanism_is_known_where_one_of_its_features_is(cohort: Cohort, table: FeatureTable) -> None:
    found = mechanism_patients(cohort, table)
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        ("mycn", "any", 2, 1, 1),
        ("mycn", "fish", 2, 0, 2),
        ("mycn", "copy_number", 1, 1, 2),
        ("p53", "any", 2, 0, 2),
        ("p53", "mutations", 0, 1, 3),
        ("p53", "copy_number", 2, 0, 2),
    ]
    assert list(found["assay"].cat.categories) == ["any", "fish", "mutations", "copy_number"]


def test_combinations_do_not_count_for_a_mechanism(cohort: Cohort, table: FeatureTable) -> None:
    everybody = table.values.assign(mycn__any_amplification=1.0)
    pd.testing.assert_frame_equal(
        mechanism_patients(cohort, FeatureTable(everybody, table.catalogue)), mechanism_patients(cohort, table)
    )


def test_the_order_of_samples_does_not_matter(cohort: Cohort, table: FeatureTable) -> None:
    turned = Cohort(cohort.name, cohort.patients, cohort.samples[::-1], cohort.assays[::-1])
    pd.testing.assert_frame_equal(feature_patients(turned, table), feature_patients(cohort, table))


def test_all_patients_are_counted_in_each_row(cohort: Cohort, table: FeatureTable) -> None:
    for counts in (feature_patients(cohort, table), mechanism_patients(cohort, table)):
        assert (counts[_COUNTS].sum(axis=1) == len(cohort.patient_ids)).all()
        assert (counts[_COUNTS].dtypes == np.int64).all()


def test_pairs_are_written_the_largest_ratio_first_and_those_of_too_few_last(catalogue: Catalogue) -> None:
    table = pd.DataFrame(
        [
            ("mycn", "alk", 0, 0, np.nan, np.nan, np.nan, np.nan, False),
            ("mycn", "p53", 1200, 11, 12.44, 0.3, -0.1, 0.7, True),
            ("alk", "p53", 200, 3, 12.0, -1.25, -2.0, -0.5, True),
            ("alk", "clinical", 200, 4, 2.0, 3.0, 1.0, 5.0, False),
        ],
        columns=["first", "second", "assayed", "both", "expected", "log_odds_ratio", "low", "high", "enough"],
    )
    rows = _cooccurrence_rows(table, catalogue)
    assert [list(row.values()) for row in rows] == [
        ["ALK", "p53 pathway", "200", "3", "12.0", "−1.25", "−2.00 to −0.50"],
        ["MYCN amplification", "p53 pathway", "1,200", "11", "12.4", "+0.30", "−0.10 to +0.70"],
        ["MYCN amplification", "ALK", "0", "0", "–", "too few patients", ""],
        ["ALK", "Clinical", "200", "4", "2.0", "too few patients", ""],
    ]


def test_the_largest_sum_comes_first_and_nothing_is_said_without_a_game(catalogue: Catalogue) -> None:
    columns = ["importance", "importance_grouped", "spearman", "mean_absolute_difference", "mean_difference"]
    table = pd.DataFrame([[0.1, 0.12, None, 0.02, 0.0], [0.5, 0.4, 0.987, 0.1, 0.1]], ["alk", "mycn"], columns)
    first, second = _game_rows(table.astype(float), catalogue)
    assert (first["title"], first["sum"], first["game"]) == ("MYCN amplification", "0.500", "0.400")
    assert (first["difference"], first["spearman"], second["spearman"]) == ("0.100", "0.987", "–")
    assert _game_rows(None, catalogue) == []


def _explained(features: dict[str, list[float]]) -> Explanation:
    """Contributions of 0.1 a column, the later the less, to two patients whose values are given."""
    values = pd.DataFrame(features, index=["A", "B"])
    contributions = values.fillna(0.0) * 0 + np.linspace(0.5, 0.1, values.shape[1])
    mechanism_of = pd.Series({name: name.split("__")[0] for name in values}, dtype="object")
    rolled = roll_up(contributions, mechanism_of)
    return Explanation(0.0, contributions, rolled, values, contributions.sum(axis=1), mechanism_of)


P53 = {
    "p53__tp53_mutation": [NAN, NAN],
    "p53__mdm2_amplification": [NAN, NAN],
    "p53__any_alteration": [NAN, NAN],
    "p53__activity": [0.1, NAN],
    "p53__apoptosis": [0.2, -0.1],
}


def test_a_mechanism_that_expression_alone_saw_is_not_described_by_lesions() -> None:
    (row,) = _mechanism_rows(_explained(P53), load_catalogue())
    assert (row["assays"], row["counted"]) == ("expression", "2 of 5 features")
    assert row["unread"] == "mutations, copy number"
    titles = [load_catalogue().features[name].title for name in ("p53__activity", "p53__apoptosis")]
    assert row["description"] == "; ".join(titles) + "."


def test_a_mechanism_is_described_by_what_was_read_whatever_the_assay() -> None:
    (row,) = _mechanism_rows(_explained(P53 | {"p53__mdm2_amplification": [1.0, 0.0]}), load_catalogue())
    assert row["assays"] == "copy number, expression"
    assert "MDM2 amplification" in row["description"]
    assert "TP53" not in row["description"]


def test_a_combination_is_read_from_the_parts_that_were_seen() -> None:
    seen = P53 | {"p53__mdm2_amplification": [1.0, 0.0], "p53__any_alteration": [1.0, NAN]}
    (row,) = _mechanism_rows(_explained(seen), load_catalogue())
    assert (row["assays"], row["unread"]) == ("copy number, expression", "mutations")


def test_of_a_mechanism_that_nobody_was_assayed_for_nothing_is_described() -> None:
    (row,) = _mechanism_rows(_explained({"alk__amplified": [NAN, NAN]}), load_catalogue())
    assert (row["assays"], row["counted"], row["unread"]) == ("nothing", "0 of 1 feature", "copy number")
    assert row["description"] == "Nobody has a value of any of its features."


def test_of_many_features_the_first_are_named_and_the_others_counted() -> None:
    arms = [f"instability__{arm}" for arm in ("loss_1p", "loss_3p", "loss_4p", "loss_11q", "gain_1q", "gain_2p")]
    (row,) = _mechanism_rows(_explained({arm: [1.0, 0.0] for arm in arms}), load_catalogue())
    assert (row["assays"], row["counted"]) == ("copy number", "6 features")
    assert row["description"].startswith(load_catalogue().features[arms[0]].title)
    assert row["description"].endswith("; and 1 more.")


def test_both_pages_say_what_each_mechanism_was_read_from(report: Path, cohort_report: Path) -> None:
    for page in (report, cohort_report):
        text = page.read_text(encoding="utf-8")
        assert '<th scope="col">Read from</th>' in text
        assert "<td>clinical<small>3 features</small></td>" in text
        assert "About p53 pathway." not in text
