from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.outcome import SURVIVAL_DTYPE, Outcome
from nbrelapse.scoring.evaluate import clinical_groups, patient_groups, populations


def _with(cohort: Cohort, high_risk: list[bool | None]) -> tuple[Cohort, pd.Index]:
    patients = cohort.patients.head(len(high_risk)).assign(high_risk=pd.array(high_risk, dtype="boolean"))
    return replace(cohort, patients=patients), pd.Index(patients["patient_id"])


def test_the_recorded_group_comes_first(cohort: Cohort) -> None:
    own, ids = _with(cohort, [True, True, False])
    X = pd.DataFrame({"clinical__risk_group": [2.0, 1.0, 0.0], "clinical__inrg": [3.0, 3.0, 0.0]}, index=ids)
    found = patient_groups(own, X, pd.Series([0.0, 1.0, 2.0], index=ids))
    assert found.name == "Recorded risk group"
    assert list(found) == ["High", "Intermediate", "Low"]
    assert list(found.cat.categories) == ["Low", "Intermediate", "High"]


def test_high_risk_or_not_stands_where_no_more_is_recorded(cohort: Cohort) -> None:
    own, ids = _with(cohort, [True, False, False, False, None])
    X = pd.DataFrame({"clinical__risk_group": [2.0, 0.5, 0.5, 0.5, np.nan]}, index=ids)
    found = patient_groups(own, X, pd.Series(0.0, index=ids))
    assert found.isna().tolist() == [False] * 4 + [True]
    assert list(found.dropna()) == ["High risk"] + ["Not high risk"] * 3


def test_thirds_of_predicted_risk_stand_where_groups_are_known_of_too_few(cohort: Cohort) -> None:
    own, ids = _with(cohort, [True, False, None, None, None, None])
    X = pd.DataFrame({"clinical__inrg": [0.0, 3.0, np.nan, np.nan, np.nan, np.nan]}, index=ids)
    found = patient_groups(own, X, pd.Series([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], index=ids))
    assert found.name == "Third of predicted risk"
    assert list(found) == ["Highest third"] * 2 + ["Middle third"] * 2 + ["Lowest third"] * 2


def test_groupings_that_tell_patients_apart_are_returned_and_half_known_ones_are_unknown(cohort: Cohort) -> None:
    patients = cohort.patients.set_index("patient_id")
    ids = patients.index[:4]
    X = pd.DataFrame(
        {"clinical__risk_group": [0.0, 1.0, 2.0, 2.0], "clinical__cog_v2": [1.5, 1.0, 2.0, np.nan]}, index=ids
    ).assign(clinical__inrg=1.0)
    found = clinical_groups(cohort, X)
    assert list(found["clinical_risk_group"]) == [0, 1, 2, 2]
    assert np.array_equal(found["clinical_cog_v2"], [np.nan, 1, 2, np.nan], equal_nan=True)
    assert "clinical_inrg" not in found
    if "high_risk" in found:
        assert found["high_risk"].tolist() == patients.loc[ids, "high_risk"].astype(float).tolist()


def test_masks_follow_the_outcome_and_unknown_is_not_high_risk() -> None:
    patients = pd.DataFrame(
        {"patient_id": ["a", "b", "c", "d"], "high_risk": pd.array([True, False, None, True], dtype="boolean")}
    )
    cohort = Cohort("four", patients, pd.DataFrame(), pd.DataFrame())
    y = np.array([(1, 5.0), (0, 9.0), (0, 9.0)], dtype=SURVIVAL_DTYPE)
    masks = populations(cohort, Outcome("relapse", pd.Index(["d", "c", "b"]), y))
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "all": [True, True, True],
        "high_risk": [True, False, False],
    }
    assert all(mask.dtype == bool for mask in masks.values())


def test_a_cohort_of_high_risk_patients_is_one_population() -> None:
    patients = pd.DataFrame({"patient_id": ["a", "b"], "high_risk": pd.array([True, True], dtype="boolean")})
    y = np.array([(1, 5.0), (0, 9.0)], dtype=SURVIVAL_DTYPE)
    found = populations(
        Cohort("two", patients, pd.DataFrame(), pd.DataFrame()), Outcome("efs", pd.Index(["a", "b"]), y)
    )
    assert set(found) == {"all"}
