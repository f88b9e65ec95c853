"""Cross-validation of any estimators on one cohort, ours and others, as one comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.cohort.cohort import counted
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.evaluation import Evaluation, evaluate, strongest_reference
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.metrics.table import METRICS, population_title
from nbrelapse.models.base import RiskModel
from nbrelapse.models.binary import BinaryModel
from nbrelapse.models.clinical import ClinicalReference
from nbrelapse.models.design import align_patients
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.outcome import SURVIVAL_DTYPE, Outcome, event_of, kind_of
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.foreign import _NO_PROBABILITY, _adapt_estimator, _ForeignModel
from nbrelapse.validation.nested import nested_cross_validation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Population = str | np.ndarray | pd.Series | Sequence[bool]
"""Patients to judge models on: a column of X that is 1 for them, or a mask."""

_RANKING = ("harrell_c", "uno_c", "cause_specific_c", "auc")
"""Metrics that need an order of the patients only."""

_FURTHER = ("uno_c", "cause_specific_c", "auc_5y", "ipa_5y", "brier", "ipa", "integrated_brier", "calibration_slope")
"""Columns of a leaderboard beside the leading metric, as far as there are any."""

_SHOWN_NOTES = 4


@dataclass(frozen=True, repr=False, eq=False)
class CrossValidation:
    """How well models predicted patients that they had not seen; made by :func:`cross_validate`.

    Parameters
    ----------
    predictions : dict of str to Predictions
        By model, of every patient by models that were tuned and fitted without him. A model that predicts no
        probability has no times.
    evaluation : Evaluation
        All metrics of all models in all populations, and the paired differences from the references.
    outcome : Outcome or ndarray of shape (n_patients,)
        What the models were judged by, in the order of the predictions.
    models : dict of str to RiskModel
        The models as they were compared, not fitted: with the columns that they read, and those of other packages
        in a :class:`_ForeignModel`.
    settings : dict
        The arguments of :func:`cross_validate` beside models and patients.
    """

    predictions: Mapping[str, Predictions]
    evaluation: Evaluation
    outcome: Outcome | np.ndarray
    models: Mapping[str, RiskModel]
    settings: Mapping[str, Any]

    @property
    def notes(self) -> list[str]:
        """What was left out or shortened, and why."""
        return self.evaluation.notes

    def leaderboard(self, population: str = "all") -> pd.DataFrame:
        """Return a row a model, the best first.

        Parameters
        ----------
        population : str
            One that the models were judged in.

        Returns
        -------
        DataFrame
            ``model``; the leading metric (``harrell_c``, or ``auc`` of a binary endpoint) with its 95 % interval
            ``low``, ``high``; ``difference`` from the ``reference`` in the same resamples, ``difference_low``,
            ``difference_high``, where the reference is the strongest one in this population; further metrics, NaN
            where a model has no such figure (see :attr:`notes`); ``n`` and ``events`` of the population. The
            reference itself has no difference.

        Raises
        ------
        InputError
            The models were not judged in such a population.
        """
        metrics = self.evaluation.metrics[self.evaluation.metrics["population"] == population]
        if metrics.empty:
            reasons = [note for note in self.notes if note.startswith(f"{population_title(population)}: left out, ")]
            why = "".join(f": {note.partition(', ')[2]}" for note in reasons)
            raise InputError(
                f"no model was judged in population {population!r}{why}",
                expected=", ".join(self._judged()) or "a population with enough patients and events",
            )
        leading = self.evaluation.kind.leading_metric
        values = metrics.pivot(index="model", columns="metric", values="value")
        table = metrics[metrics["metric"] == leading].set_index("model")[["value", "low", "high", "n", "events"]]
        reference = strongest_reference(self.evaluation, population)
        differences = self.evaluation.differences
        paired = differences[
            (differences["population"] == population)
            & (differences["metric"] == leading)
            & (differences["reference"] == reference)
        ].set_index("model")[["difference", "low", "high"]]
        table = table.join(paired.rename(columns={"low": "difference_low", "high": "difference_high"}))
        further = [name for name in _FURTHER if name in values and name != leading]
        table = table.join(values[further]).assign(reference=reference).rename(columns={"value": leading})
        order = METRICS[leading].goodness(table[leading]).sort_values(ascending=False, kind="stable").index
        columns = [leading, "low", "high", "difference", "difference_low", "difference_high", "reference"]
        return table.loc[order, [*columns, *further, "n", "events"]].reset_index()

    def plot(self, metric: str | None = None) -> Figure:
        """Draw the metric of every model, and its difference from the strongest reference, with intervals.

        Parameters
        ----------
        metric : str, optional
            By default Harrell's C, or the AUC of a binary endpoint.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        InputError
            There is no such metric, or no model was judged.
        """
        known = list(dict.fromkeys(self.evaluation.metrics["metric"]))
        if not known or metric not in (None, *known):
            raise InputError(
                "there is nothing to draw: no model was judged" if not known else f"there is no metric {metric!r}",
                expected=", ".join(known) or "a population with enough patients and events",
            )
        # Pictures lie to the right of validation: this is the one place that reaches there, when it is called.
        from nbrelapse.report.plots.performance import leaderboard_forest

        return leaderboard_forest(self.evaluation, metric=metric)

    def __repr__(self) -> str:
        lines = [self._headline()]
        for population in self._judged()[:1]:
            lines += [f"population {population!r}:", self._shown(population).to_string(index=False)]
        return "\n".join([*lines, *(f"  {line}" for line in self._remarks())])

    def _repr_html_(self) -> str:
        table = "".join(self._shown(population).to_html(index=False) for population in self._judged()[:1])
        remarks = "".join(f"<li>{escape(line)}</li>" for line in self._remarks())
        return f"<p>{escape(self._headline())}</p>{table}" + (f"<ul>{remarks}</ul>" if remarks else "")

    def _judged(self) -> list[str]:
        return list(dict.fromkeys(self.evaluation.metrics["population"]))

    def _headline(self) -> str:
        happened = np.bincount(event_of(np.asarray(self.outcome)), minlength=3)
        competing = f", {happened[2]:,} competing" if happened[2] else ""
        repeats, folds = self.settings["n_repeats"], self.settings["n_folds"]
        return (
            f"CrossValidation: {counted(len(self.models), 'model')}, {counted(len(self.outcome), 'patient')}, "
            f"{counted(int(happened[1]), 'event')}{competing}; {counted(repeats, 'repeat')} of {folds} folds"
        )

    def _shown(self, population: str) -> pd.DataFrame:
        """Leaderboard with intervals in words, three decimals."""
        table = self.leaderboard(population)
        leading = str(table.columns[1])
        shown = pd.DataFrame({"model": table["model"], leading: _with_interval(table, leading, "low", "high", "")})
        if table["difference"].notna().any():
            name = f"minus {table['reference'].iloc[0]}"
            shown[name] = _with_interval(table, "difference", "difference_low", "difference_high", "+")
        further = [name for name in _FURTHER if name in table and name != leading]
        return shown.assign(**{name: table[name].map(lambda value: _figure(value, "")) for name in further})

    def _remarks(self) -> list[str]:
        others = [f"also judged: {', '.join(self._judged()[1:])}"] if self._judged()[1:] else []
        more = len(self.notes) - _SHOWN_NOTES
        return (
            others + self.notes[:_SHOWN_NOTES] + ([f"and {counted(more, 'note')} more in .notes"] if more > 0 else [])
        )


def cross_validate(
    models: Mapping[str, Any],
    X: FeatureTable | pd.DataFrame | np.ndarray,
    y: Outcome | pd.Series | np.ndarray | Sequence[Any],
    *,
    n_repeats: int = 3,
    n_folds: int = 5,
    n_inner_folds: int = 3,
    n_trials: int = 20,
    seed: int = 0,
    n_jobs: int = 1,
    populations: Mapping[str, _Population] | None = None,
    references: Sequence[str] | None = None,
    n_bootstrap: int = 500,
    interval: IntervalKind = "percentile",
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidation:
    """Compare models, of this package and of others, by nested cross-validation.

    All models see the same folds, and everything learned, hyperparameters and imputation included, is learned within
    the training part of a fold. Models of this package are tuned there. Estimators with the interface of
    scikit-survival (a time to an event) or scikit-learn (a binary endpoint) are fitted as they are; one that tunes
    itself, such as ``GridSearchCV``, or a pipeline that imputes first, does so within the training part. They are run
    first, so that one that does not work is found early. Their ``random_state`` is set from `seed` where it is None.

    Scores of other packages are compared by how they rank patients. Figures that need a probability are NaN, with a
    note, where an estimator predicts none and where there are competing events: there an estimator of
    scikit-survival takes those as censored, and one less its survival function would overstate the incidence. The
    calibration slope is NaN where the score is no log hazard or log odds.

    Parameters
    ----------
    models : mapping of str to estimator
        By name; they stay unfitted. Of a feature table, models without ``columns`` of their own read the features that
        are neither clinical groupings kept for comparison (role "baseline") nor, unless they weigh single genes
        (``reads_genes``), single genes; estimators of other packages are given the features without single genes, and
        without those that no patient has a value of.
    X : FeatureTable, DataFrame or array of shape (n_patients, n_features)
        NaN = not assayed.
    y : Outcome, Series or array of shape (n_patients,)
        Matched to `X` by patient, see :func:`nbrelapse.models.design.align_patients`. A structured array of event and
        time in days, ``event`` 0, 1 or 2 (a competing event) or bool; or a vector of 0 and 1.
    n_repeats, n_folds : int
        Of the outer cross-validation.
    n_inner_folds, n_trials : int
        Of the tuning; see :func:`nbrelapse.validation.tuning.tune`.
    seed : int
        Results depend neither on `n_jobs` nor on which other models there are.
    n_jobs : int
        Processes, each with one thread.
    populations : mapping of str to str, array or Series, optional
        Groups to judge the models in beside ``"all"``: a column of `X` that is 1 for its patients and 0 for others, a
        mask in the order of the outcome, or a Series by patient. Patients without a value are not in the group.
    references : sequence of str, optional
        Models that the others are compared with; by default the clinical baselines among them, else the first model.
    n_bootstrap : int
        Resamples behind the 95 % intervals.
    interval : {"percentile", "bca"}
        See :func:`nbrelapse.metrics.resampling.bootstrap_interval`.
    cache : FoldCache, optional
        Where predictions of folds are looked up and kept. Estimators with code of one's own are computed each time:
        nothing would tell that the code has changed.
    progress : callable, optional
        Called with the fits done and the fits in all.

    Returns
    -------
    CrossValidation

    Raises
    ------
    InputError
        Features and outcome are of different patients; a model is none, or of another kind of endpoint, or takes no
        missing values where there are some; an option is illegal; there are too few events for the folds.

    Examples
    --------
    >>> from sklearn.impute import SimpleImputer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sksurv.linear_model import CoxPHSurvivalAnalysis
    >>> from nbrelapse.models.linear import Cox
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 80), "alk__amplified": np.nan})
    >>> X.loc[::2, "alk__amplified"] = rng.integers(0, 2, 40)
    >>> y = np.zeros(80, dtype=[("event", bool), ("time", float)])
    >>> y["event"], y["time"] = rng.random(80) < 0.7, rng.exponential(2000 / np.exp(2 * X["mycn__amplified"]))
    >>> theirs = make_pipeline(SimpleImputer(), CoxPHSurvivalAnalysis(alpha=1.0))
    >>> result = cross_validate({"cox": Cox(), "theirs": theirs}, X, y, n_repeats=1, n_trials=3)
    >>> result.leaderboard().set_index("model")["harrell_c"].round(1).to_dict()
    {'theirs': 0.7, 'cox': 0.7}
    >>> print(repr(result).splitlines()[0])
    CrossValidation: 2 models, 80 patients, 48 events; 1 repeat of 5 folds
    """
    table, values = align_patients(X, y)
    outcome = _checked_outcome(values)
    settings: dict[str, Any] = {
        "n_repeats": n_repeats,
        "n_folds": n_folds,
        "n_inner_folds": n_inner_folds,
        "n_trials": n_trials,
        "seed": seed,
    }
    _check_options(settings | {"n_bootstrap": n_bootstrap}, interval)
    candidates = _candidates(models, X, table, survival=kind_of(outcome).has_time, seed=seed)
    compared_with = _references(references, candidates)
    masks, notes = _masks(populations or {}, table)
    predictions = _predict(candidates, table, outcome, settings, n_jobs, cache, progress)
    foreign = {name: model for name, model in candidates.items() if isinstance(model, _ForeignModel)}
    probability = {name: _has_probability(predictions[name]) for name in foreign}
    evaluation = evaluate(
        {name: _with_stand_in(prediction) for name, prediction in predictions.items()},
        outcome,
        populations=masks,
        references=compared_with,
        n_bootstrap=n_bootstrap,
        seed=seed,
        interval=interval,
        undetermined=lambda name, metric: name in foreign and _undetermined(metric, foreign[name], probability[name]),
    )
    notes += _foreign_notes(foreign, probability, outcome)
    evaluation = replace(evaluation, notes=notes + evaluation.notes)
    return CrossValidation(
        {name: _without_stand_in(prediction) for name, prediction in predictions.items()},
        evaluation,
        y if isinstance(y, Outcome) else outcome,
        candidates,
        settings
        | {"n_bootstrap": n_bootstrap, "interval": interval, "references": compared_with, "populations": masks},
    )


def _checked_outcome(values: np.ndarray) -> np.ndarray:
    """Outcome as models of this package take it."""
    if values.ndim != 1:
        raise InputError(
            f"y has {values.ndim} dimensions",
            expected="one: an outcome, a structured array of event and time, or 0 and 1",
            fix="make an outcome with make_outcome, or an array with sksurv.util.Surv.from_dataframe",
        )
    if values.dtype.names is not None:
        return _timed(values)
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=float)
    illegal = ~np.isin(numbers, (0.0, 1.0))
    if illegal.any():
        raise InputError(
            "y is neither a time to an event nor binary",
            rows=(np.flatnonzero(illegal) + 1).tolist(),
            expected="a structured array of event and time, or 0 and 1",
        )
    return numbers.astype(np.int8)


def _timed(values: np.ndarray) -> np.ndarray:
    names = list(values.dtype.names or ())
    if set(names) != {"event", "time"}:
        if len(names) != 2:
            raise InputError(f"y has the fields {', '.join(names)}", expected="two: event and time")
        names = names if values.dtype[names[0]].kind in "biu" else names[::-1]
        events, times = values[names[0]], values[names[1]]
    else:
        events, times = values["event"], values["time"]
    illegal = ~np.isin(events, (0, 1, 2)) | ~np.isfinite(times) | ~(times > 0)
    if illegal.any():
        raise InputError(
            "y holds illegal events or times",
            rows=(np.flatnonzero(illegal) + 1).tolist(),
            expected="event 0 (censored), 1 or 2 (a competing event), or bool; time in days, above 0",
        )
    outcome = np.empty(len(values), dtype=SURVIVAL_DTYPE)
    outcome["event"], outcome["time"] = events, times
    return outcome


def _check_options(numbers: Mapping[str, int], interval: str) -> None:
    least = {"n_folds": 2, "n_inner_folds": 2, "seed": 0}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least.get(name, 1):
            raise InputError(
                f"illegal {name} {value!r}", column=name, expected=f"a whole number, {least.get(name, 1)} or more"
            )
    if interval not in get_args(IntervalKind):
        raise InputError(
            f"illegal interval {interval!r}", column="interval", expected=" or ".join(get_args(IntervalKind))
        )


def _candidates(
    models: Mapping[str, Any], X: Any, table: pd.DataFrame, *, survival: bool, seed: int
) -> dict[str, RiskModel]:
    """Models with the columns that they read, those of other packages adapted."""
    if not isinstance(models, Mapping) or not models or not all(isinstance(name, str) for name in models):
        raise InputError(
            "there are no models by name", column="models", expected='a mapping, such as {"cox": model, "mine": model}'
        )
    everything = without_genes = None
    if isinstance(X, FeatureTable):
        everything = X.model_columns()
        without_genes = [name for name in everything if X.catalogue.features[name].role != "gene"]
    found: dict[str, RiskModel] = {}
    for name, model in models.items():
        if isinstance(model, RiskModel):
            chosen = everything if model.plain.reads_genes else without_genes
            found[name] = _with_columns(name, model, table, chosen, survival=survival)
        else:
            chosen = list(table.columns) if without_genes is None else without_genes
            known = [column for column in chosen if table[column].notna().any()]
            found[name] = _adapt_estimator(name, model, known, survival=survival, seed=seed)
    return found


def _with_columns(
    name: str, model: RiskModel, table: pd.DataFrame, chosen: list[str] | None, *, survival: bool
) -> RiskModel:
    other = BinaryModel if survival else SurvivalModel
    if isinstance(model, other):
        kinds = ("a binary endpoint", "a time to an event")
        raise InputError(
            f"model {name!r} ({type(model).__name__}) is of {kinds[not survival]}, y is {kinds[survival]}",
            column="models",
        )
    parameters = model.get_params(deep=False)
    if "columns" not in parameters:
        within = {
            part: _with_columns(name, own, table, chosen, survival=survival) for part, own in model.parts().items()
        }
        return model.with_parts(within)
    absent = [column for column in parameters.get("columns") or () if column not in table.columns]
    if absent:
        raise InputError(
            f"X lacks {counted(len(absent), 'column')} that model {name!r} reads",
            column=", ".join(absent[:5]),
            fix="build all features, or leave the model out",
        )
    own = isinstance(model, ClinicalReference) or parameters.get("columns", ()) is not None
    if chosen is None or own:
        return clone(model)
    return clone(model).set_params(columns=chosen)


def _references(references: Sequence[str] | None, models: Mapping[str, RiskModel]) -> tuple[str, ...]:
    if references is None:
        clinical = tuple(name for name, model in models.items() if isinstance(model, ClinicalReference))
        return clinical or tuple(models)[:1]
    names = (references,) if isinstance(references, str) else tuple(references)
    unknown = [name for name in names if name not in models]
    if unknown:
        raise InputError(f"reference {unknown[0]!r} is no model", column="references", expected=", ".join(models))
    return names


def _masks(populations: Mapping[str, _Population], table: pd.DataFrame) -> tuple[dict[str, np.ndarray], list[str]]:
    """Patients of each population, and how many have no value there."""
    masks, notes = {"all": np.ones(len(table), dtype=bool)}, []
    for name, given in populations.items():
        values = pd.to_numeric(_population_values(name, given, table), errors="coerce").astype(float)
        illegal = values.notna() & ~values.isin((0.0, 1.0))
        if illegal.any() or values.isna().all():
            raise InputError(
                f"population {name!r} is no mask of the {len(table)} patients",
                column="populations",
                expected="1 or True for its patients, 0 or False for others, nothing where it is not known",
            )
        unknown = int(values.isna().sum())
        if unknown:
            notes.append(f"{population_title(name)}: {counted(unknown, 'patient')} without a value left out")
        masks[name] = (values == 1.0).to_numpy()
    return masks, notes


def _population_values(name: str, given: _Population, table: pd.DataFrame) -> pd.Series:
    if isinstance(given, str):
        if given not in table.columns:
            raise InputError(
                f"population {name!r}: X has no column {given!r}",
                column="populations",
                fix="name a column of X, or give a mask",
            )
        return table[given]
    if isinstance(given, pd.Series):
        if not given.index.is_unique:
            raise InputError(f"population {name!r} has a patient more than once", column="populations")
        return given.reindex(table.index)
    mask = np.asarray(given)
    if mask.shape != (len(table),):
        raise InputError(
            f"population {name!r} is of shape {mask.shape}, there are {len(table)} patients", column="populations"
        )
    return pd.Series(mask, index=table.index)


def _predict(
    models: Mapping[str, RiskModel],
    table: pd.DataFrame,
    y: np.ndarray,
    settings: Mapping[str, Any],
    n_jobs: int,
    cache: FoldCache | None,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Predictions]:
    """Cross-validate in turn: estimators of other packages that the cache cannot hold, the others of them, ours."""
    times = prediction_times(y)
    foreign = {name: model for name, model in models.items() if isinstance(model, _ForeignModel)}
    uncached = [name for name, model in foreign.items() if cache is not None and not model.can_be_cached(table)]
    groups = [
        (uncached, None),
        ([name for name in foreign if name not in uncached], cache),
        ([name for name in models if name not in foreign], cache),
    ]
    if cache is not None:
        cache.prepare()
    fits = settings["n_repeats"] * settings["n_folds"]
    found: dict[str, Predictions] = {}
    for names, kept in groups:
        if not names:
            continue
        before = len(found) * fits

        def report(done: int, total: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, len(models) * fits)

        found |= nested_cross_validation(
            {name: models[name] for name in names},
            table,
            y,
            **settings,
            n_jobs=n_jobs,
            times=times,
            cache=kept,
            progress=report,
        )
    return {name: found[name] for name in models}


def _has_probability(prediction: Predictions) -> bool:
    return not (prediction.incidence == _NO_PROBABILITY).any()


def _with_stand_in(prediction: Predictions) -> Predictions:
    """Return predictions that can be evaluated: a half for probabilities not predicted, its figures are left out."""
    if _has_probability(prediction):
        return prediction
    half = np.full_like(prediction.incidence, 0.5)
    return Predictions(prediction.model, prediction.log_risk, prediction.fold, half, prediction.times)


def _without_stand_in(prediction: Predictions) -> Predictions:
    """Return predictions without times where there are no probabilities."""
    if _has_probability(prediction):
        return prediction
    nothing = np.empty((*prediction.log_risk.shape, 0))
    return Predictions(prediction.model, prediction.log_risk, prediction.fold, nothing, np.empty(0))


def _undetermined(metric: str, model: _ForeignModel, probability: bool) -> bool:
    if metric.startswith(_RANKING):
        return False
    if metric == "calibration_slope":
        return not model.log_scale
    return not probability


def _foreign_notes(models: Mapping[str, _ForeignModel], probability: Mapping[str, bool], y: np.ndarray) -> list[str]:
    """Why figures of these models are left out, a note a reason."""
    compete = bool((event_of(y) == 2).any())
    scale = kind_of(y).scale
    reasons = {
        "patients with a competing event are censored in training, and figures of the incidence are left out, because "
        "one less the survival function would overstate it": [name for name in models if compete],
        "no probability is predicted, figures that need one are left out": [
            name for name in models if not compete and not probability[name]
        ],
        f"the score is not known to be a {scale}, its calibration slope is left out": [
            name for name, model in models.items() if not model.log_scale
        ],
    }
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items() if names]


def _with_interval(table: pd.DataFrame, value: str, low: str, high: str, sign: str) -> list[str]:
    """Write values with their intervals; a dash where there is no value."""
    rows = zip(table[value], table[low], table[high], strict=True)
    return [
        _figure(middle, sign) if pd.isna(lower) else f"{middle:{sign}.3f} ({lower:{sign}.3f} to {upper:{sign}.3f})"
        for middle, lower, upper in rows
    ]


def _figure(value: float, sign: str) -> str:
    return "–" if pd.isna(value) else f"{value:{sign}.3f}"
