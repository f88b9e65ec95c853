"""What a person who knows scikit-learn and scikit-survival would type, from a cohort to a scored model."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sksurv.linear_model import CoxPHSurvivalAnalysis

import nbrelapse as nb


@pytest.fixture(autouse=True)
def _figures_closed() -> object:
    yield
    plt.close("all")


def test_from_a_cohort_to_a_scored_model(tmp_path: Path) -> None:
    nb.write_cohort(nb.simulate_cohort(150, seed=1), tmp_path / "mine")

    cohort = nb.read_cohort(tmp_path / "mine")
    X = nb.build_features(cohort)
    y = nb.make_outcome(cohort, "relapse")
    model = nb.Cox().fit(X, y)
    assert len(X) == 150 and list(X.to_frame().index) == list(cohort.patient_ids)
    assert isinstance(X["mycn__amplified"], pd.Series) and isinstance(X.values, pd.DataFrame)
    assert y.y.dtype.names == ("event", "time") and len(y.times) == len(y.events) == len(y)
    assert y.summary()["n"] == len(y)

    impute = make_pipeline(SimpleImputer(keep_empty_features=True), CoxPHSurvivalAnalysis(alpha=10.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = nb.cross_validate(
            {"cox": nb.Cox(), "mine": impute}, X, y, n_repeats=1, n_folds=3, n_inner_folds=2, n_trials=2, n_bootstrap=50
        )
    assert set(result.leaderboard()["model"]) == {"cox", "mine"}
    result.plot()

    explanation = nb.explain(model, X)
    explanation.plot.mechanisms()
    explanation.patient(X.index[0]).plot()

    assert model.predict(X).shape == (150,)
    assert model.predict_survival_function(X)[0](365.0) <= 1.0
    assert 0.5 < model.score(X, y) <= 1.0

    nb.save_model(model, tmp_path / "model", cohort=cohort, y=y, refits=2)
    scores = nb.score(nb.load_model(tmp_path / "model"), cohort)
    np.testing.assert_array_equal(scores["log_risk"].dropna(), model.predict(X)[scores["log_risk"].notna()])


@pytest.mark.parametrize("name", ["Cox", "CoxPrior", "Boosted", "BoostedPrior", "Forest", "Blend", "ClinicalCox"])
def test_every_family_has_its_name(name: str) -> None:
    assert getattr(nb, name) is getattr(nb.models, name)
    assert len(repr(getattr(nb, name)())) < 200


def test_what_is_shown_fits_a_screen() -> None:
    cohort = nb.simulate_cohort(60, seed=2)
    X, y = nb.build_features(cohort), nb.make_outcome(cohort, "relapse")
    bundle = nb.load_model(Path(__file__).parents[1] / "models" / "quickstart")
    for thing in (cohort, X, y, nb.Cox().fit(X, y), bundle, X.catalogue):
        text = repr(thing)
        assert text.count("\n") < 50 and len(text) < 4000
        assert "SIM-0" not in text


def test_other_patients_are_an_error_not_a_silent_drop() -> None:
    X = nb.build_features(nb.simulate_cohort(60, seed=3))
    y = nb.make_outcome(nb.simulate_cohort(90, seed=3), "relapse")
    with pytest.raises(nb.InputError, match="patients"):
        nb.Cox().fit(X, y)
    with pytest.raises(nb.InputError, match="catalogue"):
        nb.explain(nb.Cox().fit(pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6]}), _six()), pd.DataFrame({"x": [1.0]}))


def _six() -> np.ndarray:
    y = np.array([(1, 9.0), (1, 20.0), (0, 30.0), (1, 90.0), (0, 99.0), (1, 40.0)], "i1, f8")
    y.dtype.names = ("event", "time")
    return y
