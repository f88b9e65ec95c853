"""What is said of an experiment in reports, model cards and bundles; no patient identifiers."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from typing import Any

import pandas as pd

from nbrelapse import __version__
from nbrelapse.experiment.describe_guards import guard_sections
from nbrelapse.experiment.populations import populations
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms import Catalogue, FeatureTable
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.models.survival_model import SurvivalModel
from nbrelapse.outcome import Outcome, summarize_outcome
from nbrelapse.outcome.fingerprint import outcome_fingerprint
from nbrelapse.report.coverage import coverage_table
from nbrelapse.report.stability_sentences import stability_sentences
from nbrelapse.report.tables import disagreements
from nbrelapse.report.verdict import verdict
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.multiplicity import Multiplicity


def coverage(result: ExperimentResult) -> pd.DataFrame:
    """Share of training patients with a value, feature by feature."""
    table = result.data.table
    return coverage_table(FeatureTable(result.data.features(result.data.training), table.catalogue))


def describe_cohort(result: ExperimentResult) -> dict[str, str]:
    """Labelled facts about the patients."""
    data = result.data
    high_risk = _high_risk(data, data.training)
    facts = {
        "Cohort": data.cohort.name,
        "Training patients": f"{len(data.training.y)}, {high_risk} of them high-risk",
        "Features": f"{len(data.columns)} read by the models, {len(data.left_out)} left out",
    }
    if data.holdout is not None:
        held = _high_risk(data, data.holdout)
        facts["Hold-out patients"] = f"{len(data.holdout.y)}, {held} of them high-risk"
    if data.gene_sets:
        facts["Gene sets"] = f"{len(data.gene_sets)} read from the user's file"
    return facts


def _high_risk(data: PreparedData, outcome: Outcome) -> int:
    masks = populations(data.cohort, outcome)
    return int(masks.get("high_risk", masks["all"]).sum())


def describe_outcome(result: ExperimentResult) -> dict[str, str]:
    """Labelled facts about the endpoint and its follow-up."""
    facts = {}
    for label, outcome in (("Training", result.data.training), ("Hold-out", result.data.holdout)):
        if outcome is not None:
            summary = summarize_outcome(outcome)
            events = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary["events"].items())
            facts[label] = events + _followed(summary)
    unused = result.data.unsplit
    if unused:
        facts["On neither side of the split"] = f"{unused} patients with an outcome"
    excluded = result.data.training.excluded
    for reason, count in excluded.items():
        facts[f"Excluded from the cohort: {reason}"] = str(count)
    for name, choice in result.data.training.choices.items():
        facts[name.replace("_", " ").capitalize()] = str(choice)
    return facts


def _followed(summary: dict[str, Any]) -> str:
    if "median_followup_years" not in summary:
        return ""
    years = summary["median_followup_years"]
    return f"; median follow-up {'unknown' if years is None else f'{years:.1f} years'}"


def environment(result: ExperimentResult) -> dict[str, str]:
    """Versions, commit and seed."""
    packages = ("scikit-survival", "shap", "mlflow", "optuna", "pandas", "scikit-learn")
    found = {"nbrelapse": __version__, "python": platform.python_version()}
    found |= {name: version(name) for name in packages}
    import xgboost

    found["xgboost"] = xgboost.__version__
    commit = _commit()
    if commit:
        found["commit"] = commit
    return found | {"seed": str(result.config.seed)}


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def training_summary(result: ExperimentResult) -> dict[str, Any]:
    """Return what a bundle says of its training patients."""
    data = result.data
    return {
        "experiment": result.config.name,
        "cohort": data.cohort.name,
        "patients": len(data.training.y),
        "high_risk": _high_risk(data, data.training),
        "outcome": summarize_outcome(data.training),
        "unspecified": result.config.unspecified,
        "landmark_days": result.config.landmark_days,
        "progressive": result.config.progressive,
        "outcome_fingerprint": outcome_fingerprint(data.training),
        "expression_genes": None if data.cohort.expression is None else len(data.cohort.expression),
    }


def model_card(result: ExperimentResult, name: str, tried: Multiplicity | None = None) -> str:
    """Describe a model in Markdown: what it is, on whom it was trained, how it did, what it must not be used for."""
    judged = result.cross_validation if result.holdout is None else result.holdout
    where = "nested cross-validation of the training patients" if result.holdout is None else "the hold-out"
    stable = result.stability[name]
    agreement = disagreements(result.explanations[name], result.data.table.catalogue, result.config.endpoint, stable)
    lines = [
        f"# {result.config.name}: {name}",
        "",
        "For research. Not for treatment decisions.",
        "",
        f"- Endpoint: {result.config.endpoint}",
        f"- Trained with nbrelapse {__version__}, seed {result.config.seed}",
        *(f"- {label}: {fact}" for label, fact in describe_cohort(result).items()),
        *(f"- {label}: {fact}" for label, fact in describe_outcome(result).items()),
        *_longest_followup(result.models[name]),
        "",
        f"## Performance, in {where}",
        "",
        *(
            line
            for population in dict.fromkeys(["all", *judged.metrics["population"]])
            for line in (verdict(judged, name, population).sentence, "")
        ),
        *_metric_table(judged.metrics, name),
        "",
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
            for section in guard_sections(result, tried)
            for sentence in section.sentences
        ),
        "",
        "## Limits",
        "",
        "- Contributions say what the model uses, not what causes the outcome.",
        "- A patient of whom little is known gets a warning, or no score at all.",
        "- Intervals hold the uncertainty of estimation, not differences between eras, countries or platforms.",
        *(f"- {note}" for note in result.notes),
    ]
    return "\n".join(lines) + "\n"


def _longest_followup(model: RiskModel) -> list[str]:
    if not isinstance(model, SurvivalModel):
        return []
    return [f"- Longest training follow-up: {model.baseline_.last_time / YEAR:.1f} years; nothing is predicted beyond"]


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
    lines = ["| population | metric | value | 95% interval | patients | events |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {row['population']} | {row['metric']} | {row['value']:.3f} | {row['low']:.3f} to {row['high']:.3f} "
        f"| {row['n']} | {row['events']} |"
        for row in rows.to_dict("records")
    ]
