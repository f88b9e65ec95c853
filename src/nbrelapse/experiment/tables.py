"""The tables of an experiment that are logged."""

from __future__ import annotations

import hashlib
import re
import secrets

import numpy as np
import pandas as pd

from nbrelapse.experiment.describe_guards import guard_tables
from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.explanation.mechanism_cooccurrence import mechanism_cooccurrence
from nbrelapse.validation.evaluate import Evaluation


def logged_metrics(result: ExperimentResult, model: str) -> dict[str, float]:
    """Metrics of one model by MLflow name.

    ``<endpoint>/<metric>`` is nested cross-validation over all training patients, ``<endpoint>/high_risk/<metric>``
    within high-risk, ``<endpoint>/holdout/…`` the hold-out, ``<endpoint>/leave_one_out/<group>/…``
    a group left out; ``_low`` and ``_high`` end the names of the interval.
    Metrics without a value are absent.
    """
    found: dict[str, float] = {}
    for prefix, evaluation in (
        ("", result.cross_validation),
        ("holdout/", result.holdout),
        ("leave_one_out/", result.leave_one_out),
    ):
        if evaluation is None:
            continue
        table = evaluation.metrics[evaluation.metrics["model"] == model]
        for row in table.to_dict("records"):
            population = "" if row["population"] == "all" else f"{_plain(row['population'])}/"
            name = f"{result.config.endpoint}/{prefix}{population}{row['metric']}"
            values = {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
            found |= {key: float(value) for key, value in values.items() if np.isfinite(value)}
    return found


def _plain(population: str) -> str:
    """Return a population's name as MLflow takes it in a metric's."""
    return re.sub(r"[^\w.-]+", "_", population)


def experiment_tables(result: ExperimentResult) -> dict[str, pd.DataFrame]:
    """Tables of the whole experiment: metrics, paired differences, the feature manifest, folds and predictions."""
    tables = {"feature_manifest": _feature_manifest(result), "folds": _folds(result)} | guard_tables(result)
    parts: list[tuple[str, Evaluation | None]] = [
        ("cross_validation", result.cross_validation),
        ("holdout", result.holdout),
        ("leave_one_out", result.leave_one_out),
    ]
    for name, evaluation in parts:
        if evaluation is not None:
            tables[f"{name}_metrics"] = evaluation.metrics
            tables[f"{name}_differences"] = evaluation.differences
    return tables


def model_tables(result: ExperimentResult, model: str) -> dict[str, pd.DataFrame]:
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
        "feature_attributions": explanation.features.set_axis(patients, axis=0),
    }


def _feature_manifest(result: ExperimentResult) -> pd.DataFrame:
    catalogue = result.data.table.catalogue
    values = result.data.features(result.data.training)
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
                "observed": float(values[name].notna().mean()),
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
