"""A feature table reads like its DataFrame."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_array

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Catalogue, FeatureTable, Therapy, load_catalogue
from nbrelapse.mechanisms.catalogue import parse_catalogue
from nbrelapse.mechanisms.feature_table import known_at, read_features, write_features
from nbrelapse.mechanisms.therapies import _Requirement

NAMES = ["mycn__amplified", "alk__amplified", "alk__gain"]


@pytest.fixture
def table() -> FeatureTable:
    values = pd.DataFrame(
        [[1.0, np.nan, np.nan], [0.0, 0.0, np.nan], [0.0, 1.0, 1.0], [np.nan, 0.0, 0.0]],
        index=pd.Index(list("abcd"), dtype="str", name="patient_id"),
        columns=NAMES,
    )
    return FeatureTable(values, load_catalogue())


def test_it_reads_like_its_frame(table: FeatureTable) -> None:
    assert table.shape == (4, 3)
    assert len(table) == 4
    assert list(table) == table.columns.tolist() == NAMES
    assert "alk__gain" in table
    assert "alk__hotspot_mutation" not in table
    assert table.index.tolist() == list("abcd")
    assert table.loc["c", "alk__gain"] == 1.0
    pd.testing.assert_series_equal(table["alk__gain"], table.values["alk__gain"])
    pd.testing.assert_frame_equal(table[NAMES[1:]], table.values[NAMES[1:]])
    pd.testing.assert_frame_equal(table[table["mycn__amplified"] == 1], table.values.iloc[[0]])
    np.testing.assert_array_equal(np.asarray(table), table.values.to_numpy())
    assert np.asarray(table, dtype=np.float32).dtype == np.float32


def test_it_cannot_be_changed_but_its_copy_can(table: FeatureTable) -> None:
    with pytest.raises(FrozenInstanceError):
        table.values = table.values.iloc[:1]  # type: ignore[misc]
    with pytest.raises(TypeError):
        table["mycn__amplified"] = 0.0  # type: ignore[index]
    frame = table.to_frame()
    frame["mycn__amplified"] = 7.0
    assert table.loc["a", "mycn__amplified"] == 1.0


def test_patients_are_taken_in_the_order_asked_for(table: FeatureTable) -> None:
    taken = table.take(pd.Index(["d", "a"]))
    pd.testing.assert_frame_equal(taken.values, table.values.iloc[[3, 0]])
    assert taken.catalogue is table.catalogue
    with pytest.raises(InputError, match="2 of the 3 patients are not in the feature table") as error:
        table.take(["x", "a", "y"])
    assert "x" not in str(error.value).split()


def test_features_are_selected_by_name_and_by_mechanism(table: FeatureTable) -> None:
    assert table.select("alk").columns.tolist() == NAMES[1:]
    assert table.select(["alk__gain", "mycn"]).columns.tolist() == ["mycn__amplified", "alk__gain"]
    assert table.select("alk").catalogue is table.catalogue
    with pytest.raises(InputError, match="no feature or mechanism telomere") as error:
        table.select(["alk", "telomere"])
    assert error.value.expected == "names of its columns, or mycn, alk"


def test_its_text_counts_features_and_assayed_patients_by_mechanism(table: FeatureTable) -> None:
    assert repr(table).splitlines() == [
        "FeatureTable: 4 patients, 3 features of 2 mechanisms",
        "mechanism  features  assayed patients",
        "     mycn         1                 3",
        "      alk         2                 3",
    ]
    assert repr(table.select([])) == "FeatureTable: 4 patients, 0 features of 0 mechanisms"
    html = table._repr_html_()
    assert html.startswith("<p>FeatureTable: 4 patients, 3 features of 2 mechanisms</p><table")
    assert "<td>mycn</td>" in html


def test_the_whole_catalogue_fits_one_screen() -> None:
    catalogue = load_catalogue()
    values = pd.DataFrame(0.0, index=[f"p{number}" for number in range(300)], columns=list(catalogue.features))
    lines = repr(FeatureTable(values, catalogue)).splitlines()
    assert len(lines) == len(catalogue.mechanisms) + 2 <= 24
    assert max(map(len, lines)) <= 80


def test_scikit_learn_splits_it_and_keeps_its_patients(table: FeatureTable) -> None:
    train, test = train_test_split(table, test_size=0.5, random_state=0)
    assert isinstance(train, FeatureTable)
    assert sorted([*train.index, *test.index]) == list("abcd")
    assert check_array(table, ensure_all_finite="allow-nan").shape == (4, 3)
    model = make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression())
    result = cross_validate(model, table, np.array([0, 1, 0, 1]), cv=KFold(2), return_indices=True, error_score="raise")
    assert len(result["test_score"]) == 2


STORAGE_NAMES = ["mycn__amplified_copy_number", "instability__loss_1p"]


@pytest.fixture
def storage_table() -> FeatureTable:
    whole = load_catalogue()
    values = pd.DataFrame(
        {STORAGE_NAMES[0]: [1.0, float("nan")], STORAGE_NAMES[1]: [0.1 + 0.2, 0.0]},
        index=pd.Index(["001", "b"], dtype="str", name="patient_id"),
    )
    return FeatureTable(
        values, Catalogue(whole.version, whole.mechanisms, {name: whole.features[name] for name in STORAGE_NAMES})
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, storage_table: FeatureTable, suffix: str) -> None:
    file = tmp_path / "new" / f"features{suffix}"
    manifest = write_features(storage_table, file)
    found = read_features(file)
    pd.testing.assert_frame_equal(found.values, storage_table.values, check_exact=True)
    assert found.catalogue.features == {name: storage_table.catalogue.features[name] for name in STORAGE_NAMES}
    assert manifest == tmp_path / "new" / f"features{suffix}.json"
    assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, manifest.name])


def test_therapies_of_one_s_own_are_kept_and_older_tables_have_none(
    tmp_path: Path, storage_table: FeatureTable
) -> None:
    requires = _Requirement("TP53 wild type", none_of=("p53__tp53_mutation",))
    own = {"agent": Therapy("agent", "MDM2", "early", "Children.", "1 of 8 responded.", "a paper", requires)}
    more = FeatureTable(storage_table.values, replace(storage_table.catalogue, own_therapies=own))
    manifest = write_features(more, tmp_path / "features.csv")
    assert read_features(tmp_path / "features.csv").catalogue.own_therapies == own
    document = json.loads(manifest.read_text())
    del document["therapies"]
    manifest.write_text(json.dumps(document))
    assert read_features(tmp_path / "features.csv").catalogue.own_therapies == {}


def test_patient_id_is_the_first_column(tmp_path: Path, storage_table: FeatureTable) -> None:
    write_features(storage_table, tmp_path / "features.csv")
    assert (tmp_path / "features.csv").read_text().splitlines() == [
        f"patient_id,{STORAGE_NAMES[0]},{STORAGE_NAMES[1]}",
        "001,1.0,0.30000000000000004",
        "b,,0.0",
    ]


def test_the_manifest_says_how_many_have_a_value_and_names_nobody(tmp_path: Path, storage_table: FeatureTable) -> None:
    manifest = json.loads(write_features(storage_table, tmp_path / "features.parquet").read_text())
    assert manifest["patients"] == 2
    assert [(entry["name"], entry["patients"]) for entry in manifest["features"]] == [
        (STORAGE_NAMES[0], 1),
        (STORAGE_NAMES[1], 2),
    ]
    assert "001" not in json.dumps(manifest["features"])


def test_bad_files_are_refused(tmp_path: Path, storage_table: FeatureTable) -> None:
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        write_features(storage_table, tmp_path / "features.xlsx")
    with pytest.raises(InputError, match="does not exist"):
        read_features(tmp_path / "features.csv")
    manifest = write_features(storage_table, tmp_path / "features.csv")
    (tmp_path / "features.csv").write_text("patient_id,other\n1,2\n")
    with pytest.raises(InputError, match="different features"):
        read_features(tmp_path / "features.csv")
    manifest.write_text("{")
    with pytest.raises(InputError, match="manifest cannot be read"):
        read_features(tmp_path / "features.csv")


def catalogue_with(**entries: dict[str, object]) -> Catalogue:
    document = load_catalogue().to_document()
    for name, entry in entries.items():
        document["clinical"][name] = {
            "title": name,
            "definition": "A test.",
            "assay": "clinical",
            "kind": "ordinal",
            "builder": "clinical",
        } | entry
    return parse_catalogue(document)


def test_all_packaged_features_are_known_at_diagnosis() -> None:
    catalogue = load_catalogue()
    assert {known_at(catalogue, name) for name in catalogue.features} == {0}


def test_a_feature_is_known_when_the_last_of_its_inputs_is() -> None:
    response = {"levels": {"induction_response": {"CR": 0, "PD": 1}}, "known_at_days": 150}
    later = {"builder": "combination", "any_of": ["clinical__response", "mycn__amplified"]}
    catalogue = catalogue_with(response=response, response_or_mycn=later)
    assert known_at(catalogue, "clinical__response") == 150
    assert known_at(catalogue, "clinical__response_or_mycn") == 150


@pytest.mark.parametrize(
    "entry",
    [
        {"column": "event_days"},
        {"column": "followup_days", "known_at_days": 10},
        {"levels": {"event": {"relapse": 1}}},
        {"levels": {"induction_response": {"PD": 1}}},
    ],
)
def test_the_outcome_and_a_response_without_a_day_are_never_known(entry: dict[str, object]) -> None:
    assert math.isinf(known_at(catalogue_with(late=entry), "clinical__late"))


def test_a_day_before_diagnosis_is_refused() -> None:
    with pytest.raises(InputError, match="illegal known_at_days -1"):
        catalogue_with(early={"column": "ldh", "known_at_days": -1})


def test_the_day_survives_the_way_into_a_bundle() -> None:
    catalogue = catalogue_with(late={"column": "ldh", "known_at_days": 90})
    assert parse_catalogue(catalogue.to_document()).features["clinical__late"].known_at_days == 90
