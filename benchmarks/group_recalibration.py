"""What a recalibration within clinical groups changes, by nested cross-validation: off, on, and on minus off.

The training half of SEQC (the other half stays closed), the high-risk copy-number cohort, and simulated cohorts of 300
patients. The families are tuned and folded alike with and without it, so the differences are paired.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from _document import ROOT, DataAbsentError, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig, parse_config
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.metrics import Evaluation, evaluate, prediction_times
from nbrelapse.readers import import_tables
from nbrelapse.scoring.evaluate import populations
from nbrelapse.validation.nested import nested_cross_validation

FAMILIES = ("cox", "cox_prior", "boosted")
METRICS = ("calibration_slope", "harrell_c", "integrated_brier", "ipa_3y")
SIMULATED = (1, 2, 3, 4)
PATIENTS = 300
REPEATS = 2
TRIALS = 10


def experiments(scratch: Path) -> Iterator[tuple[str, ExperimentConfig]]:
    for seed in SIMULATED:
        document = {"name": f"simulated {seed}", "cohort": {"simulate": {"patients": PATIENTS, "seed": seed}}}
        yield f"simulated {seed}", parse_config(document)
    try:
        folder, gene_sets = read_seqc(scratch)
        tables = import_tables(
            ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", data_folder("high_risk_copy_number")
        )
    except DataAbsentError:
        return
    seqc = experiment_config("seqc_relapse", folder, gene_sets)
    half = seqc.cohort.model_copy(update={"where": "split == 'train'"})
    yield "SEQC training half", seqc.model_copy(update={"cohort": half, "split": None})
    write_cohort(tables, scratch / "copy_number")
    yield (
        "high-risk copy number",
        experiment_config("high_risk_copy_number", scratch / "copy_number").model_copy(update={"split": None}),
    )


def off_and_on(config: ExperimentConfig, family: str) -> Evaluation:
    found = {}
    for recalibrate in ("none", "group"):
        chosen = config.model_copy(update={"models": (family,), "recalibrate": recalibrate})
        data = _prepare_data(chosen)
        models, _ = _experiment_models(chosen, data)
        y = data.training.y
        found[recalibrate] = nested_cross_validation(
            {family: models[family]},
            data.features(data.training),
            y,
            n_repeats=REPEATS,
            n_folds=5,
            n_inner_folds=5,
            n_trials=TRIALS,
            seed=config.seed,
            times=prediction_times(y),
            n_jobs=int(os.environ.get("NBRELAPSE_JOBS", os.cpu_count() or 1)),
        )[family]
    return evaluate(
        found, y, populations=populations(data.cohort, data.training), references=["none"], seed=config.seed
    )


def group_recalibration(scratch: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    differences = []
    for cohort, config in experiments(scratch):
        for family in FAMILIES:
            found = off_and_on(config, family)
            table = found.metrics[found.metrics["metric"].isin(METRICS)]
            for row in table.to_dict("records"):
                word = "on" if row["model"] == "group" else "off"
                name = f"{cohort}, {family}, {row['population']}: {row['metric']} {word}"
                rows.append({"name": name, **{key: row[key] for key in ("value", "low", "high")}})
            paired = found.differences[found.differences["metric"].isin(METRICS)]
            differences.append(paired.assign(cohort=cohort, family=family))
            for row in paired.to_dict("records"):
                name = f"{cohort}, {family}, {row['population']}: {row['metric']} on minus off"
                rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
            slopes = table[table["metric"] == "calibration_slope"].pivot_table(
                index="population", columns="model", values="value"
            )
            for population, own in (slopes - 1).abs().iterrows():
                gained = {"metric": "distance of the slope from 1", "population": population}
                differences.append(
                    pd.DataFrame(
                        [gained | {"difference": own["group"] - own["none"], "cohort": cohort, "family": family}]
                    )
                )
    table = pd.concat(differences)
    simulated = table[table["cohort"].str.startswith("simulated")]
    for (family, population, metric), group in simulated.groupby(["family", "population", "metric"]):
        values = group["difference"].to_numpy()
        spread = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        name = f"mean of {len(values)} simulated, {family}, {population}: {metric} on minus off"
        rows.append(
            {"name": name, "value": values.mean(), "low": values.mean() - spread, "high": values.mean() + spread}
        )
    return rows


if __name__ == "__main__":
    main("group_recalibration", group_recalibration)
