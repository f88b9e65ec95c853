"""The packaged therapies, and those of a catalogue of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Therapy, load_catalogue, load_therapies
from nbrelapse.mechanisms.catalogue import parse_catalogue
from nbrelapse.mechanisms.catalogue_rules import _check_required_features, _check_therapies, _TherapyEntry
from nbrelapse.mechanisms.therapies import EVIDENCE_LEVELS, _Requirement

OWN = """
[alk.amplified]
therapies = ["lorlatinib", "ensartinib", "nobody's agent"]

[therapies."ensartinib"]
target = "the kinase ALK"
level = "early"
population = "Solid tumours."
finding = "1 of 8 responded."
source = "10.1000/example"
requires = { text = "ALK altered", any_of = ["alk__amplified"] }
"""


def test_the_catalogue_names_the_agents_of_the_file_and_no_other() -> None:
    assert set(load_catalogue().therapies) == set(load_therapies())


def test_every_packaged_therapy_is_complete_and_legal() -> None:
    tables = {name: therapy.to_table() for name, therapy in load_therapies().items()}
    _check_therapies(tables, "therapies.toml")
    _check_required_features(load_therapies(), load_catalogue().features, "therapies.toml")
    for table in tables.values():
        assert set(table) | {"requires"} == set(_TherapyEntry.model_fields)
        assert all(table[key].endswith(".") for key in ("population", "finding"))


def test_every_source_can_be_looked_up() -> None:
    findable = re.compile(r"10\.\d{4,9}/\S+|NCI PDQ .+ \d\d/\d\d/\d{4}|Clin Cancer Res 2017")
    assert [name for name, therapy in load_therapies().items() if not findable.search(therapy.source)] == []


@pytest.mark.parametrize("level", ["approved", "randomised", "single_arm"])
def test_what_was_shown_in_patients_is_said_with_a_figure(level: str) -> None:
    findings = [therapy.finding for therapy in load_therapies().values() if therapy.level == level]
    assert all(re.search(r"\d+ of \d+|\d%|ratio", finding) for finding in findings)


def test_an_approval_says_by_whom_and_when() -> None:
    approved = [therapy.finding for therapy in load_therapies().values() if therapy.level == "approved"]
    assert len(approved) == 3
    assert all(re.match(r"FDA, (\w+ )?20\d\d", finding) for finding in approved)


def test_figures_that_were_checked_against_their_sources() -> None:
    therapies = load_therapies()
    assert "0.48 (95% CI 0.27-0.85)" in therapies["eflornithine (DFMO)"].finding
    assert "not a randomised one" in therapies["eflornithine (DFMO)"].finding
    assert "56.6% against 46.1%" in therapies["dinutuximab"].finding
    assert "3 of 20 patients (15%, 95% CI 3.3-34.3%)" in therapies["crizotinib"].finding
    assert "26 of 52 patients (50%, 95% CI 36-64%)" in therapies["naxitamab"].finding
    assert "3 of 20 patients" in therapies["WEE1 inhibitors"].finding


def test_therapies_stand_in_order_of_evidence() -> None:
    levels = [therapy.level for therapy in load_catalogue().therapies.values()]
    assert levels == sorted(levels, key=list(EVIDENCE_LEVELS).index)
    assert list(EVIDENCE_LEVELS) == ["approved", "randomised", "single_arm", "early", "preclinical", "not_reviewed"]


def test_a_table_gives_the_therapy_that_it_came_from() -> None:
    requires = _Requirement("TP53 wild type", none_of=("p53__tp53_mutation",))
    therapy = Therapy("agent", "MDM2", "early", "Children.", "None of 3 responded.", "10.1000/example", requires)
    assert Therapy.from_table("agent", therapy.to_table()) == therapy
    assert (therapy.rank, therapy.level_title) == (3, "early")


def test_a_catalogue_of_one_s_own_says_what_is_known_of_its_agents(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(OWN, encoding="utf-8")
    catalogue = load_catalogue(tmp_path / "my.toml")
    assert list(catalogue.own_therapies) == ["ensartinib"]
    assert catalogue.therapies["ensartinib"].requires == _Requirement("ALK altered", ("alk__amplified",))
    assert catalogue.therapies["lorlatinib"] == load_therapies()["lorlatinib"]
    assert catalogue.therapies["nobody's agent"] == Therapy("nobody's agent")
    assert list(catalogue.therapies)[-1] == "nobody's agent"
    assert parse_catalogue(catalogue.to_document()) == catalogue
    saved = catalogue.subset(["alk__hotspot_mutation"])
    assert parse_catalogue(saved.to_document()) == saved


def test_a_catalogue_s_own_word_on_a_packaged_agent_counts(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(OWN.replace("ensartinib", "crizotinib"), encoding="utf-8")
    assert load_catalogue(tmp_path / "my.toml").therapies["crizotinib"].finding == "1 of 8 responded."


def test_the_document_of_the_packaged_catalogue_holds_no_evidence() -> None:
    """Bundles of every version have the same form; the evidence is that of the installed version."""
    assert "therapies" not in load_catalogue().to_document()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('level = "early"', 'level = "phase 1"', ["illegal level 'phase 1'", "approved, randomised, single_arm"]),
        ('level = "early"', 'level = "not_reviewed"', ["illegal level 'not_reviewed'"]),
        ('source = "10.1000/example"', "", ["source missing", '[therapies."ensartinib"]']),
        ('finding = "1 of 8 responded."', 'finding = ""', ["illegal finding ''", "with the figure"]),
        ('target = "the kinase ALK"', 'target = "ALK"\ndose = 3', ["a therapy has no key dose"]),
        ('text = "ALK altered", ', "", ["text missing", "requires"]),
        ('["alk__amplified"] }', '["alk__amplifed"] }', ["does not exist: alk__amplifed", "requires"]),
        ('["alk__amplified"] }', '"alk__amplified" }', ["illegal any_of", "a list of features"]),
        ('["alk__amplified"] }', '["alk__amplified"], all_of = [] }', ["a therapy has no key all_of"]),
        ('[therapies."ensartinib"]', "[therapies]", ["therapies are a table an agent"]),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    (tmp_path / "my.toml").write_text(OWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_catalogue(tmp_path / "my.toml")
    assert all(words in str(error.value) for words in [*said, "my.toml"])
