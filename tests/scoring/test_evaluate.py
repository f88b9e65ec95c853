"""External validation of a saved model: whom it is judged on, beside what, and when it is refused."""

from __future__ import annotations

from dataclasses import replace

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
    assert "clinical_risk_group is not available: its columns are the same in all these patients" in found.notes


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
    with pytest.raises(InputError, match=f"{size} of {size} patients of part look the same as one of") as caught:
        evaluate_bundle(bundle, subset, n_bootstrap=100, training_cohort=trained)
    assert "--allow-overlap" in str(caught.value.fix)
    found = evaluate_bundle(bundle, subset, n_bootstrap=100, training_cohort=trained, allow_overlap=True)
    assert found.notes[0].startswith(f"{size} of {size} patients of part look the same")
