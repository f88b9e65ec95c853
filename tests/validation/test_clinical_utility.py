from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.clinical_utility import clinical_utility
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.reclassification import reclassification


@pytest.fixture
def judged(outcome):
    y, risk = outcome(300, 9, competing=True)
    times = np.array([1, 3, 5]) * YEAR
    found = {}
    for name, log_risk in (("cox", 0.8 * risk), ("clinical_cox", 0.4 * risk), ("clinical_inrg", 0 * risk)):
        incidence = 1 - np.exp(-np.exp(log_risk)[None, :, None] * times / 900)
        found[name] = Predictions(name, log_risk[None], np.zeros((1, 300), int), incidence, times)
    level = np.digitize(risk, [-0.5, 0.5]).astype(float)
    return found, level, y


def test_the_model_is_held_against_the_clinic(judged):
    predictions, level, y = judged
    groups = {"high_risk": (level == 2) * 1.0, "clinical_risk_group": level, "clinical_inrg": level.clip(1)}
    found = clinical_utility("cox", predictions, groups, y, n_bootstrap=100)
    strategies = ["treat all", "treat none", "high_risk", "cox", "clinical_cox"]
    assert found.decisions.net_benefit["strategy"].unique().tolist() == strategies
    assert found.years == (3, 5)
    assert found.tertiles["years"].tolist() == [3, 3, 3, 5, 5, 5]
    assert found.grouping == "clinical_risk_group"
    expected = reclassification(level, predictions["cox"], y, 5 * YEAR, n_bootstrap=100)
    assert found.reclassification.cells.equals(expected.cells)
    assert list(found.tables()) == [
        "net_benefit",
        "net_benefit_differences",
        "tertile_calibration",
        "reclassification",
        "reclassification_improvement",
    ]


def test_a_grouping_that_few_patients_have_is_left_out_with_a_note(judged):
    predictions, level, y = judged
    some, most = level.copy(), level.copy()
    some[:30] = np.nan
    most[:200] = np.nan
    found = clinical_utility("cox", predictions, {"inrg": most, "cog": some}, y, n_bootstrap=100)
    assert set(found.decisions.differences["reference"]) == {"cog"}
    assert found.notes == [
        "decisions by inrg are left out, it is unknown of 200 of 300 patients",
        "30 patients of unknown cog count as not treated by it",
    ]


def test_without_groups_or_follow_up_less_is_said(judged):
    predictions, _, y = judged
    found = clinical_utility("cox", predictions, {}, y, n_bootstrap=100)
    assert (found.grouping, found.reclassification) == (None, None)
    assert list(found.tables()) == ["net_benefit", "tertile_calibration"]
    short = y.copy()
    short["event"][y["time"] > 2 * YEAR] = 0
    short["time"] = np.minimum(y["time"], 2 * YEAR)
    none = clinical_utility("cox", predictions, {}, short, n_bootstrap=100)
    assert (none.years, none.tables(), len(none.notes)) == ((), {}, 2)
