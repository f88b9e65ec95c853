"""Out-of-sample predictions of one model, and the patients that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbrelapse.metrics.brier import _prediction_accuracy, brier_score, null_brier_score
from nbrelapse.metrics.discrimination import Concordance, concordance
from nbrelapse.metrics.horizons import CensoringDistribution, HorizonSupport, _SupportedHorizons
from nbrelapse.outcome import YEAR, OutcomeKind, kind_of


@dataclass(frozen=True)
class Predictions:
    """What a model said of patients that it had not seen.

    Cross-validation predicts every patient once a repeat, each time by the model of the fold that left the
    patient out. Log risks of different fold models are not on one scale, so ``fold`` travels with them and
    patients are ranked within a fold only. A hold-out is one repeat with one fold.

    Parameters
    ----------
    model : str
        Name of the model.
    log_risk : ndarray of shape (n_repeats, n)
        Log relative hazard of the event, or the log odds of a binary one; higher is worse.
    fold : ndarray of int, shape (n_repeats, n)
        The fold whose model predicted the patient.
    incidence : ndarray of shape (n_repeats, n, n_times)
        Cumulative incidence of the event at ``times``; the probability of a binary one.
    times : ndarray of shape (n_times,)
        Days, increasing; infinity alone for a binary endpoint, see
        :func:`nbrelapse.metrics.horizons.prediction_times`.
    before : ndarray of shape (n_repeats, n), optional
        Log risks before they were recalibrated within clinical groups, where they were.
    within : ndarray of int, shape (n,), optional
        The study of each patient, where models were trained with a baseline hazard a study: they do not say which study
        is worse, so patients are ranked within their study only.

    Raises
    ------
    ValueError
        The shapes do not agree, or a prediction is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> zeros = np.zeros((1, 3))
    >>> held_out = Predictions("cox", zeros, zeros.astype(int), np.zeros((1, 3, 2)), np.array([365, 730]))
    >>> held_out.take(np.array([True, False, True])).log_risk.shape
    (1, 2)
    """

    model: str
    log_risk: np.ndarray
    fold: np.ndarray
    incidence: np.ndarray
    times: np.ndarray
    before: np.ndarray | None = None
    within: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.log_risk.shape
        if len(shape) != 2 or self.fold.shape != shape or self.incidence.shape != (*shape, len(self.times)):
            raise ValueError(
                f"predictions of {self.model}: log_risk {shape}, fold {self.fold.shape}, incidence "
                f"{self.incidence.shape} and times {self.times.shape} do not agree"
            )
        for name in ("log_risk", "incidence"):
            bad = int((~np.isfinite(getattr(self, name))).sum())
            if bad:
                raise ValueError(f"predictions of {self.model}: {bad} values of {name} are NaN or infinite")
        if (np.diff(self.times) <= 0).any():
            raise ValueError(f"predictions of {self.model}: times do not increase")

    @property
    def compared(self) -> np.ndarray:
        """Whom a patient is ranked with, shape (n_repeats, n): those of one fold, and of one study where it counts."""
        if self.within is None:
            return self.fold
        return self.fold * (int(self.within.max(initial=0)) + 1) + self.within

    def incidence_at(self, horizon: float) -> np.ndarray:
        """Return the predicted incidence at a horizon in days, shape (n_repeats, n).

        Raises
        ------
        ValueError
            The horizon is none of the times.
        """
        column = np.flatnonzero(np.isclose(self.times, horizon))
        if not len(column):
            raise ValueError(f"predictions of {self.model}: {horizon:g} days is none of their times")
        return self.incidence[:, :, column[0]]

    def take(self, patients: np.ndarray) -> Predictions:
        """Return the predictions of some patients (a mask or positions)."""
        before = None if self.before is None else self.before[:, patients]
        within = None if self.within is None else self.within[patients]
        return Predictions(
            self.model,
            self.log_risk[:, patients],
            self.fold[:, patients],
            self.incidence[:, patients],
            self.times,
            before,
            within,
        )


@dataclass(frozen=True)
class _JudgedPatients:
    """What every metric of a population reads beside a model's predictions.

    Parameters
    ----------
    y : ndarray of shape (n,)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    times : ndarray of shape (n_times,)
        Of the predictions, in days.
    """

    y: np.ndarray
    weights: np.ndarray
    times: np.ndarray

    @property
    def kind(self) -> OutcomeKind:
        """The kind of outcome, on which the metrics depend."""
        return kind_of(self.y)

    @cached_property
    def censoring(self) -> CensoringDistribution:
        """Of a time to an event: how likely these patients, and nobody else, are still under observation."""
        return CensoringDistribution.fit(self.y)

    @cached_property
    def horizons(self) -> _SupportedHorizons:
        """Of a time to an event: what enough patients carry."""
        return _SupportedHorizons.of(self.y, self.times)

    @property
    def compete(self) -> bool:
        """Whether anybody has a competing event."""
        return bool((self.y["event"] == 2).any())

    @property
    def support(self) -> Mapping[int, HorizonSupport]:
        """How many patients carry the figures at each horizon that has some."""
        return self.horizons.at if self.kind.has_time else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not judged for want of patients at risk or of events."""
        return self.horizons.notes if self.kind.has_time else ()

    @cached_property
    def null_brier(self) -> np.ndarray:
        """Brier score of the patients' own incidence, shape (n_years, n_columns), at ``horizons.incidence_at``."""
        days = np.array(list(self.horizons.incidence_at)) * YEAR
        return np.asarray(null_brier_score(self.y, days, weights=self.weights, censoring=self.censoring))


