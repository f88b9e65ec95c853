from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.populations import populations
from nbrelapse.outcome import Outcome
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE


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
