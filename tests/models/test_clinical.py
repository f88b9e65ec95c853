from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.clinical import CLINICAL_COLUMNS, ClinicalCox


def groups(y: np.ndarray) -> pd.DataFrame:
    """Three groups of rising risk, one value missing."""
    rank = pd.Series(-y["time"]).rank(pct=True).to_numpy()
    noisy = np.clip(rank + np.random.default_rng(0).normal(0, 0.4, len(y)), 0, 0.999)
    X = pd.DataFrame({"clinical__risk_group": np.floor(3 * noisy)})
    X.loc[0] = np.nan
    return X


@pytest.mark.parametrize("name", CLINICAL_COLUMNS)
def test_its_columns_are_in_the_catalogue(name):
    assert set(CLINICAL_COLUMNS[name]) <= set(load_catalogue().features)


def test_a_grouping_ranks_patients_exactly_as_the_clinic_does(simulate):
    _, y, _ = simulate(300)
    X = groups(y)
    log_risk = ClinicalCox(("clinical__risk_group",)).fit(X, y).predict_log_risk(X)
    by_group = pd.Series(log_risk).groupby(X["clinical__risk_group"]).agg(["nunique", "first"])
    assert by_group["nunique"].tolist() == [1, 1, 1]
    assert by_group["first"].is_monotonic_increasing
    assert log_risk[0] == 0.0


def test_survival_of_the_groups_is_about_what_was_seen(simulate):
    _, y, _ = simulate(2000, competing=False)
    X = groups(y)
    model = ClinicalCox(("clinical__risk_group",)).fit(X, y)
    high = X["clinical__risk_group"] == 2
    predicted = model.predict_survival(X[high].iloc[:1], np.array([365.0]))[0, 0]
    beyond = (y["time"][high] > 365).mean()
    assert predicted == pytest.approx(beyond, abs=0.1)


@pytest.mark.parametrize(
    ("X", "available"),
    [
        (pd.DataFrame({"clinical__cog_v2": [0.0, 2.0]}), True),
        (pd.DataFrame({"clinical__cog_v2": [2.0, 2.0, np.nan]}), False),
        (pd.DataFrame({"clinical__cog_v2": [np.nan, np.nan]}), False),
        (pd.DataFrame({"clinical__inrg": [0.0, 2.0]}), False),
    ],
    ids=["two groups", "one group", "unknown", "no such column"],
)
def test_available_where_it_tells_patients_apart(X, available):
    assert ClinicalCox(("clinical__cog_v2",)).available(X) is available


def test_nothing_is_tuned():
    assert ClinicalCox(("clinical__inrg",)).suggest(None) == {}
