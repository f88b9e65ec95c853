"""The populations that results are reported for."""

from __future__ import annotations

import numpy as np

from nbrelapse.cohort import Cohort
from nbrelapse.outcome import Outcome


def populations(cohort: Cohort, outcome: Outcome) -> dict[str, np.ndarray]:
    """Masks over the patients of an outcome: ``all``, and ``high_risk`` where the clinic has said so.

    Where all patients are high-risk there is one population, ``all``.
    """
    high_risk = cohort.patients.set_index("patient_id")["high_risk"].reindex(outcome.patient_ids)
    masks = {"all": np.ones(len(outcome.y), dtype=bool)}
    mask = high_risk.fillna(False).to_numpy(dtype=bool)
    return masks if mask.all() else masks | {"high_risk": mask}
