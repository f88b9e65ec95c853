from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from nbrelapse.errors import InputError
from nbrelapse.metrics.calibration import calibration_slope
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.models.families import create_model
from nbrelapse.models.linear import Cox
from nbrelapse.models.resamples import bootstrap_refits, bootstrap_rows
from nbrelapse.models.trees import Boosted
from nbrelapse.outcome import SURVIVAL_DTYPE
from nbrelapse.validation.guards import corrected_choice, label_leakage, optimism, permuted_discrimination


@pytest.fixture
def data(outcome):
    y, risk = outcome(120, 11)
    noise = np.random.default_rng(11).normal(size=(120, 8))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=[f"x{i}" for i in range(9)]), y


def test_the_resamples_are_those_of_the_refits(data):
    X, y = data
    model = Cox(penalty=0.05)
    refits = bootstrap_refits(model, X, y, n_refits=3, seed=2)
    for refit, rows in zip(refits, bootstrap_rows(y, 3, seed=2), strict=True):
        again = Cox(penalty=0.05).fit(X.iloc[rows], y[rows])
        assert np.array_equal(again.coefficients_, refit.coefficients_)


def test_it_is_the_632_plus_rule_step_by_step(data):
    X, y = data
    model = Cox(penalty=0.02).fit(X, y)
    refits, rows = bootstrap_refits(model, X, y, n_refits=6, seed=2), bootstrap_rows(y, 6, seed=2)

    def c(fitted: Cox, chosen: np.ndarray) -> float:
        risk = fitted.predict_log_risk(X.iloc[chosen])
        return concordance_index_censored(y["event"][chosen] == 1, y["time"][chosen], risk)[0]

    def slope(fitted: Cox, chosen: np.ndarray) -> float:
        return calibration_slope(y[chosen], fitted.predict_log_risk(X.iloc[chosen])[np.newaxis])

    everyone = np.arange(120)
    found = optimism(model, refits, rows, X, y)
    for name, figure, nothing in (("harrell_c", c, 0.5), ("calibration_slope", slope, 0.0)):
        row = found.loc[name]
        apparent = figure(model, everyone)
        outside = np.mean([figure(refit, np.setdiff1d(everyone, own)) for refit, own in zip(refits, rows, strict=True)])
        assert row["apparent"] == pytest.approx(apparent, abs=1e-6)
        assert row["outside"] == pytest.approx(outside, abs=1e-6)
        overfitting = (apparent - outside) / (apparent - nothing)
        weight = 0.632 / (1 - 0.368 * overfitting)
        assert 0 < overfitting < 1
        assert row["corrected"] == pytest.approx((1 - weight) * apparent + weight * outside, abs=1e-6)
        assert row["optimism"] == pytest.approx(row["apparent"] - row["corrected"])
        assert row["resamples"] == 6


def simulated(rng: np.random.Generator, n: int, columns: int) -> tuple[pd.DataFrame, np.ndarray]:
    X = pd.DataFrame(rng.normal(size=(n, columns)), columns=[f"m__f{i}" for i in range(columns)])
    event, censored = rng.exponential(1 / (0.15 * np.exp(0.6 * X.iloc[:, 0]))), rng.uniform(2, 8, n)
    y = np.empty(n, SURVIVAL_DTYPE)
    y["event"], y["time"] = event <= censored, np.minimum(event, censored) * 365.25
    return X, y


@pytest.mark.parametrize("family", ["cox", "boosted"])
def test_the_corrected_figures_are_those_in_new_patients(family: str):
    rng = np.random.default_rng(0)
    new, y_new = simulated(rng, 3000, 30)
    gaps = []
    for _ in range(12):
        X, y = simulated(rng, 150, 30)
        model = create_model(family, seed=0).fit(X, y)
        refits, rows = bootstrap_refits(model, X, y, n_refits=10, seed=0), bootstrap_rows(y, 10, 0)
        found = optimism(model, refits, rows, X, y)["corrected"]
        risk = model.predict_log_risk(new)
        gaps.append([found["harrell_c"] - discrimination(y_new, risk)])
        gaps[-1].append(found["calibration_slope"] - float(calibration_slope(y_new, risk)))
    c, slope = np.mean(gaps, axis=0)
    assert abs(c) < 0.03  # 25 cohorts: 0.001 of cox, 0.015 of boosted trees, which had 0.14 by Harrell's bootstrap
    assert abs(slope) < 0.2


