"""SEQC, official split: the ensemble, named beforehand, trained on the training half, judged on the other 249 patients.

The hold-out is opened once for a version of nbrelapse. What it showed is kept in seqc_holdout_record.json beside this
file, with the date; a run of a version that is in the record prints the record and opens nothing. Settings are those
of experiments/seqc_relapse.toml, with all layers and with clinical variables and genes alone, for event-free and for
overall survival. How often it was opened in all is printed: a hold-out that was looked at before tells less each time.

Genes, isoforms and junctions of this copy were selected by the outcomes of the training half. After the hold-out, all
498 patients are cross-validated, and the halves change places, on inputs that no outcome selected: the clinical
variables and genome-wide scores of published gene sets.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from _document import ROOT, experiment_config, main, read_seqc
from nbrelapse import __version__
from nbrelapse.experiment import run_experiment
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.metrics import Evaluation, evaluate, prediction_times, tertile_calibration
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.scoring.evaluate import populations
from nbrelapse.validation.nested import nested_cross_validation

RECORD = ROOT / "benchmarks" / "seqc_holdout_record.json"
BEFORE = 3
"""Openings for 0.1.0, before there was a record."""

NAMED = "ensemble"
LAYERS, GENES, RECALIBRATED = "with layers", "clinical and genes", "with layers, recalibrated by risk group"
FEATURES = {LAYERS: {}, GENES: {"layers": False}, RECALIBRATED: {}}
UNSELECTED = {
    "genes": False,
    "layers": ("gene_sets",),
    "include": ("clinical__*", "mycn__amplified", "*__gene_sets_*"),
}
GOALS = {
    ("efs", LAYERS, "all"): 0.785,
    ("efs", LAYERS, "high_risk"): 0.61,
    ("os", LAYERS, "all"): 0.87,
    ("efs", GENES, "all"): 0.772,
    ("efs", GENES, "high_risk"): 0.585,
}
"""Of Harrell's C."""

SLOPES = {"all": (0.85, 1.15), "high_risk": (0.5, float("inf"))}
"""Of the recalibrated model."""

SWAPPED = 0.65
"""Goal within high-risk patients, the halves swapped."""

KEPT = ("harrell_c", "uno_c", "auc_5y", "integrated_brier", "ipa_5y", "calibration_slope", "ici_5y")
JOBS = os.cpu_count() or 1


def seqc_holdout(scratch: Path) -> list[dict[str, object]]:
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if __version__ in record:
        opened = record[__version__]["opened"]
        print(f"seqc_holdout: opened for {__version__} on {opened}; this is the record", file=sys.stderr)
        _say_how_often(record)
        return list(record[__version__]["results"])
    cohort = read_seqc(scratch, layers=True)
    results: list[dict[str, object]] = []
    record[__version__] = {"opened": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "results": results}
    for endpoint in ("efs", "os"):
        for label, features in FEATURES.items():
            results += _holdout(endpoint, label, _config(endpoint, cohort, features))
            _write(record)
    for endpoint in ("efs", "os"):
        config = _config(endpoint, cohort, UNSELECTED).model_copy(update={"models": (NAMED,)})
        results += _all_patients(config)
        results += _swapped(config)
        _write(record)
    _say_how_often(record)
    return results


def _say_how_often(record: dict[str, Any]) -> None:
    print(f"seqc_holdout: opened {BEFORE + len(record)} times in all, on record", file=sys.stderr)


def _write(record: dict[str, Any]) -> None:
    beside = RECORD.with_suffix(".part")
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    beside.replace(RECORD)


def _config(endpoint: str, cohort: tuple[Path, Path | None], features: dict[str, Any]) -> Any:
    config = experiment_config("seqc_relapse", *cohort)
    chosen = config.features.model_copy(update=features)
    return config.model_copy(update={"endpoint": endpoint, "features": chosen})


