"""Whether contributions add up: the largest |baseline + sum of mechanisms - log risk| over all patients.

Families of each kind on a simulated cohort, and on the real ones where NBRELAPSE_DATA holds them. The models are fitted
on the training patients of the experiments and explain every patient; no outcome of a hold-out is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _document import ROOT, DataAbsentError, data_folder, experiment_config, main
from nbrelapse.cohort import simulate_cohort, write_cohort
from nbrelapse.cohort.readers import read_geo, read_tables
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import prepare_data
from nbrelapse.explanation import explain
from nbrelapse.explanation.explanation import TOLERANCE
from nbrelapse.models.families import create_model

FAMILIES = ("cox", "boosted", "forest", "blend")


def experiments(scratch: Path) -> list[ExperimentConfig]:
    write_cohort(simulate_cohort(500, seed=1), scratch / "simulated")
    found = [experiment_config("quickstart", scratch / "simulated")]
    try:
        seqc, copy_number = data_folder("seqc"), data_folder("high_risk_copy_number")
    except DataAbsentError as error:
        print(f"additivity: the real cohorts are left out, {error}", file=sys.stderr)
        return found
    series = [seqc / "GSE49711_series_matrix.txt.gz", seqc / "GSE62564_series_matrix.txt.gz"]
    write_cohort(read_geo(series, expression=seqc / "expression_log2_2000_genes.tsv.gz"), scratch / "seqc")
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(read_tables(mapping, copy_number), scratch / "copy_number")
    groups = experiment_config("high_risk_copy_number", scratch / "copy_number")
    # The JAP patients have no event-free survival.
    groups = groups.model_copy(update={"split": groups.split.model_copy(update={"train": ("GPOH",)})})
    return [*found, experiment_config("seqc_relapse", scratch / "seqc"), groups]


def additivity(scratch: Path) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for config in experiments(scratch):
        data = prepare_data(config)
        X = data.table.values
        for family in FAMILIES:
            model = create_model(family, columns=data.columns, seed=1)
            model.fit(data.features(data.training), data.training.y)
            explanation = explain(model, X, data.table.catalogue)
            total = explanation.baseline + explanation.mechanisms.sum(axis=1)
            gap = float((total - explanation.log_risk).abs().max())
            label = f"{family}, {config.name} (n={len(X)})"
            results.append({"name": label, "value": gap, "goal": TOLERANCE, "met": gap <= TOLERANCE})
    return results


if __name__ == "__main__":
    main("additivity", additivity)
