from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import expected_freq

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.explanation import Explanation, explain
from nbrelapse.explanation.explanation import attribution_table, contributions_by_group, mechanism_cooccurrence, roll_up
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.models.base import Attribution
from nbrelapse.outcome import SURVIVAL

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

    kind = SURVIVAL

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


def test_features_are_summed_to_what_was_measured(catalogue: Catalogue) -> None:
    explanation = explain(Additive(COEFFICIENTS), X, catalogue)
    by_assay = explanation.by_assay(catalogue)
    assays = {name: catalogue.features[name].assay for name in X.columns}
    assert set(by_assay.columns) == set(assays.values())
    for assay, column in by_assay.items():
        own = [name for name in X.columns if assays[name] == assay]
        assert column.tolist() == explanation.features[own].sum(axis=1).tolist()
    assert np.allclose(explanation.baseline + by_assay.sum(axis=1), explanation.prediction)


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


FEATURES = pd.DataFrame({"alk__a": [0.5, -0.25], "alk__b": [0.25, 0.0], "mycn__a": [1.0, 2.0]}, index=["P2", "P1"])
MECHANISM_OF = pd.Series({"alk__a": "alk", "alk__b": "alk", "mycn__a": "mycn"})
VALUES = pd.DataFrame({"alk__a": [1.0, np.nan], "alk__b": [np.nan, 0.0], "mycn__a": [3.0, 4.0]}, index=FEATURES.index)
EXPLANATION = Explanation(
    baseline=0.5,
    features=FEATURES,
    mechanisms=roll_up(FEATURES, MECHANISM_OF),
    values=VALUES,
    prediction=(0.5 + FEATURES.sum(axis=1)).rename("log_risk"),
    mechanism_of=MECHANISM_OF,
)


def test_a_row_adds_up_and_says_what_comes_from_missing_values() -> None:
    expected = pd.DataFrame(
        {
            "patient_id": ["P2", "P1"],
            "log_risk": [2.25, 2.25],
            "baseline": [0.5, 0.5],
            "mechanism__alk": [0.75, -0.25],
            "mechanism__mycn": [1.0, 2.0],
            "not_assayed__alk": [0.25, -0.25],
            "not_assayed__mycn": [0.0, 0.0],
            "alk__a": [0.5, -0.25],
            "alk__b": [0.25, 0.0],
            "mycn__a": [1.0, 2.0],
        }
    )
    pd.testing.assert_frame_equal(attribution_table(EXPLANATION), expected)


def test_a_probability_is_named_with_its_horizon() -> None:
    by_then = replace(EXPLANATION, prediction=EXPLANATION.prediction.rename("probability"), horizon_days=730.5)
    table = attribution_table(by_then, np.array([0.5, 1.0]))
    assert list(table.columns[:5]) == ["patient_id", "probability", "horizon_days", "baseline", "evidence"]
    assert table["evidence"].tolist() == [0.5, 1.0]
    assert (table["horizon_days"] == 730.5).all()


def test_nobody_gives_an_empty_table_with_all_columns() -> None:
    nobody = replace(
        EXPLANATION,
        **{name: getattr(EXPLANATION, name).iloc[:0] for name in ("features", "mechanisms", "values", "prediction")},
    )
    assert list(attribution_table(nobody)) == list(attribution_table(EXPLANATION))
    assert attribution_table(nobody).empty


def test_means_are_those_of_the_known_patients_of_groups_large_enough() -> None:
    mechanisms = pd.DataFrame({"mycn": [1.0, 3.0, -2.0, 8.0, 5.0], "alk": [0.0, 1.0, 2.0, 3.0, 4.0]}, list("abcde"))
    group = pd.Series(pd.Categorical(["high", "high", "low", "low"], ["low", "middle", "high"]), ["a", "b", "c", "x"])
    found = contributions_by_group(mechanisms, group, least=2)
    assert found.mean.to_dict() == {"high": {"mycn": 2.0, "alk": 0.5}}
    assert found.n.to_dict() == {"high": 2}
    assert found.left_out == ("low",)
    assert found.unknown == 2


def test_groups_keep_their_order_and_empty_ones_are_not_named() -> None:
    mechanisms = pd.DataFrame({"mycn": [1.0, 2.0]}, index=["a", "b"])
    group = pd.Series(pd.Categorical(["z", "a"], ["z", "none", "a"]), ["a", "b"])
    found = contributions_by_group(mechanisms, group, least=1)
    assert list(found.mean.columns) == ["z", "a"]
    assert found.left_out == ()