def test_of_a_forest_the_ranking_is_corrected_and_the_slope_is_not_estimated():
    rng = np.random.default_rng(1)
    X, y = simulated(rng, 150, 30)
    new, y_new = simulated(rng, 3000, 30)
    model = create_model("forest", seed=0).set_params(n_estimators=50).fit(X, y)
    refits, rows = bootstrap_refits(model, X, y, n_refits=10, seed=0), bootstrap_rows(y, 10, 0)
    found = optimism(model, refits, rows, X, y)
    in_new = discrimination(y_new, model.predict_log_risk(new))
    assert found.loc["harrell_c", "apparent"] > 0.8
    assert found.loc["harrell_c", "corrected"] == pytest.approx(in_new, abs=0.08)  # a standard error is 0.05
    assert found.loc["calibration_slope", ["outside", "optimism", "corrected"]].isna().all()  # it was -13


def test_other_rows_of_a_patient_are_not_outside(data):
    X, y = data
    twice, y_twice = pd.concat([X, X]), np.concatenate([y, y])
    model = Boosted(seed=0).fit(twice, y_twice)
    refits, rows = bootstrap_refits(model, twice, y_twice, n_refits=5, seed=0), bootstrap_rows(y_twice, 5, 0)
    known = optimism(model, refits, rows, twice, y_twice).loc["harrell_c"]
    as_if_others = optimism(model, refits, rows, twice.reset_index(drop=True), y_twice).loc["harrell_c"]
    assert known["outside"] < as_if_others["outside"] - 0.02


def test_too_few_outside_leave_nothing_but_the_apparent_figure(outcome):
    y, risk = outcome(24, 3)
    X = pd.DataFrame({"x": risk, "noise": np.random.default_rng(0).normal(size=24)})
    model = Cox(penalty=0.05).fit(X, y)
    refits, rows = bootstrap_refits(model, X, y, n_refits=6, seed=0), bootstrap_rows(y, 6, 0)
    found = optimism(model, refits, rows, X, y)
    assert (found["resamples"] < 3).all()
    assert found["apparent"].notna().all()
    assert found[["outside", "optimism", "corrected"]].isna().all(axis=None)


def test_an_unpenalised_model_of_noise_is_optimistic_and_a_model_of_nothing_is_not(data):
    X, y = data
    X = X.drop(columns="x0")
    model = Cox(penalty=0.001, l1_ratio=0.01).fit(X, y)
    rows = bootstrap_rows(y, 20, seed=0)
    found = optimism(model, bootstrap_refits(model, X, y, n_refits=20, seed=0), rows, X, y)
    assert found.loc["harrell_c", "optimism"] > 0.03
    assert found.loc["harrell_c", "corrected"] < 0.56
    assert found.loc["calibration_slope", "corrected"] < 0.7
    empty = Cox(penalty=10.0, l1_ratio=1.0).fit(X, y)
    nothing = optimism(empty, bootstrap_refits(empty, X, y, n_refits=3, seed=0), rows[:3], X, y)
    assert nothing.loc["harrell_c", ["apparent", "optimism", "corrected"]].tolist() == [0.5, 0.0, 0.5]
    assert np.isnan(nothing.loc["calibration_slope", "corrected"])
    assert nothing.loc["calibration_slope", "resamples"] == 0


def test_a_binary_outcome_has_an_auc(data):
    from nbrelapse.models.logistic import Logistic

    X, y = data
    event = (y["event"] == 1).astype(np.int8)
    model = Logistic().fit(X, event)
    found = optimism(
        model, bootstrap_refits(model, X, event, n_refits=3, seed=0), bootstrap_rows(event, 3, 0), X, event
    )
    assert found.index.tolist() == ["auc", "calibration_slope"]
    assert 0.5 < found.loc["auc", "corrected"] <= found.loc["auc", "apparent"] + 0.05


def predicted(log_risk: np.ndarray) -> Predictions:
    risk = log_risk[np.newaxis]
    return Predictions("m", risk, np.zeros(risk.shape, dtype=int), np.zeros((*risk.shape, 1)), np.ones(1))


