"""Update a saved model on the patients of another hospital: a new model, with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse import __version__
from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import cross_validation_stretch
from nbrelapse.metrics.table import METRICS, metric_title
from nbrelapse.models.base import RiskModel
from nbrelapse.models.clinical import ClinicalReference
from nbrelapse.models.updated import EVENTS_A_PARAMETER, LEAST_SLOPE, Update, updated
from nbrelapse.outcome import Outcome, left_out_notes, outcome_fingerprint
from nbrelapse.scoring._training import _marks_of
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.evaluate import _has_score, _outcome_of, _refuse_known, _times, _training_patients_among
from nbrelapse.scoring.scores import _LEAST_EVIDENCE, _require_assays, cohort_notes
from nbrelapse.scoring.training_summary import is_simulated
from nbrelapse.validation.nested import holdout_predictions
from nbrelapse.validation.patient_bands import learn_bands
from nbrelapse.validation.splits import repeated_folds

_FOLDS = 10
_SHOWN = ("harrell_c", "auc", "calibration_intercept", "calibration_slope", "ici", "brier", "integrated_brier")
"""Metrics before and after, with those at a horizon; of survival the AUC is left out for want of room."""


@dataclass(frozen=True)
class UpdatedModel:
    """What updating a model on other patients found.

    Parameters
    ----------
    bundle : Bundle or None
        The updated model; None where nothing is to be changed.
    update : Update
        What was chosen, and by which tests.
    figures : DataFrame
        A row a metric: ``metric``, then ``before``, ``before_low``, ``before_high`` of the model as it was and
        ``after``, ``after_low``, ``after_high`` of it updated. After is cross-validated: each patient is predicted by
        an update, its choice included, that nine tenths of the others asked for.
    patients, events, competing : int
        That the update rests on.
    notes : list of str
    """

    bundle: Bundle | None
    update: Update
    figures: pd.DataFrame
    patients: int
    events: int
    competing: int
    notes: list[str]

    def sentence(self) -> str:
        """Say what was chosen, and why.

        Returns
        -------
        str
        """
        who = f"{counted(self.patients, 'patient')} with {counted(self.events, 'event')}"
        tests = "; ".join(f"{test['hypothesis']}: p = {_p(test['p'])}" for test in self.update.tests)
        return f"{who}: {_in_words(self.update)} ({tests})."

    def in_lines(self) -> str:
        """Return the figures before and after as text, a line a metric."""
        rows = [
            (metric_title(row["metric"]), _interval(row, "before"), _interval(row, "after"))
            for row in self.figures.to_dict("records")
        ]
        rows = [("", "before", "after (cross-validated)"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{one:<{widths[0]}}  {two:<{widths[1]}}  {three}".rstrip() for one, two, three in rows)


def update_bundle(
    bundle: Bundle,
    cohort: Cohort,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    allow_missing_assays: bool = False,
    allow_overlap: bool = False,
) -> UpdatedModel:
    """Recalibrate a saved model on patients it was not trained on, as far as their outcomes ask for it.

    The level, and the slope as well where there are 20 events, by a closed testing procedure: see
    :class:`nbrelapse.models.UpdatedSurvival`. The ranking of patients never changes. The bundle given stays as it is.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
        Those with a score and an outcome are used.
    n_bootstrap, seed : int
        Of the intervals, and of the folds.
    allow_missing_assays : bool
        Update although nobody has an assay that the model reads.
    allow_overlap : bool
        Update although training patients seem to be among these.

    Returns
    -------
    UpdatedModel

    Raises
    ------
    InputError
        The cohort lacks an assay, has fewer than 10 events among patients with a score (of a binary endpoint also
        without it), is the one that the model was trained or updated on, or looks as if it held training patients; or
        the model's risks point the wrong way in it.
    """
    table = build_features(cohort, bundle.catalogue, bundle.gene_sets)
    recorded = _outcome_of(bundle, cohort)
    _refuse_known(bundle, recorded)
    everybody = table.values.loc[recorded.patient_ids]
    if not allow_missing_assays:
        _require_assays(bundle, everybody[list(bundle.schema.index)])
    scored = _has_score(bundle, everybody)
    outcome, X = recorded[scored], everybody[scored]
    slope_allowed = _rarest(outcome) >= 2 * EVENTS_A_PARAMETER
    _refuse_too_few(outcome, len(scored))
    alike, withheld = _training_patients_among(bundle, cohort, outcome, None)
    if withheld and not allow_overlap:
        raise InputError(withheld.partition(";")[0], fix="leave them out, or allow overlap (--allow-overlap)")
    model = updated(bundle.model, slope_allowed=slope_allowed).fit(X, outcome)
    update = model.update_
    if update.slope == LEAST_SLOPE:
        raise InputError(
            f"the model's risks do not rank these {len(X):,} patients: no recalibration can help",
            fix="train a model on patients like these",
        )
    events, competing = (int((outcome.kind.event(outcome.y) == code).sum()) for code in (1, 2))
    cross = _cross_updated(bundle, X, outcome, slope_allowed, seed)
    figures = _figures(bundle.model, cross, X, outcome, n_bootstrap, seed)
    left = len(scored) - len(X)
    notes = [
        *alike,
        *([f"{counted(left, 'patient')} without a score left out"] if left else []),
        *left_out_notes(recorded),
        *cohort_notes(bundle, cohort, outcome.patient_ids),
        *([] if slope_allowed else [_no_slope(_rarest(outcome))]),
    ]
    found = UpdatedModel(None, update, figures, len(X), events, competing, notes)
    if not update.changes:
        return found
    new, dropped = _updated_bundle(bundle, cohort, X, outcome, cross, found)
    return replace(found, bundle=new, notes=[*notes, *dropped])


def _rarest(outcome: Outcome) -> int:
    return int(outcome.kind.rarest(outcome.y))


def _no_slope(events: int) -> str:
    return f"{events} events bear one parameter: the slope was left as it is, which needs {2 * EVENTS_A_PARAMETER}"


def _refuse_too_few(outcome: Outcome, recorded: int) -> None:
    rarest = _rarest(outcome)
    if rarest < EVENTS_A_PARAMETER:
        what = "events" if outcome.kind.has_time else "patients with the event, and as many without it"
        raise InputError(
            f"too few events to update the model by: {rarest} among the {len(outcome.y):,} patients with a score, of "
            f"{recorded:,} with an outcome",
            expected=f"at least {EVENTS_A_PARAMETER} {what} (10 a parameter: Peduzzi 1995, "
            f"10.1016/0895-4356(95)00048-8), {2 * EVENTS_A_PARAMETER} for the slope as well",
            fix=f"add patients: a score needs {_LEAST_EVIDENCE:.0%} of what the model relies on; or use it as it is",
        )


def _cross_updated(bundle: Bundle, X: pd.DataFrame, outcome: Outcome, slope_allowed: bool, seed: int) -> Predictions:
    """Predict every patient by an update that was learned without him; all on the scale of the one model."""
    y, times = outcome.y, np.asarray(_times(bundle, outcome))
    risk, incidence = np.zeros(len(X)), np.zeros((len(X), len(times)))
    for _, _, train, test in repeated_folds(y, n_repeats=1, n_folds=_FOLDS, seed=seed):
        model = updated(bundle.model, slope_allowed=slope_allowed)._fit_part(X.iloc[train], y[train])
        risk[test], incidence[test] = model.predict_risk(X.iloc[test], times)
    return Predictions("after", risk[None], np.zeros((1, len(X)), dtype=int), incidence[None], times)


def _figures(
    model: RiskModel, cross: Predictions, X: pd.DataFrame, outcome: Outcome, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    before = replace(holdout_predictions({"before": model}, X, cross.times)["before"], before=None)
    found = evaluate(
        {"before": before, "after": cross},
        outcome.y,
        populations={"all": np.ones(len(X), dtype=bool)},
        references=["before"],
        n_bootstrap=n_bootstrap,
        seed=seed,
        named_beforehand=True,
    ).metrics
    rows = []
    for metric, own in found.groupby("metric", sort=False):
        name = str(metric)
        if name not in _SHOWN and name.rpartition("_")[0] not in _SHOWN[2:]:
            continue
        stretch = cross_validation_stretch(np.arange(_FOLDS)[None], METRICS[name].training)
        one, other = (own[own["model"] == which].iloc[0] for which in ("before", "after"))
        wide = {side: other["value"] + stretch * (other[side] - other["value"]) for side in ("low", "high")}
        rows.append((name, one["value"], one["low"], one["high"], other["value"], wide["low"], wide["high"]))
    columns = ["metric", "before", "before_low", "before_high", "after", "after_low", "after_high"]
    return pd.DataFrame(rows, columns=columns)


def _updated_bundle(
    bundle: Bundle, cohort: Cohort, X: pd.DataFrame, outcome: Outcome, cross: Predictions, found: UpdatedModel
) -> tuple[Bundle, list[str]]:
    """Return the new bundle; what each of its parts becomes stands in docs/decisions/054-updating.md."""
    update = found.update
    model = updated(bundle.model, update)
    references, dropped = _refitted(bundle, X, outcome)
    risks = bundle.log_risk_quantiles * update.slope
    risks = risks if outcome.kind.has_time else risks + update.shift
    record = _record(bundle, cohort, outcome, found, list(references))
    new = replace(
        bundle,
        model=model,
        refits=tuple(updated(refit, update) for refit in bundle.refits),
        references=references,
        schema=bundle.schema.assign(importance=bundle.schema["importance"] * update.slope),
        log_risk_quantiles=risks,
        training=replace(bundle.training, observed=None),
        bands=learn_bands(cross, model, X, outcome.y) if bundle.refits else None,
        updates=(*bundle.updates, record),
        card_numbers=None,
        version=__version__,
        fingerprint=None,
    )
    return replace(new, card=_card(bundle, record, found)), dropped


def _refitted(bundle: Bundle, X: pd.DataFrame, outcome: Outcome) -> tuple[dict[str, RiskModel], list[str]]:
    """Fit the clinical baselines anew: beside an updated model those of the training cohort would look badly."""
    references: dict[str, RiskModel] = {}
    notes = []
    for name, reference in bundle.references.items():
        try:
            if isinstance(reference, ClinicalReference) and not reference.available(X):
                raise InputError("its columns are the same in all these patients")
            fitted = clone(reference)
            references[name] = fitted.set_params(columns=list(reference.feature_names_in_)).fit(X, outcome)
        except InputError as error:
            notes.append(f"the clinical baseline {name} could not be fitted on these patients and is left out: "
                         f"{error.problem}")  # fmt: skip
    return references, notes


def _record(
    bundle: Bundle, cohort: Cohort, outcome: Outcome, found: UpdatedModel, references: list[str]
) -> dict[str, Any]:
    """Return what the manifest says of an update: where the model comes from, by whom it was changed, and how."""
    record = {
        "parent": bundle.fingerprint,
        "parent_version": bundle.version,
        "cohort": cohort.name,
        "where": cohort.where,
        "simulated": is_simulated(cohort),
        "patients": found.patients,
        "events": found.events,
        "competing_events": found.competing,
        "outcome_fingerprint": outcome_fingerprint(_outcome_of(bundle, cohort)),
        "marks": _marks_of(cohort, outcome.patient_ids),
        "method": found.update.method,
        **found.update.numbers(),
        "tests": [dict(test) for test in found.update.tests],
        "figures": found.figures.astype(object).where(found.figures.notna(), None).to_dict("records"),
        "clinical_baselines": references,
    }
    return {name: value for name, value in record.items() if value is not None}


def _in_words(update: Update) -> str:
    """Say what an update changes.

    Examples
    --------
    >>> _in_words(Update("slope", 0.5, 0.8)), _in_words(Update())
    ('level (log hazard or log odds +0.50) and slope (0.80) are recalibrated', 'nothing is to be changed')
    """
    level = f"level (log hazard or log odds {update.shift:+.2f})"
    told = {
        "none": "",
        "in the large": f"the {level} is recalibrated",
        "slope": f"{level} and slope ({update.slope:.2f}) are recalibrated",
    }[update.method]
    if update.competing_shift:
        factor = np.exp(update.competing_shift)
        told += f"{', ' if told else ''}the level of competing events is multiplied by {factor:.2f}"
    return told or "nothing is to be changed"


def _p(value: float) -> str:
    return "under 0.001" if value < 0.001 else f"{value:.3f}"


def _card(bundle: Bundle, record: Mapping[str, Any], found: UpdatedModel) -> str:
    title = f"{bundle.model.family}: {bundle.endpoint}, updated on {record['cohort']}"
    simulated = " (simulated)" if record["simulated"] else ""
    rows = [
        f"| {metric_title(row['metric'])} | {_interval(row, 'before')} | {_interval(row, 'after')} |"
        for row in found.figures.to_dict("records")
    ]
    return "\n".join(
        [
            f"# {title}",
            "",
            "For research. Not for treatment decisions.",
            "",
            f"- Updated with nbrelapse {__version__} on {record['cohort']}{simulated}: {found.sentence()}",
            f"- Updated from: {bundle.fingerprint or 'a model that was not loaded from a folder'}",
            "- Patients are ranked as before the update.",
            f"- Clinical baselines, fitted anew on these patients: {', '.join(record['clinical_baselines']) or 'none'}",
            "- Bands: learned anew on these patients" if bundle.refits else "- Bands: none",
            "",
            "## Before and after the update",
            "",
            "After is cross-validated in ten folds, the choice of the update included.",
            "",
            "| metric | before | after |",
            "|---|---|---|",
            *rows,
            "",
            "# The model before the update",
            "",
            bundle.card.strip() or "It had no card.",
            "",
        ]
    )


def _interval(row: Mapping[Any, Any], when: str) -> str:
    value, low, high = (row[name] for name in (when, f"{when}_low", f"{when}_high"))
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" + ("" if np.isnan(low) else f" ({low:.3f} to {high:.3f})")
