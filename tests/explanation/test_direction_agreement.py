from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from nbrelapse.explanation import Explanation, direction_agreement
from nbrelapse.explanation.explanation import roll_up
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism

DIRECTIONS = {"m__as_expected": 1, "m__against": 1, "m__no_expectation": 0, "m__no_effect": -1}


@pytest.fixture
def catalogue() -> Catalogue:
    features = {
        name: FeatureDefinition(name, "m", name, "", "clinical", "continuous", "x", direction={"relapse": sign})
        for name, sign in DIRECTIONS.items()
    }
    return Catalogue("1", {"m": Mechanism("m", "M", "#123456", "", (), "")}, features)


def explanation(values: pd.DataFrame, contributions: pd.DataFrame) -> Explanation:
    mechanism_of = pd.Series("m", index=values.columns, dtype="object")
    return Explanation(
        0.0, contributions, roll_up(contributions, mechanism_of), values, contributions.sum(axis=1), mechanism_of
    )


def test_each_feature_is_judged_by_its_observed_values(catalogue: Catalogue) -> None:
    values = pd.DataFrame({name: [1.0, 2.0, 3.0, np.nan] for name in DIRECTIONS})
    contributions = pd.DataFrame(
        {
            "m__as_expected": [-0.1, 0.0, 0.1, 9.0],
            "m__against": [0.2, 0.0, -0.2, -9.5],
            "m__no_expectation": [-0.1, 0.0, 0.1, 0.0],
            "m__no_effect": [0.0, 0.0, 0.0, 0.0],
        }
    )
    found = direction_agreement(explanation(values, contributions), catalogue, "efs")
    assert list(found.index) == ["m__against", "m__as_expected", "m__no_expectation", "m__no_effect"]
    assert found["found"].to_dict() == {
        "m__against": -1, "m__as_expected": 1, "m__no_expectation": 1, "m__no_effect": 0
    }  # fmt: skip
    assert found["agrees"].to_list() == [False, True, pd.NA, pd.NA]
    assert found["correlation"].isna().to_list() == [False, False, False, True]


def test_the_correlation_is_spearmans(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.integers(0, 5, (60, 4)).astype(float), columns=list(DIRECTIONS))
    values = values.mask(rng.random(values.shape) < 0.2)
    contributions = pd.DataFrame(rng.normal(size=(60, 4)), columns=list(DIRECTIONS))
    found = direction_agreement(explanation(values, contributions), catalogue, "relapse")["correlation"]
    for name in DIRECTIONS:
        known = values[name].notna()
        theirs = spearmanr(values.loc[known, name], contributions.loc[known, name]).statistic
        assert found[name] == pytest.approx(theirs, abs=1e-12)
