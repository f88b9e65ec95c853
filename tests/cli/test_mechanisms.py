"""``nbrelapse mechanisms``: the catalogue as text, Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.mechanisms import load_catalogue
from nbrelapse.report.mechanism_page import mechanism_page

Run = Callable[..., Any]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_text_says_all_and_fits_the_terminal(nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = nbrelapse("mechanisms")
    assert (shown.code, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    assert max(len(line.rstrip()) for line in shown.out.splitlines()) <= columns
    words = " ".join(shown.out.split())
    for name, definition in load_catalogue().features.items():
        assert f"{name} {definition.title}" in words
        assert " ".join(definition.definition.split()) in words


def test_one_mechanism(nbrelapse: Run) -> None:
    shown = nbrelapse("mechanisms", "--mechanism", "alk")
    words = " ".join(shown.out.split())
    assert "hazard ratio 1.8 (os), adjusted; 10.1200/JCO.21.00086" in words
    assert "genes: ALK protein changes: F1174*, R1275*, F1245*" in words
    assert "therapies crizotinib (single arm), lorlatinib (early)" in words
    assert "evidence single arm: phase 2 trial" in words
    assert "objective response in 3 of 20 patients (15%, 95% CI 3.3-34.3%)" in words
    assert "requires an activating ALK alteration" in words
    assert "No recommendation." in words
    assert "dinutuximab" not in words
    assert "mycn__" not in shown.out
    both = nbrelapse("mechanisms", "--mechanism", "alk", "--mechanism", "p53", "--json").document
    assert [entry["name"] for entry in both["mechanisms"]] == ["alk", "p53"]


def test_json_holds_the_whole_catalogue(nbrelapse: Run) -> None:
    document = nbrelapse("mechanisms", "--json").document
    catalogue = load_catalogue()
    assert document["version"] == catalogue.version
    features = {entry["name"]: entry for mechanism in document["mechanisms"] for entry in mechanism["features"]}
    assert list(features) == list(catalogue.features)
    amplified = features["mycn__amplified"]
    assert amplified["direction"] == {"relapse": 1, "refractory": -1}
    assert amplified["hazard_ratio"]["os"] == math.exp(amplified["log_hazard_prior"]["os"])
    assert features["instability__loss_1p"]["parameters"]["arm"] == "1p"
    therapies = {entry["name"]: entry for entry in document["therapies"]}
    assert list(therapies) == list(catalogue.therapies)
    assert therapies["6-thio-dG"]["level"] == "preclinical"
    assert therapies["6-thio-dG"]["requires"]["none_of"] == ["telomere__alt"]


def test_markdown_is_the_page_of_the_documentation(nbrelapse: Run) -> None:
    assert nbrelapse("mechanisms", "--markdown").out == mechanism_page(load_catalogue())


def test_a_catalogue_of_one_s_own(nbrelapse: Run, empty: Path) -> None:
    (empty / "my.toml").write_text('[alk.gain]\nremove = true\n[alk.amplified]\ntitle = "Many copies"\n')
    shown = nbrelapse("mechanisms", "--catalogue", "my.toml", "--mechanism", "alk")
    assert "alk__amplified  Many copies" in shown.out
    assert "alk__gain" not in shown.out


def test_an_agent_without_evidence_is_said_to_be_not_reviewed(nbrelapse: Run, empty: Path) -> None:
    (empty / "my.toml").write_text('[alk.amplified]\ntherapies = ["some agent"]\n')
    words = " ".join(nbrelapse("mechanisms", "--catalogue", "my.toml", "--mechanism", "alk").out.split())
    assert "therapies some agent (not reviewed)" in words
    assert "some agent evidence not reviewed" in words


def test_a_mechanism_without_therapies_has_no_such_section(nbrelapse: Run) -> None:
    assert "Therapies" not in nbrelapse("mechanisms", "--mechanism", "clinical").out


def test_what_cannot_be_shown_is_refused(nbrelapse: Run, empty: Path) -> None:
    nbrelapse("mechanisms", "--mechanism", "alc").assert_refused("there is no mechanism alc", "mycn, alk, telomere")
    nbrelapse("mechanisms", "--json", "--markdown").assert_refused("two forms of one answer")
    nbrelapse("mechanisms", "--catalogue", "my.toml").assert_refused("the file does not exist", "my.toml")
    (empty / "my.toml").write_text('[alk.gain]\nassay = "array"\n')
    nbrelapse("mechanisms", "--catalogue", "my.toml").assert_refused(
        "illegal assay 'array'", "file: my.toml", "column: [alk.gain]", "expected: clinical, fish", "mend: "
    )
