"""Whether predictions go where their explanations say: deletion and insertion curves of two real cohorts.

Cox regression and boosted trees are tuned and fitted on the training patients of the two experiments and explained
against 30 of them; each patient's features are put to that background in falling order of their absolute contributions
and, for comparison, in random order; and the other way round, from the background to the patient. No outcome of a
hold-out is read and nobody of it is predicted.
"""

from __future__ import annotations

import os
from pathlib import Path

from _document import ROOT, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.explanation import DeletionCurve, deletion_curve, explain
from nbrelapse.readers import import_tables
from nbrelapse.report.plots import deletion_curves
from nbrelapse.validation.tuning import tune

FAMILIES = ("cox", "boosted")
BACKGROUND = 30
SEED = 20
TRIALS = 40
PICTURE = "NBRELAPSE_DELETION_PICTURE"
"""Names a file that the curves are drawn to; none is drawn by default."""


def curves(title: str, config: ExperimentConfig) -> dict[str, DeletionCurve]:
    data = _prepare_data(config.model_copy(update={"models": FAMILIES}))
    X, y = data.features(data.training), data.training.y
    background = X.sample(BACKGROUND, random_state=SEED)
    models, _ = _experiment_models(config.model_copy(update={"models": FAMILIES}), data)
    found = {}
    for family in FAMILIES:
        model = tune(models[family], X, y, n_trials=TRIALS, n_folds=5, seed=SEED).fit(X, y)
        explanation = explain(model, X, data.table.catalogue, background=background)
        for what, insertion in (("deletion", False), ("insertion", True)):
            found[f"{title}, {family}, {what}"] = deletion_curve(model, explanation, insertion=insertion, seed=SEED)
    return found


def deletion(scratch: Path) -> list[dict[str, object]]:
    seqc, gene_sets = read_seqc(scratch)
    found = curves("SEQC", experiment_config("seqc_relapse", seqc, gene_sets))
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    cohort = scratch / "copy_number"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), cohort)
    found |= curves("High-risk copy number", experiment_config("high_risk_copy_number", cohort))
    results: list[dict[str, object]] = []
    for title, curve in found.items():
        label = f"{title} (n={curve.n_patients}, {len(curve.table) - 1} features)"
        results += [{"name": f"{label}, area {name}", **row} for name, row in curve.areas.to_dict("index").items()]
        for moved in (1, 3, 5, 10):
            results += [
                {"name": f"{label}, share after {moved} {name}", "value": float(curve.table[name].iloc[moved])}
                for name in ("by_contribution", "at_random")
                if moved < len(curve.table)
            ]
    if PICTURE in os.environ:
        deletion_curves(found).savefig(os.environ[PICTURE], dpi=150)
    return results


if __name__ == "__main__":
    main("deletion", deletion)
