"""An experiment in words and tables for reports, model cards and bundles; no patient identifiers."""

from __future__ import annotations

import hashlib
import platform
import secrets
import subprocess
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import pandas as pd

from nbrelapse import __version__
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.experiment.prepare import _PreparedData
from nbrelapse.experiment.run import ExperimentResult
from nbrelapse.explanation.explanation import Explanation, mechanism_cooccurrence
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.evaluation import Evaluation, figure_spread
from nbrelapse.outcome import Outcome, summarize_outcome
from nbrelapse.report.facts import coverage_table
from nbrelapse.report.guard_sections import (
    GuardSection,
    learning_section,
    multiplicity_section,
    optimism_section,
    sample_size_section,
    spread_section,
)
from nbrelapse.report.plots.performance import learning_curve
from nbrelapse.report.render import Plot
from nbrelapse.scoring.evaluate import populations
from nbrelapse.scoring.training_summary import TrainingSummary
from nbrelapse.validation.guards import Multiplicity


def _coverage(result: ExperimentResult) -> pd.DataFrame:
    """Share of training patients with a value, feature by feature."""
    table = result.data.table
    return coverage_table(FeatureTable(result.data.features(result.data.training), table.catalogue))


def _describe_cohort(result: ExperimentResult) -> dict[str, str]:
    """Labelled facts about the patients."""
    data = result.data
    high_risk = _high_risk(data, data.training)
    facts = {
        "Cohort": data.cohort.name,
        **_selections(data.cohort),
        "Training patients": f"{len(data.training.y)}, {high_risk} of them high-risk",
        "Features": f"{len(data.columns)} read by the models, {len(data.left_out)} left out",
    }
    if data.holdout is not None:
        held = _high_risk(data, data.holdout)
        facts["Hold-out patients"] = f"{len(data.holdout.y)}, {held} of them high-risk"
    if data.gene_sets:
        facts["Gene sets"] = f"{len(data.gene_sets)} read from the user's file"
    return facts


def _selections(cohort: Cohort) -> dict[str, str]:
    """Say how the patients were chosen from those of the study."""
    if cohort.where is None:
        return {}
    steps = [step for step in cohort.metadata["selections"] if "of" not in step]
    if not steps:
        return {"Patients chosen": cohort.where}
    unknown = sum(step.get("not_known", 0) for step in steps)
    numbers = f"{steps[-1]['kept']:,} of {steps[0]['patients']:,} patients"
    left = f"; of {unknown:,} it could not be told, as a value is missing, and they are left out" if unknown else ""
    return {"Patients chosen": f"{cohort.where}: {numbers}{left}"}


def _high_risk(data: _PreparedData, outcome: Outcome) -> int:
    masks = populations(data.cohort, outcome)
    return int(masks.get("high_risk", masks["all"]).sum())


def _describe_outcome(result: ExperimentResult) -> dict[str, str]:
    """Labelled facts about the endpoint and its follow-up."""
    facts = {}
    for label, outcome in (("Training", result.data.training), ("Hold-out", result.data.holdout)):
        if outcome is not None:
            summary = summarize_outcome(outcome)
            facts[label] = ", ".join(_counted(summary["events"])) + _followed(summary)
    unused = len(result.data.unsplit)
    if unused:
        facts["On neither side of the split"] = f"{unused} patients with an outcome"
    excluded = result.data.training.excluded
    for reason, count in excluded.items():
        facts[f"Excluded from the cohort: {reason}"] = str(count)
    if result.data.training.dead_left_out:
        facts["Dead among the excluded"] = str(result.data.training.dead_left_out)
    for name, choice in result.data.training.choices.items():
        facts[name.replace("_", " ").capitalize()] = str(choice)
    return facts


def _counted(events: dict[str, int]) -> Iterator[str]:
    """Say how many patients ended how.

    Examples
    --------
    >>> list(_counted({"event": 2, "competing": 1, "censored": 320}))
    ['2 events', '1 competing event', '320 censored']
    """
    for name, count in events.items():
        if name in ("event", "competing"):
            yield f"{count} {'competing ' if name == 'competing' else ''}event{'' if count == 1 else 's'}"
        else:
            yield f"{count} {name.replace('_', ' ')}"


