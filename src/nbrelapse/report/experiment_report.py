"""The report of one experiment, with its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import APPROXIMATE, Explanation, mechanism_cooccurrence
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.decisions import ClinicalUtility
from nbrelapse.metrics.evaluation import MEAN, Evaluation
from nbrelapse.metrics.horizons import YEAR, reached_years
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.table import POPULATIONS
from nbrelapse.models.families import model_title
from nbrelapse.outcome import kind_of, kind_of_endpoint
from nbrelapse.report.facts import (
    _cooccurrence_rows,
    _coverage_rows,
    _mechanism_rows,
    disagreements,
    reads_molecules,
)
from nbrelapse.report.guard_sections import GuardSection, decisions_section
from nbrelapse.report.leaderboard import _leaderboard
from nbrelapse.report.plots.coverage import feature_coverage
from nbrelapse.report.plots.performance import (
    binary_calibration,
    calibration,
    decision_curve_plot,
    kaplan_meier_by_risk,
    leaderboard_forest,
)
from nbrelapse.report.render import Picture, Plot, _render
from nbrelapse.report.sentences import ProbabilityImportance, stability_sentences, verdict
from nbrelapse.report.wording import ENDPOINTS

_OF_SIMULATED = "The patients of this report are simulated: its figures say how the tool works, nothing about children."
_PLACED_FIGURES = (
    "leaderboard",
    "kaplan_meier",
    "calibration",
    "decision_curve",
    "mechanisms",
    "beeswarm",
    "dependence",
    "risk_groups",
    "cooccurrence",
    "coverage",
)
"""Figures that have a place in the report; others follow under "More pictures"."""


@dataclass(frozen=True)
class ReportContent:
    """Everything a report shows; no patient identifier among it.

    Parameters
    ----------
    title : str
    created : str
        Date and time, as shown.
    endpoint : {"relapse", "efs", "os", "refractory"}
    cohort, outcome : dict
        What is said of the patients, label by label.
    config : str
        The experiment file's text.
    coverage : DataFrame
        From :func:`nbrelapse.report.facts.coverage_table`.
    catalogue : Catalogue
    cross_validation : Evaluation
    holdout : Evaluation or None
        Without one the answer rests on the cross-validation.
    holdout_openings : int or None
        How often the hold-out has been looked at, this time included.
    chosen : str
        The chosen model.
    chosen_because : str
        How it was chosen, in a sentence.
    explanations : dict of str to Explanation
        By model.
    stability : dict of str to Stability
        By model, where refits were compared.
    pictures : dict of str to Picture
        ``PLACED_FIGURES`` have their place; other names become captions.
    notes : sequence of str
        Caveats and warnings.
    environment : dict of str to str
        Versions, commit, seed.
    description : str
        One line under the title.
    guards : sequence of GuardSection
        How far the figures carry.
    leave_one_out : Evaluation or None
        Of groups that the models were not trained on.
    utility : ClinicalUtility or None
        Of the chosen model in the patients that the answer rests on.
    probability : dict of str to ProbabilityImportance
        By model.
    simulated : bool
        Whether the patients are simulated, which the headline says.
    places : dict of str to str
        Where the run and its models are, label by label.
    commands : sequence of str
        What one does with them.
    """

    title: str
    created: str
    endpoint: str
    cohort: Mapping[str, Any]
    outcome: Mapping[str, Any]
    config: str
    coverage: pd.DataFrame
    catalogue: Catalogue
    cross_validation: Evaluation
    holdout: Evaluation | None
    holdout_openings: int | None
    chosen: str
    chosen_because: str
    explanations: Mapping[str, Explanation]
    pictures: Mapping[str, Picture]
    stability: Mapping[str, Stability] = field(default_factory=dict)
    notes: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    guards: Sequence[GuardSection] = ()
    leave_one_out: Evaluation | None = None
    utility: ClinicalUtility | None = None
    probability: Mapping[str, ProbabilityImportance] = field(default_factory=dict)
    simulated: bool = False
    places: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()


def write_experiment_report(content: ReportContent, file: str | Path) -> Path:
    """Write the report of an experiment as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : ReportContent
    file : path
        Written as :func:`nbrelapse.report.render._render` does.

    Returns
    -------
    Path
        The file.
    """
    judged = content.cross_validation if content.holdout is None else content.holdout
    populations = set(judged.metrics["population"])
    return _render(
        "experiment.html",
        file,
        {
            "kind": "Experiment report" + (" of simulated patients" if content.simulated else ""),
            "simulated": content.simulated,
            "caution": _OF_SIMULATED if content.simulated else "",
            "title": content.title,
            "created": content.created,
            "subtitle": content.description,
            "endpoint": ENDPOINTS.get(content.endpoint, content.endpoint),
            "scale": kind_of_endpoint(content.endpoint).scale,
            "main": {"question": _question(content), "verdict": verdict(judged, content.chosen)},
            "high_risk": verdict(judged, content.chosen, "high_risk") if "high_risk" in populations else None,
            "judged_on": _judged_on(content),
            "chosen_because": content.chosen_because,
            "calibration": _calibration_sentences(judged, content.chosen),
            "decisions": None if content.utility is None else decisions_section(content.utility),
            "evaluations": _evaluations(content),
            "mechanisms": [
                {
                    "title": model_title(name),
                    "rows": _mechanism_rows(
                        explanation, content.catalogue, content.stability.get(name), content.probability.get(name)
                    ),
                    "points_title": content.probability[name].title if name in content.probability else "",
                    "stability": stability_sentences(content.stability.get(name)),
                    "approximate": "" if explanation.exact else APPROXIMATE,
                    "pairs": _cooccurrence_rows(mechanism_cooccurrence(explanation), content.catalogue),
                    "agreement": disagreements(
                        explanation, content.catalogue, content.endpoint, content.stability.get(name)
                    ),
                }
                for name, explanation in sorted(
                    content.explanations.items(), key=lambda item: item[0] != content.chosen
                )
            ],
            "cohort": content.cohort,
            "outcome": content.outcome,
            "coverage": _coverage_rows(content.coverage, content.catalogue),
            "validation": _validation(content),
            "guards": content.guards,
            "notes": [*_unsaid_notes(content), *_standing_caveats(content)],
            "figures": {name: picture.data_uri for name, picture in content.pictures.items()},
            "more": {name: name.replace("_", " ") for name in content.pictures if name not in _placed(content)},
            "environment": content.environment,
            "places": content.places,
            "commands": content.commands,
            "config": content.config,
        },
    )


def _question(content: ReportContent) -> str:
    """Ask what the answer is of; a model that reads what clinicians know anyway is not called molecular."""
    explanation = content.explanations.get(content.chosen)
    known = [] if explanation is None else list(explanation.values.columns[explanation.values.notna().any()])
    read = set(known) & set(content.catalogue.features)
    molecular = any(reads_molecules(content.catalogue, content.catalogue.features[name]) for name in read)
    return f"Does the {'molecular ' if molecular else ''}model beat the clinic?"


def _placed(content: ReportContent) -> set[str]:
    return {*_PLACED_FIGURES, *(section.figure for section in content.guards)}


_STANDING_CAVEATS = (
    "Contributions say what the model uses, not what causes the outcome; correlated features share or trade "
    "their effect.",
    "A contribution from a missing value speaks of the patients who were not assayed, not of their tumours.",
    "Intervals reflect the patients drawn, not differences between treatment eras, countries or platforms.",
    "The band around a patient's probability is learned from the cross-validated predictions and holds the pull toward "
    "the mean. It is of the risk given what the model reads: what no assay shows can put a patient outside of it.",
)
_SURVIVAL_CAVEAT = (
    "Competing events have a model of their own, from ten of them on. They are few, so it is held close to the same "
    "hazard for everybody; with fewer than ten the competing hazard is the same."
)
_HOLDOUT = "Patients kept apart from training, tuning and the choice of the model."
_LEAVE_ONE_OUT = "Each group of training patients, predicted by models tuned and fitted on the other groups."
_CROSS_VALIDATION = "Training patients, predicted by models tuned and fitted without them."


def _standing_caveats(content: ReportContent) -> list[str]:
    return [*_STANDING_CAVEATS, *([_SURVIVAL_CAVEAT] if kind_of_endpoint(content.endpoint).has_time else [])]


def _unsaid_notes(content: ReportContent) -> list[str]:
    """Return the notes that do not already stand under a leaderboard."""
    parts = (content.cross_validation, content.holdout, content.leave_one_out)
    said = {note for part in parts if part is not None for note in part.notes}
    prefixes = ("hold-out: ", "leave one group out: ")
    return [note for note in content.notes if not {note, *(note.removeprefix(prefix) for prefix in prefixes)} & said]


def _judged_on(content: ReportContent) -> str:
    if content.holdout is None:
        return (
            "Judged by nested cross-validation of the training patients; there is no hold-out, so no independent "
            "confirmation."
        )
    if content.holdout_openings is None:
        return "Judged on the hold-out, which no model saw in training."
    if content.holdout_openings <= 1:
        return (
            "Judged on the hold-out, which no model saw in training and of which this MLflow store has no earlier "
            "opening on record."
        )
    return (
        f"Judged on the hold-out, which has now been opened {content.holdout_openings} times: choices made after the "
        "first opening may have adapted to it, and the figures may flatter."
    )


def _validation(content: ReportContent) -> list[str]:
    sentences = [
        "Every prediction behind the metrics, the calibration and the pictures of risk groups was made for patients "
        "whom the model had not seen. Tuning took place inside the training folds only, and the clinical baselines "
        "went through the same folds. Mechanisms are those of the final model, in the patients that it was trained on.",
        "Intervals are 95% bootstrap intervals over patients; differences are paired, both models on the same "
        "resampled patients. Those of cross-validation are widened (Nadeau and Bengio 2003) to hold for the final "
        "model in new patients; those of a hold-out are of the models as fitted.",
        "A figure at a horizon needs 10 patients at risk then and 5 events by then; it is absent otherwise. The "
        "calibration error (ICI) is never 0 and has no interval: by chance stands what a perfectly calibrated model "
        "with the same predictions would show.",
    ]
    if content.holdout is None:
        sentences.append(
            "The family was chosen by the same cross-validated figures, which therefore flatter it: its difference "
            "from the strongest baseline is corrected for that, and its interval holds whichever family was chosen. "
            "Its other figures are not corrected; a hold-out or another cohort has to confirm it."
        )
    if content.holdout is not None:
        first = "Models were chosen and fitted on the training patients before the hold-out was opened. "
        sentences.append(first + _judged_on(content))
    return sentences


def _evaluations(content: ReportContent) -> list[dict[str, Any]]:
    parts = [
        ("Hold-out", _HOLDOUT, content.holdout),
        ("Nested cross-validation", _CROSS_VALIDATION, content.cross_validation),
    ]
    if content.leave_one_out is not None:
        sentence = verdict(content.leave_one_out, content.chosen, MEAN).sentence
        parts.append(("Leave one group out", f"{_LEAVE_ONE_OUT} {sentence}", content.leave_one_out))
    return [
        {
            "title": title,
            "explanation": explanation,
            "boards": [_leaderboard(evaluation, population, content.chosen) for population in _in_order(evaluation)],
            "notes": evaluation.notes,
        }
        for title, explanation, evaluation in parts
        if evaluation is not None
    ]


def _calibration_sentences(evaluation: Evaluation, model: str) -> list[str]:
    """Say how far apart the model's log risks lie, in each population, and how far without its recalibration.

    Examples
    --------
    >>> row = {"model": "cox", "population": "high_risk", "value": 0.7, "low": 0.3, "high": 1.2}
    >>> rows = [row | {"metric": "calibration_slope"}, row | {"metric": "calibration_slope_before", "value": 0.4}]
    >>> found = Evaluation(pd.DataFrame(rows), pd.DataFrame(), [], kind_of_endpoint("efs"))
    >>> _calibration_sentences(found, "cox")[:1]
    ['High-risk patients: calibration slope 0.70 (0.30 to 1.20) with the recalibration within clinical groups,
    0.40 (0.30 to 1.20) without it.']
    """
    table = evaluation.metrics[evaluation.metrics["model"] == model].dropna(subset=["value"])
    cells = {(row["population"], row["metric"]): row for row in table.to_dict("records")}
    sentences, too_far = [], False
    for population, title in POPULATIONS.items():
        slopes = [cells.get((population, name)) for name in ("calibration_slope", "calibration_slope_before")]
        if slopes[0] is None:
            continue
        told = [f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" for row in slopes if row is not None]
        both = " with the recalibration within clinical groups, {} without it" if len(told) > 1 else ""
        sentences.append(f"{title}: calibration slope {told[0]}{both.format(*told[1:])}.")
        too_far = too_far or slopes[0]["high"] < 1
    if sentences:
        sentences.append("1 is right; below 1 predictions lie further apart than what happens.")
    if too_far and not (table["metric"] == "calibration_slope_before").any():
        sentences.append('recalibrate = "group" in the experiment file pulls them together within clinical groups.')
    return sentences


def _in_order(evaluation: Evaluation) -> list[str]:
    """Put the populations that all experiments have first, then the mean of groups, then the groups."""
    found = list(dict.fromkeys(evaluation.metrics["population"]))
    first = [population for population in (*POPULATIONS, MEAN) if population in found]
    return first + [population for population in found if population not in first]


_HORIZONS = (3, 5)


def experiment_figures(
    chosen: str,
    evaluation: Evaluation,
    predictions: Predictions,
    y: np.ndarray,
    coverage: pd.DataFrame,
    catalogue: Catalogue,
    utility: ClinicalUtility | None = None,
) -> dict[str, Plot]:
    """Return the plots that an experiment report has a place for, beside those of its chosen model's explanation.

    Parameters
    ----------
    chosen : str
        The chosen model.
    evaluation : Evaluation
        Of the patients that the answer rests on: the hold-out, or the training patients.
    predictions : Predictions
        The chosen model's for these patients; repeats are averaged as probabilities, which share a scale.
    y : ndarray of shape (n_patients,)
        Their outcome.
    coverage : DataFrame
        From :func:`nbrelapse.report.facts.coverage_table`.
    catalogue : Catalogue
    utility : ClinicalUtility, optional
        Of the chosen model for these patients.

    Returns
    -------
    dict of str to Plot
        For :func:`draw_figures`. ``leaderboard`` and ``coverage``; of a time to an event ``kaplan_meier``, and
        ``calibration`` and ``decision_curve`` where the follow-up reaches three years; of a binary endpoint
        ``calibration``.
    """
    figures: dict[str, Plot] = {
        "leaderboard": partial(leaderboard_forest, evaluation, chosen),
        "coverage": partial(feature_coverage, coverage, catalogue),
    }
    if utility is not None and not utility.decisions.net_benefit.empty:
        figures["decision_curve"] = partial(decision_curve_plot, utility)
    if not kind_of(y).has_time:
        return figures | {"calibration": partial(binary_calibration, predictions.incidence[:, :, 0].mean(axis=0), y)}
    return figures | _over_time(predictions, y)


def _over_time(predictions: Predictions, y: np.ndarray) -> dict[str, Plot]:
    incidence = predictions.incidence.mean(axis=0)
    reached = reached_years(predictions.times, y, _HORIZONS)
    horizon = np.searchsorted(predictions.times, max(reached, default=_HORIZONS[0]) * YEAR, side="right") - 1
    figures: dict[str, Plot] = {"kaplan_meier": partial(kaplan_meier_by_risk, incidence[:, max(int(horizon), 0)], y)}
    if reached:
        figures["calibration"] = partial(calibration, predictions, y, reached)
    return figures
