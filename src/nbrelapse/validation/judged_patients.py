"""The patients that models are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.null_brier_score import null_brier_score
from nbrelapse.validation.supported_horizons import SupportedHorizons


@dataclass(frozen=True)
class JudgedPatients:
    """What every metric of a population reads beside a model's predictions.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution
    horizons : SupportedHorizons
    """

    y: np.ndarray
    weights: np.ndarray
    censoring: CensoringDistribution
    horizons: SupportedHorizons

    @property
    def compete(self) -> bool:
        """Whether anybody has a competing event."""
        return bool((self.y["event"] == 2).any())

    @cached_property
    def null_brier(self) -> np.ndarray:
        """Brier score of the patients' own incidence, shape (n_years, n_columns), at ``horizons.incidence_at``."""
        days = np.array(list(self.horizons.incidence_at)) * YEAR
        return null_brier_score(self.y, days, self.weights, self.censoring)
