"""Models as scikit-learn's and scikit-survival's tools use them."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import as_concordance_index_ipcw_scorer, concordance_index_censored, integrated_brier_score
from sksurv.util import Surv

from nbrelapse import models
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.models.base import RiskModel
from nbrelapse.outcome import Outcome

SURVIVAL = ["Cox", "CoxPrior", "Boosted", "BoostedPrior", "Forest", "Blend", "ClinicalCox"]
BINARY = ["Logistic", "BoostedClassifier", "ClinicalLogistic"]
CLINICAL = [
    "clinical__log2_age",
    "clinical__age_over_18_months",
    "clinical__stage_metastatic",
    "clinical__stage_4s",
    "clinical__stage_3",
    "mycn__amplified",
]
TIMES = np.array([365.0, 1000.0])


def model(name: str) -> RiskModel:
    return getattr(models, name)()


@pytest.fixture
def table(simulate) -> tuple[FeatureTable, Outcome]:
    """The clinical columns, the clinic's own grouping, a gene, and what says nothing, of 150 patients."""
    X, y, _ = simulate(150)
    X.columns = [*CLINICAL[:5], "instability__loss_11q"]
    X["mycn__amplified"] = X["instability__loss_11q"].abs()
    rng = np.random.default_rng(1)
    X["clinical__risk_group"] = rng.integers(0, 3, len(X)).astype(float)
    X["alk__amplified"] = 0.0
    X["alk__gain"] = np.where(np.arange(len(X)) < 20, 1.0, np.nan)
    X.index = pd.Index([f"p{number}" for number in range(len(X))], name="patient_id")
    return FeatureTable(X, load_catalogue()), Outcome("relapse", X.index, y)


def binary(outcome: Outcome) -> Outcome:
    return Outcome("refractory", outcome.patient_ids, (outcome.y["event"] == 1).astype(np.int8))


def known(table: FeatureTable, name: str) -> pd.DataFrame:
    """What a model is meant to read of the table."""
    return table.values[
        CLINICAL if name.startswith("Clinical") else [*CLINICAL[:5], "instability__loss_11q", CLINICAL[5]]
    ]


@pytest.mark.parametrize("name", [*SURVIVAL, *BINARY])
def test_a_feature_table_and_an_outcome_are_matched_by_patient(table, name):
    X, outcome = table
    outcome = outcome if name in SURVIVAL else binary(outcome)
    fitted = model(name).fit(X, outcome.take(outcome.patient_ids[::-1]))
    read = known(X, name)
    again = model(name).fit(read, outcome.y)
    assert sorted(fitted.feature_names_in_) == sorted(read.columns)
    assert fitted.n_features_in_ == read.shape[1]
    np.testing.assert_array_equal(fitted.predict_log_risk(X), again.predict_log_risk(read))
    assert fitted.score(X, outcome) == again.score(read, outcome.y)
    pd.testing.assert_frame_equal(fitted.attribute(X, X).values, again.attribute(read, read).values)


def test_columns_named_are_read_whatever_they_are(table):
    X, outcome = table
    assert list(models.Cox(["clinical__risk_group"]).fit(X, outcome).feature_names_in_) == ["clinical__risk_group"]


def test_the_clinical_baselines_need_the_clinical_columns(simulate):
    X, y, _ = simulate(50)
    with pytest.raises(InputError, match="lacks columns that the model reads") as error:
        models.ClinicalCox().fit(X, y)
    assert error.value.column == ", ".join(CLINICAL[:5]) + " and 1 more"


def test_patients_of_the_features_and_of_the_outcome_must_be_the_same(table):
    X, outcome = table
    with pytest.raises(InputError, match="the patients of X and of y differ: 3 of X are not in y"):
        models.Cox().fit(X, outcome[3:])
    fitted = models.Cox().fit(X, outcome)
    with pytest.raises(InputError, match="the patients of X and of y differ"):
        fitted.score(X.take(X.index[:50]), outcome)


