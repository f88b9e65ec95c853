"""What an experiment checks of itself beside its figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.validation.sample_size import SampleSize, sample_size


@dataclass(frozen=True)
class Guards:
    """What an experiment checked of itself.

    Parameters
    ----------
    size : SampleSize
        Training patients and events against the candidate features.
    """

    size: SampleSize

    @property
    def notes(self) -> list[str]:
        """Warnings."""
        if self.size.is_enough:
            return []
        return [
            f"few events: {self.size.events} for {self.size.parameters} candidate features; a regression without "
            f"penalty would need {self.size.patients_needed:,} patients (Riley 2020)"
        ]


def run_guards(data: PreparedData) -> Guards:
    """Check an experiment's training data.

    Parameters
    ----------
    data : PreparedData

    Returns
    -------
    Guards
    """
    y = data.training.y
    binary = not data.training.is_survival
    events = int(np.count_nonzero(y == 1 if binary else y["event"] == 1))
    return Guards(sample_size(len(y), events, len(data.columns), binary=binary))
