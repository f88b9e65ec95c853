"""Features and outcomes of the same patients are brought together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.models.design import align_patients
from nbrelapse.outcome import SURVIVAL_DTYPE, Outcome


def ids(text: str) -> pd.Index:
    return pd.Index(list(text), name="patient_id", dtype="str")


@pytest.fixture
def table() -> FeatureTable:
    values = pd.DataFrame({"mycn__amplified": [1.0, 0.0, np.nan, 0.0]}, index=ids("abcd"))
    return FeatureTable(values, load_catalogue())


def outcome(patients: str, excluded: dict[str, int] | None = None) -> Outcome:
    y = np.array([(position % 2, 10.0 + position) for position in range(len(patients))], dtype=SURVIVAL_DTYPE)
    return Outcome("efs", ids(patients), y, excluded or {})


def test_the_same_patients_are_left_as_they_are(table: FeatureTable) -> None:
    y = outcome("abcd")
    features, values = align_patients(table, y)
    assert features is table.values
    assert values is y.y


def test_another_order_becomes_that_of_the_outcome(table: FeatureTable) -> None:
    y = outcome("dbca")
    for X in (table, table.values):
        features, values = align_patients(X, y)
        assert features.index.tolist() == list("dbca")
        assert features["mycn__amplified"].tolist()[3] == 1.0
        assert values is y.y


def test_patients_that_the_outcome_says_it_has_left_out_are_left_out(table: FeatureTable) -> None:
    features, values = align_patients(table, outcome("ca", {"first event not recorded": 1, "death not recorded": 1}))
    assert features.index.tolist() == ["c", "a"]
    assert len(values) == 2


@pytest.mark.parametrize(
    ("patients", "excluded", "problem", "fix"),
    [
        ("ca", {}, "2 of X are not in y", r"X.take\(y.patient_ids\)"),
        ("abc", {"death not recorded": 2}, "1 of X is not in y", r"X.take\(y.patient_ids\)"),
        ("abcdef", {}, "2 of y are not in X", r"y.take\(X.index\)"),
        ("abcx", {"death not recorded": 1}, "1 of X is not in y, 1 of y is not in X", "intersection"),
        ("aacd", {}, "y has more than one row of a patient: 1 of its 4 rows", "leave out the repeated rows"),
    ],
)
def test_other_patients_are_refused_by_number(
    table: FeatureTable, patients: str, excluded: dict[str, int], problem: str, fix: str
) -> None:
    with pytest.raises(InputError, match=problem) as error:
        align_patients(table, outcome(patients, excluded))
    assert pd.Series([error.value.fix]).str.contains(fix).all()
    assert error.value.rows is None


def test_a_patient_twice_in_the_features_is_refused(table: FeatureTable) -> None:
    with pytest.raises(InputError, match="X has more than one row of a patient: 1 of its 5 rows"):
        align_patients(table.values.loc[list("abcda")], outcome("abcd"))


def test_a_series_is_matched_by_its_index(table: FeatureTable) -> None:
    features, values = align_patients(table, pd.Series([0, 0, 1, 1], index=list("dcba")))
    assert features.index.tolist() == list("dcba")
    assert values.tolist() == [0, 0, 1, 1]
    with pytest.raises(InputError, match="4 of X are not in y, 4 of y are not in X"):
        align_patients(table, pd.Series([0, 0, 1, 1]))
    with pytest.raises(InputError, match=r"X.take\(y.index\)"):
        align_patients(table, pd.Series([0], index=["a"]))


def test_arrays_are_matched_by_row(table: FeatureTable) -> None:
    y = outcome("wxyz")
    features, values = align_patients(table.values.to_numpy(), y)
    assert features.columns.tolist() == ["x0"]
    assert values is y.y
    # Resampled rows bear an id more than once.
    drawn = table.values.loc[list("aabd")]
    assert align_patients(drawn, y.y)[0] is drawn


def test_arrays_of_other_lengths_are_refused(table: FeatureTable) -> None:
    with pytest.raises(InputError, match="X has 4 patients and y has 3"):
        align_patients(table, outcome("abc").y)
    with pytest.raises(InputError, match="X has 4 patients and y has 3"):
        align_patients(table.values.to_numpy(), outcome("abc", {"death not recorded": 1}))
    with pytest.raises(InputError, match="X has 1 dimensions"):
        align_patients(np.zeros(4), outcome("abcd"))
    with pytest.raises(InputError, match="y has one value"):
        align_patients(table, np.array(1))
