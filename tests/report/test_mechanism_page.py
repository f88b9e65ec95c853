"""The catalogue in words."""

from __future__ import annotations

import re

from nbrelapse.mechanisms import Therapy, load_catalogue
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.report.facts import feature_facts
from nbrelapse.report.mechanism_page import mechanism_page


def entry(**more: object) -> FeatureDefinition:
    return FeatureDefinition("alk__x", "alk", "X", "X.", "copy_number", "binary", "copy_number", **more)


def test_only_what_an_entry_says_is_said() -> None:
    assert feature_facts(entry()) == {
        "assay": "copy number, binary",
        "builder": "copy_number",
        "direction": "no expectation",
    }


def test_evidence_is_a_hazard_ratio_with_its_source() -> None:
    prior = {"efs": 0.45, "os": 0.87, "source": "10.1000/a", "adjusted": True}
    found = feature_facts(entry(log_hazard_prior=prior, direction={"relapse": 1, "refractory": -1, "os": 0}))
    assert found["evidence"] == "hazard ratio 1.6 (efs), 2.4 (os), adjusted; 10.1000/a"
    assert found["direction"] == "raises relapse, lowers refractory"


def test_parameters_are_readable() -> None:
    parameters = {
        "arm": "11q",
        "both_ends": True,
        "windows": {"hg19": "5:1-2", "hg38": "5:3-4"},
        "positions": {"hg19": ["5:1:G>A", "5:2:G>A"]},
        "any_of": [{"genes": ["NRAS", "KRAS"], "protein_changes": ["G12*"]}, {"genes": ["BRAF"]}],
        "levels": {"mki": {"low": 0, "high": 2}},
    }
    assert feature_facts(entry(parameters=parameters))["builder"].splitlines() == [
        "copy_number",
        "arm: 11q",
        "both ends: yes",
        "windows: hg19 = 5:1-2, hg38 = 5:3-4",
        "positions: hg19 5:1:G>A, 5:2:G>A",
        "any of: genes NRAS, KRAS; protein changes G12*",
        "any of: genes BRAF",
        "levels: mki (low = 0, high = 2)",
    ]


def test_a_comparison_and_a_combination_say_so() -> None:
    facts = feature_facts(load_catalogue().features["clinical__cog_v2"])
    assert facts["assay"] == "combined from other features, ordinal; for comparison, models do not read it"


def test_the_page_names_every_feature_once_and_links_every_doi() -> None:
    catalogue = load_catalogue()
    page = mechanism_page(catalogue)
    assert re.findall(r"^- name: `(\w+)`$", page, flags=re.M) == list(catalogue.features)
    titles = [entry.title for entry in catalogue.mechanisms.values()]
    assert re.findall(r"^## (.+)$", page, flags=re.M) == [*titles, "Therapies"]
    assert re.findall(r"(?<![/\[])\b10\.\d{4,9}/", page) == []
    assert page == mechanism_page(catalogue)


def test_the_overview_links_to_the_headings() -> None:
    page = mechanism_page(load_catalogue())
    headings = re.findall(r"^## (.+)$", page, flags=re.M)
    anchors = [re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in headings]
    assert re.findall(r"\]\(#([^)]+)\)", page) == anchors


def test_a_doi_in_brackets_is_linked_without_them() -> None:
    page = mechanism_page(load_catalogue().subset(["cell_state__adrenergic"]))
    assert "([human TF" not in page
    assert "[10.1016/j.cell.2018.01.029](https://doi.org/10.1016/j.cell.2018.01.029))" in page


def test_the_page_says_of_every_therapy_what_was_shown_and_that_it_recommends_nothing() -> None:
    catalogue = load_catalogue()
    section = mechanism_page(catalogue).partition("## Therapies\n")[2]
    assert re.findall(r"^### (.+)$", section, flags=re.M) == list(catalogue.therapies)
    for label in ("evidence", "finding", "source"):
        assert len(re.findall(rf"^- {label}: ", section, flags=re.M)) == len(catalogue.therapies)
    assert "No recommendation." in section
    assert "Therapies" not in mechanism_page(catalogue.subset(["clinical__male"]))


def test_a_feature_names_its_agents_in_order_of_evidence() -> None:
    facts = feature_facts(entry(therapies=("some agent", "lorlatinib", "crizotinib")))
    assert facts["therapies"] == "crizotinib (single arm), lorlatinib (early), some agent (not reviewed)"
    own = {"some agent": Therapy("some agent", level="randomised")}
    assert feature_facts(entry(therapies=("some agent",)), own)["therapies"] == "some agent (randomised)"
