from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.models.families import create_model
from nbrelapse.scoring import Bundle, TrainingSummary, load_model, make_bundle, score, write_bundle
from nbrelapse.scoring import scores as module
from nbrelapse.scoring.bundle import _TEXT_COLUMNS, _score_columns
from nbrelapse.scoring.scores import _score_features, write_scores
from nbrelapse.simulation import simulate_cohort


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(60, seed=4)


def without(cohort: Cohort, assay: str) -> Cohort:
    return replace(cohort, assays=cohort.assays[cohort.assays["assay"] != assay], segments=None)


def test_a_row_a_patient_in_the_cohorts_order(bundles: dict[str, Bundle], cohort: Cohort, tmp_path: Path) -> None:
    scores = score(bundles["cox"], cohort)
    assert scores["patient_id"].tolist() == cohort.patient_ids.tolist()
    assert scores["log_risk"].notna().sum() > 40
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    pd.testing.assert_frame_equal(score(folder, cohort), scores, rtol=0, atol=0)
    pd.testing.assert_frame_equal(score(str(folder), cohort), scores, rtol=0, atol=0)


def test_a_cohort_that_lacks_an_assay_is_refused_by_name(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    with pytest.raises(InputError, match="nobody has copy_number") as caught:
        score(bundles["cox"], without(cohort, "copy_number"))
    assert "--allow-missing-assays" in str(caught.value)


def test_a_missing_assay_may_be_allowed_and_every_row_says_so(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    scores = score(bundles["cox"], without(cohort, "copy_number"), allow_missing_assays=True)
    assert scores["missing_assays"].str.contains("copy_number").all()
    assert (scores["evidence"] < 1).all()


def test_one_patient_is_scored_as_among_many(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    whole = score(bundles["cox"], cohort)
    alone = replace(cohort, patients=cohort.patients.iloc[[7]].reset_index(drop=True))
    found = score(bundles["cox"], alone, allow_missing_assays=True)
    pd.testing.assert_frame_equal(found, whole.iloc[[7]].reset_index(drop=True), rtol=1e-12)


def test_ranks_among_other_genes_are_warned_of(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    bundle = bundles["cox"]
    assert cohort.expression is not None
    genes = len(cohort.expression)
    expressed = cohort.patient_ids.isin(cohort.assayed_samples("expression").index)
    relies = replace(bundle, schema=bundle.schema.assign(assay="expression"))
    for trained_on, warned in ((genes, False), (int(genes * 1.4), False), (2 * genes, True), (genes // 2, True)):
        known = replace(relies, training=replace(bundle.training, expression_genes=trained_on))
        told = score(known, cohort, allow_missing_assays=True)["warnings"].str.contains("another selection of genes")
        assert told.tolist() == (expressed & warned).tolist()


@pytest.mark.parametrize("not_told", ["unit", "centring", "unit, centring"])
def test_expression_of_unknown_scale_is_warned_of(bundles: dict[str, Bundle], cohort: Cohort, not_told: str) -> None:
    bundle = bundles["cox"]
    expressed = cohort.patient_ids.isin(cohort.assayed_samples("expression").index)
    doubtful = replace(cohort, metadata={**cohort.metadata, "expression": {"not_told": not_told}})
    for assay, warned in (("expression", True), ("fish", False)):
        relies = replace(bundle, schema=bundle.schema.assign(assay=assay))
        told = score(relies, doubtful, allow_missing_assays=True)["warnings"].str.contains(f"scaled.*{not_told}")
        assert told.tolist() == (expressed & warned).tolist()


FULL = {
    "mycn__amplified": 1.0,
    "instability__loss_11q": 0.0,
    "cell_state__adrn_minus_mes": 0.1,
    "clinical__log2_age": 5.0,
}


def one(**changes: float) -> pd.DataFrame:
    return pd.DataFrame([{**FULL, **changes}])


def only(importance: dict[str, float], bundle: Bundle) -> Bundle:
    """Return the bundle with importances made up, so that shares of evidence are round numbers."""
    return replace(bundle, schema=bundle.schema.assign(importance=pd.Series(importance)))


@pytest.fixture
def cox(bundles: dict[str, Bundle]) -> Bundle:
    return bundles["cox"]


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_mechanisms_add_up_to_the_log_risk(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], family: str
) -> None:
    scores = _score_features(bundles[family], training[0]).dropna(subset=["log_risk"])
    assert len(scores) > 100
    total = scores["baseline"] + scores.filter(like="mechanism__").sum(axis=1)
    np.testing.assert_allclose(total, scores["log_risk"], atol=1e-5)


@pytest.mark.parametrize("family", ["cox", "boosted", "blend"])
def test_probabilities_are_those_of_the_model_and_its_refits(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], family: str
) -> None:
    bundle, X = bundles[family], training[0].dropna()
    scores = _score_features(bundle, X)
    times = np.array([365.25, 730.5, 1095.75])
    states = bundle.model.predict_cumulative_incidence(X, times)
    refitted = np.stack([refit.predict_risk(X, times)[1] for refit in bundle.refits])
    low, high = np.quantile(refitted, [0.025, 0.975], axis=0)
    for column, years in enumerate((1, 2, 3)):
        np.testing.assert_allclose(scores[f"incidence_{years}y"], states[:, 1, column], rtol=1e-12)
        np.testing.assert_allclose(scores[f"survival_{years}y"], states[:, 0, column], rtol=1e-12)
        # The spread of the refits, and more.
        own_low, own_high = scores[f"incidence_{years}y_low"], scores[f"incidence_{years}y_high"]
        assert ((own_low <= scores[f"incidence_{years}y"]) & (scores[f"incidence_{years}y"] <= own_high)).all()
        assert (own_high - own_low).mean() > (high - low)[:, column].mean()
    # Relapse and a competing death: event-free survival is less than one minus the incidence of relapse.
    assert (scores["survival_3y"] < 1 - scores["incidence_3y"]).all()
    assert (scores["incidence_1y"] <= scores["incidence_2y"]).all()


def test_a_model_that_did_not_learn_its_bands_prints_none_and_says_so(cox: Bundle) -> None:
    told = "no bands: it was not learned how far the truth may lie from this model's predictions"
    earlier = _score_features(replace(cox, bands=None), one()).iloc[0]
    assert earlier[["log_risk_low", "incidence_2y_low", "incidence_2y_high"]].isna().all()
    assert told in earlier["warnings"] and earlier["incidence_2y"] > 0
    assert told not in _score_features(cox, one()).iloc[0]["warnings"]


def test_bands_are_saved_with_the_model(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    for family in ("cox", "blend"):
        folder = write_bundle(bundles[family], tmp_path / family)
        assert load_model(folder).bands == bundles[family].bands is not None


def test_columns_and_index_are_as_promised(cox: Bundle, training: tuple[pd.DataFrame, np.ndarray]) -> None:
    scores = _score_features(cox, training[0])
    assert list(scores.columns) == _score_columns(cox.mechanisms)
    assert scores.index.equals(training[0].index)
    assert {str(scores[name].dtype) for name in scores.columns.difference(_TEXT_COLUMNS)} == {"float64"}


def test_a_horizon_beyond_the_training_follow_up_has_no_number_and_a_warning(cox: Bundle) -> None:
    scores = _score_features(cox, one()).iloc[0]
    five = ["incidence_5y", "incidence_5y_low", "incidence_5y_high", "survival_5y"]
    assert scores[five].isna().all()
    assert scores[[name.replace("5y", "3y") for name in five]].notna().all()
    assert scores["warnings"] == "few training patients were followed beyond 4.1 years: no longer horizon is given"


def test_little_evidence_gives_a_warning_and_less_gives_no_number(cox: Bundle) -> None:
    weights = {
        "mycn__amplified": 0.5,
        "instability__loss_11q": 0.3,
        "cell_state__adrn_minus_mes": 0.1,
        "clinical__log2_age": 0.1,
    }
    bundle = only(weights, cox)
    nan = np.nan
    X = pd.concat(
        [
            one(),
            one(mycn__amplified=nan),
            one(mycn__amplified=nan, instability__loss_11q=nan),
            one(mycn__amplified=nan, instability__loss_11q=nan, cell_state__adrn_minus_mes=nan, clinical__log2_age=nan),
        ],
        ignore_index=True,
    )
    scores = _score_features(bundle, X)
    np.testing.assert_allclose(scores["evidence"], [1.0, 0.5, 0.2, 0.0])
    assert scores["log_risk"].notna().tolist() == [True, True, False, False]
    numbers = scores.columns.difference([*_TEXT_COLUMNS, "evidence"])
    assert scores.loc[2:, numbers].isna().all().all()
    assert "less than 75%" in scores["warnings"][1]
    assert scores["warnings"][2].startswith("no score: less than 25%")
    assert scores["missing_assays"].tolist() == [
        "",
        "fish",
        "fish, copy_number",
        "fish, copy_number, expression, clinical",
    ]


def test_a_feature_without_weight_is_not_missed(cox: Bundle) -> None:
    weights = dict.fromkeys(FULL, 0.0) | {"mycn__amplified": 1.0}
    scores = _score_features(only(weights, cox), one(clinical__log2_age=np.nan)).iloc[0]
    assert (scores["evidence"], scores["missing_assays"]) == (1.0, "")


def test_values_outside_the_training_range_are_named(cox: Bundle) -> None:
    scores = _score_features(cox, one(clinical__log2_age=50.0, cell_state__adrn_minus_mes=-99.0)).iloc[0]
    assert scores["out_of_range_features"] == "cell_state__adrn_minus_mes, clinical__log2_age"
    assert "values outside the range of the training patients" in scores["warnings"]
    assert _score_features(cox, one())["out_of_range_features"].iloc[0] == ""


def test_the_percentile_is_the_share_of_training_patients_below(
    cox: Bundle, training: tuple[pd.DataFrame, np.ndarray]
) -> None:
    X = training[0].dropna()
    risk = cox.model.predict_log_risk(training[0])
    scores = _score_features(cox, X)
    share = [100 * np.mean(risk < value) for value in cox.model.predict_log_risk(X)]
    np.testing.assert_allclose(scores["risk_percentile"], share, atol=100 / len(risk) + 0.1)
    tied = replace(cox, log_risk_quantiles=np.full(1001, cox.model.predict_log_risk(one())[0]))
    assert _score_features(tied, one())["risk_percentile"].iloc[0] == 50.0


def test_blocks_do_not_change_a_bit(
    cox: Bundle, training: tuple[pd.DataFrame, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _score_features(cox, training[0])
    monkeypatch.setattr(module, "_BLOCK", 7)
    pd.testing.assert_frame_equal(_score_features(cox, training[0]), whole, rtol=0, atol=0)


def test_a_patient_scored_alone_or_in_another_order_has_the_same_score(
    cox: Bundle, training: tuple[pd.DataFrame, np.ndarray]
) -> None:
    X = training[0].iloc[:20]
    whole = _score_features(cox, X)
    pd.testing.assert_frame_equal(_score_features(cox, X.iloc[::-1]).iloc[::-1], whole, rtol=1e-12)
    alone = pd.concat([_score_features(cox, X.iloc[[row]]) for row in range(len(X))])
    pd.testing.assert_frame_equal(alone, whole, rtol=1e-12)


def test_a_model_that_found_nothing_is_scored_all_the_same(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    from nbrelapse.mechanisms import load_catalogue

    X, y = training
    null = create_model("cox", columns=list(FULL), penalty=100.0).fit(X, y)
    assert not null.coefficients_.any()  # type: ignore[attr-defined]
    bundle = make_bundle(
        "relapse",
        null,
        X,
        refits=(null,),
        references={},
        catalogue=load_catalogue(),
        gene_sets={},
        training=TrainingSummary(),
    )
    scores = _score_features(bundle, pd.concat([one(), one(**dict.fromkeys(FULL, np.nan))]))
    assert scores["log_risk"].iloc[0] == 0.0
    assert scores["risk_percentile"].iloc[0] == 50.0
    assert np.isnan(scores["log_risk"].iloc[1])


def test_nobody_to_score_gives_an_empty_table(cox: Bundle) -> None:
    scores = _score_features(cox, one().iloc[:0])
    assert (len(scores), list(scores.columns)) == (0, _score_columns(cox.mechanisms))


def test_a_missing_column_is_an_error_here(cox: Bundle) -> None:
    with pytest.raises(InputError, match="lacks columns"):
        _score_features(cox, one().drop(columns="mycn__amplified"))


def test_a_model_with_a_landmark_says_whom_its_horizons_hold_for(cox: Bundle) -> None:
    landmark = replace(cox, training=replace(cox.training, landmark_days=90.0))
    assert (cox.landmark_days, landmark.landmark_days) == (0.0, 90.0)
    words = "for patients event-free on day 90: horizons count from then"
    assert words in _score_features(landmark, one()).loc[0, "warnings"]
    assert words not in _score_features(cox, one()).loc[0, "warnings"]


SCORES = pd.DataFrame({"patient_id": ["a", "ü"], "log_risk": [0.1 + 0.2, np.nan], "warnings": ["", "x; y, z"]})


def test_each_format_holds_the_same(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(write_scores(SCORES, tmp_path / "new" / "scores.parquet")), SCORES)
    text = pd.read_csv(write_scores(SCORES, tmp_path / "scores.csv"))
    assert text["log_risk"].iloc[0] == 0.1 + 0.2
    assert text["warnings"].iloc[1] == "x; y, z"
    rows = json.loads(write_scores(SCORES, tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert rows[1] == {"patient_id": "ü", "log_risk": None, "warnings": "x; y, z"}


def test_an_older_file_is_replaced_and_nothing_stays_beside(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("old")
    write_scores(SCORES, tmp_path / "scores.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text().startswith("patient_id,")


def test_a_failure_keeps_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scores.csv").write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(InputError, match="No space left"):
        write_scores(SCORES, tmp_path / "scores.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "old"


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.csv.gz"])
def test_another_extension_names_the_legal_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.parquet, \.csv, \.json"):
        write_scores(SCORES, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
