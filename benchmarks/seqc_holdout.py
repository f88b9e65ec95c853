"""SEQC, official split: models tuned and chosen on the training half, judged on the 249 validation patients.

The hold-out is opened once for a version of nbrelapse. What it showed is kept in seqc_holdout_record.json beside this
file, with the date; a run of a version that is in the record prints the record and opens nothing. Settings are those
of experiments/seqc_relapse.toml, for event-free and for overall survival. How often it was opened in all is printed: a
hold-out that is looked at often has become training data. After the hold-out, all 498 patients together are
cross-validated (nested, fewer repeats and trials): the figure with the least noise, of models that the authors have
seen both halves with, and of genes that were ranked on the deaths of all training patients.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _document import ROOT, experiment_config, main, read_seqc
from nbrelapse import __version__
from nbrelapse.experiment import run_experiment
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.metrics.decisions import tertile_calibration
from nbrelapse.metrics.evaluation import Evaluation, evaluate
from nbrelapse.metrics.horizons import YEAR, prediction_times
from nbrelapse.scoring.evaluate import populations
from nbrelapse.validation.nested import nested_cross_validation

RECORD = ROOT / "benchmarks" / "seqc_holdout_record.json"
BEFORE = 3
"""Openings for 0.1.0, which kept no record (docs/results.md)."""
GOALS = {
    ("efs", "all", "harrell_c"): 0.79,
    ("efs", "high_risk", "harrell_c"): 0.62,
    ("os", "all", "harrell_c"): 0.885,
}
SLOPES = (0.8, 1.2)
KEPT = ("harrell_c", "uno_c", "auc_5y", "integrated_brier", "ipa_5y", "calibration_slope", "ici_5y")
ALL_PATIENTS = {"n_repeats": 3, "n_folds": 5, "n_inner_folds": 5, "n_trials": 25}


def seqc_holdout(scratch: Path) -> list[dict[str, object]]:
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if __version__ in record:
        opened = record[__version__]["opened"]
        print(f"seqc_holdout: opened for {__version__} on {opened}; this is the record", file=sys.stderr)
        _say_openings(record)
        return list(record[__version__]["results"])
    cohort = read_seqc(scratch)
    results: list[dict[str, object]] = []
    record[__version__] = {"opened": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "results": results}
    for judge in (_holdout, _all_patients):
        for endpoint in ("efs", "os"):
            results += judge(endpoint, cohort)
            _write(record)
    _say_openings(record)
    return results


def _say_openings(record: dict[str, Any]) -> None:
    print(f"seqc_holdout: opened {BEFORE + len(record)} times in all, on record", file=sys.stderr)


def _write(record: dict[str, Any]) -> None:
    beside = RECORD.with_suffix(".part")
    beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    beside.replace(RECORD)


def _config(endpoint: str, cohort: tuple[Path, Path | None]) -> Any:
    return experiment_config("seqc_relapse", *cohort).model_copy(update={"endpoint": endpoint})


def _holdout(endpoint: str, cohort: tuple[Path, Path | None]) -> list[dict[str, object]]:
    result = run_experiment(_config(endpoint, cohort), n_jobs=os.cpu_count() or 1)
    assert result.holdout is not None
    assert result.holdout_predictions is not None
    assert result.data.holdout is not None
    rows = _rows(f"{endpoint}, cross-validated in training", result.cross_validation, result.chosen)
    rows += _rows(f"{endpoint}, hold-out", result.holdout, result.chosen, endpoint)
    table = tertile_calibration(result.holdout_predictions[result.chosen], result.data.holdout.y, 5 * YEAR)
    for row in table.to_dict("records"):
        name = f"{endpoint}, hold-out: 5-year incidence, {row['group']} third (n={row['n']}), predicted"
        rows.append({"name": name, "value": row["predicted"], "goal": row["observed"], "met": bool(row["within"])})
        observed = {"value": row["observed"], "low": row["low"], "high": row["high"]}
        rows.append({"name": name.replace("predicted", "observed"), **observed})
    return rows


def _all_patients(endpoint: str, cohort: tuple[Path, Path | None]) -> list[dict[str, object]]:
    config = _config(endpoint, cohort).model_copy(update={"split": None})
    data = _prepare_data(config)
    models, _ = _experiment_models(config, data)
    X, y = data.features(data.training), data.training.y
    predictions = nested_cross_validation(
        models, X, y, seed=config.seed, n_jobs=os.cpu_count() or 1, times=prediction_times(y), **ALL_PATIENTS
    )
    evaluation = evaluate(
        predictions,
        y,
        populations=populations(data.cohort, data.training),
        references=[name for name in models if name.startswith("clinical_")],
        seed=config.seed,
    )
    metrics = evaluation.metrics
    scores = metrics[(metrics["metric"] == "harrell_c") & (metrics["population"] == "all")]
    best = scores[scores["model"].isin(config.models)].set_index("model")["value"].idxmax()
    return _rows(f"{endpoint}, cross-validated in all 498", evaluation, str(best))


def _rows(label: str, evaluation: Evaluation, chosen: str, endpoint: str | None = None) -> list[dict[str, object]]:
    """Figures of every model; the goals are the chosen model's."""
    rows: list[dict[str, object]] = []
    metrics = evaluation.metrics.dropna(subset="value")
    for row in metrics[metrics["metric"].isin(KEPT)].to_dict("records"):
        own = row["model"] == chosen and endpoint is not None
        goal = GOALS.get((endpoint, row["population"], row["metric"])) if own else None
        met = None if goal is None else bool(row["value"] >= goal)
        if own and endpoint == "efs" and row["metric"] == "calibration_slope" and row["population"] == "all":
            goal, met = 1.0, bool(SLOPES[0] <= row["value"] <= SLOPES[1])
        model = f"{row['model']} (chosen)" if row["model"] == chosen else row["model"]
        name = f"{label}: {row['population']} {row['metric']} {model}"
        rows.append({"name": name, **{key: row[key] for key in ("value", "low", "high")}, "goal": goal, "met": met})
    paired = evaluation.differences
    for row in paired[(paired["model"] == chosen) & (paired["metric"] == "harrell_c")].to_dict("records"):
        name = f"{label}: {row['population']} harrell_c {row['model']} minus {row['reference']}"
        difference = {"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]}
        if endpoint == "efs" and row["population"] == "all":
            difference |= {"goal": 0.0, "met": bool(row["low"] > 0)}
        rows.append(difference)
    return rows


if __name__ == "__main__":
    main("seqc_holdout", seqc_holdout)