@pytest.mark.parametrize("name", ["Cox", "CoxPrior", "Boosted", "BoostedPrior", "Forest", "Blend"])
def test_an_array_is_a_table_of_numbered_columns(simulate, name):
    X, y, _ = simulate(120, p=12)
    fitted = model(name).fit(X.to_numpy(), y)
    named = X.set_axis([f"x{column}" for column in range(12)], axis=1)
    assert sorted(fitted.feature_names_in_) == sorted(named.columns)
    np.testing.assert_array_equal(fitted.predict(X.to_numpy()), fitted.predict(named))
    np.testing.assert_array_equal(fitted.predict(named), model(name).fit(named, y).predict(named))
    assert fitted.score(X.to_numpy(), y) == fitted.score(named, y)
    with pytest.raises(InputError, match=f"X has 3 features, but {name} is expecting 12"):
        fitted.predict(X.to_numpy()[:, :3])


@pytest.mark.parametrize("name", ["Cox", "Forest"])
def test_a_model_of_a_table_takes_an_array_of_its_columns_and_warns(simulate, name):
    X, y, _ = simulate(120)
    X = X[X.columns[::-1]]
    fitted = model(name).fit(X, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(fitted.predict(X.to_numpy()), fitted.predict(X))


def test_a_saved_model_of_a_table_does_not_guess_what_the_columns_of_an_array_are(simulate):
    X, y, _ = simulate(120)
    saved = models.model_from_state(models.Cox().fit(X, y).state())
    with pytest.raises(InputError, match="lacks columns"):
        saved.predict(X.to_numpy())
    saved = models.model_from_state(models.Forest().fit(X.to_numpy(), y).state())
    assert len(saved.predict(X.to_numpy())) == 120


@pytest.mark.parametrize(
    ("dtype", "swapped"),
    [
        ([("event", "?"), ("time", "f8")], False),
        ([("Status", "?"), ("Survival_in_days", "f4")], False),
        ([("cens", "i8"), ("days", "i4")], False),
        ([("time", "f8"), ("event", "?")], True),
    ],
)
def test_outcomes_of_scikit_survival_are_read_whatever_their_fields_are_called(simulate, dtype, swapped):
    X, y, _ = simulate(120, competing=False)
    other = np.empty(len(y), dtype=dtype)
    event, time = other.dtype.names[::-1] if swapped else other.dtype.names
    other[event], other[time] = y["event"], y["time"]
    np.testing.assert_array_equal(models.Cox().fit(X, other).predict(X), models.Cox().fit(X, y).predict(X))


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.arange(30) % 2, "Cox learns a time to an event, y holds int64"),
        (np.zeros(30, dtype=[("time", "f8"), ("died", "?")]), r"y holds time \(float64\), died \(bool\)"),
        (np.zeros(30, dtype=[("event", "i8"), ("time", "f8"), ("cause", "i8")]), "y holds event"),
        (np.full(30, 3, dtype=[("event", "i1"), ("time", "f8")]), "illegal values in y: np.int8\\(3\\)"),
        (np.full(30, -1, dtype=[("event", "?"), ("time", "f8")]), "illegal values in y: np.float64\\(-1.0\\)"),
        (np.full(30, np.nan, dtype=[("event", "?"), ("time", "f8")]), "illegal values in y: np.float64\\(nan\\)"),
        (None, "Cox requires y"),
    ],
)
def test_what_is_no_time_to_an_event_is_refused(simulate, y, problem):
    X, _, _ = simulate(30)
    with pytest.raises(InputError, match=problem):
        models.Cox().fit(X, y)


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.zeros(30, dtype=[("event", "?"), ("time", "f8")]), "Logistic learns yes or no, y holds event, time"),
        (np.arange(30), "Only binary classification is supported"),
        (np.linspace(0, 1, 30), "continuous"),
        (np.where(np.arange(30) < 3, np.nan, 1.0), "NaN"),
        (np.full(30, 7), "one class"),
    ],
)
def test_what_is_not_binary_is_refused(simulate, y, problem):
    X, _, _ = simulate(30)
    with pytest.raises(InputError, match=problem):
        models.Logistic().fit(X, y)


def test_an_outcome_of_the_other_kind_is_refused(table):
    X, outcome = table
    with pytest.raises(InputError, match="Boosted learns a time to an event"):
        models.Boosted().fit(X, binary(outcome))
    with pytest.raises(InputError, match="ClinicalLogistic learns yes or no"):
        models.ClinicalLogistic().fit(X, outcome)


