"""How unlike the training patients a patient is: a percentile that is even for patients as in training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.scoring import Bundle, load_model, score, write_bundle
from nbrelapse.scoring._profile import _correlations, _Profile
from nbrelapse.scoring.manifest import _check_baseline
from nbrelapse.scoring.scores import _score_features
from nbrelapse.simulation import simulate_cohort

FOLDER = Path(__file__).parent / "bundles"


@pytest.fixture(scope="module")
def simulated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features that vary and are often known, of 300 patients and of 300 others of the same simulation."""
    table = build_features(simulate_cohort(300, seed=1))
    kept = [
        name
        for name in table.model_columns()
        if table.catalogue.features[name].role != "gene"
        and table.values[name].min() < table.values[name].max()
        and table.values[name].notna().mean() > 0.2
    ]
    return table.values[kept], build_features(simulate_cohort(300, seed=2)).values[kept]


@pytest.fixture(scope="module")
def profile(simulated: tuple[pd.DataFrame, pd.DataFrame]) -> _Profile:
    return _Profile.of(simulated[0].to_numpy())


def assay_of(columns: pd.Index) -> np.ndarray:
    features = load_catalogue().features
    return np.array([features[name].assay for name in columns])


def shares(percentiles: np.ndarray) -> np.ndarray:
    """Shares of patients below 10, 25, 50, 75, 90 and 95 per cent."""
    assert not np.isnan(percentiles).all()
    known = percentiles[~np.isnan(percentiles)]
    return np.array([np.mean(known < limit) for limit in (10, 25, 50, 75, 90, 95)])


EVEN = np.array([0.10, 0.25, 0.50, 0.75, 0.90, 0.95])


def test_new_patients_of_the_same_simulation_are_spread_evenly(
    profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    found = profile.percentile(simulated[1].to_numpy())
    np.testing.assert_allclose(shares(found), EVEN, atol=0.1)  # of two draws of 300 patients
    assert np.nanmean(found) == pytest.approx(50, abs=5)


@pytest.mark.parametrize("assay", ["expression", "copy_number", "mutations", "clinical"])
def test_they_are_so_without_an_assay_too(
    profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame], assay: str
) -> None:
    values = simulated[1].mask(np.tile(assay_of(simulated[1].columns) == assay, (len(simulated[1]), 1)))
    np.testing.assert_allclose(shares(profile.percentile(values.to_numpy())), EVEN, atol=0.12)


