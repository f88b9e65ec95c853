"""Figures where few patients carry them: each is that of its own population, or absent with a word why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from nbrelapse.metrics import evaluate
from nbrelapse.metrics.decisions import clinical_utility
from nbrelapse.metrics.horizons import YEAR, HorizonSupport, reached_years
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import _scaled_interval
from nbrelapse.models import Cox
from nbrelapse.outcome import SURVIVAL_DTYPE, carried_days

TIMES = np.arange(1, 21) * YEAR / 4


def outcome(event: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """Outcomes from latent times in years."""
    y = np.empty(len(event), SURVIVAL_DTYPE)
    y["event"], y["time"] = event <= censored, np.minimum(event, censored) * YEAR
    return y


def true_model(log_risk: np.ndarray, hazard: np.ndarray, name: str = "m") -> Predictions:
    incidence = 1 - np.exp(-np.outer(hazard, TIMES / YEAR))
    return Predictions(name, log_risk[None], np.zeros((1, len(log_risk)), int), incidence[None], TIMES)


def metrics_of(predictions: Predictions, y: np.ndarray, mask: np.ndarray | None = None, **options: int) -> pd.DataFrame:
    mask = np.ones(len(y), bool) if mask is None else mask
    return evaluate({"m": predictions}, y, populations={"p": mask}, references=[], **options).metrics.set_index(
        "metric"
    )


def test_high_risk_patients_are_judged_with_their_own_censoring():
    rng, n = np.random.default_rng(0), 20000
    high = rng.random(n) < 0.4
    x = rng.normal(size=n) + 1.5 * high
    hazard = 0.08 * np.exp(0.8 * x)
    y = outcome(rng.exponential(1 / hazard), np.where(high, rng.uniform(0.5, 6, n), rng.uniform(5.2, 9, n)))
    model = true_model(0.8 * x, hazard)
    inside = metrics_of(model, y, high, n_bootstrap=1)["value"]
    alone = metrics_of(model.take(high), y[high], n_bootstrap=1)["value"]
    pd.testing.assert_series_equal(inside.drop(["ici_5y"]), alone.drop(["ici_5y"]))
    true = model.incidence[0][high]
    for years, column in ((3, 11), (5, 19)):
        expected = (true[:, column] * (1 - true[:, column])).mean()
        assert inside[f"brier_{years}y"] == pytest.approx(expected, abs=0.006)
    assert inside["ipa_5y"] == pytest.approx(0.239, abs=0.005)


@pytest.mark.parametrize(("beyond", "given"), [(0, False), (2, False), (9, False), (10, True), (40, True)])
def test_a_horizon_is_carried_by_ten_patients(beyond: int, given: bool):
    rng, n = np.random.default_rng(7), 150
    x = rng.normal(size=n)
    hazard = 0.15 * np.exp(0.8 * x)
    event, censored = rng.exponential(1 / hazard), rng.uniform(1, 4.2, n)
    event[:beyond], censored[:beyond] = 9, 7
    y = outcome(event, censored)
    found = evaluate(
        {"m": true_model(0.8 * x, hazard)}, y, populations={"all": np.ones(n, bool)}, references=[], n_bootstrap=100
    )
    table = found.metrics.set_index("metric")
    at_five = [name for name in table.index if name.endswith("_5y")]
    assert bool(at_five) == given
    notes = [note for note in found.notes if "5 years are left out" in note]
    assert notes == (
        []
        if given
        else [f"All patients: figures at 5 years are left out: {beyond} patients are at risk then, 10 are needed"]
    )
    assert reached_years(TIMES, y, (3, 5)) == ([3, 5] if given else [3])
    assert table.loc["auc_3y", "at_risk"] == (y["time"] > 3 * YEAR).sum()
    assert table.loc["brier_3y", "events_by"] == ((y["time"] <= 3 * YEAR) & (y["event"] == 1)).sum()
    assert pd.isna(table.loc["harrell_c", "at_risk"])
    utility = clinical_utility("m", {"m": true_model(0.8 * x, hazard)}, {}, y, n_bootstrap=20)
    assert utility.years == ((3, 5) if given else (3,))
    assert any(not note.startswith("event-free time") for note in utility.notes) == (not given)


@pytest.mark.parametrize(("by_then", "given"), [(1, False), (4, False), (5, True)])
def test_a_horizon_needs_five_events_by_then(by_then: int, given: bool):
    rng, n = np.random.default_rng(2), 60
    x = rng.normal(size=n)
    hazard = 0.15 * np.exp(0.8 * x)
    event, censored = np.maximum(rng.exponential(1 / hazard), 1.2), rng.uniform(3, 7, n)
    event[np.argsort(-x)[2 : 2 + by_then]] = 0.6
    y = outcome(event, censored)
    found = evaluate(
        {"m": true_model(0.8 * x, hazard)}, y, populations={"all": np.ones(n, bool)}, references=[], n_bootstrap=100
    )
    table = found.metrics.set_index("metric")
    assert ({"auc_1y", "brier_1y", "ipa_1y", "ici_1y", "calibration_intercept_1y"} <= set(table.index)) == given
    known = "1 event is" if by_then == 1 else f"{by_then} events are"
    note = f"All patients: figures at 1 year are left out: {known} known by then, 5 are needed"
    assert (note in found.notes) == (not given)
    assert sum("1 year " in line for line in found.notes) == (not given)


def test_both_reasons_stand_in_one_note():
    y = outcome(np.repeat([0.5, 9.0], [3, 12]), np.repeat([8.0, 0.9, 8.0], [3, 6, 6]))
    assert HorizonSupport.of(y, YEAR).reason == (
        "6 patients are at risk then, 10 are needed; 3 events are known by then, 5 are needed"
    )


def test_a_model_predicts_no_further_than_ten_training_patients_were_followed():
    rng, n = np.random.default_rng(3), 220
    x = rng.normal(size=n)
    event, censored = rng.exponential(1 / (0.2 * np.exp(x))), np.full(n, 3.3)
    event[0], censored[0] = 30, 7
    y = outcome(event, censored)
    model = Cox().fit(pd.DataFrame({"a": x}), y)
    assert model.followed_days == carried_days(y) == pytest.approx(3.3 * YEAR)
    assert model.baseline_.last_time == pytest.approx(7 * YEAR)
    again = Cox.from_state(model.state())
    assert again.followed_days == model.followed_days
    old = model.state()
    del old.document["baseline"]["carried_time"]
    assert Cox.from_state(old).followed_days == model.baseline_.last_time


def test_the_calibration_index_has_no_interval_and_chance_beside_it():
    rng, n = np.random.default_rng(1), 200
    found = []
    for _ in range(12):
        x = rng.normal(size=n)
        hazard = 0.12 * np.exp(0.8 * x)
        y = outcome(rng.exponential(1 / hazard), rng.uniform(1, 8, n))
        model, other = true_model(0.8 * x, hazard), true_model(0.8 * x, 3 * hazard, "too high")
        table = evaluate(
            {"m": model, "too high": other},
            y,
            populations={"all": np.ones(n, bool)},
            references=["m"],
            n_bootstrap=20,
        )
        rows = table.metrics.set_index(["model", "metric"])
        index = rows[rows.index.get_level_values("metric").str.startswith("ici")]
        assert index[["low", "high"]].isna().all(axis=None)
        assert (index["by_chance"] > 0).all()
        others = rows.drop(index.index)
        assert others["by_chance"].isna().all()
        differences = table.differences[table.differences["metric"].str.startswith("ici")]
        assert differences[["low", "high"]].isna().all(axis=None)
        found.append(index.xs("ici_3y", level="metric")[["value", "by_chance"]])
    mean = pd.concat(found).groupby(level=0).mean()
    # Perfectly calibrated: the index is what chance gives. Three times too high a hazard: far above it.
    assert mean.loc["m", "value"] == pytest.approx(mean.loc["m", "by_chance"], rel=0.3)
    assert mean.loc["too high", "value"] > 4 * mean.loc["too high", "by_chance"]


def test_chance_knows_competing_events_repeats_and_binary_outcomes():
    rng, n = np.random.default_rng(4), 300
    x = rng.normal(size=n)
    hazard, rival = 0.12 * np.exp(0.8 * x), 0.08
    values = []
    for _ in range(8):
        time = rng.exponential(1 / (hazard + rival))
        kind = np.where(rng.random(n) < hazard / (hazard + rival), 1, 2)
        y = outcome(time, rng.uniform(1, 8, n))
        y["event"] *= kind.astype(np.int8)
        incidence = (hazard / (hazard + rival))[:, None] * (1 - np.exp(-np.outer(hazard + rival, TIMES / YEAR)))
        twice = np.stack([incidence, incidence])
        model = Predictions("m", np.tile(x, (2, 1)), np.zeros((2, n), int), twice, TIMES)
        row = metrics_of(model, y, n_bootstrap=2).loc["ici_3y"]
        values.append((row["value"], row["by_chance"]))
    value, chance = np.mean(values, axis=0)
    assert value == pytest.approx(chance, rel=0.35)
    log_odds = rng.normal(size=(1, n))
    binary = Predictions("m", log_odds, np.zeros((1, n), int), expit(log_odds)[:, :, None], np.array([np.inf]))
    row = metrics_of(binary, (rng.random(n) < expit(log_odds[0])).astype(np.int8), n_bootstrap=2).loc["ici"]
    assert 0.01 < row["by_chance"] < 0.06
    assert np.isnan(row["low"])


def test_limits_lie_within_the_scale_and_an_area_of_one_has_none():
    skewed = expit(np.random.default_rng(0).normal(2.5, 1.0, 500))
    low, high = _scaled_interval(float(expit(2.5)), skewed, "logit")
    assert 0.5 < low < 0.7
    assert 0.98 < high < 1
    assert np.isnan(_scaled_interval(1.0, np.ones(100), "logit")).all()
    low, high = _scaled_interval(0.1, np.array([0.05, 0.1, 0.2]), "log")
    assert 0 < low < 0.1 < high
    low, high = _scaled_interval(0.2, np.array([-0.1, 0.2, 0.4]), "log complement")
    assert low < 0.2 < high < 1
    assert np.isnan(_scaled_interval(0.2, np.full(3, np.nan), "log complement")).all()


def test_a_note_a_reason_names_all_models_and_populations_by_their_titles():
    rng, n = np.random.default_rng(5), 120
    x = rng.normal(size=n)
    y = outcome(rng.exponential(1 / (0.2 * np.exp(x))), rng.uniform(2, 9, n))
    flat = np.zeros(n)
    models = {
        name: true_model(risk, np.full(n, 0.2), name)
        for name, risk in (("cox", x), ("clinical_risk_group", flat), ("clinical_inrg", flat))
    }
    masks = {"all": np.ones(n, bool), "high_risk": x > -1}
    found = evaluate(models, y, populations=masks, references=["clinical_inrg"], n_bootstrap=50)
    assert found.notes == [
        "Calibration slope is undefined, the log risk is constant or separates the events: "
        "Recorded risk group, INRG risk group"
    ]