@pytest.mark.parametrize(("no", "yes"), [(0.0, 1.0), (False, True), (1, 2), ("CR", "SD")])
def test_classes_are_kept_even_by_a_saved_model(simulate, no, yes):
    X, y, _ = simulate(120)
    event = y["event"] == 1
    fitted = models.Logistic().fit(X, np.where(event, yes, no))
    plain = models.Logistic().fit(X, event.astype(np.int8))
    saved = models.model_from_state(fitted.state())
    np.testing.assert_array_equal(fitted.predict_log_risk(X), plain.predict_log_risk(X))
    for each in (fitted, saved):
        assert each.classes_.tolist() == [no, yes]
        np.testing.assert_array_equal(each.predict(X), np.where(plain.predict(X) == 1, yes, no))
        assert each.score(X, np.where(event, yes, no)) == roc_auc_score(event, plain.predict_log_risk(X))
    with pytest.raises(InputError, match="was not in training"):
        fitted.score(X, np.full(len(X), 9))


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_model_is_a_classifier(table, name):
    X, outcome = table
    fitted = model(name).fit(X, binary(outcome))
    assert is_classifier(fitted)
    probability = fitted.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(probability[:, 1], fitted.predict_probability(X))
    np.testing.assert_array_equal(fitted.decision_function(X), fitted.predict_log_risk(X))
    np.testing.assert_array_equal(fitted.predict(X), (probability[:, 1] > 0.5).astype(int))


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("name", ["Cox", "Boosted"])
def test_the_score_is_harrells_c_as_the_evaluation_has_it(simulate, name, competing):
    X, y, _ = simulate(150, competing=competing)
    fitted = model(name).fit(X, y)
    log_risk = fitted.predict(X).round(1)
    fitted.predict_log_risk = lambda X: log_risk
    assert fitted.score(X, y) == pytest.approx(discrimination(y, log_risk), abs=1e-12)
    if not competing:
        assert fitted.score(X, y) == concordance_index_censored(y["event"] == 1, y["time"], log_risk)[0]


def test_there_is_no_score_where_no_patients_can_be_compared(simulate):
    X, y, _ = simulate(100)
    fitted = models.Cox().fit(X, y)
    y["event"], y["time"] = 1, 10.0
    assert np.isnan(fitted.score(X, y))
    y["event"] = 0
    assert np.isnan(fitted.score(X, y))
    classifier = models.Logistic().fit(X, np.arange(100) % 2)
    assert np.isnan(classifier.score(X, np.zeros(100)))


def test_survival_and_hazard_functions_are_those_of_scikit_survival(simulate):
    X, y, _ = simulate(300, competing=False)
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(X.to_numpy(), Surv.from_arrays(y["event"] == 1, y["time"]))
    fitted = models.Cox(penalty=1e-5, l1_ratio=0.1).fit(X, y)
    days = np.linspace(0, y["time"].max(), 40)
    for function in ("predict_survival_function", "predict_cumulative_hazard_function"):
        own, theirs = getattr(fitted, function)(X[:20]), getattr(peer, function)(X[:20].to_numpy())
        assert own.shape == theirs.shape
        assert own[0].domain == theirs[0].domain
        np.testing.assert_allclose([f(days) for f in own], [f(days) for f in theirs], atol=1e-3, rtol=1e-3)
        array = getattr(fitted, function)(X[:20], return_array=True)
        np.testing.assert_array_equal(array, [f(fitted.unique_times_) for f in own])


@pytest.mark.parametrize("name", SURVIVAL)
def test_functions_are_of_the_hazard_of_the_event(table, name):
    X, outcome = table
    fitted = model(name).fit(X, outcome)
    survival = fitted.predict_survival_function(X, return_array=True)
    hazard = fitted.predict_cumulative_hazard_function(X, return_array=True)
    assert survival.shape == (150, len(fitted.unique_times_))
    assert fitted.unique_times_[-1] == outcome.y["time"].max()
    np.testing.assert_allclose(survival, np.exp(-hazard))
    assert (np.diff(hazard, axis=1) >= 0).all()
    assert (survival[:, -1] >= fitted.predict_survival(X, fitted.unique_times_)[:, -1]).all()


def test_the_brier_score_of_scikit_survival_reads_them(simulate):
    X, y, _ = simulate(200, competing=False)
    outcome = Surv.from_arrays(y["event"] == 1, y["time"])
    days = np.linspace(200, 1500, 10)
    curves = np.array([f(days) for f in models.Cox().fit(X, outcome).predict_survival_function(X)])
    assert integrated_brier_score(outcome, outcome, curves, days) < 0.2