def test_it_is_the_mean_over_resamples_of_the_winner_among_the_others(outcome):
    y, risk = outcome(60, 7)
    generator = np.random.default_rng(7)
    models = {name: predicted(risk + generator.normal(scale=2, size=60)) for name in "abc"}
    inside = bootstrap_weights(60, 20, 1)[:, 1:]
    expected = []
    for weights in inside.T:
        rows, rest = np.repeat(np.arange(60), weights.astype(int)), np.flatnonzero(weights == 0)

        def c(model: Predictions, chosen: np.ndarray) -> float:
            return concordance_index_censored(y["event"][chosen] == 1, y["time"][chosen], model.log_risk[0, chosen])[0]

        best = max(models.values(), key=lambda model: c(model, rows))
        expected.append(c(best, rest))
    assert corrected_choice(models, y, n_bootstrap=20, seed=1) == pytest.approx(np.mean(expected), abs=1e-6)


def test_the_best_of_many_coins_is_a_coin(outcome):
    y, _ = outcome(120, 8)
    coins = {str(seed): predicted(np.random.default_rng(seed).normal(size=120)) for seed in range(100, 120)}
    apparent = max(discrimination(y, coin.log_risk, fold=coin.fold) for coin in coins.values())
    corrected = corrected_choice(coins, y)
    assert apparent > 0.53
    assert corrected < apparent - 0.01


def test_a_clear_winner_keeps_its_figure(outcome):
    y, risk = outcome(200, 9)
    models = {"good": predicted(risk), "bad": predicted(-risk)}
    assert corrected_choice(models, y) == pytest.approx(discrimination(y, models["good"].log_risk), abs=0.01)


def test_without_a_choice_there_is_nothing_to_correct(outcome):
    y, risk = outcome(50, 1)
    assert np.isnan(corrected_choice({"one": predicted(risk)}, y))
    nobody = y.copy()
    nobody["event"] = 0
    assert np.isnan(corrected_choice({"one": predicted(risk), "two": predicted(-risk)}, nobody))


SETTINGS = {"n_folds": 3, "n_inner_folds": 2, "n_trials": 2, "seed": 4}


@pytest.fixture
def permuted_discrimination_data(outcome):
    y, risk = outcome(150, 2, competing=True)
    noise = np.random.default_rng(2).normal(size=(150, 3))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=["x", "a", "b", "c"]), y


def test_a_strong_predictor_of_the_outcome_predicts_no_permutation_of_it(permuted_discrimination_data):
    X, y = permuted_discrimination_data
    found = permuted_discrimination({"cox": Cox()}, X, y, n_permutations=12, **SETTINGS)
    assert list(found.columns) == ["cox", "chosen"]
    assert (found["chosen"] == found["cox"]).all()
    assert abs(found["cox"].mean() - 0.5) < 0.04
    assert found["cox"].nunique() == 12


def test_the_figures_depend_neither_on_the_jobs_nor_on_how_many_follow(permuted_discrimination_data):
    X, y = permuted_discrimination_data
    told = []
    one = permuted_discrimination(
        {"cox": Cox()},
        X,
        y,
        n_permutations=6,
        progress=lambda done, total: told.append((done, total)),
        **SETTINGS,
    )
    two = permuted_discrimination({"cox": Cox()}, X, y, n_permutations=5, n_jobs=2, **SETTINGS)
    pd.testing.assert_frame_equal(one.iloc[:5], two, check_exact=True)
    assert told == [(done, 6) for done in range(1, 7)]


class Remembering(Cox):
    """Leaks: what one fold's training was told is used for the patients of another fold."""

    seen: ClassVar[dict[object, float]] = {}

    def fit(self, X, y):
        self.seen.update(zip(X.index, y["time"], strict=True))
        return super().fit(X, y)

    def predict_log_risk(self, X):
        return np.array([-self.seen.get(patient, 1000.0) / 1000 for patient in X.index])

    def suggest(self, trial):
        return {}


def test_a_leak_between_folds_is_far_from_chance(permuted_discrimination_data):
    X, y = permuted_discrimination_data
    found = permuted_discrimination({"leaky": Remembering()}, X, y, n_permutations=5, **SETTINGS)
    assert (found["leaky"] > 0.6).all()