def explained(**columns: list[float]) -> Explanation:
    """Contributions are the values, 0.5 where they are missing: absence alone raises nothing."""
    values = pd.DataFrame({f"{name}__x": column for name, column in columns.items()}, dtype=float)
    mechanism_of = pd.Series({f"{name}__x": name for name in columns}, dtype=object)
    features = values.fillna(0.5)
    return Explanation(0.0, features, roll_up(features, mechanism_of), values, features.sum(axis=1), mechanism_of)


def test_counts_ratio_and_interval_of_a_table_by_hand() -> None:
    both, only_alk, only_mycn, neither = 12, 6, 9, 23
    alk = [1.0] * (both + only_alk) + [0.0] * (only_mycn + neither) + [np.nan] * 5 + [1.0] * 2
    mycn = [1.0] * both + [0.0] * only_alk + [1.0] * only_mycn + [0.0] * neither + [1.0] * 5 + [np.nan] * 2
    (row,) = mechanism_cooccurrence(explained(alk=alk, mycn=mycn)).to_dict("records")
    assert (row["first"], row["second"], row["assayed"]) == ("alk", "mycn", 50)
    assert [row[name] for name in ("both", "only_first", "only_second", "neither")] == [12, 6, 9, 23]
    assert row["expected"] == pytest.approx(18 * 21 / 50)
    ratio = np.log(12.5 * 23.5 / (6.5 * 9.5))
    spread = 1.959963984540054 * np.sqrt(1 / 12.5 + 1 / 6.5 + 1 / 9.5 + 1 / 23.5)
    assert [row[name] for name in ("log_odds_ratio", "low", "high")] == pytest.approx(
        [ratio, ratio - spread, ratio + spread]
    )
    assert row["enough"]


def test_few_expected_patients_are_not_enough() -> None:
    alk = [1.0] * 5 + [0.0] * 45
    mycn = [1.0] * 25 + [0.0] * 25
    (row,) = mechanism_cooccurrence(explained(alk=alk, mycn=mycn)).to_dict("records")
    assert row["expected"] == 2.5
    assert not row["enough"]


def test_a_mechanism_that_raises_the_risk_of_nobody_has_no_ratio() -> None:
    (row,) = mechanism_cooccurrence(explained(alk=[-1.0] * 4, mycn=[1.0, 1.0, 0.0, 0.0])).to_dict("records")
    assert (row["both"], row["expected"], row["enough"]) == (0, 0.0, False)
    assert np.isnan([row["log_odds_ratio"], row["low"], row["high"]]).all()


def test_mechanisms_never_assayed_together_have_no_expectation() -> None:
    (row,) = mechanism_cooccurrence(explained(alk=[1.0, np.nan], mycn=[np.nan, 1.0])).to_dict("records")
    assert row["assayed"] == 0
    assert np.isnan([row["expected"], row["log_odds_ratio"]]).all()


def test_a_mechanism_that_the_model_does_not_use_is_in_no_pair() -> None:
    table = mechanism_cooccurrence(explained(alk=[0.0, 0.0], mycn=[1.0, 0.0], p53=[0.0, 1.0]))
    assert table[["first", "second"]].values.tolist() == [["mycn", "p53"]]
    assert mechanism_cooccurrence(explained(alk=[0.0], mycn=[1.0])).empty


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, np.nan])] * 3), min_size=2, max_size=40), st.randoms())
def test_the_table_does_not_depend_on_the_order_of_patients_and_is_scipys(rows: list[Any], random: Any) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("alk", "mycn", "p53"))}
    table = mechanism_cooccurrence(explained(**columns))
    order = random.sample(range(len(rows)), len(rows))
    shuffled = mechanism_cooccurrence(explained(**{name: [own[i] for i in order] for name, own in columns.items()}))
    pd.testing.assert_frame_equal(table, shuffled)
    cells = table[["both", "only_first", "only_second", "neither"]].to_numpy()
    assert (cells.sum(axis=1) == table["assayed"]).all()
    for row, own in zip(cells, table.to_dict("records"), strict=True):
        if own["assayed"]:
            expected = expected_freq(row.reshape(2, 2))
            assert own["expected"] == pytest.approx(expected[0, 0])
            assert own["enough"] == bool(expected.min() >= 5)