def test_and_where_any_value_may_be_missing(profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    random = np.random.default_rng(0)
    values = simulated[1].mask(random.random(simulated[1].shape) < 0.3)
    np.testing.assert_allclose(shares(profile.percentile(values.to_numpy())), EVEN, atol=0.1)


def test_another_platform_is_seen(profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, new = simulated
    shifted = new + np.where(assay_of(new.columns) == "expression", train.std(), 0.0)
    assert np.nanmean(profile.percentile(shifted.to_numpy())) > 62


def test_features_that_no_longer_go_together_are_seen(
    profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    random, broken = np.random.default_rng(0), simulated[1].copy()
    for name in broken.columns[assay_of(broken.columns) == "expression"]:
        broken[name] = random.permutation(broken[name])
    assert np.nanmean(profile.percentile(broken.to_numpy())) > 57


def test_nothing_known_has_no_percentile_and_a_wild_value_the_highest(profile: _Profile) -> None:
    width = len(profile.distributions.mean)
    found = profile.percentile(np.array([[np.nan] * width, [3e38] * width]))
    assert np.isnan(found[0]) and found[1] == 100


def test_a_surprise_is_the_residual_of_the_regression_on_the_other_known_values(
    profile: _Profile, simulated: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    learned = profile.neighbourhood
    assert learned is not None and learned.loadings.shape[1] > 0
    values = simulated[1].to_numpy()[0].copy()
    values[::3] = np.nan
    known = ~np.isnan(values)
    assert 5 < known.sum() < len(values)
    covariance = (learned.loadings @ learned.loadings.T + np.diag(learned.unique))[np.ix_(known, known)]
    z = ((values - learned.mean) / learned.sd)[known]
    expected = np.empty(len(z))
    for feature in range(len(z)):
        others = np.arange(len(z)) != feature
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, feature])
        left = covariance[feature, feature] - weights @ covariance[others, feature]
        expected[feature] = (z[feature] - weights @ z[others]) / np.sqrt(left)
    found = profile.surprises(values)
    np.testing.assert_allclose(found[known], expected, rtol=1e-9)
    assert np.isnan(found[~known]).all()


def test_it_comes_back_from_a_file_and_holds_no_row_of_anybody(profile: _Profile) -> None:
    document = profile.to_dict()
    again = _Profile.from_dict(document)
    values = np.random.default_rng(0).normal(size=(5, len(profile.distributions.mean)))
    np.testing.assert_array_equal(again.percentile(values), profile.percentile(values))
    patients = profile.distributions.patients
    assert all(len(value) != patients for value in document.values() if isinstance(value, list))
    # Ten patients a bin at least.
    for known, kept in zip(document["known"], document["shares"], strict=True):
        assert not kept or len(kept) <= known / 10


def test_few_patients_tell_no_distance() -> None:
    values = np.random.default_rng(0).normal(size=(19, 3))
    assert np.isnan(_Profile.of(values).percentile(values)).all()


def test_scores_carry_it_and_a_saved_model_keeps_it(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    cohort = simulate_cohort(40, seed=3)
    for family in ("cox", "boosted"):
        loaded = load_model(write_bundle(bundles[family], tmp_path / family))
        before, after = score(bundles[family], cohort), score(loaded, cohort)
        assert before["unlike_training"].between(0, 100).any()
        pd.testing.assert_series_equal(before["unlike_training"], after["unlike_training"])


def test_too_little_known_for_a_score_is_too_little_for_a_distance(bundles: dict[str, Bundle]) -> None:
    names = list(bundles["cox"].schema.index)
    known = pd.DataFrame([[np.nan] * len(names), [1.0] * len(names)], columns=names)
    assert _score_features(bundles["cox"], known)["unlike_training"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["catalogue_1", "version_0_2_0/boosted", "version_0_3_0/blend"])
def test_models_of_earlier_versions_have_none(name: str) -> None:
    bundle = load_model(FOLDER / name)
    X = pd.DataFrame([[1.0] * len(bundle.schema)], columns=list(bundle.schema.index))
    scores = _score_features(bundle, X)
    assert scores["log_risk"].notna().all() and scores["unlike_training"].isna().all()


def test_a_model_without_a_profile_is_written_and_read_again(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = write_bundle(replace(bundles["cox"], profile=None), tmp_path / "model")
    assert load_model(folder).profile is None


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["known"].append(1),
        lambda found: found["known"].__setitem__(0, 10_000),
        lambda found: found["mean"].__setitem__(0, float("inf")),
        lambda found: found["edges"][0].insert(0, 1e9),
        lambda found: found["shares"][0].pop(),
        lambda found: found["loadings"].pop(),
        lambda found: found["loadings"].__setitem__(0, [0.99] * len(found["loadings"][0])),
        lambda found: found.pop("kurtosis"),
        lambda found: found["distances"].reverse(),
        lambda found: found["distances"].__setitem__(0, float("nan")),
    ],
)
def test_a_forged_profile_is_refused(profile: _Profile, change: Callable[[dict[str, Any]], object]) -> None:
    names = [str(number) for number in range(len(profile.distributions.mean))]
    document = {"log_risk_quantiles": [0.0, 1.0], "profile": json.loads(json.dumps(profile.to_dict()))}
    _check_baseline(document, names)
    with pytest.raises(ValueError, match="other features"):
        _check_baseline(document, names[1:])
    change(document["profile"])
    with pytest.raises(ValueError, match="validation error"):
        _check_baseline(document, names)


def test_correlations_are_those_of_the_matrix_that_is_never_made() -> None:
    rng = np.random.default_rng(8)
    z = rng.normal(size=(40, 15))
    z[:10, :5] = np.nan
    z[rng.random(z.shape) < 0.1] = np.nan
    known = ~np.isnan(z)
    matrix = np.nan_to_num(z).T @ np.nan_to_num(z) / (known.T.astype(float) @ known + 10)
    np.fill_diagonal(matrix, 1.0)
    found = np.column_stack([_correlations(z) @ column for column in np.eye(15)])
    np.testing.assert_allclose(found, matrix, atol=1e-12)


def test_the_most_surprising_value_comes_first_with_what_is_usual(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["cox"]
    row = bundle.schema[["low"]].T.copy()
    name = str(bundle.schema.index[(bundle.schema["low"] < bundle.schema["high"]).to_numpy()][0])
    row[name] = 50 * bundle.schema.loc[name, "high"] + 50
    found = bundle.surprising_values(row)
    assert found.index[0] == name
    assert found["deviation"].abs().is_monotonic_decreasing and found["deviation"].abs().min() >= 2
    assert bundle.schema.loc[name, "low"] <= found.loc[name, "mean"] <= bundle.schema.loc[name, "high"]
    assert replace(bundle, profile=None).surprising_values(row).empty
