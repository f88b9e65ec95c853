from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from nbrelapse.errors import InputError
from nbrelapse.explanation import Stability, explain, patient_intervals, stability
from nbrelapse.explanation.checks import _rank_correlation, _rank_signs_with
from nbrelapse.explanation.stability import _MOST_PATIENTS, _rank_agreement, _value_effects
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.base import Attribution
from nbrelapse.models.linear import Cox
from nbrelapse.models.resamples import bootstrap_refits, fold_refits
from nbrelapse.outcome import SURVIVAL

NAMES = ["mycn__amplified", "instability__loss_11q", "cell_state__ntrk1_expression"]
MECHANISMS = ["mycn", "instability", "cell_state"]


class Slopes:
    """A linear model of given slopes; a missing value contributes nothing."""

    kind = SURVIVAL

    def __init__(self, *slopes: float) -> None:
        self.slopes = slopes

    def attribute(self, X: pd.DataFrame, background: Any = None) -> Attribution:
        return Attribution(0.0, X.fillna(0.0) * np.array(self.slopes))

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        return self.attribute(X).values.sum(axis=1).to_numpy()


def _patients(n: int = 4) -> pd.DataFrame:
    return pd.DataFrame({name: np.resize([-1.0, 1.0], n) for name in NAMES})


def _stability(model: Slopes, refits: list[Slopes], X: pd.DataFrame | None = None, **other: Any) -> Stability:
    X, catalogue = _patients() if X is None else X, load_catalogue()
    return stability(explain(model, X, catalogue), refits, catalogue, "efs", **other)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> Stability:
    refits = [Slopes(3, 2, 0), Slopes(2, 3, 0), Slopes(3, -2, 1), Slopes(4, 1, 2)]
    return _stability(Slopes(3, 2, 1), refits, folds=[Slopes(2.5, 2, 1), Slopes(3.5, 1, 1)])


def test_mechanisms_have_intervals_and_ranks_over_the_refits(found):
    table = found.mechanisms
    assert list(table.index) == MECHANISMS
    np.testing.assert_allclose(table["importance"], [3, 2, 1])
    np.testing.assert_allclose(table["low"], np.quantile([[3, 2, 3, 4], [2, 3, 2, 1], [0, 0, 1, 2]], 0.025, axis=1))
    np.testing.assert_allclose(table["high"], np.quantile([[3, 2, 3, 4], [2, 3, 2, 1], [0, 0, 1, 2]], 0.975, axis=1))
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["rank_low"].tolist() == [1, 1, 2]
    assert table["rank_high"].tolist() == [2, 3, 3]
    assert table["first"].tolist() == [0.75, 0.25, 0.0]
    assert table["first_three"].tolist() == [1.0, 1.0, 1.0]
    assert table[["fold_low", "fold_high"]].to_numpy().tolist() == [[2.5, 3.5], [1.0, 2.0], [1.0, 1.0]]


def test_agreement_on_the_patients_counts_an_unused_mechanism_as_none(found):
    table = found.mechanisms
    assert table["agreement"].tolist() == [1.0, 1.0, 0.5]
    assert table["agreement_low"].tolist() == [1.0, -1.0, 0.0]
    assert table["signed_share"].tolist() == [1.0, 0.75, 0.5]


def test_spread_is_limited_by_how_far_refits_differ(found):
    table = found.mechanisms
    changes = np.array([[0, 1, 0, 1], [0, 1, 4, 1], [1, 1, 0, 1]])
    assert table["spread"].tolist() == [3.0, 2.0, 1.0]
    np.testing.assert_allclose(table["spread"] - table["spread_low"], np.quantile(changes, 0.95, axis=1))
    np.testing.assert_allclose(table["spread_high"] - table["spread"], np.quantile(changes, 0.95, axis=1))
    assert table["distinct"].tolist() == [1.0, 0.75, 0.25]
    assert table["status"].tolist() == ["established", "undecided", "undecided"]


