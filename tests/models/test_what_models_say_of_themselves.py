"""Whether contributions are exact, and which features were free to go against what is expected."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from nbrelapse.explanation import APPROXIMATE, direction_agreement, explain, to_probability
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models import FAMILIES, Blend, Boosted, BoostedPrior, Cox, Forest, SurvivalModel, model_from_state

NAMES = ["mycn__amplified", "alk__amplified", "p53__tp53_mutation", "alk__gain"]
DIRECTIONS = dict.fromkeys(NAMES[:3], 1)


@pytest.fixture
def patients(simulate) -> tuple[pd.DataFrame, np.ndarray]:
    X, y, _ = simulate(120, p=4, missing=0.05)
    return X.set_axis(NAMES, axis=1), y


def shapley(model: SurvivalModel, row: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """By the definition: every coalition of features takes the patient's values, the others the background's."""
    names = list(row.columns)

    def worth(coalition: tuple[str, ...]) -> float:
        return float(
            model.predict_log_risk(background.assign(**{name: row[name].iloc[0] for name in coalition})).mean()
        )

    found = []
    for name in names:
        others = [other for other in names if other != name]
        total = 0.0
        for size in range(len(names)):
            weight = math.factorial(size) * math.factorial(len(names) - size - 1) / math.factorial(len(names))
            total += weight * sum(
                worth((*group, name)) - worth(group) for group in itertools.combinations(others, size)
            )
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_contributions_are_the_shapley_values_wherever_they_are_said_to_be(patients, family):
    X, y = patients
    model = FAMILIES[family]()
    timed = isinstance(model, SurvivalModel)
    own = {"columns": NAMES, "n_estimators": 60, "min_samples_leaf": 5, "max_features": 0.5, "seed": 0}
    model.set_params(**{name: value for name, value in own.items() if name in model.get_params(deep=False)})
    model.fit(X, y if timed else (y["event"] == 1).astype(int))
    background = X[:25]
    attribution = model.attribute(X[60:64], background)
    expected = np.array([shapley(model, X[row : row + 1], background) for row in range(60, 64)])
    gap = np.abs(attribution.values[NAMES].to_numpy() - expected).max()
    assert model.exact_contributions == (gap < 1e-4)
    assert model.exact_contributions == (family != "forest")
    assert model_from_state(model.state()).exact_contributions == model.exact_contributions
    found = explain(model, X[60:64], background=background)
    assert found.exact == model.exact_contributions
    assert (APPROXIMATE in repr(found)) == (APPROXIMATE in found._repr_html_()) == (family == "forest")
    assert to_probability(found, model, 1000.0 if timed else None).patient(60).exact == found.exact


@pytest.mark.parametrize(("weights", "exact"), [((0.5, 0.5), False), ((1.0, 0.0), True), ((0.0, 1.0), False)])
def test_a_blend_is_exact_where_no_forest_weighs(patients, weights, exact):
    X, y = patients
    blend = Blend(members=("cox", "forest"), parameters={"forest": {"n_estimators": 50}}, folds=2).fit(X, y)
    blend.weights_ = dict(zip(("cox", "forest"), weights, strict=True))
    assert blend.exact_contributions == exact


@pytest.mark.parametrize(
    ("weights", "held"),
    [((0.65, 0.35), False), ((1.0, 0.0), False), ((0.0, 1.0), True), ((1e-9, 1 - 1e-9), False)],
)
def test_a_blend_is_constrained_where_every_member_that_weighs_is(patients, weights, held):
    X, y = patients
    blend = Blend(directions=DIRECTIONS, members=("cox", "boosted"), folds=2).fit(X, y)
    blend.weights_ = dict(zip(("cox", "boosted"), weights, strict=True))
    expected = frozenset(DIRECTIONS) if held else frozenset()
    for model in (blend, model_from_state(blend.state())):
        assert model.constrained == expected
        assert explain(model, X).constrained == expected
    judged = direction_agreement(explain(blend, X), load_catalogue(), "relapse")["agrees"].notna()
    assert judged.any() != held


def test_what_is_constrained_in_the_other_families(patients):
    X, y = patients
    assert Cox().fit(X, y).constrained == Forest(n_estimators=50).fit(X, y).constrained == frozenset()
    assert Boosted(directions=DIRECTIONS | {NAMES[3]: 0}).fit(X, y).constrained == frozenset(DIRECTIONS)


@pytest.mark.parametrize(("effect", "held"), [(0.5, True), (-0.5, False)])
def test_trees_that_start_from_an_effect_against_the_direction_are_not_held_to_it(patients, effect, held):
    X, y = patients
    prior = PriorKnowledge({NAMES[0]: effect})
    model = BoostedPrior(directions=DIRECTIONS, prior=prior, n_estimators=10).fit(X, y)
    model.expected_._coefficients = np.where(model.expected_._features == NAMES[0], effect, 0.0)
    assert model.constrained == (frozenset(DIRECTIONS) if held else frozenset(NAMES[1:3]))
