from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from nbrelapse.outcome import Outcome, summarize_outcome
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE

YEAR = 365.25


def outcome_of(rows: list[tuple[int, float]], endpoint: str = "relapse") -> Outcome:
    return Outcome(endpoint, pd.RangeIndex(len(rows)), np.array(rows, dtype=SURVIVAL_DTYPE))


def test_hand_computed_estimates() -> None:
    rows = [(1, 0.5 * YEAR), (0, 0.8 * YEAR), (1, 1.5 * YEAR), (0, 4 * YEAR), (0, 6 * YEAR)]
    summary = summarize_outcome(outcome_of(rows, "efs"))
    assert summary["n"] == 5
    assert summary["events"] == {"event": 2, "censored": 3}
    by_year = {row["years"]: row["estimate"] for row in summary["event_free"]}
    assert by_year == pytest.approx({1.0: 4 / 5, 2.0: 4 / 5 * 2 / 3, 3.0: 4 / 5 * 2 / 3, 5.0: 4 / 5 * 2 / 3})
    assert summary["median_followup_years"] == pytest.approx(4.0)
    assert "cumulative_incidence" not in summary


def test_before_the_first_event_and_beyond_follow_up() -> None:
    summary = summarize_outcome(outcome_of([(1, 1.5 * YEAR), (0, 2.5 * YEAR)], "os"))
    assert summary["event_free"][0] == {"years": 1.0, "estimate": 1.0, "low": None, "high": None}
    assert summary["event_free"][2] == {"years": 3.0, "estimate": None, "low": None, "high": None}


def test_median_follow_up_is_none_when_not_reached() -> None:
    assert summarize_outcome(outcome_of([(1, 3.0), (1, 4.0), (0, 1.0)], "os"))["median_followup_years"] is None


def test_agrees_with_lifelines() -> None:
    rng = np.random.default_rng(5)
    time = rng.exponential(3 * YEAR, 300).round(6)
    code = rng.choice([0, 1, 2], 300, p=[0.4, 0.45, 0.15])
    summary = summarize_outcome(outcome_of(list(zip(code.tolist(), time.tolist(), strict=True))))
    survival = KaplanMeierFitter().fit(time, code > 0)
    incidence = AalenJohansenFitter(calculate_variance=False).fit(time, code, event_of_interest=1)
    for row, incident in zip(summary["event_free"], summary["cumulative_incidence"], strict=True):
        day = row["years"] * YEAR
        assert row["estimate"] == pytest.approx(float(survival.predict(day)))
        limits = survival.confidence_interval_.loc[:day].iloc[-1]
        assert [row["low"], row["high"]] == pytest.approx(limits.tolist())
        assert incident["estimate"] == pytest.approx(float(incidence.cumulative_density_.loc[:day].iloc[-1, 0]))
        assert incident["low"] < incident["estimate"] < incident["high"]
    assert summary["events"] == {
        kind: int((code == key).sum()) for kind, key in (("event", 1), ("competing", 2), ("censored", 0))
    }


def test_refractory_counts() -> None:
    outcome = Outcome("refractory", pd.RangeIndex(3), np.array([1, 0, 0], dtype=np.int8), {"why": 2}, {"a": "b"})
    summary = summarize_outcome(outcome)
    assert summary["events"] == {"refractory": 1, "responding": 2}
    assert summary["excluded"] == {"why": 2}


def test_is_plain_json() -> None:
    json.dumps(summarize_outcome(outcome_of([(1, 100.0), (2, 200.0), (0, 900.0)])), allow_nan=False)
