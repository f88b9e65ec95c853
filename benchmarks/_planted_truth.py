"""Patients whose true log hazard is a known function of their features: with an interaction, with correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.explanation import explain, grouped_shapley, roll_up_difference, truth_agreement
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.base import RiskModel
from nbrelapse.models.families import create_model
from nbrelapse.validation.tuning import tune

EFFECTS = {
    "mycn__amplified": 0.4,
    "mycn__expression": 0.3,
    "alk__expression": 0.3,
    "alk__amplified": 0.2,
    "telomere__tert_expression": 0.3,
    "telomere__telomerase_activity": 0.3,
    "instability__segmental_count": 0.4,
    "instability__loss_11q": 0.2,
    "cell_state__mesenchymal": 0.3,
    "cell_state__proliferation": 0.4,
    "clinical__log2_age": 0.3,
    "clinical__log2_ldh": 0.2,
    "microenvironment__hypoxia": 0.0,
    "microenvironment__interferon": 0.0,
}
"""True log hazard ratios per standard deviation, chosen; the features are made up and have their names only."""

INTERACTION = 1.0
"""Log hazard of the product of the contributions of MYCN and telomere, each in standard deviations; chosen."""

CORRELATION = 0.6
"""Between any two features, of one mechanism or of two; chosen."""

PATIENTS, EXPLAINED, BACKGROUND = 2000, 300, 100


@dataclass(frozen=True)
class Scenario:
    """What is planted."""

    name: str
    interaction: float
    correlation: float


SCENARIOS = (
    Scenario("interaction", INTERACTION, 0.0),
    Scenario("correlation", 0.0, CORRELATION),
    Scenario("interaction and correlation", INTERACTION, CORRELATION),
)


def planted_truth(seed: int, trials: int) -> list[dict[str, object]]:
    """Return how `cox` and `boosted` recover each scenario: sums of features beside the game of mechanisms."""
    results: list[dict[str, object]] = []
    for number, scenario in enumerate(SCENARIOS):
        rng = np.random.default_rng([seed, number])
        X = _features(rng, scenario.correlation)
        y = _outcome(rng, _true_log_hazard(X, scenario))
        for family in ("cox", "boosted"):
            model = create_model(family, columns=list(X.columns))
            model = tune(model, X, y, n_trials=trials, n_folds=5, seed=seed).fit(X, y)
            results += _recovery(f"planted {scenario.name}, {family}", model, X, scenario)
    return results


def _features(rng: np.random.Generator, correlation: float) -> pd.DataFrame:
    common = rng.standard_normal((PATIENTS, 1))
    own = rng.standard_normal((PATIENTS, len(EFFECTS)))
    values = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return pd.DataFrame(values, columns=list(EFFECTS), index=[f"P{row}" for row in range(PATIENTS)])


def _true_log_hazard(X: pd.DataFrame, scenario: Scenario) -> np.ndarray:
    values = X[list(EFFECTS)].to_numpy() * np.array(list(EFFECTS.values()))
    mycn, telomere = (_score(values, name) for name in ("mycn", "telomere"))
    return np.asarray(values.sum(axis=1) + scenario.interaction * mycn * telomere)


def _score(values: np.ndarray, mechanism: str) -> np.ndarray:
    """Return the mechanism's linear contribution, in standard deviations of uncorrelated features."""
    own = np.array([name.startswith(f"{mechanism}__") for name in EFFECTS])
    return np.asarray(values[:, own].sum(axis=1) / np.linalg.norm(np.array(list(EFFECTS.values()))[own]))


def _outcome(rng: np.random.Generator, log_hazard: np.ndarray) -> np.ndarray:
    """Exponential times, all followed until 30 % have had the event."""
    time = rng.exponential(1000 / np.exp(log_hazard))
    end = np.quantile(time, 0.3)
    y = np.zeros(len(time), dtype=[("event", np.int8), ("time", np.float64)])
    y["event"], y["time"] = time <= end, np.minimum(time, end)
    return y


def _recovery(label: str, model: RiskModel, X: pd.DataFrame, scenario: Scenario) -> list[dict[str, object]]:
    catalogue = load_catalogue()
    patients, background = X.iloc[:EXPLAINED], X.iloc[EXPLAINED : EXPLAINED + BACKGROUND]
    path = explain(model, patients, catalogue)
    sums = explain(model, patients, catalogue, background=background)
    game = grouped_shapley(model.predict_log_risk, patients, background, sums.mechanism_of)
    truth = grouped_shapley(lambda rows: _true_log_hazard(rows, scenario), patients, background, sums.mechanism_of)
    results: list[dict[str, object]] = []
    ways = {"sum, path": path.mechanisms, "sum, background": sums.mechanisms, "game": game}
    for way, mechanisms in ways.items():
        found = truth_agreement(mechanisms, truth)
        acting = found.mechanisms.drop(index="microenvironment")
        figures = {
            "mean Spearman of mechanisms": acting["spearman"].mean(),
            "Spearman of mycn": acting.loc["mycn", "spearman"],
            "Spearman of telomere": acting.loc["telomere", "spearman"],
            "mean sign accuracy": acting["sign_accuracy"].mean(),
            "mean absolute error": acting["mean_absolute_error"].mean(),
            "median Spearman of a patient": found.patients["spearman"].median(),
            "right leading mechanism": found.leading_share,
        }
        results += [{"name": f"{label}, {way}: {name}", "value": float(value)} for name, value in figures.items()]
    difference = roll_up_difference(sums, game)["mean_absolute_difference"].max()
    results.append({"name": f"{label}: largest mean |sum, background - game|", "value": float(difference)})
    return results
