"""An experiment from end to end: what is kept apart, what agrees, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, publish, run_experiment
from nbrelapse.experiment.card import _model_card
from nbrelapse.experiment.describe import (
    _features_used,
    _guard_figures,
    _guard_sections,
    _guard_tables,
    _multiplicity,
)
from nbrelapse.experiment.headlines import _headlines
from nbrelapse.experiment.prepare import _prepare_data
from nbrelapse.experiment.run import _blend_note, _column_groups, _competing_note, _training_size, _with_groups
from nbrelapse.metrics.evaluation import chosen_difference
from nbrelapse.models.linear import Cox
from nbrelapse.report.sentences import verdict
from nbrelapse.scoring import load_model, save_model, score
from nbrelapse.scoring.scores import _score_features
from nbrelapse.tracking import read_experiment
from nbrelapse.validation.sample_size import sample_size

Settings = Callable[..., ExperimentConfig]

BASELINES = ["clinical_risk_group", "clinical_cog_v2", "clinical_inrg", "clinical_cox"]


def flip_holdout(cohort: Cohort) -> Cohort:
    """Turn all that is recorded of the hold-out's patients into something else; the others stay as they are."""
    patients = cohort.patients.copy()
    held = patients["split"] == "validation"
    assert held.any() and not held.all()
    had_event = patients["event"].isin(["relapse", "progression"])
    patients.loc[held, "event"] = np.where(had_event[held], "none", "relapse")
    patients.loc[held, ["event_days", "followup_days"]] /= 2
    patients.loc[held, "death"] = 0.0
    patients.loc[held, "mycn_status"] = patients.loc[held, "mycn_status"].map(
        {"amplified": "not_amplified", "not_amplified": "amplified"}
    )
    patients.loc[held, "age_days"] *= 3
    patients.loc[held, "inss_stage"] = "4"
    of_held = cohort.samples.loc[cohort.samples["patient_id"].isin(patients.loc[held, "patient_id"]), "sample_id"]
    segments, mutations, expression = cohort.segments, cohort.mutations, cohort.expression
    assert segments is not None and mutations is not None and expression is not None
    sign = np.where(segments["sample_id"].isin(of_held), -1.0, 1.0)
    return replace(
        cohort,
        patients=patients,
        segments=segments.assign(log2_ratio=segments["log2_ratio"] * sign),
        mutations=mutations[~mutations["sample_id"].isin(of_held)].reset_index(drop=True),
        expression=expression.mask(np.tile(expression.columns.isin(of_held), (len(expression), 1)), 12.0 - expression),
    )


def assert_equal_training(left: ExperimentResult, right: ExperimentResult) -> None:
    """Everything that comes from the training patients is equal, to the last bit."""
    pd.testing.assert_frame_equal(left.cross_validation.metrics, right.cross_validation.metrics, check_exact=True)
    pd.testing.assert_frame_equal(
        left.cross_validation.differences, right.cross_validation.differences, check_exact=True
    )
    assert left.chosen == right.chosen
    assert list(left.models) == list(right.models)
    for name, model in left.models.items():
        np.testing.assert_array_equal(left.predictions[name].log_risk, right.predictions[name].log_risk)
        np.testing.assert_array_equal(left.predictions[name].incidence, right.predictions[name].incidence)
        assert model.state() == right.models[name].state()
    for name, refits in left.refits.items():
        assert [refit.state() for refit in refits] == [refit.state() for refit in right.refits[name]]
        pd.testing.assert_frame_equal(
            left.explanations[name].features, right.explanations[name].features, check_exact=True
        )


def test_the_same_seed_gives_the_same_result_with_two_jobs(result: ExperimentResult, settings: Settings) -> None:
    again = run_experiment(settings(), n_jobs=2)
    assert_equal_training(result, again)
    assert result.holdout is not None and again.holdout is not None
    pd.testing.assert_frame_equal(result.holdout.metrics, again.holdout.metrics, check_exact=True)
    pd.testing.assert_frame_equal(result.holdout.differences, again.holdout.differences, check_exact=True)


def test_another_seed_gives_other_folds(result: ExperimentResult, settings: Settings) -> None:
    other = run_experiment(settings(seed=4, models=["cox"]))
    assert (other.predictions["cox"].fold != result.predictions["cox"].fold).any()


