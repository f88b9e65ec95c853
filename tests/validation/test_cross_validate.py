from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.mechanisms.gene_sets import with_gene_features
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.models.clinical import ClinicalCox
from nbrelapse.models.linear import Cox
from nbrelapse.models.logistic import Logistic
from nbrelapse.models.prior import CoxPrior
from nbrelapse.models.trees import Boosted
from nbrelapse.outcome import Outcome
from nbrelapse.validation.cross_validate import cross_validate
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.nested import nested_cross_validation

FOLDS = {"n_repeats": 2, "n_folds": 3, "n_inner_folds": 2, "n_trials": 2, "seed": 0}
SMALL = FOLDS | {"n_bootstrap": 100}
RANKING = {"harrell_c", "uno_c", "cause_specific_c", "auc_1y", "auc_2y", "auc_3y", "auc_5y"}


@pytest.fixture
def table(outcome):
    """Features with missing values, and the outcome without competing events."""
    y, risk = outcome(150, 0)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"x": risk, "a": rng.normal(size=150), "group": (risk > 0).astype(float)},
        index=pd.Index([f"secret-{number}" for number in range(150)], name="patient_id"),
    )
    X.loc[X.index[::7], "a"] = np.nan
    return X, y


def imputed(estimator=None):
    return make_pipeline(SimpleImputer(), estimator or CoxPHSurvivalAnalysis(alpha=1.0))


def by_hand(models, X, y, references, populations=None, seed=0):
    everybody = {"all": np.ones(len(y), dtype=bool)}
    predictions = nested_cross_validation(models, X, y, times=prediction_times(y), **FOLDS)
    judged = evaluate(
        predictions, y, populations=everybody | (populations or {}), references=references, n_bootstrap=100, seed=seed
    )
    return predictions, judged


def rows(table, *models):
    return table[table["model"].isin(models)].reset_index(drop=True)


def test_models_of_ours_have_the_figures_of_nested_cross_validation_and_evaluate(table):
    X, y = table
    ours = {"cox": Cox(), "narrow": Cox(["x"])}
    told = []
    found = cross_validate(
        ours | {"mine": imputed()},
        X,
        y,
        populations={"high": "group"},
        progress=lambda done, total: told.append((done, total)),
        **SMALL,
    )
    predictions, judged = by_hand(ours, X, y, ["cox"], {"high": X["group"].to_numpy() == 1})
    pd.testing.assert_frame_equal(rows(found.evaluation.metrics, "cox", "narrow"), judged.metrics, check_exact=True)
    assert set(found.evaluation.differences["reference"]) == {"cox"}
    narrow, by_itself = rows(found.evaluation.differences, "narrow"), judged.differences
    alone = ["model", "reference", "population", "metric", "difference", "low", "high"]
    pd.testing.assert_frame_equal(narrow[alone], by_itself[alone], check_exact=True)
    assert set(narrow["families"].dropna()) == {2}  # "mine" could be chosen, too
    assert set(by_itself["families"].dropna()) == {1}
    for name, expected in predictions.items():
        np.testing.assert_array_equal(found.predictions[name].log_risk, expected.log_risk)
        np.testing.assert_array_equal(found.predictions[name].incidence, expected.incidence)
    assert list(found.predictions) == ["cox", "narrow", "mine"]
    assert told == [(done, 18) for done in range(1, 19)]


def test_an_estimator_of_scikit_survival_is_fitted_in_the_same_folds(table):
    X, y = table
    found = cross_validate({"cox": Cox(), "mine": imputed()}, X, y, **SMALL)
    mine = found.predictions["mine"]
    np.testing.assert_array_equal(mine.fold, found.predictions["cox"].fold)
    test = mine.fold[1] == 2
    train = Surv.from_arrays(y["event"][~test] == 1, y["time"][~test])
    alone = imputed().fit(X[~test], train)
    np.testing.assert_allclose(mine.log_risk[1, test], alone.predict(X[test]))
    expected = [1 - step(mine.times[3]) for step in alone.predict_survival_function(X[test])]
    np.testing.assert_allclose(mine.incidence[1, test, 3], expected)
    values = found.evaluation.metrics.query("model == 'mine'").set_index("metric")["value"]
    assert values[["harrell_c", "ipa_1y", "integrated_brier", "calibration_slope"]].notna().all()
    assert not found.notes


