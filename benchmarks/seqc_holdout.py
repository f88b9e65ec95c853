"""SEQC, official split: models tuned and chosen on the training half, judged once on the 249 validation patients.

Every run of this file is the same opening of the hold-out: the settings are those of experiments/seqc_relapse.toml,
fixed before the validation half was first read.
"""

from __future__ import annotations

import os
from pathlib import Path

from _document import data_folder, experiment_config, main
from nbrelapse.cohort import write_cohort
from nbrelapse.cohort.readers import read_geo
from nbrelapse.experiment import run_experiment

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
    results: list[dict[str, object]] = []
    for label, evaluation in (("cross-validated", result.cross_validation), ("hold-out", result.holdout)):
        for row in evaluation.metrics.to_dict("records"):
            goal = None
            if label == "hold-out" and row["model"] == result.chosen:
                goal = GOALS.get((row["population"], row["metric"]))
            results.append(
                {
                    "name": f"{label} {row['population']} {row['metric']} {row['model']}",
                    "value": row["value"],
                    "low": row["low"],
                    "high": row["high"],
                    "goal": goal,
                    "met": None if goal is None else bool(row["value"] >= goal),
                }
            )
        paired = evaluation.differences
        paired = paired[(paired["model"] == result.chosen) & (paired["metric"] == "harrell_c")]
        for row in paired.to_dict("records"):
            results.append(
                {
                    "name": f"{label} {row['population']} harrell_c {row['model']} minus {row['reference']}",
                    "value": row["difference"],
                    "low": row["low"],
                    "high": row["high"],
                    "goal": None,
                    "met": None,
                }
            )
    return results


if __name__ == "__main__":
    main("seqc_holdout", seqc_holdout)
