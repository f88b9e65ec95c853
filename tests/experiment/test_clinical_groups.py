from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.clinical_groups import clinical_groups


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