def test_the_leaderboard_has_the_best_first_and_the_difference_from_the_strongest_reference(table):
    X, y = table
    models = {"noise": Cox(["a"]), "cox": Cox(["x"]), "mine": imputed()}
    found = cross_validate(models, X, y, references=["noise", "cox"], populations={"high": X["group"] == 1}, **SMALL)
    board = found.leaderboard()
    assert list(board)[:8] == [
        *("model", "harrell_c", "low", "high", "difference", "difference_low", "difference_high", "reference")
    ]
    assert board["harrell_c"].is_monotonic_decreasing
    assert set(board["reference"]) == {"cox"}
    board = board.set_index("model")
    assert board.loc["cox", "difference":"difference_high"].isna().all()
    paired = found.evaluation.differences.query(
        "model == 'mine' and reference == 'cox' and population == 'all' and metric == 'harrell_c'"
    ).iloc[0]
    assert board.loc["mine", "difference":"difference_high"].tolist() == [*paired[["difference", "low", "high"]]]
    assert board.loc["mine", "n"] == 150
    assert found.leaderboard("high")["n"].unique().tolist() == [int((X["group"] == 1).sum())]
    with pytest.raises(InputError, match="no model was judged in population 'low'"):
        found.leaderboard("low")


def test_clinical_baselines_are_the_references_by_default(table):
    X, y = table
    models = {"cox": Cox(["x"]), "stage": ClinicalCox(["group"])}
    found = cross_validate(models, X, y, **SMALL)
    assert set(found.evaluation.differences["reference"]) == {"stage"}
    with pytest.raises(InputError, match="reference 'clinic' is no model"):
        cross_validate(models, X, y, references=["clinic"], **SMALL)


def test_with_competing_events_no_incidence_of_a_foreign_model_is_shown(table):
    X, y = table
    y = y.copy()
    y["event"][::9] = 2
    found = cross_validate({"cox": Cox(), "mine": imputed(), "forest": RandomSurvivalForest(5)}, X, y, **SMALL)
    metrics = found.evaluation.metrics.set_index(["model", "metric"])[["value", "low", "high"]]
    known = {name: set(metrics.loc[name].dropna().index) for name in ("mine", "forest")}
    assert known == {"mine": RANKING | {"calibration_slope"}, "forest": RANKING}
    assert metrics.loc[["mine", "forest"]].isna().all(axis=1).sum() > 20
    paired = found.evaluation.differences.set_index(["model", "metric"])["difference"]
    assert set(paired["forest"].dropna().index) == RANKING
    assert metrics.loc["cox"].loc["integrated_brier"].notna().all()
    assert found.predictions["mine"].incidence.shape == (2, 150, 0)
    assert found.notes == [
        "mine, forest: patients with a competing event are censored in training, and figures of the incidence are left "
        "out, because one less the survival function would overstate it",
        "forest: the score is not known to be a log hazard, its calibration slope is left out",
    ]
    assert "–" in repr(found)


def test_figures_that_need_the_probability_of_a_reference_have_no_difference(table):
    X, y = table
    y = y.copy()
    y["event"][::9] = 2
    found = cross_validate({"mine": imputed(), "cox": Cox()}, X, y, **SMALL)
    paired = found.evaluation.differences.set_index("metric")["difference"]
    assert set(paired.dropna().index) == RANKING | {"calibration_slope"}


def test_a_binary_endpoint_takes_classifiers(table):
    X, y = table
    models = {
        "logistic": Logistic(),
        "theirs": imputed(LogisticRegression()),
        "margin": imputed(LinearSVC()),
    }
    found = cross_validate(models, X, y["event"] == 1, **SMALL)
    board = found.leaderboard().set_index("model")
    assert list(board)[:1] == ["auc"]
    assert board.loc["theirs", ["brier", "ipa", "calibration_slope"]].notna().all()
    assert board.loc["margin", ["brier", "ipa", "calibration_slope"]].isna().all()
    _, judged = by_hand({"logistic": Logistic()}, X, y["event"], [])
    pd.testing.assert_frame_equal(rows(found.evaluation.metrics, "logistic"), judged.metrics, check_exact=True)
    assert found.notes[:2] == [
        "margin: no probability is predicted, figures that need one are left out",
        "margin: the score is not known to be a log odds, its calibration slope is left out",
    ]


