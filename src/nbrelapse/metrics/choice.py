"""The choice between families, what a difference is worth after it, and how far a figure moves with the folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import ndtri

from nbrelapse.errors import InputError
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.metrics.predictions import FEWEST_PATIENTS, Predictions
from nbrelapse.metrics.resampling import _TAIL, bootstrap_weights, cross_validation_stretch, few_events_stretch
from nbrelapse.metrics.table import METRICS
from nbrelapse.outcome import kind_of

_FIXED = ("ensemble", "ensemble_classifier")
"""Families that are fixed in advance: a tie goes to them."""

_AFTER_CHOICE = ("chosen_difference", "chosen_low", "chosen_high", "families")


def difference_after_choice(
    families: np.ndarray,
    references: np.ndarray,
    *,
    model: int,
    reference: int,
    events: int,
    chosen_by: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return the difference of a model from a reference, and a 95 % interval, whichever of them were chosen.

    The lower limit holds for all families at once: it stands below the difference by the 97.5 % quantile, over the
    resamples, of the largest of the families' standardised deviations from their own differences (max-t [1]_), so
    it holds for the family that was chosen by these figures, or by any other rule. The upper limit holds for all
    references at once, because the strongest of them is chosen, too. The limits are widened by the quantile of
    Student's t for the number of events, as standard errors from few events are too small.

    The difference of the family with the best figure is corrected for having it: in each resample the best family is
    chosen, and what it shows there beyond its own figure is taken from that figure. This is the bias-corrected
    cross-validation of [2]_ to first order. The strongest reference is not corrected, which favours the reference.

    Parameters
    ----------
    families, references : ndarray of shape (n_models, 1 + n_bootstrap)
        A figure of which more is better: of the sample itself, then of each resample.
    model, reference : int
        Rows.
    events : int
        Of the patients judged.
    chosen_by : ndarray of the shape of ``families``, optional
        The figure that families are chosen by; by default the same.

    Returns
    -------
    difference, low, high : float
        NaN where the figure is undefined.

    References
    ----------
    .. [1] Westphal & Brannath 2020, Statistical Methods in Medical Research, 10.1177/0962280219862586
    .. [2] Tsamardinos 2018, Machine Learning, 10.1007/s10994-018-5714-4

    Examples
    --------
    >>> values = np.array([0.70, 0.73, 0.71, 0.70])[:, np.newaxis] + np.random.default_rng(0).normal(0, 0.02, (4, 401))
    >>> values[:, 0] = 0.70, 0.73, 0.71, 0.70
    >>> found = difference_after_choice(values[:3], values[3:], model=1, reference=0, events=60)
    >>> [round(value, 2) for value in found]
    [0.01, -0.03, 0.09]
    """
    observed = families[model, 0] - references[reference, 0]
    kept = ~np.isnan(families[:, 0])
    own, compared = families[kept], references[~np.isnan(references[:, 0])]
    whole = ~(np.isnan(own).any(axis=0) | np.isnan(compared).any(axis=0))
    if not np.isfinite(observed) or whole.sum() < 3:
        return np.nan, np.nan, np.nan
    own, compared, against = own[:, whole], compared[:, whole], references[reference, whole]
    deviation = (families[model, whole] - against)[1:] - observed
    scale = deviation.std() * few_events_stretch(events)
    low = observed - scale * _largest(own - against)
    high = observed + scale * _largest(compared - families[model, whole])
    difference = observed
    figures = families if chosen_by is None else chosen_by
    if len(own) > 1 and figures[model, 0] == np.nanmax(figures[:, 0]):
        difference = _corrected(own, figures[kept][:, whole]) - references[reference, 0]
    return float(difference), float(low), float(high)


def _largest(differences: np.ndarray) -> float:
    """97.5 % quantile over the resamples of the largest standardised deviation, at least that of a normal one."""
    deviation = differences[:, 1:] - differences[:, :1]
    spread = deviation.std(axis=1, keepdims=True)
    standard = np.divide(deviation, spread, out=np.zeros_like(deviation), where=spread > 0)
    # Of few resamples other quantiles lie too far inside: with 250 the error would be 2.9 % in place of 2.5 %.
    return max(float(np.quantile(standard.max(axis=0), _TAIL, method="weibull")), float(ndtri(_TAIL)))


def _corrected(figures: np.ndarray, chosen_by: np.ndarray) -> float:
    """Figure of the best family, less what choosing it adds."""
    best = np.argmax(np.where(np.isnan(chosen_by), -np.inf, chosen_by)[:, 1:], axis=0)
    resampled = figures[:, 1:][best, np.arange(len(best))]
    return float((2 * figures[best, 0] - resampled).mean())