def test_too_few_permutations_or_events_are_refused(permuted_discrimination_data):
    X, y = permuted_discrimination_data
    with pytest.raises(InputError, match="too few permutations: 4"):
        permuted_discrimination({"cox": Cox()}, X, y, n_permutations=4, **SETTINGS)
    rare = y.copy()
    rare["event"] = 0
    rare["event"][:2] = 1
    with pytest.raises(InputError, match="2 events are too few for 3 folds"):
        permuted_discrimination({"cox": Cox()}, X, rare, n_permutations=5, **SETTINGS)


@pytest.fixture
def y(outcome):
    return outcome(120, 3)[0]


def test_the_figures_are_those_of_other_implementations(outcome):
    y, risk = outcome(150, 5)
    values = np.where(np.random.default_rng(0).random(150) < 0.2, np.nan, -risk)
    known = ~np.isnan(values)
    row = label_leakage(pd.DataFrame({"x": values}), y).loc["x"]
    event = y["event"] == 1
    assert row["auc"] == pytest.approx(roc_auc_score(event[known], risk[known]), abs=1e-6)
    expected = concordance_index_censored(event[known], y["time"][known], risk[known])[0]
    assert row["concordance"] == pytest.approx(expected, abs=1e-6)
    missing = roc_auc_score(event, ~known)
    assert row["missing_auc"] == pytest.approx(max(missing, 1 - missing), abs=1e-6)
    assert not row["exact"]


def test_the_event_its_time_and_being_missing_are_exact(y):
    y["time"] += np.arange(len(y)) / 8  # few patients have one time to the day
    event = (y["event"] == 1).astype(float)
    X = pd.DataFrame(
        {
            "event": 1 - event,
            "time": y["time"],
            "asked_of_those_who_relapsed": np.where(event == 1, 3.0, np.nan),
            "noise": np.random.default_rng(1).normal(size=len(y)),
        }
    )
    assert label_leakage(X, y)["exact"].tolist() == [True, True, True, False]


def test_an_exact_match_in_few_patients_may_be_an_accident(y):
    event = (y["event"] == 1).astype(float)
    few = np.zeros(len(y), dtype=bool)
    few[np.concatenate([np.flatnonzero(event == kind)[:5] for kind in (0, 1)])] = True
    row = label_leakage(pd.DataFrame({"x": np.where(few, event, np.nan)}), y).loc["x"]
    # One of 252 orders of five and five: not below 1 in 1,000.
    assert (row["auc"], row["exact"]) == (1.0, False)


def test_with_fewer_than_five_patients_of_a_kind_nothing_is_said(y):
    few = np.flatnonzero(y["event"] == 1)[:4]
    values = np.full(len(y), np.nan)
    values[few] = [1.0, 2.0, 3.0, 4.0]
    row = label_leakage(pd.DataFrame({"x": values}), y).loc["x"]
    assert np.isnan(row["auc"]) and np.isnan(row["concordance"]) and np.isnan(row["missing_auc"])


def test_a_binary_outcome_has_one_figure():
    y = np.repeat([0, 1], [30, 20]).astype(np.int8)
    found = label_leakage(pd.DataFrame({"label": 1.0 - y, "other": np.tile([0.0, 1.0], 25)}), y)
    assert found["exact"].tolist() == [True, False]
    assert found["concordance"].tolist() == found["auc"].tolist()


@pytest.mark.parametrize("few", [True, False])
def test_many_features_are_judged_as_each_alone(monkeypatch, few):
    """Ties in time and value, competing events, missing values: by pairs as by the metric itself."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 6, (60, 30)).astype(float)
    values[:, 0] *= 4e-9  # neighbours that are tied
    values[rng.random(values.shape) < 0.3] = np.nan
    y = np.zeros(60, dtype=SURVIVAL_DTYPE)
    y["event"], y["time"] = rng.integers(0, 3, 60), rng.integers(1, 15, 60)
    monkeypatch.setattr("nbrelapse.validation.guards._BY_PAIRS", 1000 if few else 0)
    found = label_leakage(pd.DataFrame(values), y)["concordance"].to_numpy()
    known = ~np.isnan(values)
    alone = [discrimination(y[rows], column[rows]) for column, rows in zip(values.T, known.T, strict=True)]
    np.testing.assert_allclose(found, np.maximum(alone, 1 - np.array(alone)), atol=1e-12)
