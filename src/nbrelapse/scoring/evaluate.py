"""External validation of a saved model."""

from __future__ import annotations

import numpy as np

from nbrelapse.cohort.check import find_overlap
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.metrics.evaluation import Evaluation, evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.models.clinical import ClinicalReference
from nbrelapse.outcome import Outcome, make_outcome, outcome_fingerprint
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.groups import judge_decisions, populations
from nbrelapse.scoring.scores import require_assays
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
        require_assays(bundle, X[list(bundle.schema.index)])
    models = {bundle.model.family: bundle.model}
    notes = overlap
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
    return Evaluation(found.metrics, found.differences, notes + found.notes, utility)


def _times(bundle: Bundle, outcome: Outcome) -> np.ndarray:
    times = prediction_times(outcome.y)
    if bundle.followed_days is not None:
        times = times[times <= bundle.followed_days]
        if len(times) < 2:
            raise InputError("the model's training follow-up is too short to be judged on this cohort")
    return times
