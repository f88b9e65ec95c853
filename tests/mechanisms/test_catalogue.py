"""The packaged catalogue, one's own laid over it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Catalogue, load_catalogue
from nbrelapse.mechanisms.catalogue import parse_catalogue

Extend = Callable[[str], Catalogue]

MECHANISM = {"title": "Methylation", "color": "#123456", "description": "Methylation of promoters."}
FEATURE = {
    "title": "PHOX2B loss",
    "definition": "1 if PHOX2B is truncated.",
    "assay": "mutations",
    "kind": "binary",
    "builder": "mutations",
    "genes": ["PHOX2B"],
    "variants": "truncating",
}
WHOLE = """
[alk.phox2b]
title = "PHOX2B loss"
definition = "1 if PHOX2B is truncated."
assay = "mutations"
kind = "binary"
builder = "mutations"
genes = ["PHOX2B"]
variants = "truncating"
"""


@pytest.fixture
def extended(tmp_path: Path) -> Extend:
    """A function: the catalogue that a text extends."""

    def load(text: str) -> Catalogue:
        (tmp_path / "my.toml").write_text(text, encoding="utf-8")
        return load_catalogue(tmp_path / "my.toml")

    return load


def test_every_file_of_features_belongs_to_a_mechanism() -> None:
    folder = resources.files("nbrelapse.mechanisms").joinpath("features")
    assert {file.name.removesuffix(".toml") for file in folder.iterdir()} == set(load_catalogue().mechanisms)


def test_every_packaged_entry_has_a_source() -> None:
    catalogue = load_catalogue()
    entries = [*catalogue.mechanisms.values(), *catalogue.features.values()]
    assert [entry.name for entry in entries if not entry.reference] == []


def test_titles_tell_the_features_of_a_mechanism_apart() -> None:
    titles = [(entry.mechanism, entry.title) for entry in load_catalogue().features.values()]
    assert sorted(set(titles)) == sorted(titles)


def test_a_catalogue_survives_its_own_document() -> None:
    catalogue = load_catalogue()
    assert parse_catalogue(catalogue.to_document()) == catalogue


def test_a_catalogue_of_version_1_is_read() -> None:
    found = parse_catalogue(
        {
            "version": "1",
            "alk": {
                "title": "ALK",
                "color": "#0072B2",
                "description": "The kinase.",
                "therapies": ["lorlatinib"],
                "reference": "10.1200/JCO.21.00086",
                "amplified": {
                    "title": "ALK amplification",
                    "definition": "Five or more copies.",
                    "assay": "copy_number",
                    "kind": "binary",
                    "builder": "copy_number",
                    "direction": {"relapse": 1},
                    "role": "feature",
                    "log_hazard_prior": {"os": 0.87, "source": "10.1200/JCO.21.00086", "adjusted": True},
                    "therapies": [],
                    "reference": "",
                    "measure": "gene",
                    "gene": "ALK",
                    "change": "amplification",
                },
                "expression": {
                    "title": "ALK expression",
                    "definition": "Rank.",
                    "assay": "expression",
                    "kind": "score",
                    "builder": "expression",
                    "direction": {"relapse": 0},
                    "role": "feature",
                    "log_hazard_prior": {},
                    "therapies": [],
                    "reference": "",
                    "gene": "ALK",
                },
            },
        }
    )
    assert found.version == "1"
    assert found.features["alk__amplified"].parameters == {"measure": "gene", "gene": "ALK", "change": "amplification"}
    assert found.features["alk__amplified"].direction_for("os") == 1
    assert found.features["alk__amplified"].direction_for("refractory") == 0
    assert found.features["alk__expression"].log_hazard_prior == {}


def test_a_new_feature_stands_after_those_of_its_mechanism(extended: Extend) -> None:
    packaged, found = load_catalogue(), extended(WHOLE)
    assert found.version == f"{packaged.version}+my"
    assert set(found.features) - set(packaged.features) == {"alk__phox2b"}
    assert [name for name in found.features if name.startswith("alk__")][-1] == "alk__phox2b"
    entry = found.features["alk__phox2b"]
    assert entry.parameters == {"genes": ["PHOX2B"], "variants": "truncating"}
    assert (entry.role, entry.direction, entry.therapies) == ("feature", {"relapse": 0}, ())
    assert load_catalogue() == packaged


def test_of_a_packaged_feature_the_named_keys_are_replaced(extended: Extend) -> None:
    before = load_catalogue().features["telomere__tert_rearrangement"]
    found = extended(
        'version = "wide"\n[telomere.tert_rearrangement]\nwindows = { hg19 = "5:753262-1795184" }\ndirection = 0\n'
    )
    after = found.features["telomere__tert_rearrangement"]
    assert found.version == f"{load_catalogue().version}+wide"
    assert after.parameters == {**before.parameters, "windows": {"hg19": "5:753262-1795184"}}
    assert after.direction == {"relapse": 0}
    assert (after.title, after.therapies) == (before.title, before.therapies)


def test_an_entry_that_names_its_builder_brings_its_own_parameters(extended: Extend) -> None:
    found = extended('[cell_state.adrenergic]\nbuilder = "expression"\ngene_set = "MY_SET"\n')
    assert found.features["cell_state__adrenergic"].parameters == {"gene_set": "MY_SET"}
    assert found.features["cell_state__adrenergic"].title == "Adrenergic state"


def test_features_and_mechanisms_are_removed(extended: Extend) -> None:
    found = extended("[clinical.male]\nremove = true\n[microenvironment]\nremove = true\n")
    gone = set(load_catalogue().features) - set(found.features)
    assert {name for name in gone if not name.startswith("microenvironment__")} == {"clinical__male"}
    assert "microenvironment" not in found.mechanisms


def test_a_new_mechanism_and_a_catalogue_that_stands_alone(extended: Extend) -> None:
    text = '[mine]\ntitle = "Mine"\ncolor = "#123456"\ndescription = "My own."\n' + WHOLE.replace("alk.", "mine.")
    assert list(extended(text).mechanisms)[-1] == "mine"
    alone = extended(f'extends = false\nversion = "7"\n{text}')
    assert (alone.version, list(alone.mechanisms), list(alone.features)) == ("7", ["mine"], ["mine__phox2b"])


def test_what_a_feature_reads_stays_with_it() -> None:
    catalogue = load_catalogue()
    assert catalogue.features["cell_state__adrn_minus_mes"].inputs == [
        "cell_state__adrenergic",
        "cell_state__mesenchymal",
    ]
    kept = catalogue.subset(["telomere__tert_activation"])
    assert set(kept.features) >= {"telomere__tert_activation", "telomere__tert_rearrangement"}
    assert list(kept.mechanisms) == ["telomere"]
    assert kept.version == catalogue.version


@pytest.mark.parametrize(
    ("change", "problem", "expected"),
    [
        ({"assay": "methylation"}, "illegal assay 'methylation'", "clinical, fish, mutations"),
        ({"kind": "boolean"}, "illegal kind 'boolean'", "binary, count"),
        ({"role": "target"}, "illegal role 'target'", "feature, gene, baseline"),
        ({"title": " "}, "illegal title ' '", "a short text"),
        ({"builder": ["mutations"]}, r"illegal builder \['mutations'\]", "the name of a builder"),
        ({"direction": 2}, "illegal direction 2", "1, -1 or 0"),
        ({"direction": True}, "illegal direction True", "1, -1 or 0"),
        ({"direction": {"relaps": 1}}, "illegal direction {'relaps': 1}", "relapse, efs, os, refractory"),
        ({"direction": {"relapse": "+"}}, "illegal direction", "1, -1 or 0"),
        ({"log_hazard_prior": 0.5}, "illegal log_hazard_prior 0.5", "endpoint = log hazard ratio"),
        ({"log_hazard_prior": {"os": 0.5, "adjusted": True}}, "illegal log_hazard_prior", "source"),
        ({"log_hazard_prior": {"os": 0.5, "source": "x"}}, "illegal log_hazard_prior", "adjusted"),
        ({"log_hazard_prior": {"source": "x", "adjusted": True}}, "illegal log_hazard_prior", "endpoint"),
        ({"log_hazard_prior": {"dss": 1.0, "source": "x", "adjusted": True}}, "illegal log_hazard_prior", "os"),
        ({"log_hazard_prior": {"os": 19.6, "source": "x", "adjusted": True}}, "illegal log_hazard_prior", "at most 5"),
        (
            {"log_hazard_prior": {"os": float("nan"), "source": "x", "adjusted": True}},
            "illegal log_hazard_prior",
            "log hazard ratio",
        ),
        (
            {"direction": {"os": -1}, "log_hazard_prior": {"os": 0.5, "source": "x", "adjusted": True}},
            "direction and log_hazard_prior of os contradict each other",
            "a negative log hazard ratio",
        ),
        ({"therapies": "lorlatinib"}, "illegal therapies 'lorlatinib'", "a list of texts"),
        ({"therapies": ["lorlatinib", "lorlatinib"]}, "illegal therapies", "each once"),
        ({"reference": 7}, "illegal reference 7", "a DOI"),
        ({"threshold": float("inf")}, "illegal value of the parameter threshold", "finite numbers"),
        ({"difference": ["alk__phox2b", "alk__none"]}, "does not exist: alk__none", None),
        ({"gene_set": "A"}, "a feature has both gene_set and genes", None),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_an_illegal_feature_is_refused(change: dict[str, object], problem: str, expected: str | None) -> None:
    with pytest.raises(InputError, match=problem) as error:
        parse_catalogue({"alk": {**MECHANISM, "phox2b": {**FEATURE, **change}}}, "my.toml")
    assert (error.value.file, error.value.column) == ("my.toml", "[alk.phox2b]")
    assert error.value.fix
    assert expected is None or expected in str(error.value.expected)


@pytest.mark.parametrize("key", ["title", "definition", "assay", "kind", "builder"])
def test_a_feature_without_a_key_is_refused(key: str) -> None:
    entry = {name: value for name, value in FEATURE.items() if name != key}
    with pytest.raises(InputError, match=f"{key} missing") as error:
        parse_catalogue({"alk": {**MECHANISM, "phox2b": entry}}, "my.toml")
    assert error.value.column == "[alk.phox2b]"


@pytest.mark.parametrize(
    ("document", "problem", "column"),
    [
        ({"alk": {**MECHANISM, "color": "red"}}, "illegal color 'red'", "[alk]"),
        ({"alk": {**MECHANISM, "color": "#12345"}}, "illegal color '#12345'", "[alk]"),
        ({"alk": {**MECHANISM, "therapies": "a"}}, "illegal therapies 'a'", "[alk]"),
        ({"alk": {**MECHANISM, "colour": "#123456"}}, "a mechanism has no key colour", "[alk]"),
        ({"alk": {"title": "ALK"}}, "color, description missing", "[alk]"),
        ({"alk": {**MECHANISM, "title": FEATURE}}, "illegal title", "[alk]"),
        ({"ALK": MECHANISM}, "illegal name 'ALK'", "[ALK]"),
        ({"alk": {**MECHANISM, "a__b": FEATURE}}, "illegal name 'a__b'", "[alk.a__b]"),
        ({"alk": MECHANISM, "mine": {**MECHANISM, "color": "#123456"}}, "alk and mine have the same color", "[mine]"),
        ({"genes": ["ALK"]}, "not a mechanism", "genes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_illegal_mechanism_is_refused(document: dict[str, object], problem: str, column: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        parse_catalogue(document, "my.toml")
    assert (error.value.file, error.value.column) == ("my.toml", column)


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("[alk.hotspt_mutation]\ngenes = ['ALK']\n", "title, definition, assay, kind, builder missing", "alk.hotspt"),
        ("[alk.none]\nremove = true\n", "what is to be removed does not exist", "[alk.none]"),
        ("[none]\nremove = true\n", "what is to be removed does not exist", "[none]"),
        ("[alk.gain]\nremove = 'yes'\n", "an entry that removes says nothing else", "[alk.gain]"),
        ("[alk.gain]\nremove = true\nkind = 'binary'\n", "an entry that removes says nothing else", "[alk.gain]"),
        (
            "[cell_state.adrenergic]\nremove = true\n",
            "does not exist: cell_state__adrenergic",
            "[cell_state.adrn_minus_mes]",
        ),
        ("[alk.a]\n[alk.a]\n", "not valid TOML", None),
        ("extends = 'no'\n", "illegal extends 'no'", None),
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", None),
    ],
    ids=[
        "misspelt",
        "no feature",
        "no mechanism",
        "no truth",
        "more",
        "read by another",
        "twice",
        "extends",
        "pointer",
    ],
)
def test_a_file_that_cannot_extend_is_refused(
    extended: Extend, tmp_path: Path, text: str, problem: str, column: str | None
) -> None:
    with pytest.raises(InputError, match=problem) as error:
        extended(text)
    assert error.value.file == str(tmp_path / "my.toml")
    assert column is None or column in str(error.value.column)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_catalogue(tmp_path / "my.toml")
    with pytest.raises(InputError, match="this is a folder"):
        load_catalogue(tmp_path)


def test_its_text_counts_features_by_mechanism() -> None:
    catalogue = load_catalogue().subset(["alk__amplified", "cell_state__adrn_minus_mes"])
    assert repr(catalogue).splitlines() == [
        f"Catalogue {catalogue.version}: 2 mechanisms, 4 features",
        " mechanism      title  features",
        "       alk        ALK         1",
        "cell_state Cell state         3",
    ]
    assert catalogue._repr_html_().startswith(f"<p>Catalogue {catalogue.version}: 2 mechanisms, 4 features</p><table")
    assert repr(Catalogue("7", {}, {})) == "Catalogue 7: 0 mechanisms, 0 features"
    assert len(repr(load_catalogue()).splitlines()) <= 24