def test_nothing_of_the_holdout_reaches_the_models(
    result: ExperimentResult, settings: Settings, cohort: Cohort, tmp_path: Path
) -> None:
    folder = write_cohort(flip_holdout(cohort), tmp_path / "flipped")
    flipped = run_experiment(settings(cohort={"path": folder}))
    assert_equal_training(result, flipped)
    assert result.data.left_out == flipped.data.left_out
    pd.testing.assert_frame_equal(
        result.data.features(result.data.training), flipped.data.features(flipped.data.training), check_exact=True
    )
    assert flipped.holdout is not None
    for name in ("cox", "boosted"):
        before, after = (found.metric(name, "harrell_c", holdout=True)["value"] for found in (result, flipped))
        assert abs(before - after) > 0.05


def test_the_sides_are_those_of_the_column(result: ExperimentResult, cohort: Cohort) -> None:
    split = cohort.patients.set_index("patient_id")["split"]
    holdout = result.data.holdout
    assert holdout is not None
    assert set(split[result.data.training.patient_ids]) == {"discovery"}
    assert set(split[holdout.patient_ids]) == {"validation"}
    assert len(result.data.training.y) + len(holdout.y) == len(cohort.patients)
    assert result.predictions["cox"].log_risk.shape == (1, len(result.data.training.y))
    assert result.holdout_predictions is not None
    assert result.holdout_predictions["cox"].log_risk.shape == (1, len(holdout.y))


def test_the_clinical_baselines_stand_beside_the_models(result: ExperimentResult) -> None:
    assert result.baselines == BASELINES
    assert result.holdout is not None
    for evaluation in (result.cross_validation, result.holdout):
        assert set(evaluation.metrics["model"]) == {*BASELINES, "cox", "boosted"}
        pairs = evaluation.differences.query("population == 'all' and metric == 'harrell_c'")
        assert set(zip(pairs["model"], pairs["reference"], strict=True)) >= {
            (model, reference) for model in ("cox", "boosted") for reference in BASELINES
        }
        assert set(evaluation.metrics["population"]) == {"all", "high_risk"}


def test_the_holdout_is_judged_as_scikit_survival_does(result: ExperimentResult) -> None:
    holdout = result.data.holdout
    assert holdout is not None
    X = result.data.features(holdout)
    # Who had a competing event never has the event: such a patient outlives all others (10.1097/EDE.0b013e3181a39056).
    time = np.where(holdout.y["event"] == 2, holdout.y["time"].max() + 1, holdout.y["time"])
    assert (holdout.y["event"] == 2).any()
    for name, model in result.models.items():
        expected = concordance_index_censored(holdout.y["event"] == 1, time, model.predict_log_risk(X), tied_tol=0.0)[0]
        assert result.metric(name, "harrell_c", holdout=True)["value"] == pytest.approx(expected, abs=1e-9)


def test_differences_are_those_of_the_metrics(result: ExperimentResult) -> None:
    metrics = result.cross_validation.metrics.set_index(["model", "population", "metric"])["value"]
    for row in result.cross_validation.differences.dropna().to_dict("records"):
        key = (row["population"], row["metric"])
        expected = metrics[row["model"], *key] - metrics[row["reference"], *key]
        assert row["difference"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("family", ["cox", "boosted"])
def test_attributions_add_up(result: ExperimentResult, family: str) -> None:
    explanation = result.explanations[family]
    X = result.data.features(result.data.training)
    log_risk = result.models[family].predict_log_risk(X)
    assert np.ptp(log_risk) > 0.1
    for parts in (explanation.mechanisms, explanation.features):
        np.testing.assert_allclose(explanation.baseline + parts.sum(axis=1), log_risk, rtol=0, atol=1e-5)
    assert list(explanation.features.index) == list(result.data.training.patient_ids)


def test_the_chosen_family_is_the_best_in_cross_validation(result: ExperimentResult) -> None:
    scores = {name: result.metric(name, "harrell_c")["value"] for name in ("cox", "boosted")}
    assert result.chosen == max(scores, key=lambda name: scores[name])


def test_each_family_has_its_refits_and_the_baselines_none(result: ExperimentResult) -> None:
    assert {name: len(refits) for name, refits in result.refits.items()} == {"cox": 20, "boosted": 20}


def test_without_a_split_all_patients_train(settings: Settings, cohort: Cohort) -> None:
    found = run_experiment(settings(split=None, models=["cox"]))
    assert found.data.holdout is None and found.holdout is None and found.holdout_predictions is None
    assert len(found.data.training.y) == len(cohort.patients)
    assert found.chosen == "cox"
    with pytest.raises(KeyError, match="no hold-out"):
        found.metric("cox", "harrell_c", holdout=True)


def test_nothing_is_written_and_the_stages_are_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[str, int, int]] = []
    run_experiment(settings(models=["cox"]), progress=lambda *step: told.append(step))
    assert list(tmp_path.iterdir()) == []
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["features", "nested cross-validation", "final models"]
    assert [step for step in told if step[1] == 0] == [
        ("features", 0, 1), ("nested cross-validation", 0, 15), ("final models", 0, 1)
    ]  # fmt: skip
    ends = {stage: (done, total) for stage, done, total in told}
    assert ends == {"features": (1, 1), "nested cross-validation": (15, 15), "final models": (1, 1)}


