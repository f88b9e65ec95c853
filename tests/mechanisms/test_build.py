"""Builders by name: packaged ones, and those of other packages, whatever these do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Catalogue, build_features, load_catalogue
from nbrelapse.mechanisms.build import _PACKAGED, COMBINATION, load_builder


@pytest.fixture
def clinical_only() -> Cohort:
    return Cohort(
        "two",
        pd.DataFrame({"patient_id": ["p2", "p1"], "mycn_status": ["amplified", "not_amplified"]}),
        pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str"),
        pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str"),
    )


def test_absent_tables_give_missing_values_in_catalogue_order(clinical_only: Cohort) -> None:
    table = build_features(clinical_only)
    catalogue = load_catalogue()
    expected = [name for name, entry in catalogue.features.items() if "gene_set" not in entry.parameters]
    assert list(table.values.columns) == expected
    assert list(table.catalogue.features) == expected
    assert table.values.index.tolist() == ["p2", "p1"]
    assert set(table.values.dtypes.astype(str)) == {"float64"}
    assert table.values["mycn__amplified"].tolist() == [1.0, 0.0]
    molecular = [name for name in expected if catalogue.features[name].assay not in ("clinical", "fish")]
    assert len(molecular) > 40
    assert table.values[molecular].isna().all(axis=None)


def test_features_of_a_gene_set_appear_with_it(clinical_only: Cohort) -> None:
    catalogue = load_catalogue()
    wanting = {entry.parameters["gene_set"] for entry in catalogue.features.values() if "gene_set" in entry.parameters}
    signature = replace(
        catalogue.features["mycn__amplified"],
        name="cell_state__of_a_set",
        builder="expression",
        assay="expression",
        parameters={"gene_set": "MINE"},
    )
    catalogue = Catalogue("1", catalogue.mechanisms, {signature.name: signature})
    assert "MINE" not in wanting
    assert build_features(clinical_only, catalogue).values.shape == (2, 0)
    found = build_features(clinical_only, catalogue, {"MINE": ["PHOX2B", "GATA3"]})
    assert list(found.values.columns) == ["cell_state__of_a_set"]


def test_a_builder_that_does_not_exist_is_refused(clinical_only: Cohort) -> None:
    catalogue = load_catalogue()
    entry = replace(catalogue.features["mycn__amplified"], builder="methylation")
    with pytest.raises(InputError, match="methylation"):
        build_features(clinical_only, Catalogue("1", catalogue.mechanisms, {entry.name: entry}))


def test_a_feature_that_lacks_a_gene_set_is_left_out_with_what_is_computed_from_it(clinical_only: Cohort) -> None:
    packaged = load_catalogue()
    score = packaged.features["cell_state__adrenergic"]
    entries = [
        replace(score, name="cell_state__both", parameters={"gene_set": "UP", "gene_set_down": "DOWN"}),
        replace(score, name="cell_state__up", parameters={"gene_set": "UP"}),
        replace(score, name="cell_state__gap", parameters={"difference": ["cell_state__both", "cell_state__up"]}),
        replace(score, name="cell_state__any", builder="combination", parameters={"first_known": ["cell_state__gap"]}),
    ]
    catalogue = Catalogue("1", packaged.mechanisms, {entry.name: entry for entry in entries})
    up = build_features(clinical_only, catalogue, {"UP": ["PHOX2B"]})
    assert list(up.values.columns) == list(up.catalogue.features) == ["cell_state__up"]
    both = build_features(clinical_only, catalogue, {"UP": ["PHOX2B"], "DOWN": ["PRRX1"]})
    assert list(both.values.columns) == [entry.name for entry in entries]
    assert both.catalogue.features["cell_state__both"].parameters == {"gene_set": "UP", "gene_set_down": "DOWN"}


def test_combinations_read_what_the_other_builders_built(clinical_only: Cohort) -> None:
    catalogue = load_catalogue().subset(["mycn__any_amplification"])
    table = build_features(clinical_only, catalogue)
    assert table.values["mycn__any_amplification"].tolist() == [1.0, 0.0]
    assert list(table.values.columns) == list(catalogue.features)


def test_a_misspelt_parameter_is_refused(clinical_only: Cohort, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[alk.hotspot_mutation]\nprotein_change = ["F1174*"]\n')
    with pytest.raises(InputError, match="the builder mutations does not read protein_change") as error:
        build_features(clinical_only, load_catalogue(tmp_path / "my.toml"))
    assert error.value.column == "[alk.hotspot_mutation]"
    assert "protein_changes" in str(error.value.expected)


Install = Callable[..., None]

BUILD = """
import pandas as pd

