"""An endpoint's outcome for the patients of a cohort, ready for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

SURVIVAL_DTYPE = np.dtype([("event", np.int8), ("time", np.float64)])


@dataclass(frozen=True)
class Outcome:
    """Outcome of one endpoint; build it with :func:`nbrelapse.outcome.make_outcome`.

    Parameters
    ----------
    endpoint : {"relapse", "efs", "os", "refractory"}
    patient_ids : Index
        The patients that have an outcome, in cohort order.
    y : ndarray of shape (n_patients,)
        Survival endpoints: structured, ``event`` (0 censored, 1 the event, 2 a competing event) and ``time``
        (days, > 0). ``refractory``: int8, 1 = refractory.
    excluded : dict of str to int
        How many patients were left out, by reason.
    choices : dict
        The rules applied where the data leave room (for instance ``unspecified``).
    """

    endpoint: str
    patient_ids: pd.Index
    y: np.ndarray
    excluded: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_survival(self) -> bool:
        """Whether the endpoint is a time to an event."""
        return self.endpoint != "refractory"

    def take(self, patient_ids: pd.Index) -> Outcome:
        """Return the outcome of the given patients, in their order."""
        position = self.patient_ids.get_indexer(patient_ids)
        if (position < 0).any():
            raise KeyError(f"{int((position < 0).sum())} of the patients have no outcome")
        return Outcome(self.endpoint, patient_ids, self.y[position], self.excluded, self.choices)