def test_signs_are_judged_by_the_refits_and_the_catalogue(found):
    table = found.features.loc[NAMES]
    assert table["expected"].tolist() == [1, 1, -1]
    assert table["same_sign"].tolist() == [1.0, 0.75, 0.5]
    assert table["status"].tolist() == ["established", "undecided", "undecided"]
    assert table["agrees"].tolist() == [True, True, False]
    assert table["effect"].tolist() == [3.0, 2.0, 1.0]
    np.testing.assert_allclose(table["effect_low"], np.quantile([[3, 2, 3, 4], [2, 3, -2, 1], [0, 0, 1, 2]], 0.025, 1))
    assert list(found.disagreements.index) == ["cell_state__ntrk1_expression"]


def test_a_feature_that_could_take_no_other_sign_is_apart():
    model = Slopes(1, 1, 1)
    model.constrained = frozenset({"mycn__amplified"})  # type: ignore[attr-defined]
    table = _stability(model, [Slopes(1, 1, 1)]).features
    assert table.loc[NAMES, "status"].tolist() == ["constrained", "established", "established"]
    assert table.loc[NAMES, "agrees"].tolist() == [pd.NA, True, False]


def test_a_suggested_sign_has_four_refits_of_five():
    refits = [Slopes(1, 1, 1)] * 4 + [Slopes(-1, 0, 0)]
    assert _stability(Slopes(1, 1, 1), refits).features["status"].tolist() == ["suggested"] * 3


def test_a_model_that_uses_nothing_says_nothing():
    found = _stability(Slopes(0, 0, 0), [Slopes(0, 0, 0), Slopes(0, 1, 0)])
    assert found.mechanisms["rank"].tolist() == [3, 3, 3]
    assert found.mechanisms["first"].to_dict() == {"mycn": 0.0, "instability": 0.5, "cell_state": 0.0}
    assert (found.mechanisms["status"] == "undecided").all()
    assert found.mechanisms["agreement"].isna().all()
    assert (found.features["status"] == "undecided").all()
    assert found.features["same_sign"].isna().all()
    assert found.mechanisms["fold_low"].isna().all()
    assert list(found.rank_agreement.index) == ["refits"]


def test_many_patients_are_represented_by_some():
    n = 3 * _MOST_PATIENTS
    X = _patients(n)
    few = _stability(Slopes(3, 2, 1), [Slopes(2, 1, 1)], X)
    assert few.n_patients == _MOST_PATIENTS
    rows = np.linspace(0, n - 1, _MOST_PATIENTS).round().astype(int)
    same = _stability(Slopes(3, 2, 1), [Slopes(2, 1, 1)], X.iloc[rows])
    pd.testing.assert_frame_equal(few.mechanisms, same.mechanisms)
    pd.testing.assert_frame_equal(few.features, same.features)


def test_noise_of_many_features_is_not_established():
    rng = np.random.default_rng(0)
    catalogue = load_catalogue()
    names = [name for name, entry in catalogue.features.items() if entry.mechanism == "instability"][:15]
    X = pd.DataFrame(rng.normal(size=(200, len(names))), columns=names)
    statuses, signs = [], []
    for _ in range(20):
        estimate = rng.normal(size=len(names))
        refits = [Slopes(*(estimate + rng.normal(size=len(names)))) for _ in range(40)]
        found = stability(explain(Slopes(*estimate), X, catalogue), refits, catalogue, "efs")  # type: ignore[arg-type]
        assert found.mechanisms["signed_share"].item() >= 0.95
        statuses.append(found.mechanisms["status"].item())
        signs += found.features["status"].tolist()
    assert statuses.count("established") <= 2
    assert 0.05 <= signs.count("established") / len(signs) <= 0.15


def test_refits_are_compared_against_the_background_of_the_model():
    class Recorder(Slopes):
        def attribute(self, X: pd.DataFrame, background: Any = None) -> Attribution:
            if background is not None:
                seen.append(len(background))
            return super().attribute(X)

    seen: list[int] = []
    X, catalogue = _patients(), load_catalogue()
    explanation = explain(Recorder(1, 1, 1), X, catalogue, background=X[:2])  # type: ignore[arg-type]
    stability(explanation, [Recorder(1, 1, 1)], catalogue, "efs")  # type: ignore[list-item]
    assert seen == [2, 2]


