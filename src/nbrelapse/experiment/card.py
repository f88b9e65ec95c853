"""Model cards after TRIPOD+AI (Collins 2024, BMJ 385:e078378), from what an experiment found; no patient's row."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse import __version__
from nbrelapse.experiment.describe import _describe_cohort, _describe_outcome, _guard_sections, _training_summary
from nbrelapse.experiment.run import ExperimentResult
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.incidence import observed_incidence
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.base import RiskModel
from nbrelapse.models.families import model_title
from nbrelapse.outcome import FEWEST_AT_RISK, HORIZON_YEARS, Outcome
from nbrelapse.report.facts import disagreements
from nbrelapse.report.sentences import stability_sentences, verdict
from nbrelapse.report.wording import ENDPOINTS
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.evaluate import populations
from nbrelapse.scoring.reproduction import reproducible_figures
from nbrelapse.validation.guards import Multiplicity

_FEWEST_IN_A_GROUP = 20
"""Patients of whom a calibration is told. A choice, for the sake of privacy and noise."""


def _model_card(
    result: ExperimentResult, name: str, tried: Multiplicity | None = None, openings: int | None = None
) -> str:
    """Describe a model in Markdown: what it is, on whom it was trained, how it did, what it must not be used for.

    Parameters
    ----------
    result : ExperimentResult
    name : str
        Of the family.
    tried : Multiplicity, optional
        How many models were tried.
    openings : int, optional
        How often the hold-out was opened, by the store's record.

    Returns
    -------
    str
    """
    told, stable = result.config.card, result.stability[name]
    agreement = disagreements(result.explanations[name], result.data.table.catalogue, result.config.endpoint, stable)
    lines = [
        f"# {result.config.name}: {name}",
        "",
        "For research. Not for treatment decisions. This card follows TRIPOD+AI (10.1136/bmj-2023-078378).",
        "",
        *_paragraph(result.config.description),
        f"- Model: {model_title(name)}",
        f"- Endpoint: {result.config.endpoint}, {ENDPOINTS[result.config.endpoint]}",
        f"- Trained with nbrelapse {__version__}, seed {result.config.seed}",
        *_made_by(result),
        "",
        "## Participants",
        "",
        *_paragraph(told.participants),
        *(f"- {label}: {fact}" for label, fact in _describe_cohort(result).items()),
        *_groups(result),
        "",
        "## Outcome",
        "",
        *(f"- {label}: {fact}" for label, fact in _describe_outcome(result).items()),
        *_longest_followup(result.models[name]),
        "",
        "## Predictors and missing data",
        "",
        *_paragraph(told.predictors),
        *_predictor_table(result, name),
        "",
        _missing(result),
        "",
        *_performance(result, name, openings),
        *_paragraph(told.performance),
        *_left_out_groups(result, name),
        *_calibration(result, name),
        f"## Mechanisms, by mean absolute contribution to the {result.explanations[name].scale}",
        "",
        *_mechanism_table(stable, result.data.table.catalogue),
        "",
        *stability_sentences(stable),
        "",
        "## Against the literature",
        "",
        agreement["sentence"],
        "",
        *(
            f"- {row['title']} ({row['mechanism']}): expected {row['expected']}, {row['found']} in the model, "
            f"{row['status']}"
            for row in agreement["rows"]
        ),
        "",
        "## How far the figures carry",
        "",
        *(
            f"- {section.title}: {sentence}"
            for section in _guard_sections(result, tried)
            for sentence in section.sentences
        ),
        "",
        "## What it must not be used for",
        "",
        *(f"- {use}" for use in (*_not_for(result), *told.not_for)),
        "",
        "## Limits",
        "",
        "- Contributions say what the model uses, not what causes the outcome.",
        "- A patient of whom little is known gets a warning, or no score at all.",
        "- Intervals hold the uncertainty of estimation, not differences between eras, countries or platforms.",
        "- How it does by sex, ancestry, country or treatment was not examined.",
        *(f"- {note}" for note in result.notes),
        "",
        *(["## Licence and terms of the data", "", told.terms, ""] if told.terms else []),
        "## Score and load",
        "",
        "FOLDER is the one that this card lies in; COHORT is one that `nbrelapse cohort import` wrote.",
        "",
        "```",
        "nbrelapse verify FOLDER",
        "nbrelapse score FOLDER COHORT --out scores.csv",
        "nbrelapse explain FOLDER COHORT --out explained",
        "```",
        "",
        "In Python `nbrelapse.load_model(FOLDER)` and `nbrelapse.score(FOLDER, cohort)`. `card.json` has the numbers "
        "of this card, and under `training_scored` what scoring the training patients anew must give: a test of an "
        "installation, and no measure of how good the model is.",
    ]
    return "\n".join(lines) + "\n"


def _paragraph(text: str) -> list[str]:
    return [text.strip(), ""] if text.strip() else []


def _made_by(result: ExperimentResult) -> list[str]:
    file = result.config.file
    if file is None:
        return []
    changed = f", with other values of {', '.join(file.changed)}" if file.changed else ""
    return [f"- Made by `nbrelapse train {file.name}`{changed} (SHA-256 of the file {file.sha256[:16]}…)"]


def _groups(result: ExperimentResult) -> list[str]:
    """Say how many training patients there are by risk group, and by study where there are several."""
    counts = {"Risk groups": dict(_training_summary(result).groups or {})}
    patients = result.data.cohort.patients.set_index("patient_id")
    if "study" in patients:
        study = patients["study"].reindex(result.data.training.patient_ids).dropna().value_counts()
        counts["Studies"] = {str(name): int(number) for name, number in study.sort_index().items()}
    return [
        f"- {label}: " + ", ".join(f"{name} {number}" for name, number in found.items())
        for label, found in counts.items()
        if found
    ]


def _longest_followup(model: RiskModel) -> list[str]:
    if model.followed_days is None:
        return []
    followed = f"{model.followed_days / YEAR:.1f} years"
    return [f"- At least {FEWEST_AT_RISK} training patients were followed for {followed}; nothing is predicted beyond"]


def _predictor_table(result: ExperimentResult, name: str) -> list[str]:
    """Return a table of what the model reads: by mechanism and assay, with the share of patients who have a value."""
    catalogue = result.data.table.catalogue
    read = [str(feature) for feature in result.models[name].feature_names_in_]
    observed = result.data.features(result.data.training)[read].notna().mean()
    table = pd.DataFrame(
        {
            "mechanism": [catalogue.mechanisms[catalogue.features[feature].mechanism].title for feature in read],
            "assay": [catalogue.features[feature].assay for feature in read],
            "observed": observed.to_numpy(),
        }
    )
    lines = ["| mechanism | assay | features | training patients with a value |", "|---|---|---|---|"]
    for (mechanism, assay), own in table.groupby(["mechanism", "assay"], sort=False)["observed"]:
        low, high = f"{own.min():.0%}", f"{own.max():.0%}"
        lines.append(f"| {mechanism} | {assay} | {len(own)} | {low if low == high else f'{low} to {high}'} |")
    return lines


def _missing(result: ExperimentResult) -> str:
    indicator = " and an indicator beside it" if result.config.features.not_assayed == "indicator" else ""
    return (
        "What was not assayed is missing, never negative. Linear models take the training mean in its place"
        f"{indicator}, trees a branch of its own. Features with a value in less than "
        f"{result.config.features.min_observed:.0%} of the training patients are left out. A patient of whom less than "
        f"{Bundle.least_evidence:.0%} of what the model relies on is known gets no score."
    )


def _judged(result: ExperimentResult) -> tuple[Evaluation, dict[str, Predictions], Outcome, str]:
    """Return the figures that lead, the predictions and outcomes behind them, and whom they are of."""
    if result.holdout is None or result.holdout_predictions is None or result.data.holdout is None:
        where = "nested cross-validation of the training patients"
        return result.cross_validation, result.predictions, result.data.training, where
    return result.holdout, result.holdout_predictions, result.data.holdout, "the hold-out"


def _performance(result: ExperimentResult, name: str, openings: int | None) -> Iterator[str]:
    judged, _, _, where = _judged(result)
    yield from (f"## Performance, in {where}", "", _how(result, openings), "")
    for population in dict.fromkeys(["all", *judged.metrics["population"]]):
        yield from (verdict(judged, name, population).sentence, "")
    yield from (*_metric_table(judged.metrics, name), "")


def _how(result: ExperimentResult, openings: int | None) -> str:
    """Say how the figures were obtained."""
    settings = result.config.validation
    times = "" if settings.repeats == 1 else f", {settings.repeats} times"
    nested = (
        f"Nested cross-validation in {settings.folds} folds{times}: every patient is predicted by models that were "
        f"tuned ({settings.trials} settings at most, {settings.inner_folds} inner folds) and fitted without this "
        "patient's fold. "
    )
    widened = " They are widened to hold for the model of all training patients in new patients. "
    held = "The model was fitted to the training patients and judged on the hold-out, which it has not seen"
    often = "" if openings is None else f"; by the record of this MLflow store the hold-out was opened {openings} times"
    return (
        (nested if result.holdout is None else f"{held}{often.replace(' 1 times', ' once')}. ")
        + f"Intervals hold 95% of {settings.bootstrap:,} bootstrap resamples of the patients."
        + (widened if result.holdout is None else " ")
        + "The clinical baselines are fitted and judged in the same way."
    )


def _left_out_groups(result: ExperimentResult, name: str) -> Iterator[str]:
    if result.leave_one_out is None or result.config.leave_one_out is None:
        return
    column = result.config.leave_one_out.column
    yield from (f"## Each {column} left out in turn", "")
    yield from ("Tuned and fitted without the patients of a group, and judged on them.", "")
    metrics = result.leave_one_out.metrics
    shown = metrics[metrics["metric"].isin([result.leave_one_out.kind.leading_metric, "calibration_slope"])]
    yield from (*_metric_table(shown, name), "")


def _calibration(result: ExperimentResult, name: str) -> Iterator[str]:
    table = _calibration_by_group(result, name)
    if table.empty:
        return
    yield from ("## Calibration, overall and by risk group", "")
    yield from (f"Mean predicted and observed probability of the event, in {_judged(result)[3]}.", "")
    yield from ("| patients | years | number | predicted | observed | 95% interval |", "|---|---|---|---|---|---|")
    for row in table.to_dict("records"):
        interval = "none" if math.isnan(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        years = "" if row["years"] is None else row["years"]
        yield (
            f"| {row['population']} | {years} | {row['patients']} | {row['predicted']:.3f} | {row['observed']:.3f} "
            f"| {interval} |"
        )
    yield ""


def _calibration_by_group(result: ExperimentResult, name: str) -> pd.DataFrame:
    """Return mean predicted and observed incidence of all, high-risk and other patients, by horizon.

    Returns
    -------
    DataFrame
        ``population``, ``years`` (None of a binary endpoint), ``patients``, ``predicted``, ``observed``, ``low``,
        ``high``; horizons and groups that too few patients carry are left out.
    """
    _, predictions, outcome, _ = _judged(result)
    own, masks = predictions[name], populations(result.data.cohort, outcome)
    if "high_risk" in masks:
        masks = masks | {"not high_risk": ~masks["high_risk"]}
    years = HORIZON_YEARS if outcome.kind.has_time else (None,)
    rows = []
    for population, mask in masks.items():
        if mask.sum() < _FEWEST_IN_A_GROUP:
            continue
        for year in years:
            horizon = np.inf if year is None else year * YEAR
            if not np.isclose(own.times, horizon).any():
                continue
            predicted = float(own.incidence_at(horizon)[:, mask].mean())
            observed, low, high = observed_incidence(outcome.y[mask], horizon)
            if not math.isnan(observed):
                rows.append((population, year, int(mask.sum()), predicted, observed, low, high))
    columns = ["population", "years", "patients", "predicted", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"years": object})


def _not_for(result: ExperimentResult) -> list[str]:
    """Say what no model is for, and what this one is not for by whom it was trained on."""
    summary = _training_summary(result)
    uses = ["Decisions on the treatment of a patient: it is not a medical device, and no prospective study used it."]
    if summary.of_simulated:
        uses.append("Any real patient: it was trained on simulated ones, to show and test the software.")
    groups = summary.groups or {}
    if groups and set(groups) == {"high"}:
        uses.append("Patients who are not high-risk, of whom it has seen none, and telling high-risk from others.")
    if result.config.landmark_days:
        day = f"{result.config.landmark_days:g}"
        uses.append(f"Patients who had an event by day {day}, or a prediction made before it.")
    uses.append("Validation on cohorts that share patients with the training cohort (`nbrelapse cohort overlap`).")
    return uses


def _mechanism_table(stable: Stability, catalogue: Catalogue) -> list[str]:
    lines = [
        "| mechanism | mean contribution | 95% of refits | rank | 95% of refits | effect |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {catalogue.mechanisms[str(name)].title} | {row['importance']:.3f} | {row['low']:.3f} to {row['high']:.3f} "
        f"| {row['rank']} | {row['rank_low']} to {row['rank_high']} | {row['status']} |"
        for name, row in stable.mechanisms.iterrows()
    ]


def _metric_table(metrics: pd.DataFrame, name: str) -> list[str]:
    rows = metrics[metrics["model"] == name]
    lines = [
        "| population | metric | value | 95% interval | patients | events | at risk then | events by then |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {row['population']} | {row['metric']} | {_value(row['value'])} | {_interval(row)} | {row['n']} "
        f"| {row['events']} | {_count(row['at_risk'])} | {_count(row['events_by'])} |"
        for row in rows.to_dict("records")
    ]


def _value(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"


def _interval(row: dict[Hashable, Any]) -> str:
    if pd.notna(row["low"]):
        return f"{row['low']:.3f} to {row['high']:.3f}"
    return f"by chance {row['by_chance']:.3f}" if pd.notna(row["by_chance"]) else "none"


def _count(count: Any) -> str:
    return "" if pd.isna(count) else str(count)


def _card_numbers(result: ExperimentResult, bundle: Bundle, name: str) -> dict[str, Any]:
    """Return the numbers of a model card as JSON data.

    Parameters
    ----------
    result : ExperimentResult
    bundle : Bundle
        Of the model.
    name : str
        Of the family.

    Returns
    -------
    dict
        ``performance`` (``where``, ``metrics`` and ``differences`` to the clinical baselines), ``left_out_groups``,
        ``calibration``, ``training`` (patients, events, high-risk) and ``training_scored``: what scoring the training
        patients anew must give.
    """
    judged, _, _, where = _judged(result)
    groups = result.leave_one_out
    training = result.data.training
    return {
        "experiment": result.config.name,
        "endpoint": result.config.endpoint,
        "family": name,
        "training": {
            "patients": bundle.training.patients,
            "events": bundle.training.events,
            "high_risk": bundle.training.high_risk,
        },
        "performance": {"where": where, **_figures(judged, name)},
        "left_out_groups": None if groups is None else _figures(groups, name),
        "calibration": _records(_calibration_by_group(result, name)),
        "training_scored": reproducible_figures(bundle, result.data.features(training), training.y),
    }


def _figures(evaluation: Evaluation, name: str) -> dict[str, Any]:
    """Return all metrics of a model, and its differences from the clinical baselines in the leading one."""
    metrics, differences = (
        table[table["model"] == name].drop(columns="model") for table in (evaluation.metrics, evaluation.differences)
    )
    leading = differences["metric"] == evaluation.kind.leading_metric
    return {"metrics": _records(metrics), "differences": _records(differences[leading])}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON data: None for what is missing or not finite, no NumPy scalars."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, str) or value is None or pd.isna(value):
        return value if isinstance(value, str) else None
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and not math.isfinite(number) else number
