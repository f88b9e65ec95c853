"""External validation of a saved model, and the clinical groups and populations that it is judged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.cohort.overlap import find_overlap
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.metrics.decisions import MOST_UNKNOWN, ClinicalUtility, clinical_utility
from nbrelapse.metrics.evaluation import Evaluation, evaluate, strongest_reference
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.paired import PairedReplicates
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.metrics.table import ALL_RECORDED, metric_title, population_title
from nbrelapse.models.base import RiskModel
from nbrelapse.models.clinical import CLINICAL_COLUMNS, ClinicalReference
from nbrelapse.outcome import Outcome, data_fingerprint, event_of, left_out_notes, make_outcome, outcome_fingerprint
from nbrelapse.report.case_mix_section import case_mix_sentences
from nbrelapse.report.evaluation_report import observed_concordance
from nbrelapse.report.guard_sections import decisions_section
from nbrelapse.report.sentences import verdict
from nbrelapse.report.wording import model_title
from nbrelapse.scoring._training import _resemblance
from nbrelapse.scoring.bundle import Bundle, _evidence_of
from nbrelapse.scoring.case_mix import CaseMix, compare_case_mix
from nbrelapse.scoring.scores import _LEAST_EVIDENCE, _feature_flags, _relied_on, _require_assays, cohort_notes
from nbrelapse.validation.nested import holdout_predictions

_LEAST_EVENTS = 10
"""Among the judged patients. A choice: with fewer, an interval says little and a difference nothing."""

_UNCHECKED = "nobody checked whether these patients trained the model; name the training cohort with --training-cohort"


@dataclass(frozen=True)
class ExternalEvaluation(Evaluation):
    """How well a saved model predicted patients of another cohort, and who they were.

    Parameters
    ----------
    model : str
        The saved model's name in the tables.
    recorded : int
        Patients with an outcome.
    judged, events : int
        Those of them who have a score, and with the event.
    left_out : dict of str to int
        Patients without an outcome, by reason.
    withheld : str
        Why no verdict is given; empty where one is.
    case_mix : CaseMix, optional
        How those judged differ from the training patients.
    data : str
        Fingerprint of the features and outcomes of the patients judged.
    paired : tuple of PairedReplicates
        Of the patients judged, and where others have an outcome too, of all: to compare with other models.
    """

    model: str = ""
    recorded: int = 0
    judged: int = 0
    events: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    withheld: str = ""
    case_mix: CaseMix | None = None
    data: str = ""
    paired: tuple[PairedReplicates, ...] = ()

    @property
    def populations(self) -> list[str]:
        """Populations that a verdict is given of: everybody in them has a score."""
        return [str(name) for name in self.metrics["population"].unique() if name != ALL_RECORDED]

    def verdict(self, population: str = "all") -> Any:
        """Compare the model with the strongest clinical baseline, as :func:`nbrelapse.report.verdict` does.

        Where training patients seem to be among those judged, the verdict is withheld and the sentence says so.
        """
        found = verdict(self, self.model, population)
        if self.withheld:
            return replace(
                found, answer="no comparison", headline="Verdict withheld", sentence=f"No verdict: {self.withheld}."
            )
        if self.judged < self.recorded and population == "all":
            who = f"Of {self.recorded:,} patients with an outcome {self.judged:,} have a score and are judged. "
            return replace(found, sentence=who + found.sentence.replace("Among all patients", "Among these", 1))
        return found

    def summary(self) -> list[str]:
        """Return at most five sentences: who was judged, discrimination, calibration, accuracy, decisions.

        Nothing is said of decisions where the verdict is withheld.
        """
        reference = strongest_reference(self, "all")
        brier = [name for name in self._of(self.model).index if name.startswith("brier")]
        metrics = [
            (self.kind.leading_metric, ""),
            ("calibration_slope", " (1 is right)"),
            *((name, " (lower is better)") for name in brier[-1:]),
        ]
        lines = [self._who()]
        for metric, meaning in metrics:
            values = [self._figure(name, metric) for name in (self.model, reference) if name is not None]
            if values and values[0]:
                lines.append(f"{metric_title(metric)}{meaning}: {'; '.join(filter(None, values))}.")
        sentences = [] if self.utility is None or self.withheld else decisions_section(self.utility)["sentences"]
        return [*lines, *sentences[-1:]]

    def case_mix_sentences(self) -> list[str]:
        """Say how those judged differ from the training patients; nothing where that was not looked at."""
        if self.case_mix is None:
            return []
        observed = observed_concordance(self, self.model)
        return case_mix_sentences(self.case_mix.features, self.case_mix.figures, observed, timed=self.kind.has_time)

    def _who(self) -> str:
        out = {"without a score": self.recorded - self.judged, **self.left_out}
        told = ", ".join(f"{number:,} {reason}" for reason, number in out.items() if number)
        judged = f"{counted(self.judged, 'patient')} with {counted(self.events, 'event')}"
        return f"Judged: {judged}; left out: {told or 'nobody'}."

    def _of(self, model: str) -> pd.DataFrame:
        table = self.metrics
        own = table[(table["model"] == model) & (table["population"] == "all")].set_index("metric")
        return own.dropna(subset=["value"])

    def _figure(self, model: str, metric: str) -> str:
        own = self._of(model)
        if metric not in own.index:
            return ""
        row = own.loc[metric]
        return f"{model_title(model)} {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


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
) -> ExternalEvaluation:
    """Judge a saved model on a cohort that it has not seen, beside the clinical baselines trained with it.

    The endpoint, its rules, its landmark, the catalogue and the gene sets are the model's. Those are judged whom
    :func:`nbrelapse.score` gives a score. Where others have an outcome as well, the population ``all_recorded`` holds
    the same figures of both together.

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
        What the model was trained on: whether its patients are among these, under whatever names, is looked at
        (:func:`nbrelapse.find_overlap`) instead of the marks that the model has of them.
    allow_overlap : bool
        Give a verdict although training patients seem to be among these.

    Returns
    -------
    ExternalEvaluation
        The model goes by its family's name. Baselines whose columns are the same in all patients are left
        out, with a note. Where more patients look like training patients than chance makes, a note says so, and the
        verdict is withheld unless ``allow_overlap``.

    Raises
    ------
    InputError
        The cohort lacks an assay, has fewer than 10 events among patients with a score, or is the one that the model
        was trained on.
    """
    table = build_features(cohort, bundle.catalogue, bundle.gene_sets)
    recorded = _outcome_of(bundle, cohort)
    _refuse_known(bundle, recorded)
    everybody = table.values.loc[recorded.patient_ids]
    if not allow_missing_assays:
        _require_assays(bundle, everybody[list(bundle.schema.index)])
    scored = _has_score(bundle, everybody)
    outcome, X = recorded[scored], everybody[scored]
    events = int((event_of(outcome.y) == 1).sum())
    if events < _LEAST_EVENTS:
        raise _too_few(bundle, len(scored), len(X), events)
    resemblance, withheld = _training_patients_among(bundle, cohort, outcome, training_cohort)
    notes = [
        *_left_out(len(scored), len(X), events),
        *left_out_notes(recorded),
        *resemblance,
        *cohort_notes(bundle, cohort, outcome.patient_ids),
        *_flagged(bundle, X),
    ]
    models, unavailable = _models(bundle, X)
    times = np.asarray(_times(bundle, outcome))
    predictions = holdout_predictions(models, X, times)
    references = [name for name in models if name != bundle.model.family]
    judge = partial(
        evaluate,
        references=references,
        n_bootstrap=n_bootstrap,
        seed=seed,
        interval=interval,
        named_beforehand=True,
    )
    found = judge(predictions, outcome.y, populations=populations(cohort, outcome))
    if found.metrics.empty:
        raise InputError(f"the cohort is too small to judge the model by: {'; '.join(found.notes)}")
    parts, paired = [found], [PairedReplicates.of(predictions, outcome)]
    if not scored.all():
        whole = {ALL_RECORDED: np.ones(len(scored), dtype=bool)}
        of_everybody = holdout_predictions(models, everybody, times)
        parts.append(judge(of_everybody, recorded.y, populations=whole))
        paired.append(PairedReplicates.of(of_everybody, recorded))
    utility = judge_decisions(
        bundle.model.family, predictions, cohort, X, outcome.y, n_bootstrap=n_bootstrap, seed=seed
    )
    return ExternalEvaluation(
        metrics=pd.concat([part.metrics for part in parts], ignore_index=True),
        differences=pd.concat(
            [part.differences for part in parts if len(part.differences)] or [found.differences], ignore_index=True
        ),
        notes=[*notes, *unavailable, *(note for part in parts for note in part.notes)],
        kind=found.kind,
        utility=utility,
        model=bundle.model.family,
        recorded=len(scored),
        judged=len(X),
        events=events,
        left_out=dict(recorded.excluded),
        withheld="" if allow_overlap else withheld,
        case_mix=compare_case_mix(bundle, X, outcome.y, _calibration(found, bundle.model.family)),
        data=data_fingerprint(X[list(bundle.schema.index)], outcome),
        paired=tuple(paired),
    )


def _calibration(found: Evaluation, model: str) -> dict[str, float]:
    table = found.metrics
    own = table[(table["model"] == model) & (table["population"] == "all") & (table["metric"] == "calibration_slope")]
    return {} if own.empty else {"slope": own["value"].iloc[0], "low": own["low"].iloc[0], "high": own["high"].iloc[0]}


def _outcome_of(bundle: Bundle, cohort: Cohort) -> Outcome:
    """Return the outcomes that a model predicts, by its own rules."""
    return make_outcome(
        cohort,
        bundle.endpoint,
        unspecified=bundle.training.unspecified or "event",
        progressive=bundle.training.progressive or "refractory",
        landmark_days=bundle.landmark_days,
    )


def _refuse_known(bundle: Bundle, recorded: Outcome) -> None:
    """Refuse the patients that a model was trained or updated on."""
    own = outcome_fingerprint(recorded)
    for how, known in (
        ("trained", [bundle.training.outcome_fingerprint]),
        ("updated", [update["outcome_fingerprint"] for update in bundle.updates]),
    ):
        if own in known:
            raise InputError(
                f"these are the patients that the model was {how} on: judging it by them would flatter it",
                fix="name another cohort; the cross-validated figures are in the model card",
            )


def _has_score(bundle: Bundle, X: pd.DataFrame) -> np.ndarray:
    return _evidence_of(bundle, X) >= _LEAST_EVIDENCE


def _too_few(bundle: Bundle, recorded: int, judged: int, events: int) -> InputError:
    who = f"only {counted(judged, 'patient')} with {counted(events, 'event')}" if judged else "nobody"
    have = "have" if judged > 1 else "has"
    problem = f"{who} of the {recorded:,} with an outcome {have} a score: the model cannot be judged by them"
    if judged < recorded:
        others = "the others" if judged else "any"
        problem += f"; less than {_LEAST_EVIDENCE:.0%} of what it relies on is known of {others}"
    return InputError(
        problem,
        expected=f"at least {_LEAST_EVENTS} events among patients with a score",
        fix=f"name a larger cohort, or one that has what the model reads: {', '.join(_relied_on(bundle))}",
    )


def _left_out(recorded: int, judged: int, events: int) -> list[str]:
    if judged == recorded:
        return []
    return [
        f"{recorded - judged:,} of {counted(recorded, 'patient')} with an outcome have no score, as less than "
        f"{_LEAST_EVIDENCE:.0%} of what the model relies on is known of them: judged are the other {judged:,}, with "
        f"{counted(events, 'event')}; those of everybody stand below {population_title(ALL_RECORDED)!r}"
    ]


def _flagged(bundle: Bundle, X: pd.DataFrame) -> list[str]:
    """Return the warnings that scores of these patients carry, with how many do."""
    values = X[list(bundle.schema.index)]
    outside = (values.lt(bundle.schema["low"]) | values.gt(bundle.schema["high"])).to_numpy()
    flags = _feature_flags(bundle, X, _evidence_of(bundle, X), outside)
    return [f"{text} ({int(mask.sum())} of {counted(len(X), 'patient')})" for text, mask in flags.items() if mask.any()]


def _training_patients_among(
    bundle: Bundle, cohort: Cohort, outcome: Outcome, training_cohort: Cohort | None
) -> tuple[list[str], str]:
    """Return what is to be said of training patients among those judged, and why a verdict is withheld."""
    training = bundle.training
    named = {name for name in (training.cohort, training.study) if name}
    own = {name for name in (cohort.name, cohort.metadata.get("source", {}).get("study")) if name}
    notes = [
        f"the model was trained on patients of a cohort or study of this name, {name!r}: are any among these?"
        for name in sorted(named & own)
    ]
    told = []
    found = None if training.marks is None else _resemblance(training.marks, cohort, outcome.patient_ids)
    marked = [("training patients", "trained", found)]
    marked += [
        ("those of its update", "updated", _resemblance(update["marks"], cohort, outcome.patient_ids))
        for update in bundle.updates
        if "marks" in update
    ]
    for who, how, alike in marked:
        if alike is not None and alike.beyond_chance:
            told.append(
                f"about {alike.alike} of {alike.compared} patients of {cohort.name} look the same as {who} "
                f"(so many by chance: p < 0.001), and a model looks good on patients that it was {how} on"
            )
    if training_cohort is None:
        unchecked = [_UNCHECKED] if found is None else []
        return [*told, *notes, *unchecked], _withheld(told)
    overlap = find_overlap(training_cohort, cohort)
    same = overlap.notes(allowed=True)
    return [*same, *told, *notes], _withheld(same if overlap.beyond_chance else told)


def _withheld(reasons: list[str]) -> str:
    return f"{reasons[0]}; leave them out, or say --allow-overlap" if reasons else ""


def _models(bundle: Bundle, X: pd.DataFrame) -> tuple[dict[str, RiskModel], list[str]]:
    """Return the model and the baselines that these patients can be judged by, and which baselines they cannot."""
    models, notes = {bundle.model.family: bundle.model}, []
    for name, reference in bundle.references.items():
        if isinstance(reference, ClinicalReference) and not reference.available(X):
            notes.append(
                f"{model_title(name)} is left out: what it reads is the same in all these patients, or not known"
            )
        else:
            models[name] = reference
    return models, notes


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
) -> ClinicalUtility:
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
    ClinicalUtility
    """
    resamples = min(n_bootstrap, _MOST_RESAMPLES)
    return clinical_utility(model, predictions, clinical_groups(cohort, X), y, n_bootstrap=resamples, seed=seed)
