"""Whether the explanations find the truth: attributed against true log hazards of a simulated cohort, by mechanism.

A Cox model is tuned and fitted on 2,000 simulated patients, read from raw files like a real study. Per mechanism, the
attributions are ranked against the true contributions (Spearman), among the patients who had every assay through
which the mechanism acts, and among all patients, where an assay that was not done cannot be known.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from _document import main
from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.cohort.readers.cbioportal import read_cbioportal
from nbrelapse.cohort.simulation import read_truth, write_raw_files
from nbrelapse.experiment.config import parse_config
from nbrelapse.experiment.prepare import prepare_data
from nbrelapse.explanation import explain
from nbrelapse.models.families import create_model
from nbrelapse.validation.tuning import tune

PATIENTS = 2000
SEED = 20
TRIALS = 40
GOAL = 0.9
ASSAYS = {
    "mycn": ("fish", "expression"),
    "alk": ("mutations", "copy_number", "expression"),
    "telomere": ("mutations", "rearrangements", "expression"),
    "p53": ("mutations", "copy_number", "expression"),
    "instability": ("copy_number",),
    "ras_mapk": ("mutations", "expression"),
    "cell_state": ("expression",),
    "clinical": ("clinical",),
}
"""Assays through which the mechanisms of the simulation act."""


def assayed(cohort: Cohort, mechanism: str) -> pd.Index:
    patients = cohort.patient_ids
    for assay in ASSAYS[mechanism]:
        if assay != "clinical":
            patients = patients.intersection(cohort.assayed_samples(assay).index)
    return patients


def truth_recovery(scratch: Path) -> list[dict[str, object]]:
    raw = write_raw_files(scratch / "raw", PATIENTS, SEED)
    truth = read_truth(raw)
    write_cohort(read_cbioportal(raw), scratch / "cohort")
    settings = {"name": "truth_recovery", "seed": SEED, "cohort": {"path": str(scratch / "cohort")}}
    data = prepare_data(parse_config(settings))
    X, y = data.features(data.training), data.training.y
    model = tune(create_model("cox", columns=data.columns), X, y, n_trials=TRIALS, n_folds=5, seed=SEED).fit(X, y)
    found = explain(model, X, data.table.catalogue).mechanisms
    results: list[dict[str, object]] = []
    for mechanism in truth.columns[truth.std() > 0]:
        true = truth.loc[found.index, mechanism]
        own = found.index.intersection(assayed(data.cohort, mechanism))
        here = found[mechanism] if mechanism in found else pd.Series(0.0, index=found.index)
        value = float(here[own].corr(true[own], method="spearman"))
        results.append({"name": f"{mechanism} (n={len(own)})", "value": value, "goal": GOAL, "met": value >= GOAL})
        everyone = float(here.corr(true, method="spearman"))
        results.append({"name": f"{mechanism}, all patients", "value": everyone, "goal": None, "met": None})
    return results


if __name__ == "__main__":
    main("truth_recovery", truth_recovery)
