"""High-risk patients, copy number: every cooperative group predicted by models trained on the others.

COG and GPOH have event-free survival; JAP has overall survival only. `cox_prior` was named as the model that is held
against the goals before this benchmark was first run with it: the cohorts are small, and it was made for such. Models
trained on COG are also judged on GPOH with all log2 ratios halved, as another array might give them, and the scales
estimated anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sksurv.metrics import concordance_index_censored

from _document import ROOT, data_folder, experiment_config, main
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data, _PreparedData
from nbrelapse.mechanisms import build_features
from nbrelapse.models.base import RiskModel
from nbrelapse.readers import import_tables
from nbrelapse.validation.nested import leave_one_group_out
from nbrelapse.validation.tuning import tune
from platform_shift import NOISE, shifted

PRIMARY = "cox_prior"
MEAN = "mean of groups"
GOAL = 0.60


def high_risk_transfer(scratch: Path) -> list[dict[str, object]]:
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), scratch / "cohort")
    base = experiment_config("high_risk_copy_number", scratch / "cohort")
    results: list[dict[str, object]] = []
    for endpoint in ("efs", "os"):
        config = base.model_copy(update={"endpoint": endpoint, "split": None})
        data = _prepare_data(config)
        models, _ = _experiment_models(config, data)
        results += _by_group(config, data, models)
        results += _compressed(config, data, {name: models[name] for name in config.models})
    return results


def _groups(data: _PreparedData) -> np.ndarray:
    patients = data.cohort.patients.set_index("patient_id")
    return patients["study"].reindex(data.training.patient_ids).astype(object).to_numpy()


def _by_group(config: ExperimentConfig, data: _PreparedData, models: dict[str, RiskModel]) -> list[dict[str, object]]:
    found = leave_one_group_out(
        models,
        data.features(data.training),
        data.training.y,
        _groups(data),
        references=[name for name in models if name.startswith("clinical_")],
        n_inner_folds=config.validation.inner_folds,
        n_trials=config.validation.trials,
        seed=config.seed,
        n_jobs=os.cpu_count() or 1,
    ).evaluation
    rows: list[dict[str, object]] = []
    for row in found.metrics[found.metrics["metric"] == "harrell_c"].to_dict("records"):
        name = (
            f"{config.endpoint}, {row['population']}: C of {row['model']}, {row['n']} patients, {row['events']} events"
        )
        goal = row["model"] == PRIMARY and row["population"] == MEAN
        held = {"goal": GOAL, "met": bool(row["value"] >= GOAL)} if goal else {}
        rows.append({"name": name, **{key: row[key] for key in ("value", "low", "high")}, **held})
    paired = found.differences[found.differences["metric"] == "harrell_c"]
    for row in paired[paired["model"].isin(config.models)].to_dict("records"):
        name = f"{config.endpoint}, {row['population']}: C of {row['model']} minus {row['reference']}"
        rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
    return rows


def _compressed(config: ExperimentConfig, data: _PreparedData, models: dict[str, RiskModel]) -> list[dict[str, object]]:
    """Change of each model's C, trained on COG, when the log2 ratios of GPOH are halved."""
    groups, X, y = _groups(data), data.features(data.training), data.training.y
    train, judged = groups == "COG", groups == "GPOH"
    rows: list[dict[str, object]] = []
    for name, model in models.items():
        tuned = tune(model, X[train], y[train], n_trials=config.validation.trials, n_folds=5, seed=config.seed)
        fitted = tuned.fit(X[train], y[train])
        for noise in (0.0, NOISE):
            table = build_features(shifted(data.cohort, 0.5, 0.0, noise), data.table.catalogue)
            given, halved = X[judged], table.values.loc[X.index[judged]]
            risks = [fitted.predict_log_risk(values) for values in (given, halved)]
            outcome = y[judged]
            before, after = (
                concordance_index_censored(outcome["event"] == 1, outcome["time"], risk)[0] for risk in risks
            )
            where = f"{config.endpoint} COG to GPOH, ratios halved, noise {noise:g}"
            goal = {"goal": -0.01, "met": bool(after - before >= -0.01)}
            rows.append({"name": f"{where}: change of C of {name}", "value": after - before, **goal})
            correlation = float(np.corrcoef(*risks)[0, 1])
            rows.append({"name": f"{where}: correlation of the log risks of {name}", "value": correlation})
    return rows


if __name__ == "__main__":
    main("high_risk_transfer", high_risk_transfer)
