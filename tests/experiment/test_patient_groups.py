from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.patient_groups import patient_groups


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
