from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.explanation import explain, patient_intervals
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.risk_model import Attribution

CATALOGUE = load_catalogue()
FEATURES = ["mycn__amplified", "alk__hotspot_mutation", "clinical__age_months", "clinical__stage_metastatic"]


class Linear:
    """Coefficients times values; a missing value counts as 0.5."""

    def __init__(self, *coefficients: float) -> None:
        self.coefficients = np.array(coefficients)

    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        baseline = np.zeros(len(self.coefficients)) if background is None else background.mean().to_numpy()
        return Attribution(float(baseline @ self.coefficients), (X.fillna(0.5) - baseline) * self.coefficients)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        return X.fillna(0.5).to_numpy() @ self.coefficients


MODEL: Any = Linear(1.0, 0.4, 0.01, -0.2)
REFITS: Any = [Linear(0.8 + 0.1 * i, 0.4 * (-1) ** i, 0.01 * i, -0.2 - 0.01 * i) for i in range(5)]
PATIENT = pd.DataFrame([[1.0, np.nan, 10.0, 1.0]], columns=FEATURES, index=["p"])


def test_a_row_a_mechanism_measured_and_one_for_the_rest() -> None:
    table = patient_intervals(explain(MODEL, PATIENT, CATALOGUE), REFITS, CATALOGUE)
    assert list(table.index) == ["mycn", "clinical", "not_assayed"]
    np.testing.assert_allclose(table["value"], [1.0, -0.1, 0.2])
    np.testing.assert_allclose(table["low"], np.quantile([[0.8, 0.9, 1.0, 1.1, 1.2], CLINICAL, ABSENT], 0.025, axis=1))
    np.testing.assert_allclose(table["high"], np.quantile([[0.8, 0.9, 1.0, 1.1, 1.2], CLINICAL, ABSENT], 0.975, axis=1))
    assert table["established"].tolist() == [True, False, False]


CLINICAL = [0.1 * i - 0.2 - 0.01 * i for i in range(5)]
ABSENT = [0.2 * (-1) ** i for i in range(5)]


def test_an_interval_on_the_other_side_establishes_nothing() -> None:
    opposite: Any = [Linear(-1.0, 0.4, 0.01, -0.2)] * 3
    table = patient_intervals(explain(MODEL, PATIENT, CATALOGUE), opposite, CATALOGUE)
    assert table.loc["mycn", ["low", "high"]].tolist() == [-1.0, -1.0]
    assert not table.loc["mycn", "established"]


def test_refits_are_explained_against_the_same_background() -> None:
    background = pd.DataFrame([[1.0, 0.0, 10.0, 1.0]], columns=FEATURES)
    table = patient_intervals(explain(MODEL, PATIENT, CATALOGUE, background=background), REFITS, CATALOGUE)
    assert table.loc["mycn", ["value", "low", "high"]].tolist() == [0.0, 0.0, 0.0]
    assert not table.loc["mycn", "established"]


def test_without_refits_nothing_is_established() -> None:
    table = patient_intervals(explain(MODEL, PATIENT, CATALOGUE), [], CATALOGUE)
    assert table["low"].isna().all()
    assert not table["established"].any()


def test_all_measured_has_no_row_for_the_rest() -> None:
    table = patient_intervals(explain(MODEL, PATIENT.fillna(0.0), CATALOGUE), REFITS, CATALOGUE)
    assert list(table.index) == ["mycn", "clinical", "alk"]


def test_other_explanations_are_refused() -> None:
    both = explain(MODEL, pd.concat([PATIENT, PATIENT]), CATALOGUE)
    with pytest.raises(ValueError, match="one patient"):
        patient_intervals(both, REFITS, CATALOGUE)
    with pytest.raises(ValueError, match="one patient"):
        patient_intervals(replace(explain(MODEL, PATIENT, CATALOGUE), scale="probability"), REFITS, CATALOGUE)
