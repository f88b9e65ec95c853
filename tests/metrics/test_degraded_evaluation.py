"""What `evaluate` makes of outcomes that hardly carry it: every missing figure has a note."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.table import METRICS

GRID = np.arange(1, 21) * YEAR / 4


def judged(y, risk, fold=None):
    """Evaluate one model; and hold that no figure is missing without a note."""
    fold = np.zeros(len(y), int) if fold is None else fold
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * GRID / 1500)
    model = Predictions("model", risk[None], fold[None], incidence[None], GRID)
    found = evaluate({"model": model}, y, populations={"all": np.ones(len(y), bool)}, references=[], n_bootstrap=100)
    missing = found.metrics[["value", "low", "high"]].isna().any(axis=1) & ~found.metrics["metric"].str.startswith(
        "ici"
    )
    for metric in found.metrics.loc[missing, "metric"]:
        assert any(METRICS[metric].subject in note and "undefined" in note for note in found.notes)
    return found.metrics.set_index("metric"), found.notes


def test_nothing_is_judged_in_a_tail_where_all_are_censored(outcome):
    y, risk = outcome(200, 0)
    y["event"][y["time"] > 600] = 0
    y["time"][y["time"] > 600] = 800.0
    metrics, notes = judged(y, risk)
    assert {name for name in metrics.index if name.endswith("y")} == {
        f"{metric}_{years}y" for metric in ("auc", "brier", "ipa", "calibration_intercept", "ici") for years in (1, 2)
    }
    assert metrics["value"].notna().all()
    assert notes[:2] == [
        f"All patients: figures at {years} years are left out: 0 patients are at risk then, 10 are needed"
        for years in (3, 5)
    ]


def test_an_early_end_leaves_the_concordance(outcome):
    y, risk = outcome(200, 0)
    y["event"][y["time"] > 80] = 0
    y["time"] = np.minimum(y["time"], 80.0)
    metrics, notes = judged(y, risk)
    assert list(metrics.index) == ["harrell_c", "uno_c", "calibration_slope"]
    assert "All patients: the integrated Brier score is left out, it needs two times within 0.22 years" in notes


def test_all_times_tied_at_zero_leave_nothing_to_judge():
    y = np.zeros(30, dtype=[("event", np.int8), ("time", float)])
    y["event"][:10] = 1
    metrics, notes = judged(y, np.linspace(-1, 1, 30))
    assert metrics.loc["uno_c", "value"] != metrics.loc["uno_c", "value"]
    assert "Uno C is undefined, no fold has patients to compare: model" in notes
    assert "All patients: figures at 1 year are left out: 0 patients are at risk then, 10 are needed" in notes


def test_some_times_at_zero_are_judged_like_others(outcome):
    y, risk = outcome(150, 1)
    y["time"][:20] = 0
    y["event"][:20] = np.arange(20) % 2
    metrics, _ = judged(y, risk)
    assert metrics["value"].notna().all()


def test_folds_without_events_are_counted(outcome):
    y, risk = outcome(120, 2)
    fold = np.arange(120) % 4
    y["event"][fold == 3] = 0
    metrics, notes = judged(y, risk, fold)
    assert "All patients: 1 of 4 folds hold no event, they say nothing of the ranking" in notes
    assert metrics["value"].notna().all()


def test_a_constant_log_risk_ranks_like_chance_and_has_no_slope(outcome):
    y, _ = outcome(120, 3, competing=True)
    metrics, notes = judged(y, np.zeros(120))
    ranking = metrics.loc[[name for name in metrics.index if name.endswith("_c") or name.startswith("auc")]]
    assert (ranking[["value", "low", "high"]] == 0.5).all(axis=None)
    assert "Calibration slope is undefined, the log risk is constant or separates the events: model" in notes


def test_resamples_without_a_fold_to_compare_are_counted(outcome):
    y, risk = outcome(40, 4)
    fold = np.arange(40) // 2
    y["event"] = 0
    y["event"][[0, 2, 4, 6, 8]] = 1
    y["time"][[0, 2, 4, 6, 8]] = 10.0
    y["time"][[1, 3, 5, 7, 9]] = 3000.0
    _, notes = judged(y, risk, fold)
    undefined = [note for note in notes if note.startswith("Harrell C, Uno C")]
    assert len(undefined) == 1
    assert 1 <= int(re.findall(r"up to (\d+) of 100", undefined[0])[0]) < 30


@pytest.mark.parametrize("n", [9, 10])
def test_ten_patients_are_the_fewest(n):
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = np.arange(n) % 2 == 0, np.arange(n) * 200.0 + 50
    metrics, notes = judged(y, np.linspace(1, -1, n))
    assert metrics.empty == (n < 10)
    assert ("All patients: left out, it has 9 patients and 5 events" in notes) == (n < 10)
