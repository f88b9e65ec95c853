"""Many fitted models of one kind, predicted together: the bootstrap refits behind a patient's band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import expit

from nbrelapse.models.base import RiskModel
from nbrelapse.models.design import read_columns
from nbrelapse.models.hazards import _BaselineHazard, _relative_hazard
from nbrelapse.models.linear import _LinearModel
from nbrelapse.models.survival import SurvivalModel

_PATIENTS = 32
"""Worked on at once, so that what is computed of them stays in the processor's cache. A choice, measured."""


class StackedModels:
    """Fitted models of one family, their numbers stacked, so that all of them predict in one go.

    A hundred refits asked one after the other spend most of their time on finding columns and on steps of hazards that
    change nothing. Here linear models are two sums over features, and the incidence is one less the survival and less
    what the competing event took, which only its own steps change: few of all steps. It is that of
    :meth:`RiskModel.predict_risk` but for the rounding of the last digits. Patients' numbers do not depend on who else
    is predicted.

    Parameters
    ----------
    models : sequence of RiskModel
        Fitted, at least one, of one kind of outcome.

    Examples
    --------
    >>> from nbrelapse.models.linear import Cox
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 60).astype(float)})
    >>> y = np.zeros(60, dtype=[("event", "i1"), ("time", "f8")])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"]))
    >>> models = [Cox(penalty=penalty).fit(X, y) for penalty in (0.01, 0.1)]
    >>> together = StackedModels(models).probability(X, np.array([365.25]))
    >>> together.shape, bool(np.allclose(together[1], models[1].predict_risk(X, np.array([365.25]))[1]))
    ((2, 60, 1), True)
    """

    def __init__(self, models: Sequence[RiskModel]) -> None:
        self._models = tuple(models)
        timed = [model for model in models if isinstance(model, SurvivalModel)]
        self._names = np.array(sorted({str(name) for model in models for name in model._features}), dtype=object)
        place = {name: position for position, name in enumerate(self._names)}
        linear = [model for model in models if isinstance(model, _LinearModel)]
        self._terms = _Sums.of_linear(linear, place) if len(linear) == len(models) else None
        self._competing = _Sums.of_competing(timed, place) if timed else None
        self._hazards = _StackedHazards.of([model.baseline_ for model in timed]) if timed else None
        self._slopes = np.array(
            [model.baseline_.competing_slope if model.competing_ is None else model.competing_.slope for model in timed]
        )

    def probability(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of the event by each time, of each model.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            NaN = not assayed.
        times : ndarray of shape (n_times,)
            Days; infinity of a binary endpoint.

        Returns
        -------
        ndarray of shape (n_models, n_samples, n_times)

        Raises
        ------
        InputError
            A column cannot be read.
        """
        values = read_columns(X, self._names)
        result = np.empty((len(times), len(values), len(self._models)))
        log_risk = None if self._terms else np.stack([model.predict_log_risk(X) for model in self._models], axis=1)
        at = self._hazards.at(times) if self._hazards else None
        rooms = at.rooms(min(len(values), _PATIENTS)) if at else None
        for start in range(0, len(values), _PATIENTS):
            rows = slice(start, start + _PATIENTS)
            seen = _seen(values[rows])
            risk = self._terms.of(seen) if log_risk is None and self._terms else log_risk[rows]  # type: ignore[index]
            if at is None or rooms is None or self._competing is None:
                result[:, rows] = expit(risk)
            else:
                competing = self._slopes * risk + self._competing.of(seen)
                result[:, rows] = at.incidence(_relative_hazard(risk), _relative_hazard(competing), rooms)
        return result.transpose(2, 1, 0)


def _seen(values: np.ndarray) -> np.ndarray:
    """Values with 0 where they are missing, then 1 where they are: shape (n, 2 * n_features)."""
    missing = np.isnan(values)
    return np.concatenate([np.where(missing, 0.0, values), missing], axis=1)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over features, one a model.

    Parameters
    ----------
    constants : ndarray of shape (n_models,)
    weights : ndarray of shape (n_models, 2 * n_features)
        Of what :func:`_seen` returns.
    """

    constants: np.ndarray
    weights: np.ndarray

    @classmethod
    def of_linear(cls, models: Sequence[_LinearModel], place: dict[str, int]) -> Self:
        constants, weights = np.zeros(len(models)), np.zeros((len(models), 2, len(place)))
        for number, model in enumerate(models):
            own = [place[str(name)] for name in model._features]
            centred = model._means * model._coefficients
            weights[number, 0, own] = model._coefficients
            weights[number, 1, own] = centred + model._missing_effects
            usual = model._missing_rates * model._missing_effects
            constants[number] = model.intercept_ - centred.sum() - usual.sum()
        return cls(constants, weights.reshape(len(models), -1))

    @classmethod
    def of_competing(cls, models: Sequence[SurvivalModel], place: dict[str, int]) -> Self:
        constants, weights = np.zeros(len(models)), np.zeros((len(models), 2, len(place)))
        for number, model in enumerate(models):
            if model.competing_ is not None:
                own = [place[str(name)] for name in model._features]
                centred = model.competing_.means * model.competing_.coefficients
                weights[number, 0, own], weights[number, 1, own] = model.competing_.coefficients, centred
                constants[number] = -centred.sum()
        return cls(constants, weights.reshape(len(models), -1))

    def of(self, seen: np.ndarray) -> np.ndarray:
        """Return the sums, shape (n, n_models)."""
        # Not @: its last bits depend on the other rows.
        return self.constants + np.einsum("nj,rj->nr", seen, self.weights)


@dataclass(frozen=True, eq=False)
class _StackedHazards:
    """Cumulative hazards at log risk 0 of both causes, a column a model, filled up where a model has fewer steps.

    Parameters
    ----------
    days, event, competing : ndarray of shape (n_steps + 1, n_models)
        When, and the sums up to there; the first is day minus infinity, before all steps.
    taken_days : ndarray of shape (n_taken, n_models)
        Of the steps of the competing event.
    around : ndarray of shape (2, 2, n_taken, n_models)
        The sums of the event and of the competing event, before and after these steps.
    """

    days: np.ndarray
    event: np.ndarray
    competing: np.ndarray
    taken_days: np.ndarray
    around: np.ndarray

    @classmethod
    def of(cls, hazards: Sequence[_BaselineHazard]) -> Self:
        days = _filled([np.append(-np.inf, hazard.times) for hazard in hazards], np.inf)
        event, competing = (
            _filled([np.append(0.0, np.cumsum(getattr(hazard, f"{cause}_step"))) for hazard in hazards])
            for cause in ("event", "competing")
        )
        taken = [np.flatnonzero(hazard.competing_step) + 1 for hazard in hazards]
        taken_days = _filled([days[own, column] for column, own in enumerate(taken)], np.inf)
        around = [
            [_filled([sums[own - back, column] for column, own in enumerate(taken)]) for back in (1, 0)]
            for sums in (event, competing)
        ]
        return cls(days, event, competing, taken_days, np.array(around))

    def at(self, times: np.ndarray) -> _HazardsAt:
        """Look up the hazards at some days."""
        reached = (self.days[None] <= times[:, None, None]).sum(axis=1) - 1
        counted = (self.taken_days[None] <= times[:, None, None]).sum(axis=1)
        columns = np.arange(self.days.shape[1])
        around = self.around[:, :, : counted.max(initial=0), None]
        tied = np.nonzero(around[0, 0, :, 0] < around[0, 1, :, 0])
        return _HazardsAt(self.event[reached, columns], self.competing[reached, columns], counted, around, tied)


def _filled(columns: Sequence[np.ndarray], value: float | None = None) -> np.ndarray:
    """Columns of different lengths side by side; below its end a column has the value, or goes on with its last."""
    result = np.zeros((max(map(len, columns)), len(columns)))
    for number, column in enumerate(columns):
        result[: len(column), number] = column
        if value is not None or len(column):
            result[len(column) :, number] = column[-1] if value is None else value
    return result


@dataclass(frozen=True, eq=False)
class _HazardsAt:
    """Both cumulative hazards at some days, shape (n_times, n_models), and what leads there.

    Parameters
    ----------
    event, competing : ndarray of shape (n_times, n_models)
    counted : ndarray of int, shape (n_times, n_models)
        Steps of the competing event until then.
    around : ndarray of shape (2, 2, n_taken, 1, n_models)
        As in :class:`_StackedHazards`.
    tied : tuple of ndarray of int
        Which of these steps are of the event too, and of which models.
    """

    event: np.ndarray
    competing: np.ndarray
    counted: np.ndarray
    around: np.ndarray
    tied: tuple[np.ndarray, ...]

    def rooms(self, patients: int) -> np.ndarray:
        """Memory for :meth:`incidence` of so many patients: to take it anew for each block takes as long again."""
        return np.empty((2, *self.around.shape[1:3], patients, self.around.shape[-1]))

    def incidence(self, event: np.ndarray, competing: np.ndarray, rooms: np.ndarray) -> np.ndarray:
        """Cumulative incidence of the event, shape (n_times, n, n_models), from relative hazards (n, n_models)."""
        lost = -np.expm1(-(event * self.event[:, None] + competing * self.competing[:, None]))
        (before, after), other = rooms[..., : len(event), :]
        free = rooms[0, ..., : len(event), :]
        np.multiply(-event, self.around[0], out=free)
        free -= np.multiply(competing, self.around[1], out=other)
        np.exp(free, out=free)
        taken = np.subtract(before, after, out=before)
        steps, models = self.tied
        if len(steps):
            step = (self.around[:, 1] - self.around[:, 0])[:, steps, 0, models]
            of_event, of_other = event[:, models].T * step[0][:, None], competing[:, models].T * step[1][:, None]
            taken[steps, :, models] *= of_other / (of_event + of_other)
        if len(taken):
            for number in range(1, len(taken)):  # four times as fast as cumsum along the first axis
                taken[number] += taken[number - 1]
            until = taken[self.counted - 1, :, np.arange(taken.shape[-1])].swapaxes(1, 2)
            lost -= np.where(self.counted[:, None] > 0, until, 0.0)
        # Before the first event nobody has had it, whatever the rounding.
        return np.where(self.event[:, None] == 0, 0.0, np.maximum(lost, 0.0))
