"""SEQC, official split: models tuned and chosen on the training half, judged on the 249 validation patients.

Every run of this file reads the hold-out. The settings are those of experiments/seqc_relapse.toml, fixed before the
first; docs/results.md keeps count.
"""

from __future__ import annotations

import os
from pathlib import Path

from _document import data_folder, experiment_config, main
from nbrelapse.cohort import write_cohort
from nbrelapse.cohort.readers import read_geo
from nbrelapse.experiment import run_experiment
from nbrelapse.validation.evaluate import Evaluation

GOALS = {("all", "harrell_c"): 0.78, ("high_risk", "harrell_c"): 0.60}


def seqc_holdout(scratch: Path) -> list[dict[str, object]]:
    source = data_folder("seqc")
    cohort = read_geo(
        [source / "GSE49711_series_matrix.txt.gz", source / "GSE62564_series_matrix.txt.gz"],
        expression=source / "expression_log2_2000_genes.tsv.gz",
    )
    write_cohort(cohort, scratch / "seqc")
    gene_sets = Path(os.environ.get("NBRELAPSE_GENE_SETS", source.parent.parent / "reference" / "gene_sets.tsv"))
    config = experiment_config("seqc_relapse", scratch / "seqc", gene_sets if gene_sets.exists() else None)
    result = run_experiment(config, n_jobs=os.cpu_count() or 1)
    assert result.holdout is not None
    cross_validated = _rows("cross-validated", result.cross_validation, result.chosen, {})
    return cross_validated + _rows("hold-out", result.holdout, result.chosen, GOALS)


def _rows(
    label: str, evaluation: Evaluation, chosen: str, goals: dict[tuple[str, str], float]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row in evaluation.metrics.dropna(subset="value").to_dict("records"):
        goal = goals.get((row["population"], row["metric"])) if row["model"] == chosen else None
        met = None if goal is None else bool(row["value"] >= goal)
        name = f"{label} {row['population']} {row['metric']} {row['model']}"
        rows.append({"name": name, **{key: row[key] for key in ("value", "low", "high")}, "goal": goal, "met": met})
    paired = evaluation.differences
    for row in paired[(paired["model"] == chosen) & (paired["metric"] == "harrell_c")].to_dict("records"):
        name = f"{label} {row['population']} harrell_c {row['model']} minus {row['reference']}"
        rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
    return rows


if __name__ == "__main__":
    main("seqc_holdout", seqc_holdout)