def test_a_baseline_that_tells_nobody_apart_is_left_out_with_a_note(
    settings: Settings, cohort: Cohort, tmp_path: Path
) -> None:
    patients = cohort.patients.assign(risk_group="high", high_risk=pd.array([True] * len(cohort.patients), "boolean"))
    folder = write_cohort(replace(cohort, patients=patients), tmp_path / "high")
    found = run_experiment(settings(cohort={"path": folder}, models=["cox"]))
    assert "clinical_risk_group" not in found.baselines
    assert "clinical_cox" in found.baselines
    note = "Recorded risk group is left out: what it reads is the same in all training patients, or not known"
    assert note in found.notes


def test_too_few_events_for_the_folds(settings: Settings, result: ExperimentResult) -> None:
    events = int((result.data.training.y["event"] == 1).sum())
    validation = {"folds": events + 1, "repeats": 1, "inner_folds": 2, "trials": 1, "bootstrap": 100}
    with pytest.raises(InputError, match=f"{events} events are too few for {events + 1} folds"):
        run_experiment(settings(validation=validation))


MEAN = "mean of groups"


@pytest.fixture(scope="module")
def study_folder(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COG and GPOH, and ten patients of JAP whose course is not recorded."""
    study = np.array(["COG", "GPOH"] * 90, dtype=object)
    study[:10] = "JAP"
    patients = cohort.patients.assign(study=pd.array(study, dtype="string"))
    patients.loc[patients["study"] == "JAP", ["event", "event_days"]] = [None, float("nan")]
    return write_cohort(replace(cohort, patients=patients), tmp_path_factory.mktemp("study") / "cohort")


@pytest.fixture(scope="module")
def grouped(settings: Settings, study_folder: Path) -> ExperimentResult:
    config = settings(cohort={"path": study_folder}, split=None, models=["cox"], leave_one_out={"column": "study"})
    return run_experiment(config)


def test_each_group_and_the_mean_are_judged_beside_the_baselines(grouped: ExperimentResult) -> None:
    found = grouped.leave_one_out
    assert found is not None
    assert list(dict.fromkeys(found.metrics["population"])) == ["COG", "GPOH", MEAN]
    assert set(found.metrics["model"]) == set(grouped.models)
    rows = found.differences.query("model == 'cox' and metric == 'harrell_c'")
    assert set(rows["reference"]) == set(grouped.baselines)
    assert set(rows["population"]) == {"COG", "GPOH", MEAN}
    assert "JAP: left out, nobody in it has an outcome of endpoint 'relapse'" in found.notes
    assert "leave one group out: JAP: left out, nobody in it has an outcome of endpoint 'relapse'" in grouped.notes


def test_it_is_logged_shown_and_read_back(grouped: ExperimentResult, store: Path, tmp_path: Path) -> None:
    published = publish(grouped, tmp_path / "report.html")
    html = published.report.read_text()
    assert "Leave one group out" in html and "mean of groups: " in html and "COG: " in html
    read = read_experiment(grouped.config.name)
    assert read.leave_one_out is not None and grouped.leave_one_out is not None
    pd.testing.assert_frame_equal(read.leave_one_out.metrics, grouped.leave_one_out.metrics)
    pd.testing.assert_frame_equal(read.leave_one_out.spread, grouped.leave_one_out.spread)
    assert verdict(read.cross_validation, read.chosen) == verdict(grouped.cross_validation, grouped.chosen)


def test_without_the_section_nothing_is_left_out(result: ExperimentResult) -> None:
    assert result.leave_one_out is None


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("hospital", "lacks the column whose values are to be left out"),
        ("patient_id", "lacks the column whose values are to be left out"),
        ("age_days", "values are too many to be left out one by one"),
    ],
)
def test_columns_that_are_no_groups(settings: Settings, study_folder: Path, column: str, problem: str) -> None:
    data = _prepare_data(settings(cohort={"path": study_folder}, split=None))
    with pytest.raises(InputError, match=problem):
        _column_groups(column, data)


def test_the_candidates_are_the_features_that_the_models_may_read(result: ExperimentResult) -> None:
    y = result.data.training.y
    events = int((y["event"] == 1).sum())
    assert result.guards.size == sample_size(len(y), events, len(result.data.columns))
    note = f"few events: {events} for {len(result.data.columns)} candidate features"
    assert any(text.startswith(note) for text in result.notes)


def test_enough_events_are_no_warning(result: ExperimentResult) -> None:
    few = replace(result.guards, size=sample_size(2000, 900, 3))
    assert few.notes == []


def test_a_binary_outcome_counts_its_ones(result: ExperimentResult) -> None:
    y = np.repeat([0, 1], [50, 20]).astype(np.int8)
    size = _training_size(y, len(result.data.columns))
    assert (size.patients, size.events) == (70, 20)
    assert size == sample_size(70, 20, len(result.data.columns), binary=True)


def test_the_parameters_used_are_those_with_a_coefficient(result: ExperimentResult) -> None:
    model = result.models["cox"]
    X = result.data.features(result.data.training)[list(model.feature_names_in_)]
    moving = (model.coefficients_ != 0) & ((X - model.means_).abs().max().to_numpy() > 0)
    assert _features_used(result, "cox") == moving.sum()
    guards = _guard_tables(result)["guards"].set_index("model")
    assert list(guards.index) == ["cox", "boosted"]
    assert guards.loc["cox", "parameters_used"] == moving.sum()
    size = result.guards.size
    assert guards.loc["cox", "events_per_parameter"] == pytest.approx(size.events / size.parameters)


def test_report_and_card_say_it(result: ExperimentResult) -> None:
    tried = _multiplicity(result, 3)
    families, section, corrected, spread = _guard_sections(result, tried)
    assert spread.title == "Stability of the chosen family"
    assert spread.sentences[0].startswith("There is one division into folds")
    assert f"Of {result.config.validation.folds} models tuned anew" in spread.sentences[0]
    assert f"{result.config.refits + result.config.validation.folds} refits with the final" in spread.sentences[0]
    assert (tried.families, tried.trials, tried.experiments) == (2, 2, 3)
    assert f"would need {result.guards.size.patients_needed:,} patients" in section.sentences[0]
    card = _model_card(result, "cox", tried)
    assert section.sentences[0] in card
    assert families.sentences[0] in card
    assert [row[0] for row in corrected.rows][:2] == [
        "Elastic-net Cox, Harrell C",
        "Elastic-net Cox, Calibration slope",
    ]


def test_the_verdict_has_one_source_and_the_hold_out_a_model_named_beforehand(result: ExperimentResult) -> None:
    assert result.holdout is not None
    held, crossed = (chosen_difference(part, result.chosen) for part in (result.holdout, result.cross_validation))
    assert held is not None and crossed is not None
    assert (held.families, crossed.families) == (1, 2)
    logged = _headlines(result, result.chosen)
    assert logged["c.minus_baseline.low"] == round(crossed.low, 4)
    assert logged["c.holdout.minus_baseline"] == round(held.difference, 4)
    said = verdict(result.cross_validation, result.chosen)
    assert (said.difference, said.low, said.high) == (crossed.difference, crossed.low, crossed.high)
    assert result.holdout.spread.equals(result.cross_validation.spread)


def test_models_of_groups_count_among_those_tuned_on_parts() -> None:
    spread = pd.DataFrame({"model": ["cox", "forest"], "population": "all", "empty": [0, 1], "folds": [5, 5]})
    groups = pd.DataFrame({"model": ["cox", "cox"], "population": [MEAN, "A"], "empty": [1, 1], "folds": [2, 1]})
    assert _with_groups(spread, groups)[["empty", "folds"]].to_numpy().tolist() == [[1, 7], [1, 5]]


def test_the_choice_of_the_family_is_corrected(result: ExperimentResult) -> None:
    apparent = result.metric(result.chosen, "harrell_c")["value"]
    assert result.guards.apparent == pytest.approx(apparent, abs=1e-9)
    assert _headlines(result, result.chosen)["c.after_choice"] == round(result.guards.corrected, 4)
    assert abs(result.guards.corrected - apparent) < 0.1
    others = [name for name in result.models if name != result.chosen]
    assert all("c.after_choice" not in _headlines(result, name) for name in others)


def test_optimism_is_logged_and_a_learning_curve_only_where_it_is_asked_for(result: ExperimentResult) -> None:
    assert result.guards.learning is None
    tables = _guard_tables(result)
    assert list(tables) == ["optimism", "guards"]
    assert set(tables["optimism"]["model"]) == {"cox", "boosted"}
    assert (tables["optimism"]["resamples"] <= result.config.refits).all()
    row = tables["optimism"].set_index("model").loc["cox"].iloc[0]
    assert row["corrected"] < row["apparent"]


def test_an_experiment_with_a_learning_curve(settings: Callable[..., ExperimentConfig]) -> None:
    config = settings(
        models=["cox"],
        split=None,
        validation={
            "folds": 3, "repeats": 1, "inner_folds": 2, "trials": 1, "bootstrap": 100, "learning_curve": True
        },
    )  # fmt: skip
    found = run_experiment(config)
    learning = found.guards.learning
    assert learning is not None
    assert learning.table["value"].iloc[-1] == pytest.approx(found.guards.apparent, abs=1e-12)
    tables = _guard_tables(found)
    assert tables["guards"]["gain_of_twice_the_patients"].tolist() == [learning.gain]
    assert list(tables) == ["optimism", "guards", "learning_curve"]
    assert list(_guard_figures(found)) == ["learning_curve"]
    section = _guard_sections(found, _multiplicity(found, 1))[-1]
    assert (section.title, section.figure) == ("Learning curve", "learning_curve")


def test_models_that_are_no_blend_are_passed_over():
    assert _blend_note({"cox": Cox()}) == []


@pytest.mark.parametrize(("competing", "said"), [(0, 0), (1, 1), (9, 1), (10, 0)])
def test_said_from_the_first_competing_event_to_the_ninth(competing, said):
    y = np.zeros(30, dtype=[("event", np.int8), ("time", np.float64)])
    y["event"][:competing] = 2
    assert len(_competing_note(y)) == said


def test_a_binary_outcome_has_none():
    assert _competing_note(np.array([0, 1, 1], dtype=np.int8)) == []


def test_a_recalibrated_experiment_shows_both_slopes_and_its_model_scores_as_it_predicts(
    settings: Settings, store: Path, tmp_path: Path
) -> None:
    config = settings(recalibrate="group", models=["cox"], split=None, name="recalibrated")
    found = run_experiment(config)
    metrics = set(found.cross_validation.metrics["metric"])
    assert {"calibration_slope", "calibration_slope_before"} <= metrics
    assert {type(model).__name__ for model in found.refits["cox"]} == {"RecalibratedSurvival"}
    page = Path(publish(found, tmp_path / "report.html").report).read_text(encoding="utf-8")
    assert "with the recalibration within clinical groups" in page
    assert "Calibration slope before recalibration" in page
    model = found.models["cox"]
    values = found.data.features(found.data.training)
    folder = save_model(model, tmp_path / "model", cohort=found.data.cohort, X=values, y=found.data.training, refits=0)
    scores = score(load_model(folder), found.data.cohort).set_index("patient_id")["log_risk"].dropna()
    expected = pd.Series(model.predict_log_risk(values), index=values.index)
    both = scores.index.intersection(expected.index)
    assert len(both) > 20
    np.testing.assert_array_equal(scores[both], expected[both])
    # Whose group nobody recorded is recalibrated by a line that is nobody's own, and told so.
    text = "the risk group is not known"
    told = _score_features(load_model(folder), values.assign(clinical__risk_group=np.nan))["warnings"]
    assert told.str.contains(text).all()
    assert not _score_features(load_model(folder), values)["warnings"].str.contains(text).any()