def _followed(summary: dict[str, Any]) -> str:
    if "median_followup_years" not in summary:
        return ""
    years = summary["median_followup_years"]
    return f"; median follow-up {'unknown' if years is None else f'{years:.1f} years'}"


def _environment(result: ExperimentResult) -> dict[str, str]:
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


def _provenance(result: ExperimentResult) -> dict[str, str]:
    """Say which experiment file and which cohort an experiment is of; a path by its hash, as it may hold a name."""
    config, found = result.config, {"cohort": result.data.cohort.name}
    if config.file is not None:
        found |= {"experiment_file": config.file.name, "experiment_file.sha256": config.file.sha256}
        found |= {"experiment_file.changed": ", ".join(config.file.changed)} if config.file.changed else {}
    paths = config.cohort.folders
    if paths:
        path = ", ".join(str(path.resolve()) for path in paths)
        digest = hashlib.sha256(path.encode()).hexdigest()
        found |= {"cohort.path": path} if config.log_paths else {"cohort.path_sha256": digest}
    return found


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _training_summary(result: ExperimentResult) -> TrainingSummary:
    """Return what a bundle says of its training patients."""
    data = result.data
    return TrainingSummary.of(
        data.cohort,
        data.training,
        data.table.catalogue,
        experiment=result.config.name,
        high_risk=_high_risk(data, data.training),
        unspecified=result.config.unspecified,
        landmark_days=result.config.landmark_days,
        progressive=result.config.progressive,
    )


def _multiplicity(result: ExperimentResult, experiments: int) -> Multiplicity:
    """Return how many models an experiment tried; ``experiments`` are on record of its patients and outcomes."""
    guards = result.guards
    trials = result.config.validation.trials
    return Multiplicity(len(result.config.models), trials, experiments, guards.apparent, guards.corrected)


def _guard_sections(result: ExperimentResult, tried: Multiplicity | None = None) -> list[GuardSection]:
    """Return the sections of the report and of the model cards; how many models were tried, where that is known."""
    guards = result.guards
    used = {str(name): _features_used(result, name) for name in result.config.models}
    sections = [] if tried is None else [multiplicity_section(tried)]
    sections += [sample_size_section(guards.size, used), optimism_section(guards.optimism), *_spread_section(result)]
    return sections if guards.learning is None else [*sections, learning_section(guards.learning, result.chosen)]


def _spread_section(result: ExperimentResult) -> list[GuardSection]:
    """Return the section on the stability of the chosen family, where it was judged."""
    evaluation, chosen = result.cross_validation, result.chosen
    spread = figure_spread(evaluation, chosen)
    if spread is None:
        return []
    used = result.stability[chosen].features_used
    return [spread_section(chosen, spread, used, metric=evaluation.kind.leading_metric)]


def _guard_tables(result: ExperimentResult) -> dict[str, pd.DataFrame]:
    """Return tables to log: ``optimism``, ``guards``, and ``learning_curve`` where there is one.

    ``guards`` has a row a compared family: ``events_per_parameter`` (candidates), ``patients_needed`` and
    ``expected_shrinkage`` (see :func:`nbrelapse.validation.sample_size.sample_size`), ``parameters_used``, and with a
    learning curve ``gain_of_twice_the_patients`` of the chosen one.
    """
    guards = result.guards
    rows = [{"model": str(name), **_size_figures(result, str(name))} for name in result.config.models]
    tables = {
        "optimism": pd.concat(guards.optimism, names=["model"]).reset_index(),
        "guards": pd.DataFrame(rows),
    }
    return tables if guards.learning is None else tables | {"learning_curve": guards.learning.table}


def _guard_figures(result: ExperimentResult) -> dict[str, Plot]:
    """Return the plot of the learning curve, where there is one."""
    learning = result.guards.learning
    return {} if learning is None else {"learning_curve": partial(learning_curve, learning.table)}


