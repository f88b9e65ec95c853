"""High-risk patients, copy number: models trained on some cooperative groups, judged on another they never saw.

COG and GPOH have event-free survival; JAP has overall survival only and joins GPOH in training for that. The models
trained on COG are also judged on GPOH with all log2 ratios halved, as another array might give them, and the scales
estimated anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sksurv.metrics import concordance_index_censored

from _document import ROOT, data_folder, experiment_config, main
from nbrelapse.cohort import write_cohort
from nbrelapse.cohort.readers import read_tables
from nbrelapse.experiment import run_experiment
from nbrelapse.mechanisms import build_features
from platform_shift import NOISE, shifted

DIRECTIONS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("efs", ("GPOH",), ("COG",)),
    ("efs", ("COG",), ("GPOH",)),
    ("os", ("GPOH", "JAP"), ("COG",)),
    ("os", ("COG",), ("GPOH",)),
)


def high_risk_transfer(scratch: Path) -> list[dict[str, object]]:
    source = data_folder("high_risk_copy_number")
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(read_tables(mapping, source), scratch / "cohort")
    base = experiment_config("high_risk_copy_number", scratch / "cohort")
    assert base.split is not None
    results: list[dict[str, object]] = []
    for endpoint, train, validation in DIRECTIONS:
        split = base.split.model_copy(update={"train": train, "validation": validation})
        config = base.model_copy(update={"endpoint": endpoint, "split": split})
        result = run_experiment(config, n_jobs=os.cpu_count() or 1)
        assert result.holdout is not None
        direction = f"{endpoint} {'+'.join(train)} to {'+'.join(validation)}"
        results += _rows(direction, result)
        if validation == ("GPOH",):
            results += _compressed(direction, result)
    return results


def _compressed(direction: str, result: Any) -> list[dict[str, object]]:
    """Change of each model's C when the log2 ratios of the held-out patients are halved."""
    patients, y = result.data.holdout.patient_ids, result.data.holdout.y
    given = result.data.features(result.data.holdout)
    rows: list[dict[str, object]] = []
    for noise in (0.0, NOISE):
        table = build_features(shifted(result.data.cohort, 0.5, 0.0, noise), result.data.table.catalogue)
        compressed = table.values.loc[patients]
        for name in result.config.models:
            risks = [result.models[name].predict_log_risk(values) for values in (given, compressed)]
            before, after = (concordance_index_censored(y["event"] == 1, y["time"], risk)[0] for risk in risks)
            where = f"{direction}, ratios halved, noise {noise:g}"
            goal = {"goal": -0.01, "met": bool(after - before >= -0.01)}
            rows.append({"name": f"{where}: change of C of {name}", "value": after - before, **goal})
            correlation = float(np.corrcoef(*risks)[0, 1])
            rows.append({"name": f"{where}: correlation of the log risks of {name}", "value": correlation})
    return rows


def _rows(direction: str, result: Any) -> list[dict[str, object]]:
    metrics, differences = result.holdout.metrics, result.holdout.differences
    metrics = metrics[(metrics["metric"] == "harrell_c") & (metrics["population"] == "all")]
    differences = differences[(differences["metric"] == "harrell_c") & (differences["population"] == "all")]
    rows = []
    for row in metrics.to_dict("records"):
        label = f"{row['model']} (chosen)" if row["model"] == result.chosen else row["model"]
        name = f"{direction}: C of {label}, {row['n']} patients, {row['events']} events"
        rows.append({"name": name, **{key: row[key] for key in ("value", "low", "high")}})
    for row in differences[differences["model"] == result.chosen].to_dict("records"):
        name = f"{direction}: C of {row['model']} minus {row['reference']}"
        rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
    return rows


if __name__ == "__main__":
    main("high_risk_transfer", high_risk_transfer)
