from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis, IPCRidge

from nbrelapse.errors import InputError
from nbrelapse.validation.foreign import _NO_PROBABILITY, _adapt_estimator, _ForeignClassifier, _ForeignSurvival

TIMES = np.array([1.0, 200.0, 400.0, 800.0])
NEVER = np.array([np.inf])


@pytest.fixture
def data(outcome):
    y, risk = outcome(120, 0)
    noise = np.random.default_rng(0).normal(size=120)
    return pd.DataFrame({"x": risk, "noise": noise}), y


def survival(estimator, **changed):
    return _adapt_estimator("mine", estimator, ["x", "noise"], survival=True, **changed)


def classifier(estimator, **changed):
    return _adapt_estimator("mine", estimator, ["x", "noise"], survival=False, **changed)


def refused(estimator, *, of_time):
    with pytest.raises(InputError) as caught:
        _adapt_estimator("mine", estimator, ["x"], survival=of_time)
    return caught.value.problem


def test_a_survival_estimator_predicts_its_score_and_one_less_its_survival_function(data, as_boolean):
    X, y = data
    score, incidence = survival(CoxPHSurvivalAnalysis()).fit(X, y).predict_risk(X, TIMES)
    alone = CoxPHSurvivalAnalysis().fit(X, as_boolean(y))
    np.testing.assert_array_equal(score, alone.predict(X))
    steps = alone.predict_survival_function(X)
    assert steps[0].x[0] > TIMES[0]
    np.testing.assert_array_equal(incidence[:, 0], 0.0)
    np.testing.assert_allclose(incidence[:, 1:], [1 - step(TIMES[1:]) for step in steps], rtol=0, atol=1e-15)


def test_patients_with_a_competing_event_are_censored_and_no_incidence_is_claimed(data, as_boolean):
    X, y = data
    y = y.copy()
    y["event"][np.flatnonzero(y["event"] == 1)[:5]] = 2
    score, incidence = survival(CoxPHSurvivalAnalysis()).fit(X, y).predict_risk(X, TIMES)
    np.testing.assert_array_equal(score, CoxPHSurvivalAnalysis().fit(X, as_boolean(y)).predict(X))
    assert (incidence == _NO_PROBABILITY).all()


def test_a_predicted_time_is_turned_into_a_risk(data, as_boolean):
    X, y = data
    found = survival(make_pipeline(StandardScaler(), IPCRidge())).fit(X, y)
    alone = make_pipeline(StandardScaler(), IPCRidge(random_state=0)).fit(X, as_boolean(y))
    np.testing.assert_allclose(found.predict_log_risk(X), -alone.predict(X))
    assert np.corrcoef(found.predict_log_risk(X), X["x"])[0, 1] > 0
    assert (found.predict_risk(X, TIMES)[1] == _NO_PROBABILITY).all()


def test_an_estimator_that_has_no_survival_function_with_its_parameters_predicts_no_probability(data):
    X, y = data
    for estimator, probability in (
        (CoxnetSurvivalAnalysis(), False),
        (CoxnetSurvivalAnalysis(fit_baseline_model=True), True),
    ):
        found = survival(estimator).fit(X, y).predict_risk(X, TIMES)[1]
        assert ((found >= 0).all(), (found == _NO_PROBABILITY).all()) == (probability, not probability)


def test_a_search_over_parameters_predicts_by_its_best(data):
    X, y = data
    search = GridSearchCV(
        make_pipeline(StandardScaler(), CoxPHSurvivalAnalysis()), {"coxphsurvivalanalysis__alpha": [1, 9]}
    )
    found = survival(search).fit(X, y)
    assert found.log_scale
    assert not hasattr(search, "best_estimator_")
    incidence = found.predict_risk(X, TIMES)[1]
    assert ((incidence >= 0) & (incidence <= 1)).all()


def test_only_cox_models_have_scores_on_the_scale_of_a_log_hazard():
    assert survival(make_pipeline(StandardScaler(), CoxPHSurvivalAnalysis())).log_scale
    assert survival(GradientBoostingSurvivalAnalysis()).log_scale
    assert not survival(GradientBoostingSurvivalAnalysis(loss="squared")).log_scale
    assert not survival(RandomSurvivalForest()).log_scale


