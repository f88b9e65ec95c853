"""How many models were tried before one was reported."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Multiplicity:
    """How many models were tried.

    Parameters
    ----------
    families, trials : int
        Model families compared, and settings that each was tuned by.
    experiments : int
        On record in the MLflow store for the same patients and outcomes, this one included.
    apparent, corrected : float
        Cross-validated Harrell C (AUC) of the chosen family, and the same corrected for having been chosen; NaN where
        there was no choice or it is not known. See :func:`nbrelapse.validation.corrected_choice.corrected_choice`.
    """

    families: int
    trials: int
    experiments: int
    apparent: float = math.nan
    corrected: float = math.nan
