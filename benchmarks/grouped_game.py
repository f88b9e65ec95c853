"""Sums of feature contributions beside the game whose players are the mechanisms, on two real cohorts.

Boosted trees are tuned and fitted on the training patients of the two experiments; some of these are explained against
others, as sums over features and in the game of mechanisms, and path-dependent sums stand beside both. Trees of depth
two at most give both games the same values, so trees of depth four are fitted, too. No outcome of a hold-out is read
and nobody of it is predicted.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.base import clone

from _document import ROOT, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.explanation import explain, grouped_shapley, roll_up_difference
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.base import RiskModel
from nbrelapse.readers import import_tables
from nbrelapse.validation.tuning import tune

EXPLAINED, BACKGROUND = 40, 120
SEED = 20
TRIALS = 40
DEPTH = 4
LEAST = 0.001
"""Mean contribution of a mechanism below which it is left out."""


def compare(label: str, model: RiskModel, X: pd.DataFrame, catalogue: Catalogue) -> list[dict[str, object]]:
    background = X.sample(BACKGROUND, random_state=SEED)
    patients = X.drop(index=background.index).iloc[:EXPLAINED]
    sums = explain(model, patients, catalogue, background=background)
    path = explain(model, patients, catalogue)
    game = grouped_shapley(model.predict_log_risk, patients, background, sums.mechanism_of)
    gap = background_gap(model, patients, background, game)
    results: list[dict[str, object]] = [
        {"name": f"{label}: additivity of the game", "value": gap, "goal": 1e-6, "met": gap <= 1e-6}
    ]
    importance = game.abs().mean()
    differences = {"background": roll_up_difference(sums, game), "path": roll_up_difference(path, game)}
    for name in importance.index[importance > LEAST]:
        results.append({"name": f"{label}, {name}: mean |game|", "value": float(importance[name])})
        for way, table in differences.items():
            line = f"{label}, {name}, sum by {way}"
            results += [
                {"name": f"{line}: mean |sum - game|", "value": float(table["mean_absolute_difference"][name])},
                {"name": f"{line}: mean (sum - game)", "value": float(table["mean_difference"][name])},
                {"name": f"{line}: Spearman", "value": float(table["spearman"][name])},
            ]
    return results


def background_gap(model: RiskModel, patients: pd.DataFrame, background: pd.DataFrame, game: pd.DataFrame) -> float:
    total = model.predict_log_risk(background).mean() + game.sum(axis=1)
    return float((total - model.predict_log_risk(patients)).abs().max())


def models(title: str, config: ExperimentConfig) -> list[dict[str, object]]:
    config = config.model_copy(update={"models": ("boosted",)})
    data = _prepare_data(config)
    X, y = data.features(data.training), data.training.y
    model = tune(_experiment_models(config, data)[0]["boosted"], X, y, n_trials=TRIALS, n_folds=5, seed=SEED)
    depth = model.get_params()["max_depth"]
    deeper = clone(model).set_params(max_depth=DEPTH)
    catalogue = data.table.catalogue
    return [
        *compare(f"{title}, tuned (depth {depth})", model.fit(X, y), X, catalogue),
        *compare(f"{title}, depth {DEPTH}", deeper.fit(X, y), X, catalogue),
    ]


def grouped_game(scratch: Path) -> list[dict[str, object]]:
    seqc, gene_sets = read_seqc(scratch)
    results = models("SEQC", experiment_config("seqc_relapse", seqc, gene_sets))
    cohort = scratch / "copy_number"
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), cohort)
    return results + models("High-risk copy number", experiment_config("high_risk_copy_number", cohort))


if __name__ == "__main__":
    main("grouped_game", grouped_game)