def test_an_unset_random_state_is_that_of_the_seed(data):
    X, y = data
    estimator = make_pipeline(StandardScaler(), RandomSurvivalForest(n_estimators=3))
    first, again, other = (survival(estimator, seed=seed).fit(X, y).predict_log_risk(X) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert estimator[-1].random_state is None
    fixed = make_pipeline(StandardScaler(), RandomSurvivalForest(n_estimators=3, random_state=5))
    one, two = (survival(fixed, seed=seed).fit(X, y).predict_log_risk(X) for seed in (1, 2))
    assert np.array_equal(one, two)


def test_a_classifier_predicts_log_odds_and_probability_of_the_event(data):
    X, y = data
    score, probability = classifier(LogisticRegression()).fit(X, y["event"]).predict_risk(X, NEVER)
    expected = LogisticRegression().fit(X, y["event"]).predict_proba(X)[:, 1]
    np.testing.assert_allclose(probability[:, 0], expected)
    np.testing.assert_allclose(score, np.log(expected / (1 - expected)))


def test_probabilities_are_kept_away_from_0_and_1(data):
    X, y = data
    forest = RandomForestClassifier(n_estimators=2, bootstrap=False)
    score, probability = classifier(forest).fit(X, y["event"]).predict_risk(X, NEVER)
    np.testing.assert_allclose(np.sort(np.unique(probability)), [1e-6, 1 - 1e-6], rtol=1e-9)
    assert np.isfinite(score).all()


def test_a_decision_function_is_a_score_without_a_probability(data):
    X, y = data
    found = classifier(LinearSVC(random_state=0)).fit(X, y["event"])
    score, probability = found.predict_risk(X, NEVER)
    np.testing.assert_array_equal(score, LinearSVC(random_state=0).fit(X, y["event"]).decision_function(X))
    assert (probability == _NO_PROBABILITY).all()
    assert not found.log_scale


class NoPredict(BaseEstimator):
    def fit(self, X, y):
        return self


class NoFit:
    def predict(self, X):
        return X


class Constant(BaseEstimator):
    """Not an estimator of any library: it returns nothing from its fit."""

    def __init__(self, answer=0.0):
        self.answer = answer

    def fit(self, X, y):
        self.seen_ = len(X)

    def predict(self, X):
        return np.full(len(X), self.answer)


def test_what_cannot_be_compared_is_refused_in_one_sentence():
    assert refused(NoPredict(), of_time=True) == "model 'mine' (NoPredict) has no method predict"
    assert refused(NoFit(), of_time=True) == "model 'mine' (NoFit) has no method fit"
    assert refused(StandardScaler(), of_time=True) == "model 'mine' (StandardScaler) has no method predict"
    assert refused(CoxPHSurvivalAnalysis, of_time=True) == "model 'mine' is the class CoxPHSurvivalAnalysis"
    of_time = "the endpoint is a time to an event"
    assert (
        refused(RandomForestRegressor(), of_time=True)
        == f"model 'mine' (RandomForestRegressor) is a regressor, {of_time}"
    )
    assert refused(KMeans(), of_time=True) == f"model 'mine' (KMeans) is a clusterer, {of_time}"
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert refused(pipeline, of_time=True) == f"model 'mine' (Pipeline) is a classifier, {of_time}"


def test_what_cannot_be_compared_on_a_binary_endpoint_is_refused_in_one_sentence():
    assert refused(NoFit(), of_time=False) == "model 'mine' (NoFit) has no method fit"
    neither = "model 'mine' (Constant) has neither predict_proba nor decision_function"
    assert refused(Constant(), of_time=False) == neither
    for estimator in (CoxPHSurvivalAnalysis(), make_pipeline(StandardScaler(), IPCRidge())):
        assert refused(estimator, of_time=False).endswith("is a survival model, the endpoint is binary")
    assert refused(RandomForestRegressor(), of_time=False).endswith("is a regressor, the endpoint is binary")
    assert refused(KMeans(), of_time=False).endswith("is a clusterer, the endpoint is binary")
    assert refused(GaussianMixture(), of_time=False).endswith("is a density estimator, the endpoint is binary")


def test_an_estimator_of_ones_own_needs_fit_and_predict_only(data):
    X, y = data
    score, incidence = survival(Constant(2.0)).fit(X, y).predict_risk(X, TIMES)
    assert (score == 2.0).all()
    assert (incidence == _NO_PROBABILITY).all()


def test_missing_values_and_their_cure_are_named(data):
    X, y = data
    X = X.mask(np.eye(120, 2, dtype=bool))
    with pytest.raises(InputError) as caught:
        survival(CoxPHSurvivalAnalysis()).fit(X, y)
    assert caught.value.problem == (
        "model 'mine' (CoxPHSurvivalAnalysis) takes no missing values, and 2 of 120 patients lack some"
    )
    assert "SimpleImputer" in caught.value.fix
    fitted = survival(CoxPHSurvivalAnalysis()).fit(X.iloc[2:], y[2:])
    with pytest.raises(InputError, match="takes no missing values, and 2 of 120"):
        fitted.predict_log_risk(X)
    imputed = survival(make_pipeline(SimpleImputer(), CoxPHSurvivalAnalysis())).fit(X, y)
    assert np.isfinite(imputed.predict_log_risk(X)).all()


def test_other_failures_carry_the_estimators_own_words(data):
    X, y = data
    with pytest.raises(InputError, match=r"'mine' \(CoxPHSurvivalAnalysis\) fails when it is fitted: .*alpha"):
        survival(CoxPHSurvivalAnalysis(alpha=-1.0)).fit(X, y)
    with pytest.raises(InputError, match="120 of its values NaN or infinite"):
        survival(Constant(np.nan)).fit(X, y).predict_log_risk(X)


def test_a_foreign_model_is_neither_explained_nor_saved(data):
    X, y = data
    found = survival(CoxPHSurvivalAnalysis()).fit(X, y)
    with pytest.raises(InputError, match="cannot be explained"):
        found.attribute(X)
    with pytest.raises(InputError, match="cannot be saved"):
        found.state()
    for kind in (_ForeignSurvival, _ForeignClassifier):
        with pytest.raises(InputError, match="not saved as a bundle"):
            kind.from_state(None)


def test_only_code_whose_version_is_known_can_be_cached(data):
    X, _ = data
    assert survival(make_pipeline(SimpleImputer(), RandomSurvivalForest())).can_be_cached(X)
    assert not survival(Constant()).can_be_cached(X)
    assert not survival(GridSearchCV(CoxPHSurvivalAnalysis(), {"alpha": [1]}, scoring=lambda *_: 0.0)).can_be_cached(X)
    assert not survival(make_pipeline(FunctionTransformer(lambda X: X), CoxPHSurvivalAnalysis())).can_be_cached(X)
    assert not survival(CoxPHSurvivalAnalysis()).can_be_cached(X.assign(x="high"))
