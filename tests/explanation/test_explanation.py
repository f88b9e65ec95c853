from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.explanation import Explanation, explain
from nbrelapse.explanation.explanation import roll_up
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.models.risk_model import Attribution

NAMES = ["clinical__age", "mycn__amplified", "alk__mutation", "alk__gain"]


@pytest.fixture
def catalogue() -> Catalogue:
    mechanisms = {
        name: Mechanism(name, name.upper(), "#123456", "", (), "") for name in ("mycn", "alk", "clinical", "ras")
    }
    features = {
        name: FeatureDefinition(name, name.split("__")[0], name, "", "clinical", "binary", "x") for name in NAMES
    }
    return Catalogue("1", mechanisms, features)


class Additive:
    """A model whose contributions are its coefficients times the values, NaN counting as one half."""

    def __init__(self, coefficients: dict[str, float], gap: float = 0.0) -> None:
        self.coefficients = pd.Series(coefficients)
        self.gap = gap

    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        return Attribution(0.5, X[list(self.coefficients.index)].fillna(0.5) * self.coefficients)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        attribution = self.attribute(X)
        return attribution.baseline + attribution.values.sum(axis=1).to_numpy() + self.gap


X = pd.DataFrame(
    {
        "clinical__age": [1.0, 2.0],
        "mycn__amplified": [1.0, 0.0],
        "alk__mutation": [np.nan, 1.0],
        "alk__gain": [1.0, 0.0],
    },
    index=pd.Index(["a", "b"], name="patient_id"),
)
COEFFICIENTS = {"clinical__age": 0.25, "mycn__amplified": 1.0, "alk__mutation": 2.0, "alk__gain": -0.5}


def test_features_are_summed_to_mechanisms_in_the_order_of_the_catalogue(catalogue: Catalogue) -> None:
    explanation = explain(Additive(COEFFICIENTS), X, catalogue)
    expected = pd.DataFrame({"mycn": [1.0, 0.0], "alk": [0.5, 2.0], "clinical": [0.25, 0.5]}, index=X.index)
    pd.testing.assert_frame_equal(explanation.mechanisms, expected, check_names=False)
    assert explanation.prediction.to_dict() == {"a": 2.25, "b": 3.0}


def test_missing_and_measured_parts_add_up_to_the_whole(catalogue: Catalogue) -> None:
    explanation = explain(Additive(COEFFICIENTS), X, catalogue)
    assert explanation.mechanisms_not_assayed.to_dict("list") == {"mycn": [0, 0], "alk": [1.0, 0.0], "clinical": [0, 0]}
    assert explanation.mechanisms_observed["alk"].tolist() == [-0.5, 2.0]
    pd.testing.assert_frame_equal(
        explanation.mechanisms_observed + explanation.mechanisms_not_assayed, explanation.mechanisms
    )
    assert explanation.not_assayed_share()["alk"] == pytest.approx(1.0 / 3.5)


def test_importance_is_the_mean_absolute_contribution(catalogue: Catalogue) -> None:
    explanation = explain(Additive(COEFFICIENTS), X, catalogue)
    assert explanation.mechanism_importance().to_dict() == {"alk": 1.25, "mycn": 0.5, "clinical": 0.375}
    assert list(explanation.feature_importance().index) == [
        "alk__mutation",
        "mycn__amplified",
        "clinical__age",
        "alk__gain",
    ]


def test_columns_the_model_does_not_read_are_left_out(catalogue: Catalogue) -> None:
    explanation = explain(Additive({"alk__gain": 1.0}), X, catalogue)
    assert list(explanation.features.columns) == ["alk__gain"]
    assert list(explanation.values.columns) == ["alk__gain"]
    assert list(explanation.mechanisms.columns) == ["alk"]


@pytest.mark.parametrize("gap", [2e-5, -2e-5, float("nan")])
def test_contributions_that_do_not_add_up_are_refused(catalogue: Catalogue, gap: float) -> None:
    with pytest.raises(NbRelapseError, match="do not add up"):
        explain(Additive(COEFFICIENTS, gap), X, catalogue)


def test_rounding_is_tolerated(catalogue: Catalogue) -> None:
    assert isinstance(explain(Additive(COEFFICIENTS, 5e-6), X, catalogue), Explanation)


def test_a_feature_unknown_to_the_catalogue_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="ras__new"):
        explain(Additive({"ras__new": 1.0}), X.assign(ras__new=1.0), catalogue)


def test_shap_takes_the_explanation_over(catalogue: Catalogue) -> None:
    explanation = explain(Additive(COEFFICIENTS), X, catalogue)
    shap = pytest.importorskip("shap")
    theirs = explanation.to_shap()
    assert isinstance(theirs, shap.Explanation)
    assert theirs.feature_names == list(COEFFICIENTS)
    np.testing.assert_array_equal(theirs.values.sum(axis=1) + theirs.base_values, explanation.prediction)


@given(
    st.lists(st.lists(st.integers(-1000, 1000), min_size=4, max_size=4), min_size=1, max_size=6), st.permutations(NAMES)
)
def test_rolling_up_keeps_the_sum_whatever_the_order_of_columns(rows: list[list[int]], order: list[str]) -> None:
    features = pd.DataFrame(rows, columns=NAMES, dtype=float)
    mechanism_of = pd.Series({name: name.split("__")[0] for name in NAMES})
    rolled = roll_up(features[order], mechanism_of)
    pd.testing.assert_frame_equal(
        rolled[["alk", "clinical", "mycn"]], roll_up(features, mechanism_of)[["alk", "clinical", "mycn"]]
    )
    assert rolled.sum(axis=1).tolist() == features.sum(axis=1).tolist()
