"""Whether contributions add up: the largest |baseline + sum - prediction| over all patients.

Sums over features, over assays and layers, and over mechanisms.

On the scales of the log hazard and of the cumulative incidence at three years, path-dependent and against a background.
Every family on a simulated cohort, and on the real ones where NBRELAPSE_DATA holds them. The models are fitted
on the training patients of the experiments and explain every patient; no outcome of a hold-out is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _document import ROOT, DataAbsentError, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.explanation import explain, to_probability
from nbrelapse.explanation.explanation import _TOLERANCE
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.readers import import_tables
from nbrelapse.simulation import simulate_cohort

FAMILIES = ("ensemble", "cox", "cox_prior", "boosted", "boosted_prior", "blend", "forest")
"""All are exact but the forest, which is brought to the log scale in proportion; it adds up all the same."""

HORIZON = 3 * YEAR
BACKGROUND = 50


def experiments(scratch: Path) -> list[ExperimentConfig]:
    write_cohort(simulate_cohort(500, seed=1), scratch / "simulated")
    found = [experiment_config("quickstart", scratch / "simulated")]
    try:
        (seqc, _), copy_number = read_seqc(scratch, layers=True), data_folder("high_risk_copy_number")
    except DataAbsentError as error:
        print(f"additivity: the real cohorts are left out, {error}", file=sys.stderr)
        return found
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, copy_number), scratch / "copy_number")
    groups = experiment_config("high_risk_copy_number", scratch / "copy_number")
    # The JAP patients have no event-free survival.
    groups = groups.model_copy(update={"split": groups.split.model_copy(update={"train": ("GPOH",)})})
    return [*found, experiment_config("seqc_relapse", seqc), groups]


def additivity(scratch: Path) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for config in experiments(scratch):
        data = _prepare_data(config)
        X = data.table.values
        catalogue = data.table.catalogue
        models, _ = _experiment_models(config.model_copy(update={"models": FAMILIES}), data)
        for family in FAMILIES:
            model = models[family].fit(data.features(data.training), data.training.y)
            for kind, background in (("path", None), ("background", X.iloc[:BACKGROUND])):
                found = explain(model, X, catalogue, background=background)
                for explanation in (found, to_probability(found, model, HORIZON)):
                    parts = explanation.features, explanation.by_assay(catalogue), explanation.mechanisms
                    gaps = [explanation.baseline + part.sum(axis=1) - explanation.prediction for part in parts]
                    gap = max(float(one.abs().max()) for one in gaps)
                    label = f"{config.name} (n={len(X)}), {family}, {kind}, {explanation.scale}"
                    results.append({"name": label, "value": gap, "goal": _TOLERANCE, "met": gap <= _TOLERANCE})
    return results


if __name__ == "__main__":
    main("additivity", additivity)