def _size_figures(result: ExperimentResult, model: str) -> dict[str, float]:
    guards = result.guards
    found = {
        "events_per_parameter": guards.size.events_per_parameter,
        "patients_needed": float(guards.size.patients_needed),
        "expected_shrinkage": guards.size.shrinkage,
        "parameters_used": float(_features_used(result, model)),
    }
    if model == result.chosen and guards.learning is not None:
        found["gain_of_twice_the_patients"] = guards.learning.gain
    return found


def _features_used(result: ExperimentResult, model: str) -> int:
    """Return how many features move the prediction of a training patient in the final model."""
    return int((result.explanations[model].features != 0).any(axis=0).sum())


def _experiment_tables(result: ExperimentResult) -> dict[str, pd.DataFrame]:
    """Tables of the whole experiment: metrics, paired differences, the feature manifest, folds and predictions."""
    tables = {"feature_manifest": _feature_manifest(result), "folds": _folds(result)} | _guard_tables(result)
    parts: list[tuple[str, Evaluation | None]] = [
        ("cross_validation", result.cross_validation),
        ("holdout", result.holdout),
        ("leave_one_out", result.leave_one_out),
    ]
    for name, evaluation in parts:
        if evaluation is not None:
            tables[f"{name}_metrics"] = evaluation.metrics
            tables[f"{name}_differences"] = evaluation.differences
            tables[f"{name}_spread"] = evaluation.spread
    return tables


def _model_tables(result: ExperimentResult, model: str) -> dict[str, pd.DataFrame]:
    """SHAP tables of one model: importance and its stability, pairs of mechanisms, and the patients' attributions."""
    explanation, stable = result.explanations[model], result.stability[model]
    patients = _patients(result)
    return {
        "mechanism_importance": explanation.mechanism_importance().rename("mean_abs_contribution").to_frame(),
        "feature_importance": explanation.feature_importance().rename("mean_abs_contribution").to_frame(),
        "mechanism_stability": stable.mechanisms,
        "feature_stability": stable.features,
        "rank_agreement": stable.rank_agreement,
        "mechanism_cooccurrence": mechanism_cooccurrence(explanation),
        "mechanism_attributions": explanation.mechanisms.set_axis(patients, axis=0),
        "feature_attributions": _leading_features(explanation).set_axis(patients, axis=0),
    }


_MOST_LOGGED = 200
"""Features whose contributions are logged patient by patient; of thousands the tables took hundreds of megabytes."""

_OTHERS = "other_features"


def _leading_features(explanation: Explanation) -> pd.DataFrame:
    """Return the patients' contributions of the features that matter most; those of all others are summed."""
    features = explanation.features
    if features.shape[1] <= _MOST_LOGGED:
        return features
    leading = features.columns.isin(explanation.feature_importance().index[:_MOST_LOGGED])
    return features.loc[:, leading].assign(**{_OTHERS: features.loc[:, ~leading].sum(axis=1)})


def _feature_manifest(result: ExperimentResult) -> pd.DataFrame:
    catalogue = result.data.table.catalogue
    observed = result.data.features(result.data.training).notna().mean()
    rows = []
    for name, definition in catalogue.features.items():
        rows.append(
            {
                "feature": name,
                "mechanism": definition.mechanism,
                "title": definition.title,
                "definition": definition.definition,
                "assay": definition.assay,
                "kind": definition.kind,
                "role": definition.role,
                "direction": definition.direction_for(result.config.endpoint),
                "reference": definition.reference,
                "observed": float(observed[name]),
                "left_out": result.data.left_out.get(name, ""),
            }
        )
    return pd.DataFrame(rows).set_index("feature")


def _folds(result: ExperimentResult) -> pd.DataFrame:
    fold = result.predictions[result.chosen].fold
    columns = {f"repeat_{number}": row for number, row in enumerate(fold)}
    return pd.DataFrame(columns, index=_patients(result))


def _patients(result: ExperimentResult) -> pd.Index:
    """Patient ids as they are logged: hashed with a salt that is never stored, unless the user asked for them."""
    ids = result.data.training.patient_ids
    if result.config.log_patient_ids:
        return ids
    salt = secrets.token_bytes(16)
    hashed = [hashlib.blake2b(str(name).encode(), key=salt, digest_size=8).hexdigest() for name in ids]
    return pd.Index(hashed, name="patient")