def build(cohort, definitions):
    days = cohort.patients.set_index(cohort.patient_ids)["age_days"]
    columns = {entry.name: (days > entry.parameters["days"]).astype("float64").where(days.notna())
               for entry in definitions}
    return pd.DataFrame(columns, index=cohort.patient_ids)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A function: put a package with a builder on the path, as pip would."""
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def put(code: str, *, name: str = "older_than", package: str = "nb-age", target: str = "build") -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        metadata = tmp_path / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[nbrelapse.builders]\n{name} = {module}:{target}\n")

    yield put
    for module in set(sys.modules) - modules:
        del sys.modules[module]


@pytest.fixture
def cohort() -> Cohort:
    return Cohort(
        "three",
        pd.DataFrame({"patient_id": ["p2", "p1", "p3"], "age_days": [4000.0, None, 10.0]}),
        pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str"),
        pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str"),
    )


@pytest.fixture
def catalogue() -> Catalogue:
    packaged = load_catalogue()
    entry = replace(
        packaged.features["clinical__male"],
        name="clinical__adolescent",
        builder="older_than",
        parameters={"days": 3652},
    )
    return Catalogue("1", packaged.mechanisms, {entry.name: entry})


@pytest.mark.parametrize("name", _PACKAGED)
def test_the_packaged_builders_are_found(name: str) -> None:
    assert load_builder(name).__module__ == f"nbrelapse.mechanisms.builders.{name}"


def test_a_package_brings_a_builder(install: Install, cohort: Cohort, catalogue: Catalogue) -> None:
    install(BUILD)
    values = build_features(cohort, catalogue).values
    expected = pd.DataFrame({"clinical__adolescent": [1.0, None, 0.0]}, index=cohort.patient_ids)
    pd.testing.assert_frame_equal(values, expected)


def test_a_broken_package_that_no_feature_needs_does_no_harm(install: Install, cohort: Cohort) -> None:
    install("raise RuntimeError\n")
    assert build_features(cohort, load_catalogue().subset(["clinical__male"])).values.shape == (3, 1)


def test_load_builder_a_builder_that_does_not_exist_is_refused(install: Install) -> None:
    install(BUILD)
    with pytest.raises(InputError, match="a builder that does not exist: methylation") as error:
        load_builder("methylation")
    assert error.value.expected == ", ".join([*_PACKAGED, COMBINATION, "older_than"])
    assert "nbrelapse.builders" in str(error.value.fix)


@pytest.mark.parametrize("name", ["older_than", "mutations"])
def test_two_builders_of_one_name_are_refused(install: Install, name: str) -> None:
    install(BUILD, name=name)
    if name == "older_than":
        install(BUILD, name=name, package="nb-years")
    with pytest.raises(InputError, match=f"more than one package has a builder {name}") as error:
        load_builder(name)
    assert "nb-age" in str(error.value.fix)


@pytest.mark.parametrize(
    ("code", "target", "problem"),
    [
        ("import not_there_at_all\n", "build", "cannot be imported: ModuleNotFoundError: No module named"),
        ("def build(:\n", "build", "cannot be imported: SyntaxError"),
        (BUILD, "other", "cannot be imported: AttributeError"),
        ("build = 7\n", "build", "is not a function"),
    ],
    ids=["a module missing", "syntax", "no such function", "no function"],
)
def test_a_package_that_cannot_be_imported_is_named(install: Install, code: str, target: str, problem: str) -> None:
    install(code, target=target)
    with pytest.raises(InputError, match=problem) as error:
        load_builder("older_than")
    assert "the builder older_than of the package nb-age" in error.value.problem
    assert error.value.column == f"nb_age:{target}"


def test_a_builder_that_fails_is_named_and_its_words_are_not_repeated(
    install: Install, cohort: Cohort, catalogue: Catalogue
) -> None:
    install("def build(cohort, definitions):\n    raise KeyError('p2')\n")
    with pytest.raises(InputError) as error:
        build_features(cohort, catalogue)
    assert error.value.problem == "the builder older_than of the package nb-age failed: KeyError"
    assert error.value.column == "[clinical.adolescent]"
    assert "nb_age.py, line 2, in build" in str(error.value)
    assert "p2" not in str(error.value)


def test_what_a_builder_refuses_is_passed_on(install: Install, cohort: Cohort, catalogue: Catalogue) -> None:
    install(
        "from nbrelapse.mechanisms.builder_rules import check_parameters\n"
        "def build(cohort, definitions):\n    check_parameters(definitions[0], ['years'])\n"
    )
    with pytest.raises(InputError, match="the builder older_than does not read days") as error:
        build_features(cohort, catalogue)
    assert (error.value.column, error.value.expected) == ("[clinical.adolescent]", "years")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("[0, 1]", "a list"),
        ("pd.DataFrame({'clinical__adolescent': [1.0, 0.0, 1.0]})", "other rows than the patients"),
        ("pd.DataFrame({'clinical__adolescent': 1.0}, index=cohort.patient_ids[::-1])", "other rows"),
        ("pd.DataFrame({'adolescent': 1.0}, index=cohort.patient_ids)", "other columns than the definitions"),
        ("pd.DataFrame({'clinical__adolescent': 'x'}, index=cohort.patient_ids)", "values that are no numbers"),
        ("pd.DataFrame({'clinical__adolescent': float('inf')}, index=cohort.patient_ids)", "infinite values"),
        ("pd.DataFrame({'clinical__adolescent': 2.0}, index=cohort.patient_ids)", "other than 0 and 1"),
    ],
    ids=["no table", "other rows", "other order", "other columns", "text", "infinite", "not binary"],
)
def test_a_wrong_answer_is_refused(
    install: Install, cohort: Cohort, catalogue: Catalogue, answer: str, problem: str
) -> None:
    install(f"import pandas as pd\ndef build(cohort, definitions):\n    return {answer}\n")
    with pytest.raises(InputError, match=f"of the package nb-age returned .*{problem}"):
        build_features(cohort, catalogue)
