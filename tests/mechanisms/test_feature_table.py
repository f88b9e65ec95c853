"""A feature table reads like its DataFrame."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_array

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureTable, load_catalogue

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