def _with_choice(
    rows: list[dict[str, object]],
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    leading: str,
    *,
    events: int,
    n_bootstrap: int,
    alone: bool = False,
) -> list[dict[str, object]]:
    """Add to rows of differences what they are after the choice of a model; ``alone``: of one named beforehand.

    References are not chosen among themselves, and of a metric without a sense nothing is called better: NaN.
    """
    own = {key: values[: n_bootstrap + 1] for key, values in replicates.items()}
    families = [model for model, metric in own if metric == leading and model not in references]
    added = []
    for row in rows:
        model, reference, metric = str(row["model"]), str(row["reference"]), str(row["metric"])
        sense = METRICS[metric].sense
        values: tuple[float, ...] = (np.nan,) * len(_AFTER_CHOICE)
        if model in families and sense:
            among = [model] if alone else [name for name in families if (name, metric) in own]
            difference, low, high = difference_after_choice(
                sense * np.stack([own[name, metric] for name in among]),
                sense * np.stack([own[name, metric] for name in references]),
                model=among.index(model),
                reference=references.index(reference),
                events=events,
                chosen_by=np.stack([own[name, leading] for name in among]),
            )
            values = (sense * difference, *sorted((sense * low, sense * high)), len(among))
        added.append(row | dict(zip(_AFTER_CHOICE, values, strict=True)))
    return added


@dataclass(frozen=True)
class FamilyChoice:
    """Which family was chosen by its figure in the training patients.

    Parameters
    ----------
    family : str
    leader : str
        The family with the highest figure.
    other : str
        The default, where that is not the leader; else the runner-up. Empty where there is one family.
    difference, error : float
        The leader's figure less the other's in the same patients, and its standard error; NaN where there is no other.
    default : str
        The family that a tie goes to; empty where there is none.
    """

    family: str
    leader: str
    other: str = ""
    difference: float = float("nan")
    error: float = float("nan")
    default: str = ""

    @property
    def tie(self) -> bool:
        """Whether the difference lies within its standard error."""
        return bool(self.difference <= self.error)


def choose_family(
    predictions: Mapping[str, Predictions], y: np.ndarray, *, n_bootstrap: int = 200, seed: int = 0
) -> FamilyChoice:
    """Choose a family by Harrell's C (AUC), and do not choose by noise.

    The one-standard-error rule in reverse [1]_: an ensemble, which is fixed in advance, is chosen unless another family
    leads it by more than the standard error of the paired difference: that over bootstrap resamples of the patients, as
    much larger as intervals are stretched for other training patients and few events (:func:`leading_stretch`).
    Without an ensemble the highest figure is chosen, tie or not.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Out-of-sample ones of the families, with the same folds.
    y : ndarray of shape (n,)
    n_bootstrap, seed : int

    Returns
    -------
    FamilyChoice

    Raises
    ------
    InputError
        No figure is defined.

    References
    ----------
    .. [1] Breiman 1984, Classification and Regression Trees, section 3.4.3

    Examples
    --------
    >>> rng, y = np.random.default_rng(2), np.array([1, 0] * 50)
    >>> shape = np.zeros((1, 100), int), np.full((1, 100, 1), 0.5), np.ones(1)
    >>> fixed, other = (Predictions("", y + rng.normal(size=(1, 100)), *shape) for _ in range(2))
    >>> found = choose_family({"ensemble_classifier": fixed, "logistic": other}, y)
    >>> found.family, found.tie
    ('ensemble_classifier', True)
    """
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    names = list(predictions)
    times = kind_of(y).with_times(y)
    figures = np.stack(
        [harrell_c(times, own.log_risk, fold=own.compared, weights=weights) for own in predictions.values()]
    )
    if np.isnan(figures[:, 0]).all():
        raise InputError("no model could be judged: no fold has a comparable pair of patients")
    default = default_family(names)
    stretch = leading_stretch(next(iter(predictions.values())).fold, y)
    row = int(chosen_rows(figures, default, stretch=stretch)[0])
    order = np.argsort(-np.where(np.isnan(figures[:, 0]), -np.inf, figures[:, 0]), kind="stable")
    leader = int(order[0])
    if len(names) == 1:
        return FamilyChoice(names[row], names[leader])
    other = int(order[1]) if default in (None, leader) else int(default)
    apart = figures[leader] - figures[other]
    error = stretch * float(np.nanstd(apart[1:])) if np.isfinite(apart[1:]).any() else float("nan")
    return FamilyChoice(
        names[row], names[leader], names[other], float(apart[0]), error, "" if default is None else names[default]
    )


def default_family(names: Sequence[str]) -> int | None:
    """Return the position of the family that a tie goes to; None where no family is fixed in advance."""
    return next((position for position, name in enumerate(names) if name in _FIXED), None)