@pytest.mark.parametrize("name", [*SURVIVAL, *BINARY])
@pytest.mark.parametrize(
    "ask",
    [
        lambda model, X: model.predict(X),
        lambda model, X: model.predict_log_risk(X),
        lambda model, X: model.predict_risk(X, TIMES),
        lambda model, X: model.attribute(X),
        lambda model, X: model.score(X, np.arange(len(X))),
        lambda model, X: (getattr(model, "predict_proba", None) or model.predict_survival_function)(X),
        lambda model, X: (
            getattr(model, "decision_function", None) or (lambda X: model.predict_cumulative_incidence(X, TIMES))
        )(X),
    ],
    ids=["predict", "log risk", "risk", "attribute", "score", "probability or survival", "odds or incidence"],
)
def test_an_unfitted_model_says_so(simulate, name, ask):
    X, _, _ = simulate(30)
    with pytest.raises(NotFittedError, match=f"This {name} instance is not fitted yet"):
        ask(model(name), X)
    assert not hasattr(model(name), "n_features_in_")


@pytest.mark.parametrize("name", [*SURVIVAL, *BINARY])
def test_models_survive_pickle_and_clone(table, name):
    X, outcome = table
    fitted = model(name).fit(X, outcome if name in SURVIVAL else binary(outcome))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(again.attribute(X).values, fitted.attribute(X).values)
    copy = clone(fitted)
    assert repr(copy) == f"{name}()"
    assert copy.get_params() == fitted.get_params()


@pytest.mark.parametrize("name", ["Cox", "Boosted", "Blend"])
def test_survival_models_work_in_scikit_learns_tools(simulate, name):
    X, y, _ = simulate(120)
    scores = cross_val_score(model(name), X, y, cv=3)
    assert (scores > 0.55).all()
    pipeline = make_pipeline(FunctionTransformer(np.asarray), model(name))
    np.testing.assert_allclose(cross_val_score(pipeline, X, y, cv=3), scores)


def test_a_grid_is_searched_over_a_feature_table(table):
    X, outcome = table
    search = GridSearchCV(models.Cox(), {"penalty": [0.05, 5.0]}, cv=3).fit(X, outcome)
    assert search.best_params_ == {"penalty": 0.05}
    assert len(search.predict(X)) == len(outcome)
    classes = cross_val_predict(models.Logistic(), X, binary(outcome), cv=3, method="predict_proba")
    assert classes.shape == (150, 2)


def test_scorers_of_scikit_survival_take_the_models(simulate):
    X, y, _ = simulate(150, competing=False)
    outcome = Surv.from_arrays(y["event"] == 1, y["time"])
    search = GridSearchCV(
        as_concordance_index_ipcw_scorer(models.Cox(), tau=1500.0), {"estimator__penalty": [0.1, 0.5]}, cv=3
    ).fit(X, outcome)
    assert search.best_score_ > 0.6


@pytest.mark.parametrize("name", [*SURVIVAL, *BINARY])
def test_a_model_of_many_features_is_described_in_a_line(simulate, name):
    X, y, _ = simulate(100, p=600)
    names = list(X.columns)
    prior = PriorKnowledge(dict.fromkeys(names, 0.01), blocks=dict.fromkeys(names, "a"))
    given = {"columns": names, "directions": dict.fromkeys(names, 1), "prior": prior}
    made = model(name)
    made.set_params(**{key: value for key, value in given.items() if key in made.get_params()})
    fitted = made.fit(X, y if name in SURVIVAL else (y["event"] == 1).astype(int))
    assert repr(fitted).startswith(f"{name}(columns=<list of 600>")
    assert repr(fitted).endswith(") fitted on 600 features")
    assert len(repr(fitted)) < 200
    assert len(fitted._repr_html_()) < 60_000
    assert len(repr(GridSearchCV(fitted, {}))) < 2000


def test_parameters_that_were_set_are_shown():
    assert repr(models.Cox(penalty=0.3)) == "Cox(penalty=0.3)"
    assert repr(models.Blend(members=("cox", "forest"), seed=2)) == "Blend(members=('cox', 'forest'), seed=2)"