def test_patients_are_matched_and_the_outcome_kept(table):
    X, y = table
    outcome = Outcome("efs", X.index, y)
    expected = cross_validate({"cox": Cox()}, X, y, **SMALL)
    shuffled = X.sample(frac=1, random_state=0)
    found = cross_validate({"cox": Cox()}, shuffled, outcome, **SMALL)
    np.testing.assert_array_equal(found.predictions["cox"].log_risk, expected.predictions["cox"].log_risk)
    assert found.outcome is outcome
    theirs = Surv.from_arrays(y["event"] == 1, y["time"], name_event="seen", name_time="days")
    # An array's columns are read in their order, a table's in that of their names.
    again = cross_validate({"cox": Cox()}, X[sorted(X.columns)].to_numpy(), theirs, **SMALL)
    pd.testing.assert_frame_equal(again.evaluation.metrics, expected.evaluation.metrics, check_exact=True)


def test_clinical_groupings_and_single_genes_are_read_by_those_made_for_them(table):
    X, y = table
    catalogue = with_gene_features(load_catalogue(), {"HALLMARK_P53_PATHWAY": ["BAX"]}, ["BAX"])
    names = {"x": "mycn__amplified", "a": "alk__amplified", "group": "clinical__inrg"}
    columns = X.rename(columns=names).assign(telomere__alt_test=np.nan, p53__gene_BAX=1.0)
    features = FeatureTable(columns, catalogue)
    assert catalogue.features["clinical__inrg"].role == "baseline"
    models = {"inrg": ClinicalCox(["clinical__inrg"]), "cox": Cox(), "mine": imputed()}
    models["prior"] = CoxPrior()
    found = cross_validate(models, features, y, populations={"high": "clinical__inrg"}, **SMALL)
    read = ["mycn__amplified", "alk__amplified"]
    assert found.models["inrg"].columns == ["clinical__inrg"]
    assert found.models["cox"].columns == [*read, "telomere__alt_test"]
    assert found.models["prior"].columns == [*read, "telomere__alt_test", "p53__gene_BAX"]
    # Imputers warn of a column without a value, from which there is nothing to learn.
    assert found.models["mine"].columns == read
    assert models["cox"].columns is None
    assert set(found.leaderboard("high")["n"]) == {int(X["group"].sum())}


def test_results_depend_on_neither_the_jobs_nor_the_cache(table, tmp_path):
    X, y = table
    models = {"cox": Cox(), "forest": RandomSurvivalForest(5), "own": OwnScore()}
    expected = cross_validate(models, X, y, **SMALL)
    for hits in (0, 12):
        cache = FoldCache(tmp_path / "cache")
        found = cross_validate(models, X, y, n_jobs=2, cache=cache, **SMALL)
        # A class of one's own is computed each time: its code is not in the name of an entry.
        assert (cache.hits, cache.misses) == (hits, 12 - hits)
        pd.testing.assert_frame_equal(found.evaluation.metrics, expected.evaluation.metrics, check_exact=True)


