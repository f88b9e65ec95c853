"""What an experiment checks of itself beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.outcome.event_of import event_of, is_survival
from nbrelapse.validation.corrected_choice import corrected_choice
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.sample_size import SampleSize, sample_size


@dataclass(frozen=True)
class Guards:
    """What an experiment checked of itself.

    Parameters
    ----------
    size : SampleSize
        Training patients and events against the candidate features.
    apparent, corrected : float
        Cross-validated concordance of the chosen family, and the same corrected for the choice; NaN without one.
    """

    size: SampleSize
    apparent: float
    corrected: float

    @property
    def notes(self) -> list[str]:
        """Warnings."""
        if self.size.is_enough:
            return []
        return [
            f"few events: {self.size.events} for {self.size.parameters} candidate features; a regression without "
            f"penalty would need {self.size.patients_needed:,} patients (Riley 2020)"
        ]


def run_guards(
    config: ExperimentConfig, data: PreparedData, predictions: Mapping[str, Predictions], chosen: str
) -> Guards:
    """Check an experiment.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    predictions : mapping of str to Predictions
        Cross-validated, of all models.
    chosen : str

    Returns
    -------
    Guards
    """
    y = data.training.y
    size = training_size(y, len(data.columns))
    families = {str(name): predictions[name] for name in config.models}
    return Guards(size, discrimination(y, predictions[chosen]), corrected_choice(families, y, seed=config.seed))


def training_size(y: np.ndarray, parameters: int) -> SampleSize:
    """Hold the patients of an outcome against a number of candidate parameters."""
    events = int(np.count_nonzero(event_of(y) == 1))
    return sample_size(len(y), events, parameters, binary=not is_survival(y))
