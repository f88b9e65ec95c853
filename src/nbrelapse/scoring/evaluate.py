"""External validation of a saved model, and the clinical groups and populations that it is judged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.overlap import find_overlap
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.metrics.decisions import MOST_UNKNOWN, ClinicalUtility, clinical_utility
from nbrelapse.metrics.evaluation import Evaluation, evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.models.clinical import CLINICAL_COLUMNS, ClinicalReference
from nbrelapse.outcome import Outcome, kind_of, left_out_notes, make_outcome, outcome_fingerprint
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.scores import _require_assays
from nbrelapse.validation.nested import holdout_predictions


def evaluate_bundle(
    bundle: Bundle,
    cohort: Cohort,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    interval: IntervalKind = "percentile",
    allow_missing_assays: bool = False,
    training_cohort: Cohort | None = None,
    allow_overlap: bool = False,
) -> Evaluation:
    """Judge a saved model on a cohort that it has not seen, beside the clinical baselines trained with it.

    The endpoint, its rules, its landmark, the catalogue and the gene sets are the model's.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
    n_bootstrap, seed : int
        Of the intervals.
    interval : {"percentile", "bca"}
        Kind of interval.
    allow_missing_assays : bool
        Evaluate although nobody has an assay that the model reads.
    training_cohort : Cohort, optional
        What the model was trained on: whether its patients are among these, under whatever names, is looked at.
    allow_overlap : bool
        Evaluate although more of them look the same than chance makes.

    Returns
    -------
    Evaluation
        The model goes by its family's name. Baselines whose columns are the same in all patients are left
        out, with a note.

    Raises
    ------
    InputError
        The cohort lacks an assay, has no events, is the one that the model was trained on, or shares patients with it
        (see :func:`nbrelapse.cohort.find_overlap`).
    """
    overlap = [] if training_cohort is None else find_overlap(training_cohort, cohort).notes(allowed=allow_overlap)
    table = build_features(cohort, bundle.catalogue, bundle.gene_sets)
    outcome = make_outcome(
        cohort,
        bundle.endpoint,
        unspecified=bundle.training.unspecified or "event",
        progressive=bundle.training.progressive or "refractory",
        landmark_days=bundle.landmark_days,
    )
    if outcome_fingerprint(outcome) == bundle.training.outcome_fingerprint:
        raise InputError(
            "these are the patients that the model was trained on: judging it by them would flatter it",
            fix="name another cohort; the cross-validated figures are in the model card",
        )
    X = table.values.loc[outcome.patient_ids]
    if not allow_missing_assays:
        _require_assays(bundle, X[list(bundle.schema.index)])
    models = {bundle.model.family: bundle.model}
    notes = overlap + left_out_notes(outcome)
    if bundle.training.cohort == cohort.name:
        notes.append(
            f"the model was trained on patients of a cohort of this name, {cohort.name!r}: are any among these?"
        )
    for name, reference in bundle.references.items():
        if isinstance(reference, ClinicalReference) and not reference.available(X):
            notes.append(f"{name} is not available: its columns are the same in all these patients")
        else:
            models[name] = reference
    times = _times(bundle, outcome)
    predictions = holdout_predictions(models, X, np.asarray(times))
    found = evaluate(
        predictions,
        outcome.y,
        populations=populations(cohort, outcome),
        references=[name for name in models if name != bundle.model.family],
        n_bootstrap=n_bootstrap,
        seed=seed,
        interval=interval,
    )
    if found.metrics.empty:
        raise InputError(f"the cohort is too small to judge the model by: {'; '.join(found.notes)}")
    utility = judge_decisions(
        bundle.model.family, predictions, cohort, X, outcome.y, n_bootstrap=n_bootstrap, seed=seed
    )
    return replace(found, notes=notes + found.notes, utility=utility)


def _times(bundle: Bundle, outcome: Outcome) -> np.ndarray:
    times = prediction_times(outcome.y)
    if bundle.followed_days is not None:
        times = times[times <= bundle.followed_days]
        if len(times) < 2:
            raise InputError("the model's training follow-up is too short to be judged on this cohort")
    return times


_THREE = {0: "Low", 1: "Intermediate", 2: "High"}
_GROUPINGS = {
    "clinical_risk_group": ("Recorded risk group", _THREE),
    "high_risk": ("Recorded risk group", {0: "Not high risk", 1: "High risk"}),
    "clinical_cog_v2": ("COG v2 risk group", _THREE),
    "clinical_inrg": ("INRG risk group", {0: "Very low", 1: "Low", 2: "Intermediate", 3: "High"}),
}
"""Those preferred first, the most detailed that was recorded before those that rules give."""

_THIRDS = ["Lowest third", "Middle third", "Highest third"]


def patient_groups(cohort: Cohort, X: pd.DataFrame, prediction: pd.Series) -> pd.Series:
    """Return the clinical risk groups of the patients, or thirds of their predicted risk where too few are known.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients, the clinical groupings among them.
    prediction : Series of shape (n,)
        Predicted risk of the same patients.

    Returns
    -------
    Series
        By patient, an ordered categorical, the group of lowest risk first; its name says which grouping it is. NaN
        where the group is unknown.
    """
    found = clinical_groups(cohort, X)
    for name, (title, levels) in _GROUPINGS.items():
        if name in found and np.mean(np.isin(found[name], list(levels))) >= 1 - MOST_UNKNOWN:
            labels = pd.Series(found[name], index=X.index).map(levels)
            return pd.Series(pd.Categorical(labels, list(levels.values()), ordered=True), X.index, name=title)
    cuts = np.quantile(prediction, [1 / 3, 2 / 3]) if len(prediction) else [0.0, 0.0]
    third = np.array(_THIRDS)[np.searchsorted(cuts, prediction.to_numpy(), side="left")]
    return pd.Series(pd.Categorical(third, _THIRDS, ordered=True), prediction.index, name="Third of predicted risk")


def clinical_groups(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the clinical groupings that distinguish patients.

    Parameters
    ----------
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients, the clinical groupings among them.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        ``high_risk`` (recorded by the clinic) first, then each grouping that is a baseline, by its name; higher is
        worse, NaN where a rule leaves more than one group possible.
    """
    levels = _clinical_levels(cohort, X)
    return {name: level for name, level in levels.items() if len(np.unique(level[~np.isnan(level)])) > 1}


