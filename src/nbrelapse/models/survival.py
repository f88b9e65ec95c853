"""What every model of a time to an event offers: hazards, incidence, survival functions."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from nbrelapse.errors import InputError
from nbrelapse.models.design import (
    read_columns,
)
from nbrelapse.models.hazards import _BaselineHazard, _CompetingRisk, _relative_hazard
from nbrelapse.outcome import SURVIVAL, SURVIVAL_DTYPE, OutcomeKind

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

from nbrelapse.models.base import Features, RiskModel

_FEWEST_EVENTS_OF_A_STUDY = 10
"""Fewer do not make a baseline hazard, and its steps would be single patients. A choice."""


class SurvivalModel(RiskModel):
    """Base of the models of a time to an event.

    ``y`` is structured: the event (0 or False censored, 1 or True the event, 2 competing), then the time in days, above
    0, as scikit-survival has them, whatever their names; fields named ``event`` and ``time`` may come in any order.
    Codes of 1 and 2 alone may be R's, 1 = censored and 2 = the event, and are refused; an
    :class:`nbrelapse.outcome.Outcome` says what its codes are, and is taken when nobody in it is censored. The log
    risk, which ``predict`` gives, is centred: its mean over the training patients is 0. A family ends its fit with
    :meth:`_fit_hazards`, which learns the hazards of the event and of the competing event from the log risk and the
    features.

    Attributes
    ----------
    baseline_ : BaselineHazard
    competing_ : CompetingRisk or None
        The cause-specific model of the competing event; None where training saw too few of them, and in models of
        before 0.3.0: the competing hazard is then that of the baseline.
    study_baselines_ : dict of str to BaselineHazard
        Of each training study with ten events, where the model was fitted with ``strata``; ``baseline_`` is that of all
        studies together. See :meth:`for_study`.
    unique_times_ : ndarray of shape (n_times,)
        Days of the steps of the functions that are predicted, the end of follow-up last.
    """

    kind: ClassVar[OutcomeKind] = SURVIVAL

    baseline_: _BaselineHazard
    study_baselines_: Mapping[str, _BaselineHazard] = MappingProxyType({})
    _log_risk_alone: bool = False

    @property
    def followed_days(self) -> float:
        """Days up to which training carries predictions: ten patients were followed for longer.

        Of models of before 0.4.0 the longest follow-up in training.
        """
        return min(self.baseline_.last_time, self.baseline_.carried_time)

    @property
    def unique_times_(self) -> np.ndarray:
        """Days of the steps of the functions that are predicted; the last is the end of the follow-up."""
        return self._steps()[0]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "baseline_")

    def for_trial(self) -> Self:
        """Return an unfitted copy that leaves out the competing event: a trial is judged by log risks."""
        copy: Self = clone(self)
        copy._log_risk_alone = True
        return copy

    def _fit_hazards(
        self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None = None
    ) -> None:
        """Learn both hazards from features, outcomes and centred log risks of the training patients."""
        self.competing_ = None if self._log_risk_alone else _CompetingRisk.fit(values, y, log_risk, strata)
        competing = None if self.competing_ is None else self.competing_.log_risk(values, log_risk)
        self.baseline_ = _BaselineHazard.fit(y, log_risk, competing)
        self.study_baselines_ = {}
        for study in () if strata is None else np.unique(strata):
            own = strata == study
            if np.count_nonzero(y["event"][own] == 1) >= _FEWEST_EVENTS_OF_A_STUDY:
                rest = None if competing is None else competing[own]
                self.study_baselines_[str(study)] = _BaselineHazard.fit(y[own], log_risk[own], rest)

    def for_study(self, study: str) -> Self:
        """Return a copy that predicts with the baseline hazards of one training study instead of the common ones.

        Log risks stay as they are; the incidence is that of the study's patients. It is right for patients of that
        study only.

        Parameters
        ----------
        study : str

        Raises
        ------
        InputError
            The model was not trained with that study as a stratum, or it had fewer than ten events.
        """
        check_is_fitted(self)
        if study not in self.study_baselines_:
            raise InputError(
                f"the model has no baseline hazard of {study!r}",
                column="study",
                expected=", ".join(self.study_baselines_) or "a model that was trained with strata",
            )
        copied = copy(self)
        copied.baseline_ = self.study_baselines_[study]
        return copied

    def _hazards(self) -> dict[str, Any]:
        """Return what :meth:`_fit_hazards` learned, as JSON data."""
        competing = None if self.competing_ is None else self.competing_.to_dict()
        found = {"baseline": self.baseline_.to_dict(), "competing": competing}
        own = {study: hazard.to_dict() for study, hazard in self.study_baselines_.items()}
        return found | ({"study_baselines": own} if own else {})

    def _read_hazards(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_hazards` wrote."""
        competing = document.get("competing")
        self.competing_ = None if competing is None else _CompetingRisk.from_dict(competing)
        self.baseline_ = _BaselineHazard.from_dict(document["baseline"])
        own = document.get("study_baselines", {})
        self.study_baselines_ = {study: _BaselineHazard.from_dict(hazard) for study, hazard in own.items()}

    def _target(self, y: np.ndarray) -> np.ndarray:
        return _times_to_event(y, type(self).__name__)

    def _refuse_other_coding(self, y: np.ndarray) -> None:
        """Raise for R's coding: codes of 1 and 2 alone, nobody censored."""
        if set(np.unique(y["event"])) == {1, 2}:
            raise InputError(
                "the events in y are all 1 or 2, nobody is censored: R codes 1 = censored and 2 = the event",
                column="event",
                expected="0 = censored, 1 = the event, 2 = a competing event",
                fix="subtract 1 from R's codes; where truly nobody was censored give y as an Outcome, "
                "Outcome('relapse', X.index, y)",
            )

    def competing_terms(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to the log risk of the competing event, beyond its part of the event's.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            0 where there is no model of the competing event.
        """
        X = self._patients(X)
        if self.competing_ is None:
            return pd.DataFrame(0.0, index=X.index, columns=self.feature_names_in_)
        return self._as_given(self.competing_.own_terms(read_columns(X, self._features)), X.index)

    def predict(self, X: Features) -> np.ndarray:
        """Log relative hazard against the mean training patient, shape (n_samples,); higher is worse."""
        return self.predict_log_risk(X)

    def score(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> float:
        """Harrell's C of the log risk, patients with a competing event never having the event.

        They are comparable with every patient who has it, as in :func:`nbrelapse.metrics.discrimination.concordance`;
        without them it is :func:`sksurv.metrics.concordance_index_censored`.

        Parameters
        ----------
        X, y
            As in ``fit``.

        Returns
        -------
        float
            0.5 is chance. NaN where no two patients can be compared.

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, or a column cannot be read.
        NotFittedError
            The model has not been fitted.
        """
        from sksurv.exceptions import NoComparablePairException
        from sksurv.metrics import concordance_index_censored

        X, y = self._judged(X, y)
        y = self._target(y)
        log_risk = self.predict_log_risk(X)
        if not (y["event"] == 1).any():
            return float("nan")
        never = float(y["time"].max()) + 1.0
        time = np.where(y["event"] == 2, never, y["time"])
        try:
            # Where all pairs are of one time there is none to compare, and 0 / 0 is NaN.
            with np.errstate(invalid="ignore"):
                return float(concordance_index_censored(y["event"] == 1, time, log_risk)[0])
        except NoComparablePairException:
            return float("nan")

    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log relative hazard, and cumulative incidence of the event; see :meth:`RiskModel.predict_risk`."""
        X = self._patients(X)
        log_risk = self.predict_log_risk(X)
        return log_risk, self._states(X, log_risk, times)[:, 1]

    def predict_survival(self, X: Features, times: np.ndarray) -> np.ndarray:
        """Probability of having had neither the event nor a competing one, shape (n_samples, n_times)."""
        return self.predict_cumulative_incidence(X, times)[:, 0, :]

    def predict_cumulative_incidence(self, X: Features, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        times : ndarray of shape (n_times,)
            Days, in any order; beyond the follow-up the last value is carried forward.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 is event-free, 1 the event, 2 (where training saw one) the competing event; sums to 1.
        """
        X = self._patients(X)
        return self._states(X, self.predict_log_risk(X), times)

    def predict_cumulative_hazard_function(self, X: Features, return_array: bool = False) -> np.ndarray:
        """Cumulative hazard of the event, as scikit-survival's models give it.

        The hazard is cause-specific: it acts on those who had neither the event nor a competing one.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        return_array : bool, default False
            Return the values at ``unique_times_``, shape (n_samples, n_times), instead of functions of the day.

        Returns
        -------
        ndarray of sksurv.functions.StepFunction, shape (n_samples,)
            From day 0 to the end of the training patients' follow-up.
        """
        times, baseline = self._steps()
        return _functions(times, np.outer(_relative_hazard(self.predict_log_risk(X)), baseline), return_array)

    def predict_survival_function(self, X: Features, return_array: bool = False) -> np.ndarray:
        """Probability of not having had the event, were there no competing ones, as scikit-survival's models give it.

        The exponential of minus :meth:`predict_cumulative_hazard_function`. Where there are competing events these are
        treated as censoring, as scikit-survival's metrics do with ``y``; the probabilities of what will happen are
        those of :meth:`predict_cumulative_incidence`.

        Parameters
        ----------
        X, return_array
            As in :meth:`predict_cumulative_hazard_function`.

        Returns
        -------
        ndarray of sksurv.functions.StepFunction, shape (n_samples,)

        Examples
        --------
        >>> import pandas as pd
        >>> from nbrelapse.models import Cox
        >>> X = pd.DataFrame({"mycn__amplified": [1.0, 0.0] * 10})
        >>> y = np.array([(i % 4 < 3, 100.0 + i - 50 * (i % 2 == 0)) for i in range(20)], dtype="?, f8")
        >>> amplified, other = Cox().fit(X, y).predict_survival_function(X)[:2]
        >>> bool(amplified(90.0) < other(90.0))
        True
        """
        times, baseline = self._steps()
        hazard = np.outer(_relative_hazard(self.predict_log_risk(X)), baseline)
        return _functions(times, np.exp(-hazard), return_array)

    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the days of the steps, the end of follow-up last, and the cumulative hazard at log risk 0."""
        check_is_fitted(self)
        times, hazard = self.baseline_.times, np.cumsum(self.baseline_.event_step)
        if times[-1] < self.baseline_.last_time:
            times, hazard = np.append(times, self.baseline_.last_time), np.append(hazard, hazard[-1])
        return times, hazard

    def _states(self, X: pd.DataFrame, log_risk: np.ndarray, times: np.ndarray) -> np.ndarray:
        competing = None
        if self.competing_ is not None:
            competing = self.competing_.log_risk(read_columns(X, self._features), log_risk)
        return self.baseline_.cumulative_incidence(log_risk, np.asarray(times, dtype=float), competing)


def _functions(times: np.ndarray, values: np.ndarray, return_array: bool) -> np.ndarray:
    """Return values at the times, a row a patient, or a function each."""
    if return_array:
        return values
    from sksurv.functions import StepFunction

    functions = np.empty(len(values), dtype=object)
    functions[:] = [StepFunction(times, row) for row in values]
    return functions


def _times_to_event(y: np.ndarray, model: str) -> np.ndarray:
    """Return structured outcomes, whatever their fields are called, as an Outcome holds them; refuse all else."""
    names = y.dtype.names or ()
    if set(names) == set(SURVIVAL_DTYPE.names or ()):
        names = ("event", "time")
    if y.ndim != 1 or len(names) != 2 or y.dtype[names[0]].kind not in "bui" or y.dtype[names[1]].kind not in "uif":
        raise InputError(
            f"{model} learns a time to an event, y holds {_described(y)}",
            column="y",
            expected="an Outcome, or a structured array: the event (True or False, or 0, 1 and 2), then the time",
            fix="make_outcome(cohort, 'relapse'), or sksurv.util.Surv.from_arrays(event, time); for yes or no use "
            "Logistic or BoostedClassifier",
        )
    if y.dtype == SURVIVAL_DTYPE:
        found = y
    else:
        found = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        found["event"], found["time"] = y[names[0]], y[names[1]]
    wrong = ~np.isin(y[names[0]], (0, 1, 2)), ~(np.isfinite(found["time"]) & (found["time"] > 0))
    legal = "0 = censored, 1 = the event, 2 = a competing event", "days, above 0, finite"
    fixes = (
        "correct the codes",
        "correct the times; an event on day 0 is given half a day, and who was censored then is left out",
    )
    for name, rows, expected, fix in zip(names, wrong, legal, fixes, strict=True):
        if rows.any():
            raise InputError(
                f"illegal values in y: {y[name][rows][0]!r}",
                column=name,
                rows=(np.flatnonzero(rows) + 1).tolist(),
                expected=expected,
                fix=fix,
            )
    return found


def _described(y: np.ndarray) -> str:
    if y.dtype.names is None:
        return f"{y.dtype} in {y.ndim} dimension{'s' if y.ndim != 1 else ''}"
    return ", ".join(f"{name} ({y.dtype[name]})" for name in y.dtype.names)
