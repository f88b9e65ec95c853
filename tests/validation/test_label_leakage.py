from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from nbrelapse.validation.label_leakage import label_leakage


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