def _clinical_levels(cohort: Cohort, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return all clinical groupings, whether or not they distinguish the patients; see :func:`clinical_groups`."""
    recorded = _recorded_high_risk(cohort, X.index)
    found = {"high_risk": recorded.astype("Float64").to_numpy(dtype=float, na_value=np.nan)}
    for name, columns in CLINICAL_COLUMNS.items():
        if len(columns) == 1 and columns[0] in X:
            level = X[columns[0]].to_numpy(dtype=float)
            found[name] = np.where(level == np.round(level), level, np.nan)
    return found


def _recorded_high_risk(cohort: Cohort, patient_ids: pd.Index) -> pd.Series:
    """Return whether the clinic says that patients are high-risk, missing where it does not say."""
    return cohort.patients.set_index("patient_id")["high_risk"].reindex(patient_ids)


def populations(cohort: Cohort, outcome: Outcome) -> dict[str, np.ndarray]:
    """Masks over the patients of an outcome: ``all``, and ``high_risk`` where the clinic has said so.

    Where all patients are high-risk there is one population, ``all``.
    """
    masks = {"all": np.ones(len(outcome.y), dtype=bool)}
    mask = _recorded_high_risk(cohort, outcome.patient_ids).fillna(False).to_numpy(dtype=bool)
    return masks if mask.all() else masks | {"high_risk": mask}


_MOST_RESAMPLES = 500
"""A choice: there are many thresholds, and nothing is decided by the last digit of an interval."""


def judge_decisions(
    model: str,
    predictions: Mapping[str, Predictions],
    cohort: Cohort,
    X: pd.DataFrame,
    y: np.ndarray,
    *,
    n_bootstrap: int,
    seed: int,
) -> ClinicalUtility | None:
    """Ask whether decisions by a model would be better than those by the cohort's clinical groups.

    Parameters
    ----------
    model : str
        Which of the predictions.
    predictions : mapping of str to Predictions
    cohort : Cohort
    X : DataFrame of shape (n, n_features)
        Features of the patients that the predictions are of.
    y : ndarray of shape (n,)
    n_bootstrap, seed : int
        Of the intervals; 500 resamples at most.

    Returns
    -------
    ClinicalUtility or None
        None of a binary endpoint, which has no horizon.
    """
    if not kind_of(y).has_time:
        return None
    resamples = min(n_bootstrap, _MOST_RESAMPLES)
    return clinical_utility(model, predictions, clinical_groups(cohort, X), y, n_bootstrap=resamples, seed=seed)