def _holdout(endpoint: str, label: str, config: Any) -> list[dict[str, object]]:
    """Judge the named family on the hold-out; all families of the experiment where they read everything."""
    everything = label == LAYERS and endpoint == "efs"
    change: dict[str, Any] = {} if everything else {"models": (NAMED,), "refits": 20}
    if label == RECALIBRATED:
        change["recalibrate"] = "group"
    result = run_experiment(config.model_copy(update=change), n_jobs=JOBS)
    assert result.holdout is not None
    assert result.holdout_predictions is not None
    assert result.data.holdout is not None
    where = f"{endpoint}, {label}"
    rows = _rows(f"{where}, cross-validated in training", result.cross_validation)
    if everything:
        choice = result.choice
        name = f"{where}: {choice.family} was chosen; {choice.leader} led {choice.other} by, with its standard error"
        rows.append({"name": name, "value": choice.difference, "low": choice.error, "high": choice.error})
    rows += _rows(f"{where}, hold-out", result.holdout, endpoint, label)
    table = tertile_calibration(result.holdout_predictions[NAMED], result.data.holdout.y, 5 * YEAR)
    for row in table.to_dict("records"):
        name = f"{where}, hold-out: 5-year incidence, {row['group']} third (n={row['n']}), predicted"
        rows.append({"name": name, "value": row["predicted"], "goal": row["observed"], "met": bool(row["within"])})
        observed = {"value": row["observed"], "low": row["low"], "high": row["high"]}
        rows.append({"name": name.replace("predicted", "observed"), **observed})
    return rows


def _all_patients(config: Any) -> list[dict[str, object]]:
    """Cross-validate all 498 patients."""
    data = _prepare_data(config.model_copy(update={"split": None}))
    models, _ = _experiment_models(config, data)
    X, y = data.features(data.training), data.training.y
    validation = config.validation
    predictions = nested_cross_validation(
        models,
        X,
        y,
        n_repeats=validation.repeats,
        n_folds=validation.folds,
        n_inner_folds=validation.inner_folds,
        n_trials=validation.trials,
        seed=config.seed,
        n_jobs=JOBS,
        times=prediction_times(y),
    )
    evaluation = evaluate(
        predictions,
        y,
        populations=populations(data.cohort, data.training),
        references=[name for name in models if name.startswith("clinical_")],
        seed=config.seed,
        named_beforehand=True,
    )
    return _rows(f"{config.endpoint}, unselected inputs, all 498 cross-validated", evaluation)


def _swapped(config: Any) -> list[dict[str, object]]:
    """Train on the validation half and judge the training half."""
    split = config.split.model_copy(update={"train": config.split.validation, "validation": config.split.train})
    result = run_experiment(config.model_copy(update={"split": split, "refits": 20}), n_jobs=JOBS)
    assert result.holdout is not None
    rows = _rows(f"{config.endpoint}, unselected inputs, halves swapped", result.holdout)
    wanted = f"{config.endpoint}, unselected inputs, halves swapped: high_risk harrell_c {NAMED}"
    for row in rows:
        if config.endpoint == "efs" and row["name"] == wanted:
            row |= {"goal": SWAPPED, "met": bool(row["value"] >= SWAPPED)}
    return rows


def _rows(label: str, evaluation: Evaluation, endpoint: str = "", features: str = "") -> list[dict[str, object]]:
    """Figures of every model, and differences of the named one; of the hold-out with the goals."""
    rows: list[dict[str, object]] = []
    metrics = evaluation.metrics.dropna(subset="value")
    for row in metrics[metrics["metric"].isin(KEPT)].to_dict("records"):
        rows.append({"name": f"{label}: {row['population']} {row['metric']} {row['model']}"} | _figure(row))
        if row["model"] != NAMED:
            continue
        goal = GOALS.get((endpoint, features, row["population"])) if row["metric"] == "harrell_c" else None
        if goal is not None:
            rows[-1] |= {"goal": goal, "met": bool(row["value"] >= goal)}
        if features == RECALIBRATED and endpoint == "efs" and row["metric"] == "calibration_slope":
            low, high = SLOPES[row["population"]]
            rows[-1] |= {"goal": low, "met": bool(low <= row["value"] <= high)}
    paired = evaluation.differences
    for row in paired[(paired["model"] == NAMED) & (paired["metric"] == "harrell_c")].to_dict("records"):
        name = f"{label}: {row['population']} harrell_c {NAMED} minus {row['reference']}"
        rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
        if (endpoint, features, row["reference"]) == ("efs", LAYERS, "clinical_cox"):
            rows[-1] |= {"goal": 0.0, "met": bool(row["low"] > 0)}
    return rows


def _figure(row: dict[str, Any]) -> dict[str, object]:
    return {key: None if pd.isna(row[key]) else row[key] for key in ("value", "low", "high")}


if __name__ == "__main__":
    main("seqc_holdout", seqc_holdout)
