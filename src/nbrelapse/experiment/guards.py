"""What an experiment checks of itself beside its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.models.resamples import bootstrap_rows
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.outcome.event_of import event_of, is_survival
from nbrelapse.validation.corrected_choice import corrected_choice
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.learning_curve import LearningCurve, learning_curve
from nbrelapse.validation.optimism import optimism
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
    optimism : dict of str to DataFrame
        Of the final models, see :func:`nbrelapse.validation.optimism.optimism`.
    learning : LearningCurve or None
        Of the chosen family, where the experiment asks for it.
    """

    size: SampleSize
    apparent: float
    corrected: float
    optimism: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    learning: LearningCurve | None = None

    @property
    def notes(self) -> list[str]:
        """Warnings."""
        notes = [] if self.learning is None else [f"learning curve: {note}" for note in self.learning.notes]
        if self.size.is_enough:
            return notes
        return [
            *notes,
            f"few events: {self.size.events} for {self.size.parameters} candidate features; a regression without "
            f"penalty would need {self.size.patients_needed:,} patients (Riley 2020)",
        ]


def run_guards(
    config: ExperimentConfig,
    data: PreparedData,
    models: Mapping[str, RiskModel],
    *,
    predictions: Mapping[str, Predictions],
    fitted: Mapping[str, RiskModel],
    refits: Mapping[str, list[RiskModel]],
    chosen: str,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Guards:
    """Check an experiment.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData
    models : mapping of str to RiskModel
        Unfitted.
    predictions : mapping of str to Predictions
        Cross-validated, of all models.
    fitted, refits : mapping of str
        The final models, and the bootstrap refits of the compared families.
    chosen : str
    n_jobs : int
        Processes for the learning curve.
    progress : callable, optional
        Called with the steps of the learning curve.

    Returns
    -------
    Guards
    """
    X, y = data.features(data.training), data.training.y
    rows = bootstrap_rows(y, config.refits, config.seed)
    families = {str(name): predictions[name] for name in config.models}
    settings = config.validation
    learning = None
    if settings.learning_curve:
        learning = learning_curve(
            chosen,
            models[chosen],
            X,
            y,
            n_repeats=settings.repeats,
            n_folds=settings.folds,
            n_inner_folds=settings.inner_folds,
            n_trials=settings.trials,
            seed=config.seed,
            times=predictions[chosen].times,
            n_bootstrap=settings.bootstrap,
            n_jobs=n_jobs,
            progress=progress,
        )
    return Guards(
        training_size(y, len(data.columns)),
        discrimination(y, predictions[chosen]),
        corrected_choice(families, y, seed=config.seed),
        {name: optimism(fitted[name], refits[name], rows, X, y) for name in families},
        learning,
    )


def training_size(y: np.ndarray, parameters: int) -> SampleSize:
    """Hold the patients of an outcome against a number of candidate parameters."""
    events = int(np.count_nonzero(event_of(y) == 1))
    return sample_size(len(y), events, parameters, binary=not is_survival(y))