class OwnScore(BaseEstimator):
    """The log risk is the column ``x``."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X["x"].to_numpy()


class NeverFitted(Cox):
    def fit(self, X, y):
        raise AssertionError("the long computation has begun")


def test_an_estimator_that_takes_no_missing_values_is_found_before_ours_are_fitted(table):
    X, y = table
    with pytest.raises(InputError, match=r"model 'mine' \(CoxPHSurvivalAnalysis\) takes no missing values") as caught:
        cross_validate({"cox": NeverFitted(), "mine": CoxPHSurvivalAnalysis()}, X, y, **SMALL)
    assert "SimpleImputer" in caught.value.fix


def test_a_mask_says_who_is_in_a_population(table):
    X, y = table
    unknown = X["group"].mask(np.arange(150) < 4)
    masks = {"array": X["group"].to_numpy() == 1, "series": unknown.sample(frac=1, random_state=0)}
    masks["few"] = [number < 5 for number in range(150)]
    found = cross_validate({"cox": Cox(["x"])}, X, y, populations=masks, **SMALL)
    counts = found.evaluation.metrics.groupby("population")["n"].first()
    assert counts.to_dict() == {"all": 150, "array": (X["group"] == 1).sum(), "series": (unknown == 1).sum()}
    assert "series: 4 patients without a value left out" in found.notes
    with pytest.raises(InputError, match="no model was judged in population 'few': it has 5 patients and"):
        found.leaderboard("few")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("nowhere", "population 'p': X has no column 'nowhere'"),
        ("x", "population 'p' is no mask of the 150 patients"),
        (np.ones(3, dtype=bool), r"population 'p' is of shape \(3,\), there are 150 patients"),
        (pd.Series([True], index=["nobody"]), "population 'p' is no mask of the 150 patients"),
    ],
)
def test_what_is_no_mask_is_refused(table, given, problem):
    with pytest.raises(InputError, match=problem):
        cross_validate({"cox": NeverFitted()}, *table, populations={"p": given}, **SMALL)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"n_folds": 1}, "illegal n_folds 1"),
        ({"n_bootstrap": 0}, "illegal n_bootstrap 0"),
        ({"n_trials": 2.5}, "illegal n_trials 2.5"),
        ({"interval": "normal"}, "illegal interval 'normal'"),
    ],
)
def test_illegal_options_are_refused_before_anything_is_fitted(table, changed, problem):
    with pytest.raises(InputError, match=problem):
        cross_validate({"cox": NeverFitted()}, *table, **(SMALL | changed))


def test_models_must_be_of_the_endpoint_and_find_their_columns(table):
    X, y = table
    with pytest.raises(InputError, match="there are no models by name"):
        cross_validate([Cox()], X, y)
    with pytest.raises(InputError, match=r"model 'm' \(Logistic\) is of a binary endpoint, y is a time"):
        cross_validate({"m": Logistic()}, X, y)
    with pytest.raises(InputError, match=r"model 'm' \(Boosted\) is of a time to an event, y is a binary"):
        cross_validate({"m": Boosted()}, X, y["event"])
    with pytest.raises(InputError, match="X lacks 1 column that model 'm' reads"):
        cross_validate({"m": Cox(["x", "nowhere"])}, X, y)
    with pytest.raises(InputError, match="model 'm' is the class Cox"):
        cross_validate({"m": Cox}, X, y)


def test_an_outcome_that_is_none_is_refused(table):
    X, y = table
    models = {"cox": Cox()}
    with pytest.raises(InputError, match="y is neither a time to an event nor binary"):
        cross_validate(models, X, y["time"])
    with pytest.raises(InputError, match="y has 2 dimensions"):
        cross_validate(models, X, np.column_stack([y["event"], y["time"]]))
    negative = y.copy()
    negative["time"][2] = -1.0
    with pytest.raises(InputError, match="illegal events or times") as caught:
        cross_validate(models, X, negative)
    assert caught.value.rows == [3]


def test_a_result_shows_itself_in_one_screen_without_patients(table):
    X, y = table
    found = cross_validate(
        {"cox": Cox(), "<mine>": imputed()},
        X,
        Outcome("efs", X.index, y),
        populations={"high": "group"},
        **SMALL,
    )
    text, html = repr(found), found._repr_html_()
    assert text.startswith(f"CrossValidation: 2 models, 150 patients, {(y['event'] == 1).sum()} events; 2 repeats of 3")
    assert len(text.splitlines()) <= 12
    assert "also judged: high" in text
    assert "minus cox" in text
    assert "&lt;mine&gt;" in html
    assert "secret" not in text + html


def test_a_result_draws_itself(table):
    X, y = table
    found = cross_validate({"cox": Cox(), "mine": imputed()}, X, y, populations={"group_2": "group"}, **SMALL)
    shown = [text.get_text() for axes in found.plot().axes for text in axes.texts]
    assert "All patients" in shown
    assert "group_2" in shown
    assert f"{found.leaderboard().loc[0, 'harrell_c']:.3f}" in " ".join(shown)
    with pytest.raises(InputError, match="there is no metric 'c'"):
        found.plot("c")


def test_a_clinical_baseline_reads_the_clinical_columns_and_no_more():
    import nbrelapse as nb

    cohort = nb.simulate_cohort(150, seed=1)
    X, y = nb.build_features(cohort), nb.make_outcome(cohort, "relapse")
    options = {"n_repeats": 1, "n_folds": 3, "n_bootstrap": 50}
    found = nb.cross_validate({"left": nb.ClinicalCox()}, X, y, **options)
    named = nb.cross_validate({"left": nb.models.create_model("clinical_cox")}, X, y, **options)
    np.testing.assert_array_equal(found.predictions["left"].log_risk, named.predictions["left"].log_risk)
