"""External validation of a saved model: whom it is judged on, beside what, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentResult
from nbrelapse.experiment.describe import _training_summary
from nbrelapse.outcome import make_outcome, outcome_fingerprint
from nbrelapse.scoring import Bundle, make_bundle, score
from nbrelapse.scoring.evaluate import evaluate_bundle
from nbrelapse.scoring.evaluation_output import write_evaluation
from nbrelapse.simulation import simulate_cohort

BASELINES = ["clinical_risk_group", "clinical_cog_v2", "clinical_inrg", "clinical_cox"]


@pytest.fixture(scope="module")
def bundle(result: ExperimentResult) -> Bundle:
    return make_bundle(
        "relapse",
        result.models["cox"],
        result.data.features(result.data.training),
        refits=tuple(result.refits["cox"]),
        references={name: result.models[name] for name in result.baselines},
        catalogue=result.data.table.catalogue,
        gene_sets={},
        training=_training_summary(result),
    )


@pytest.fixture(scope="module")
def others() -> Cohort:
    return simulate_cohort(120, seed=77)


def harrell(metrics: pd.DataFrame, model: str) -> float:
    return float(metrics.query("model == @model and population == 'all' and metric == 'harrell_c'")["value"].iloc[0])


def test_the_model_is_judged_beside_its_baselines(bundle: Bundle, others: Cohort) -> None:
    found = evaluate_bundle(bundle, others, n_bootstrap=100)
    assert list(found.metrics["model"].unique()) == ["cox", *BASELINES]
    assert set(found.metrics["population"]) == {"all", "high_risk"}
    assert set(found.differences.query("model == 'cox'")["reference"]) == set(BASELINES)
    rows = found.metrics.query("metric == 'harrell_c' and population == 'all'")
    assert set(rows["n"]) == {120}
    assert (rows["low"] < rows["value"]).all() and (rows["value"] < rows["high"]).all()


def test_it_judges_the_scores_that_patients_get(bundle: Bundle, others: Cohort) -> None:
    found = evaluate_bundle(bundle, others, n_bootstrap=100)
    outcome = make_outcome(others, "relapse")
    log_risk = score(bundle, others).set_index("patient_id").loc[outcome.patient_ids, "log_risk"]
    assert log_risk.notna().all()
    # Who had a competing event never has the event.
    time = np.where(outcome.y["event"] == 2, outcome.y["time"].max() + 1, outcome.y["time"])
    expected = concordance_index_censored(outcome.y["event"] == 1, time, log_risk.to_numpy(), tied_tol=0.0)[0]
    assert harrell(found.metrics, "cox") == pytest.approx(expected, abs=1e-9)


def test_the_kind_of_interval_is_a_choice(bundle: Bundle, others: Cohort) -> None:
    percentile = evaluate_bundle(bundle, others, n_bootstrap=100).metrics
    bca = evaluate_bundle(bundle, others, n_bootstrap=100, interval="bca").metrics
    np.testing.assert_allclose(bca["value"], percentile["value"], rtol=1e-9)
    assert not bca["low"].equals(percentile["low"])


def test_the_same_seed_gives_the_same_intervals(bundle: Bundle, others: Cohort) -> None:
    first, second, third = (evaluate_bundle(bundle, others, n_bootstrap=100, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.metrics, second.metrics, check_exact=True)
    pd.testing.assert_series_equal(first.metrics["value"], third.metrics["value"], check_exact=True)
    assert (first.metrics["low"] != third.metrics["low"]).any()


def test_events_of_unknown_kind_count_as_in_training(bundle: Bundle, others: Cohort) -> None:
    unknown = others.patients["event"].replace({"relapse": "unspecified"})
    cohort = replace(others, patients=others.patients.assign(event=unknown))
    excluded = replace(bundle, training=replace(bundle.training, unspecified="exclude"))
    counted, left_out = (evaluate_bundle(model, cohort, n_bootstrap=100).metrics for model in (bundle, excluded))
    relapses = int((others.patients["event"] == "relapse").sum())
    assert counted["n"].max() - left_out["n"].max() >= relapses > 0
    assert counted["events"].max() > left_out["events"].max()


def test_a_baseline_that_tells_nobody_apart_is_left_out_with_a_note(bundle: Bundle, others: Cohort) -> None:
    patients = others.patients.assign(risk_group="high", high_risk=pd.array([True] * 120, "boolean"))
    found = evaluate_bundle(bundle, replace(others, patients=patients), n_bootstrap=100)
    assert "clinical_risk_group" not in set(found.metrics["model"])
    assert (
        "Recorded risk group is left out: what it reads is the same in all these patients, or not known" in found.notes
    )


def test_the_training_patients_are_refused(bundle: Bundle, others: Cohort) -> None:
    outcome = make_outcome(others, bundle.endpoint)
    known = replace(bundle, training=replace(bundle.training, outcome_fingerprint=outcome_fingerprint(outcome)))
    with pytest.raises(InputError, match="trained on"):
        evaluate_bundle(known, others, n_bootstrap=100)


def test_the_model_is_all_there_is_without_baselines(bundle: Bundle, others: Cohort) -> None:
    found = evaluate_bundle(replace(bundle, references={}), others, n_bootstrap=100)
    assert set(found.metrics["model"]) == {"cox"}
    assert found.differences.empty


def test_a_cohort_that_lacks_an_assay_is_refused_or_judged_on_request(bundle: Bundle, others: Cohort) -> None:
    assays = others.assays[others.assays["assay"] != "expression"].reset_index(drop=True)
    lacking = replace(others, expression=None, assays=assays)
    with pytest.raises(InputError, match="nobody has expression"):
        evaluate_bundle(bundle, lacking, n_bootstrap=100)
    allowed = evaluate_bundle(bundle, lacking, n_bootstrap=100, allow_missing_assays=True)
    assert harrell(allowed.metrics, "cox") != harrell(evaluate_bundle(bundle, others, n_bootstrap=100).metrics, "cox")


def test_a_cohort_without_events_is_refused(bundle: Bundle, others: Cohort) -> None:
    patients = others.patients.assign(event="none", event_days=others.patients["followup_days"], death=0.0)
    with pytest.raises(InputError, match="no patient of cohort 'simulated' has the event of endpoint 'relapse'"):
        evaluate_bundle(bundle, replace(others, patients=patients), n_bootstrap=100)


def test_a_follow_up_that_is_too_short_is_refused(bundle: Bundle, others: Cohort) -> None:
    patients = others.patients.assign(
        event_days=others.patients["event_days"].clip(upper=100.0),
        followup_days=others.patients["followup_days"].clip(upper=100.0),
    )
    with pytest.raises(InputError, match="the longest follow-up is 100 days"):
        evaluate_bundle(bundle, replace(others, patients=patients), n_bootstrap=100)


def test_patients_of_the_training_cohort_withhold_the_verdict(
    bundle: Bundle, others: Cohort, result: ExperimentResult
) -> None:
    trained = result.data.cohort
    assert evaluate_bundle(bundle, others, n_bootstrap=100, training_cohort=trained).notes == (
        evaluate_bundle(bundle, others, n_bootstrap=100).notes
    )
    subset = replace(trained, name="part", patients=trained.patients.iloc[1:].reset_index(drop=True))
    size = len(subset.patients)
    found = evaluate_bundle(bundle, subset, n_bootstrap=100, training_cohort=trained)
    assert f"{size} of {size} patients of part look the same as one of" in found.withheld
    assert "--allow-overlap" in found.withheld and found.verdict().answer == "no comparison"
    found = evaluate_bundle(bundle, subset, n_bootstrap=100, training_cohort=trained, allow_overlap=True)
    assert found.withheld == ""
    assert any(note.startswith(f"{size} of {size} patients of part look the same") for note in found.notes)


def relying_on_expression(bundle: Bundle) -> Bundle:
    """Return the bundle as if hardly anything but expression mattered."""
    weight = np.where(bundle.schema["assay"] == "expression", 1.0, 0.01)
    return replace(bundle, schema=bundle.schema.assign(importance=weight))


def measured(cohort: Cohort, number: int) -> Cohort:
    """Return a cohort in which only the first patients have expression."""
    samples = cohort.samples.loc[cohort.samples["patient_id"].isin(cohort.patient_ids[:number]), "sample_id"]
    assays = cohort.assays[(cohort.assays["assay"] != "expression") | cohort.assays["sample_id"].isin(samples)]
    assert cohort.expression is not None
    kept = [name for name in cohort.expression if name in set(samples)]
    return replace(cohort, assays=assays.reset_index(drop=True), expression=cohort.expression[kept])


def test_those_are_judged_who_have_a_score(bundle: Bundle, others: Cohort) -> None:
    relies, cohort = relying_on_expression(bundle), measured(others, 80)
    found = evaluate_bundle(relies, cohort, n_bootstrap=100)
    scores = score(relies, cohort).set_index("patient_id")
    judged = scores.index[scores["log_risk"].notna()]
    assert 40 < len(judged) < 90
    assert (found.judged, found.recorded) == (len(judged), 120)
    by_population = found.metrics.query("metric == 'harrell_c' and model == 'cox'").set_index("population")["n"]
    assert (by_population["all"], by_population["all_recorded"]) == (len(judged), 120)
    assert found.notes[0].startswith(f"{120 - len(judged)} of 120 patients with an outcome have no score")
    assert found.verdict().sentence.startswith(f"Of 120 patients with an outcome {len(judged)} have a score")
    assert found.populations == ["all", "high_risk"]
    alone = replace(cohort, patients=cohort.patients[cohort.patients["patient_id"].isin(judged)].reset_index(drop=True))
    assert harrell(found.metrics, "cox") == harrell(evaluate_bundle(relies, alone, n_bootstrap=100).metrics, "cox")


def test_no_verdict_on_nobody_or_on_a_few(bundle: Bundle, others: Cohort) -> None:
    relies = relying_on_expression(bundle)
    with pytest.raises(InputError, match="nobody of the 120 with an outcome has a score"):
        evaluate_bundle(relies, measured(others, 0), n_bootstrap=100, allow_missing_assays=True)
    with pytest.raises(InputError, match=r"only \d+ patients with \d events? of the 120 with an outcome have a score"):
        evaluate_bundle(relies, measured(others, 15), n_bootstrap=100)
    few = replace(others, patients=others.patients.head(14))
    with pytest.raises(InputError, match=r"at least 10 events among patients with a score"):
        evaluate_bundle(bundle, few, n_bootstrap=100)


def test_what_scores_warn_of_is_said_of_the_cohort(bundle: Bundle, others: Cohort) -> None:
    genes = bundle.training.expression_genes
    assert genes
    known = replace(bundle, training=replace(bundle.training, expression_genes=2 * genes))
    notes = evaluate_bundle(known, others, n_bootstrap=100).notes
    assert any("another selection of genes" in note and "of 120 patients)" in note for note in notes)
    assert any("trained on simulated patients" in note for note in notes)
    assert score(known, others)["warnings"].str.contains("trained on simulated patients").all()
    real = replace(bundle, training=replace(bundle.training, simulated=False, cohort="real", study="real"))
    assert not any("simulated" in note for note in evaluate_bundle(real, others, n_bootstrap=100).notes)
    assert not score(real, others)["warnings"].str.contains("simulated").any()


@pytest.mark.parametrize("part", ["all but one", "high-risk", "renamed"])
def test_part_of_the_training_patients_gets_no_verdict(bundle: Bundle, result: ExperimentResult, part: str) -> None:
    cohort = result.data.cohort
    patients = cohort.patients[cohort.patients["patient_id"].isin(result.data.training.patient_ids)]
    if part == "high-risk":
        patients = patients[patients["high_risk"].fillna(False)]
    own = replace(cohort, name="another", metadata={}, patients=patients.iloc[1:].reset_index(drop=True))
    if part == "renamed":
        order = own.patients["patient_id"].rename("patient_id")
        names = dict(zip(order, [f"P{number}" for number in range(len(order))], strict=True))
        own = replace(
            own,
            patients=own.patients.assign(patient_id=order.map(names)),
            samples=own.samples.assign(patient_id=own.samples["patient_id"].map(names)).dropna(subset=["patient_id"]),
        )
    found = evaluate_bundle(bundle, own, n_bootstrap=100)
    told = f"of {found.judged} patients of another look the same as training patients"
    assert told in found.withheld
    assert any(told in note for note in found.notes)
    assert found.verdict().answer == "no comparison"
    assert found.verdict().sentence.startswith("No verdict")
    assert not any("does more good" in line for line in found.summary())
    assert not found.metrics.empty
    allowed = evaluate_bundle(bundle, own, n_bootstrap=100, allow_overlap=True)
    assert allowed.withheld == ""
    assert any(told in note for note in allowed.notes)
    assert not allowed.verdict().sentence.startswith("No verdict")


def test_nobody_checked_where_the_model_has_no_marks(bundle: Bundle, others: Cohort) -> None:
    older = replace(bundle, training=replace(bundle.training, marks=None, groups=None, study=None, simulated=None))
    found = evaluate_bundle(older, others, n_bootstrap=100)
    assert any("nobody checked whether these patients trained the model" in note for note in found.notes)
    assert found.withheld == ""
    assert not any("nobody checked" in note for note in evaluate_bundle(bundle, others, n_bootstrap=100).notes)


def test_a_model_of_high_risk_patients_warns_of_others(bundle: Bundle, others: Cohort) -> None:
    training = replace(bundle.training, groups={"high": 122}, patients=122, high_risk=122)
    own = replace(bundle, training=training)
    group = others.patients.set_index("patient_id")["risk_group"]
    warnings = score(own, others).set_index("patient_id")["warnings"]
    for name in ("low", "intermediate", "high"):
        told = warnings[group == name].str.contains(f"trained on high-risk patients only; this patient is {name}-risk")
        assert told.all() == (name != "high") and told.any() == (name != "high")
    strangers = int((group != "high").sum())
    note = f"the model was trained on high-risk patients only; {strangers} of these 120 patients are not"
    assert note in evaluate_bundle(own, others, n_bootstrap=100).notes
    older = replace(own, training=replace(training, groups=None))
    assert note in evaluate_bundle(older, others, n_bootstrap=100).notes


def test_an_evaluation_is_written_whole_and_replaces_only_an_evaluation(
    bundle: Bundle, others: Cohort, tmp_path: Path
) -> None:
    found = evaluate_bundle(bundle, others, n_bootstrap=100)
    folder = write_evaluation(found, bundle, others, tmp_path / "out")
    assert len(pd.read_csv(folder / "metrics.csv")) == len(found.metrics)
    assert {"differences.csv", "net_benefit.csv", "evaluation.html"} <= {path.name for path in folder.iterdir()}
    page = unescape((folder / "evaluation.html").read_text(encoding="utf-8"))
    assert found.summary()[0] in page and all(sentence in page for sentence in found.case_mix_sentences())
    assert bundle.training.of_simulated
    assert "The model was trained on simulated patients" in page.partition("<main>")[0]
    features = pd.read_csv(folder / "case_mix.csv")
    assert list(features["feature"]) == list(bundle.schema.index)
    assert all(title in page for title in bundle.schema["title"])
    assert len(pd.read_csv(folder / "case_mix_figures.csv")) == 11
    assert "trained on simulated patients" in page
    assert not any(name in page for name in others.patient_ids)
    write_evaluation(found, bundle, others, folder)
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"holds 'mine.txt'; it is not replaced"):
        write_evaluation(found, bundle, others, folder)
    assert (folder / "mine.txt").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
