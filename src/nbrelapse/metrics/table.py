"""One table of metrics: for each its function, which values are good, what chance gives, its title."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from nbrelapse.metrics.brier import brier_score, integrated_brier, ipa
from nbrelapse.metrics.calibration import calibration_intercept, calibration_slope, ici
from nbrelapse.metrics.discrimination import auc, dynamic_auc
from nbrelapse.metrics.predictions import _JudgedModel
from nbrelapse.metrics.resampling import _Scale, _Value
from nbrelapse.outcome import BINARY, HORIZON_YEARS, SURVIVAL, YEAR, OutcomeKind

_Values = TypeVar("_Values", float, np.ndarray, pd.Series)


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics.

    Parameters
    ----------
    name : str
        As in the tables of an :class:`Evaluation`.
    title : str
        As on pages.
    kinds : tuple of OutcomeKind
        That it is defined for.
    compute : callable
        Takes a :class:`_JudgedModel`; returns a value a column of patient weights, NaN where it is undefined, or None
        where the patients do not support the metric (a horizon beyond their follow-up, say).
    best : float
        The value of a perfect model; the nearer the better.
    undefined : str
        Why a model may have no value, as a clause.
    chance : float or None
        The value of a model that knows nothing, where that does not depend on the patients.
    sense : {1, -1, 0}
        1 where more is better, -1 where less is; 0 where the best value has worse ones on both sides, so that a
        difference of two values does not say which is better.
    ability : str
        What a model with better values does better, as an infinitive.
    years : int or None
        The horizon, where it has one.
    scale : {"logit", "log", "log complement"} or None
        On which its resamples are nearly normal: its interval is made there, see
        :func:`nbrelapse.metrics.resampling._scaled_interval`. None: the
        interval is of the kind that is asked for.
    training : float
        What other training patients would do to its cross-validated value, in shares of test to training patients:
        the correction of Nadeau and Bengio is 1. In simulated cohorts ranks vary less, and a slope more, as each fold
        chooses a penalty of its own; see docs/decisions/045-bands-that-cover.md.
    has_interval : bool
        False where resamples say nothing of the value in other patients.
    """

    name: str
    title: str
    kinds: tuple[OutcomeKind, ...]
    compute: Callable[..., _Value | None]
    best: float
    undefined: str = "its patients do not determine it"
    chance: float | None = None
    sense: int = 1
    ability: str = "rank patients"
    years: int | None = None
    scale: _Scale | None = None
    training: float = 1.0
    has_interval: bool = True

    @property
    def direction(self) -> str:
        """Which values are better, in words.

        Examples
        --------
        >>> METRICS["harrell_c"].direction, METRICS["brier_5y"].direction, METRICS["calibration_slope"].direction
        ('higher is better', 'lower is better', 'best at 1')
        """
        return {1: "higher is better", -1: "lower is better"}.get(self.sense, f"best at {self.best:g}")

    def at(self, years: int) -> Metric:
        """Return the same metric at a horizon, which its ``compute`` takes."""
        name, title = f"{self.name}_{years}y", f"{self.title} {years} y"
        return replace(self, name=name, title=title, compute=partial(self.compute, years=years), years=years)

    @property
    def subject(self) -> str:
        """Its title without the horizon."""
        return self.title if self.years is None else self.title.removesuffix(f" {self.years} y")

    def goodness(self, values: _Values) -> _Values:
        """Return a number that is higher the better a value is; NaN stays NaN.

        Examples
        --------
        >>> METRICS["calibration_slope"].goodness(1.5), METRICS["brier_5y"].goodness(0.25)
        (-0.5, -0.25)
        """
        return -abs(values - self.best)


def metric_title(name: str) -> str:
    """Return the display name of a metric; an unknown one is shown as written.

    Examples
    --------
    >>> metric_title("auc_3y"), metric_title("my_metric")
    ('AUC 3 y', 'my_metric')
    """
    return METRICS[name].title if name in METRICS else name


POPULATIONS = {"all": "All patients", "high_risk": "High-risk patients"}
"""The populations that all experiments have, in the order to be shown, and their titles."""


ALL_RECORDED = "all_recorded"
"""The population of everybody with an outcome, where a saved model is judged and some have no score."""


def population_title(name: str) -> str:
    """Return the display name of a population; another one, such as a group left out, is shown as written.

    Examples
    --------
    >>> population_title("high_risk"), population_title("GPOH")
    ('High-risk patients', 'GPOH')
    """
    return {**POPULATIONS, ALL_RECORDED: "All patients with an outcome"}.get(name, name)


def population_in_words(name: str) -> str:
    """Return a population as it stands within a sentence; a group keeps its spelling.

    Examples
    --------
    >>> population_in_words("high_risk"), population_in_words("GPOH")
    ('high-risk patients', 'GPOH')
    """
    title = population_title(name)
    return title if title == name else title[0].lower() + title[1:]


def _cause_specific_c(judged: _JudgedModel) -> _Value | None:
    return judged.concordance.cause_specific if judged.patients.compete else None


def _dynamic_auc(judged: _JudgedModel, years: int) -> _Value | None:
    if years not in judged.patients.horizons.at:
        return None
    return dynamic_auc(
        judged.patients.y,
        judged.prediction.log_risk,
        years * YEAR,
        fold=judged.prediction.compared,
        weights=judged.patients.weights,
        censoring=judged.patients.censoring,
    )


