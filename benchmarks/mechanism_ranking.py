"""Mechanisms and signs on two real cohorts, and whether they hold over refits.

SEQC (498 patients) and high-risk copy number (COG and GPOH), event-free survival, all patients: no performance is
measured. Each family is tuned as in the experiments, refitted on 100 bootstrap samples and without each of five folds,
and explained on the same patients. Beside `boosted`, which is held to the directions of the catalogue, stand the same
trees free of them, and beside all models the Cox regression of each feature with an expected direction on its own: what
most publications report, and what a model with correlated features need not repeat. Its bootstrap takes one feature's
sign as found where the whole interval lies on one side of 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from _document import ROOT, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data, _PreparedData
from nbrelapse.explanation import Stability, explain, stability
from nbrelapse.explanation.stability import _rank_agreement
from nbrelapse.models.base import RiskModel
from nbrelapse.models.families import create_model
from nbrelapse.models.linear import _LinearModel
from nbrelapse.models.resamples import bootstrap_refits, fold_refits
from nbrelapse.readers import import_tables
from nbrelapse.validation.tuning import tune

REFITS = 100
FOLDS = 5
LEADING = 4
FAMILIES = ("cox", "cox_prior", "boosted")
FREE = "boosted, free of directions"
JOBS = 2


def cohorts(scratch: Path) -> Iterator[tuple[str, ExperimentConfig]]:
    folder, gene_sets = read_seqc(scratch)
    yield "SEQC", experiment_config("seqc_relapse", folder, gene_sets)
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), scratch / "high_risk")
    yield "high-risk", experiment_config("high_risk_copy_number", scratch / "high_risk")


def refitted(config: ExperimentConfig, data: _PreparedData) -> dict[str, Stability]:
    models, _ = _experiment_models(config, data)
    compared: dict[str, RiskModel] = {name: models[name] for name in FAMILIES}
    compared[FREE] = create_model("boosted", columns=compared["boosted"].get_params()["columns"], seed=config.seed)
    X, y, catalogue = data.features(data.training), data.training.y, data.table.catalogue
    found = {}
    for name, model in compared.items():
        tuned = tune(model, X, y, n_trials=config.validation.trials, n_folds=FOLDS, seed=config.seed).fit(X, y)
        refits = bootstrap_refits(tuned, X, y, n_refits=REFITS, seed=config.seed, n_jobs=JOBS)
        folds = fold_refits(tuned, X, y, n_folds=FOLDS, n_jobs=JOBS)
        found[name] = stability(explain(tuned, X, catalogue), refits, catalogue, config.endpoint, folds)
    return found


def of_mechanisms(where: str, found: Stability) -> Iterator[dict[str, object]]:
    for name, row in found.mechanisms.iterrows():
        ranks = f"rank {row['rank']} ({row['rank_low']} to {row['rank_high']})"
        label = f"{where}: {name}, {ranks}, among the first three {row['first_three']:.0%}"
        yield {"name": f"{label}, importance"} | _numbers(row["importance"], row["low"], row["high"])
        yield {"name": f"{where}: {name}, {row['status']}, spread over patients"} | _numbers(
            row["spread"], row["spread_low"], row["spread_high"]
        )
    for name, row in found.features.head(LEADING).iterrows():
        label = f"{where}: {name}, among the {LEADING} leading features, {row['status']}, effect a standard deviation"
        yield {"name": label} | _numbers(row["effect"], row["effect_low"], row["effect_high"])
    for between, row in found.rank_agreement.iterrows():
        yield {"name": f"{where}: Kendall's tau of the mechanisms, two {between}, median and range"} | _numbers(
            row["kendall"], row["kendall_low"], row["kendall_high"]
        )


def of_signs(where: str, found: Stability) -> Iterator[dict[str, object]]:
    table = found.features.dropna(subset=["agrees"])
    agrees = table["agrees"].astype(bool)
    for verb, rows in (("agree", table[agrees]), ("disagree", table[~agrees])):
        for status in ("established", "suggested", "undecided"):
            name = f"{where}: signs that {verb} with the catalogue, {status}"
            yield {"name": name, "value": float((rows["status"] == status).sum())}
        for feature, row in rows.iterrows():
            share = f"{row['same_sign']:.0%} of the refits, {row['status']}"
            yield {"name": f"{where}: {feature} {verb}s, {share}, effect a standard deviation"} | _numbers(
                row["effect"], row["effect_low"], row["effect_high"]
            )


def on_their_own(where: str, data: _PreparedData, endpoint: str, seed: int) -> Iterator[dict[str, object]]:
    """Log hazard a standard deviation of each feature with a direction, without a penalty to speak of."""
    X, y, catalogue = data.features(data.training), data.training.y, data.table.catalogue
    for feature in data.columns:
        expected = catalogue.features[feature].direction_for(endpoint)
        if expected:
            known = X[feature].notna().to_numpy()
            model = create_model("cox", columns=[feature], penalty=1e-4, l1_ratio=0.05).fit(X[known], y[known])
            refits = bootstrap_refits(model, X[known], y[known], n_refits=REFITS, seed=seed, n_jobs=JOBS)
            effects = np.array([_coefficient(fitted) for fitted in (model, *refits)]) * X[feature].std(ddof=0)
            low, high = np.quantile(effects[1:], [0.025, 0.975])
            side = "not found" if low <= 0 <= high else "as expected" if low * expected > 0 else "against"
            label = f"{where}, on its own: {feature}, expected {expected:+d}, {side}, effect a standard deviation"
            yield {"name": label} | _numbers(effects[0], low, high)


def _coefficient(model: RiskModel) -> float:
    assert isinstance(model, _LinearModel)
    return float(model.coefficients_[0])


def _numbers(value: float, low: float, high: float) -> dict[str, object]:
    return {"value": float(value), "low": float(low), "high": float(high)}


def mechanism_ranking(scratch: Path) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for cohort, settings in cohorts(scratch):
        config = settings.model_copy(update={"endpoint": "efs", "split": None})
        data = _prepare_data(config)
        events = int((data.training.y["event"] == 1).sum())
        where = f"{cohort} (n={len(data.training.y)}, {events} events)"
        found = refitted(config, data)
        for name, stable in found.items():
            results += [*of_mechanisms(f"{where}, {name}", stable), *of_signs(f"{where}, {name}", stable)]
        orders = pd.DataFrame({name: stable.mechanisms["importance"] for name, stable in found.items()})
        tau = _rank_agreement(orders.T.to_numpy())
        results.append(
            {"name": f"{where}: Kendall's tau of the mechanisms, two families, median and range"}
            | _numbers(tau["kendall"], tau["kendall_low"], tau["kendall_high"])
        )
        results += on_their_own(where, data, config.endpoint, config.seed)
    return results


if __name__ == "__main__":
    main("mechanism_ranking", mechanism_ranking)