def leading_stretch(fold: np.ndarray, y: np.ndarray) -> float:
    """Return how much larger the standard error of the leading figure is than that over resamples of the patients.

    Parameters
    ----------
    fold : ndarray of int, shape (n_repeats, n)
        The fold whose model predicted the patient.
    y : ndarray of shape (n,)

    Returns
    -------
    float
        For other training patients and few events: the product of :func:`cross_validation_stretch` and
        :func:`few_events_stretch`.

    Examples
    --------
    >>> round(leading_stretch(np.arange(100)[np.newaxis] % 5, np.array([1, 0] * 50)), 2)
    1.31
    """
    kind = kind_of(y)
    training = METRICS[kind.leading_metric].training
    return cross_validation_stretch(fold, training) * few_events_stretch(kind.rarest(y))


def chosen_rows(figures: np.ndarray, default: int | None, *, stretch: float = 1.0) -> np.ndarray:
    """Return which family :func:`choose_family` chooses, of each sample.

    Parameters
    ----------
    figures : ndarray of shape (n_families, 1 + n_bootstrap)
        Of the sample itself, or of another resample; then of the resamples.
    default : int, optional
        The row that a tie goes to.
    stretch : float
        Of the standard error over the resamples, see :func:`leading_stretch`.

    Returns
    -------
    ndarray of int, shape (1 + n_bootstrap,)

    Examples
    --------
    >>> figures = np.array([[0.70, 0.68, 0.72, 0.74], [0.71, 0.72, 0.70, 0.71], [0.78, 0.77, 0.79, 0.80]])
    >>> chosen_rows(figures, default=0).tolist(), chosen_rows(figures[:2], default=0).tolist()
    ([2, 2, 2, 2], [0, 1, 0, 0])
    """
    defined = np.where(np.isnan(figures), -np.inf, figures)
    leaders = defined.argmax(axis=0)
    if default is None:
        return leaders
    with np.errstate(invalid="ignore"):
        apart = defined - defined[default]
        error = stretch * np.nanstd(np.where(np.isfinite(apart[:, 1:]), apart[:, 1:], np.nan), axis=1)
    lead = apart[leaders, np.arange(figures.shape[1])]
    return np.where(lead <= error[leaders], default, leaders)


@dataclass(frozen=True)
class ChosenDifference:
    """How a model compares with the strongest reference, the choice between families accounted for.

    Parameters
    ----------
    reference : str
        The strongest one by the metric.
    observed : float
        Difference of the two figures as they are.
    difference : float
        The same corrected for the choice, where the model is the best of several families.
    low, high : float
        95 % interval that holds whichever family and reference were chosen.
    families : int
        That the model was chosen among; 1 of a model named beforehand.
    """

    reference: str
    observed: float
    difference: float
    low: float
    high: float
    families: int

    @property
    def corrected(self) -> bool:
        """Whether the difference is another than the observed one."""
        return self.difference != self.observed


@dataclass(frozen=True)
class FigureSpread:
    """How far the leading figure of a model moves with the division into folds.

    Each fold's model was tuned anew, on other patients and other inner folds: what moves here is the figure of the
    whole procedure, in the same patients.

    Parameters
    ----------
    lowest, highest : float
        Of Harrell's C (AUC) over the repeats of the cross-validation.
    repeats : int
    empty, folds : int
        Models of folds, and those that give everybody in the fold the same risk: they use no feature. Folds of fewer
        than ten patients do not count.
    """

    lowest: float
    highest: float
    repeats: int
    empty: int
    folds: int

    def holds(self, value: float) -> bool:
        """Whether a figure lies between the lowest and the highest of at least two repeats."""
        return self.repeats > 1 and self.lowest <= value <= self.highest


def _spread_of(prediction: Predictions, y: np.ndarray, members: np.ndarray) -> FigureSpread:
    """Return the spread of a model in some of the patients; the models of all folds count for every population."""
    times = kind_of(y).with_times(y)[members]
    inside = prediction.take(members)
    figures = np.array(
        [harrell_c(times, risk, fold=fold) for risk, fold in zip(inside.log_risk, inside.compared, strict=True)]
    )
    groups = [
        risk[fold == name]
        for risk, fold in zip(prediction.log_risk, prediction.fold, strict=True)
        for name in np.unique(fold)
    ]
    large = [group for group in groups if len(group) >= FEWEST_PATIENTS]
    defined = figures[~np.isnan(figures)]
    lowest, highest = (defined.min(), defined.max()) if len(defined) else (np.nan, np.nan)
    return FigureSpread(
        float(lowest), float(highest), len(defined), sum(not np.ptp(group) for group in large), len(large)
    )


def _spread_rows(
    predictions: Mapping[str, Predictions], y: np.ndarray, population: str, members: np.ndarray
) -> list[dict[str, object]]:
    return [
        {"model": model, "population": population} | asdict(_spread_of(prediction, y, members))
        for model, prediction in predictions.items()
    ]