def _brier(judged: _JudgedModel, years: int) -> _Value | None:
    return judged.brier.get(years)


def _ipa(judged: _JudgedModel, years: int) -> _Value | None:
    return judged.ipa.get(years)


def _integrated_brier(judged: _JudgedModel) -> _Value | None:
    patients = judged.patients
    until = slice(patients.horizons.n_times)
    if patients.horizons.n_times < 2:
        return None
    incidence, times = judged.prediction.incidence[:, :, until], judged.prediction.times[until]
    return integrated_brier(patients.y, incidence, times, weights=patients.weights, censoring=patients.censoring)


def _at_horizon(metric: Callable[..., _Value], judged: _JudgedModel, years: int) -> _Value | None:
    column = judged.patients.horizons.incidence_at.get(years)
    if column is None:
        return None
    incidence = judged.prediction.incidence[:, :, column]
    return metric(judged.patients.y, incidence, years * YEAR, weights=judged.patients.weights)


def _of_log_risk(metric: Callable[..., _Value], judged: _JudgedModel) -> _Value:
    prediction, patients = judged.prediction, judged.patients
    return metric(patients.y, prediction.log_risk, fold=prediction.compared, weights=patients.weights)


def _slope_before(judged: _JudgedModel) -> _Value | None:
    prediction, patients = judged.prediction, judged.patients
    if prediction.before is None:
        return None
    return calibration_slope(patients.y, prediction.before, fold=prediction.compared, weights=patients.weights)


def _of_probability(metric: Callable[..., _Value], judged: _JudgedModel) -> _Value:
    return metric(judged.patients.y, judged.prediction.incidence[:, :, 0], weights=judged.patients.weights)


def _intercept_of_log_odds(judged: _JudgedModel) -> _Value:
    return calibration_intercept(judged.patients.y, judged.prediction.log_risk, weights=judged.patients.weights)


_NO_PAIR = "no fold has patients to compare"
_NO_SLOPE = "the log risk is constant or separates the events"
_NO_EVENT = "nobody has the event by then"
_ALL_ALIKE = "nobody has the event by then, or everybody"
_S, _B = (SURVIVAL,), (BINARY,)
_RANKS, _SLOPE = 0.5, 2.5
"""What other training patients do to figures of ranks or of the mean, and to a slope: :attr:`Metric.training`."""


_PREDICT, _CALIBRATED = "predict the probability", "be calibrated"
_AUC = Metric("auc", "AUC", _S, _dynamic_auc, 1.0, _NO_PAIR, chance=0.5, scale="logit", training=_RANKS)
_BRIER = Metric("brier", "Brier", _S, _brier, 0.0, sense=-1, ability=_PREDICT, scale="log")
_IPA = Metric("ipa", "IPA", _S, _ipa, 1.0, _NO_EVENT, chance=0.0, ability=_PREDICT, scale="log complement")
_INTERCEPT = Metric(
    "calibration_intercept",
    "Calibration intercept",
    _S,
    partial(_at_horizon, calibration_intercept),
    0.0,
    _ALL_ALIKE,
    sense=0,
    ability=_CALIBRATED,
    training=_RANKS,
)
_ICI = Metric(
    "ici",
    "Calibration error (ICI)",
    _S,
    partial(_at_horizon, ici),
    0.0,
    _NO_SLOPE,
    sense=-1,
    ability=_CALIBRATED,
    has_interval=False,
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "harrell_c",
            "Harrell C",
            _S,
            lambda judged: judged.concordance.harrell,
            1.0,
            _NO_PAIR,
            chance=0.5,
            training=_RANKS,
        ),
        Metric("uno_c", "Uno C", _S, lambda judged: judged.concordance.uno, 1.0, _NO_PAIR, chance=0.5, training=_RANKS),
        Metric(
            "cause_specific_c", "Cause-specific C", _S, _cause_specific_c, 1.0, _NO_PAIR, chance=0.5, training=_RANKS
        ),
        *(_AUC.at(years) for years in HORIZON_YEARS),
        *(_BRIER.at(years) for years in HORIZON_YEARS),
        *(_IPA.at(years) for years in HORIZON_YEARS),
        Metric("integrated_brier", "Integrated Brier", _S, _integrated_brier, 0.0, sense=-1, ability=_PREDICT),
        replace(_AUC, kinds=_B, compute=partial(_of_log_risk, auc)),
        replace(_BRIER, kinds=_B, compute=partial(_of_probability, brier_score)),
        replace(_IPA, kinds=_B, compute=partial(_of_probability, ipa)),
        Metric(
            "calibration_slope",
            "Calibration slope",
            (SURVIVAL, BINARY),
            partial(_of_log_risk, calibration_slope),
            1.0,
            _NO_SLOPE,
            sense=0,
            ability=_CALIBRATED,
            training=_SLOPE,
        ),
        Metric(
            "calibration_slope_before",
            "Calibration slope before recalibration",
            (SURVIVAL, BINARY),
            _slope_before,
            1.0,
            _NO_SLOPE,
            sense=0,
            ability=_CALIBRATED,
            training=_SLOPE,
        ),
        *(metric.at(years) for years in HORIZON_YEARS for metric in (_INTERCEPT, _ICI)),
        replace(_INTERCEPT, kinds=_B, compute=_intercept_of_log_odds),
        replace(_ICI, kinds=_B, compute=partial(_of_log_risk, ici)),
    )
}
"""By name, in the order of the tables of an :class:`Evaluation`."""