@dataclass(frozen=True)
class _JudgedModel:
    """One model's predictions of the patients judged, with what several metrics share computed once.

    Parameters
    ----------
    prediction : Predictions
    patients : JudgedPatients
    """

    prediction: Predictions
    patients: _JudgedPatients

    @cached_property
    def concordance(self) -> Concordance:
        """The three concordances of a time to an event."""
        return concordance(
            self.patients.y,
            self.prediction.log_risk,
            fold=self.prediction.compared,
            weights=self.patients.weights,
            censoring=self.patients.censoring,
            tau=self.patients.horizons.tau,
        )

    @cached_property
    def brier(self) -> dict[int, np.ndarray]:
        """Brier scores of a time to an event by year, each of shape (n_columns,)."""
        at = self.patients.horizons.incidence_at
        return dict(zip(at, self._brier, strict=True)) if at else {}

    @cached_property
    def ipa(self) -> dict[int, np.ndarray]:
        """Indices of prediction accuracy of a time to an event by year, each of shape (n_columns,)."""
        at = self.patients.horizons.incidence_at
        if not at:
            return {}
        return dict(zip(at, np.asarray(_prediction_accuracy(self._brier, self.patients.null_brier)), strict=True))

    @cached_property
    def _brier(self) -> np.ndarray:
        at = list(self.patients.horizons.incidence_at.values())
        incidence, times = self.prediction.incidence[:, :, at], self.prediction.times[at]
        patients = self.patients
        return np.asarray(
            brier_score(patients.y, incidence, times, weights=patients.weights, censoring=patients.censoring)
        )


FEWEST_PATIENTS = 10
FEWEST_EVENTS = 5
"""With k events about exp(-k) of the resamples hold none: below 1 % from five on."""


def enough_patients(y: np.ndarray) -> bool:
    """Say whether there are 10 patients and 5 events (binary: and 5 without it), fewer than which say nothing.

    Examples
    --------
    >>> enough_patients(np.array([1] * 5 + [0] * 5)), enough_patients(np.array([1] * 4 + [0] * 20))
    (True, False)
    """
    return len(y) >= FEWEST_PATIENTS and kind_of(y).rarest(y) >= FEWEST_EVENTS