def test_what_cannot_be_compared_is_refused():
    catalogue = load_catalogue()
    explanation = explain(Slopes(1, 1, 1), _patients(), catalogue)  # type: ignore[arg-type]
    refits: list[Any] = [Slopes(1, 1, 1)]
    with pytest.raises(InputError, match="without bootstrap refits"):
        stability(explanation, [], catalogue, "efs")
    with pytest.raises(InputError, match="probabilities"):
        stability(replace(explanation, scale="probability"), refits, catalogue, "efs")
    nobody = explain(Slopes(1, 1, 1), _patients().iloc[:0], catalogue)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="without patients"):
        stability(nobody, refits, catalogue, "efs")


def test_a_fitted_model_goes_through(training):
    X, y = training
    model = Cox(penalty=0.02).fit(X, y)
    refits = bootstrap_refits(model, X, y, n_refits=8, seed=1)
    catalogue = load_catalogue()
    explanation, folds = explain(model, X, catalogue), fold_refits(model, X, y, n_folds=3)
    found = stability(explanation, refits, catalogue, "relapse", folds)
    assert (found.n_refits, found.n_folds) == (8, 3)
    again = stability(explanation, refits, catalogue, "relapse", folds, n_jobs=3)  # parts of unequal size
    assert again.features_used == found.features_used
    for name in ("mechanisms", "features", "rank_agreement"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name), check_exact=True)
    deviations = X[found.features.index].std(ddof=0)
    slopes = pd.Series(model.coefficients_, model.feature_names_in_)[found.features.index]
    np.testing.assert_allclose(found.features["effect"], slopes * deviations, atol=1e-9)
    assert (found.features["effect_low"] <= found.features["effect_high"]).all()


def test_rank_agreement_is_kendalls_and_spearmans():
    rng = np.random.default_rng(3)
    importances = np.vstack([rng.integers(0, 4, (5, 7)).astype(float), np.zeros(7)])
    pairs = [(importances[i], importances[j]) for i in range(5) for j in range(i)]
    found = _rank_agreement(importances)
    assert found["pairs"] == 10
    for name, theirs in (("kendall", kendalltau), ("spearman", spearmanr)):
        values = [theirs(a, b).statistic for a, b in pairs]
        np.testing.assert_allclose(
            [found[name], found[f"{name}_low"], found[f"{name}_high"]], np.quantile(values, [0.5, 0, 1])
        )
    assert np.isnan(_rank_agreement(np.ones((1, 3)))["kendall"])


def test_the_effect_of_a_value_is_its_slope_times_its_deviation():
    values = pd.DataFrame({"a": [0.0, 1.0, 2.0, np.nan], "constant": [1.0] * 4})
    contributions = pd.DataFrame({"a": [0.0, 2.0, 4.0, 50.0], "constant": [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_allclose(_value_effects(values)(contributions), [2 * np.sqrt(2 / 3), 0.0])


CATALOGUE = load_catalogue()
FEATURES = ["mycn__amplified", "alk__hotspot_mutation", "clinical__age_months", "clinical__stage_metastatic"]


class Linear:
    """Coefficients times values; a missing value counts as 0.5."""

    kind = SURVIVAL

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


def test_signs_of_contributions_are_those_of_their_rank_correlation_with_the_values():
    rng = np.random.default_rng(7)
    values = pd.DataFrame(rng.integers(0, 4, (50, 6)).astype(float)).mask(rng.random((50, 6)) < 0.3)
    values[5] = np.nan
    contributions = values.fillna(0.0) * [1.0, -1.0, 0.0, 1.0, 1.0, 1.0]
    contributions[3] = rng.normal(size=50)
    contributions[4] = (values[4].fillna(0.0) - 1.4) ** 2
    expected = np.sign(_rank_correlation(values, contributions).fillna(0.0)).tolist()
    assert _rank_signs_with(values)(contributions).tolist() == expected
    assert expected[:3] == [1, -1, 0]
