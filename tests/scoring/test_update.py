"""A saved model updated on the patients of another hospital: a new model, whose figures are honest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from nbrelapse.cli import app
from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.errors import BundleError, InputError
from nbrelapse.experiment import ExperimentResult
from nbrelapse.mechanisms import build_features
from nbrelapse.models import ClinicalLogistic, Logistic
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import (
    Bundle,
    TrainingSummary,
    UpdatedModel,
    check_model,
    cohort_notes,
    evaluate_bundle,
    load_model,
    make_bundle,
    score,
    update_bundle,
    write_bundle,
)
from nbrelapse.scoring.bundle import _sealed
from nbrelapse.simulation import simulate_cohort


def drawn(
    bundle: Bundle, cohort: Cohort, name: str, *, shift: float = 0.0, slope: float = 1.0, seed: int = 0
) -> Cohort:
    """The same patients with courses drawn from the model, its log hazards made ``shift + slope * log risk``."""
    random = np.random.default_rng(seed)
    X = build_features(cohort, bundle.catalogue).values.loc[cohort.patient_ids]
    baseline = bundle.model.baseline_  # type: ignore[attr-defined]
    needed = random.exponential(np.exp(-shift - slope * bundle.model.predict_log_risk(X)))
    step = np.searchsorted(np.cumsum(baseline.event_step), needed)
    followed = random.uniform(400, 3000, len(X)).round()
    time = np.append(baseline.times, np.inf)[step]
    event = time <= followed
    patients = cohort.patients.assign(
        event=pd.array(np.where(event, "relapse", "none"), cohort.patients["event"].dtype),
        event_days=np.minimum(time, followed),
        death=pd.array([False] * len(X), cohort.patients["death"].dtype),
        followup_days=followed,
    )
    return replace(cohort, name=name, patients=patients)


def private_key(file: Path) -> Path:
    """Write an Ed25519 key, and its public half beside it."""
    key = Ed25519PrivateKey.generate()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    file.with_suffix(".pub").write_text(f"{public} B\n")
    return file


@pytest.fixture(scope="module")
def bundle(result: ExperimentResult) -> Bundle:
    outcome = result.data.training
    return make_bundle(
        "relapse",
        result.models["cox"],
        result.data.features(outcome),
        refits=tuple(result.refits["cox"][:5]),
        references={name: result.models[name] for name in result.baselines},
        catalogue=result.data.table.catalogue,
        gene_sets={},
        training=TrainingSummary.of(result.data.cohort, outcome),
        card="# The card of hospital A\n",
    )


@pytest.fixture(scope="module")
def others() -> Cohort:
    return simulate_cohort(220, seed=21)


@pytest.fixture(scope="module")
def hospital_b(bundle: Bundle, others: Cohort) -> Cohort:
    return drawn(bundle, others, "hospital_b", shift=1.0)


@pytest.fixture(scope="module")
def folders(bundle: Bundle, hospital_b: Cohort, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved model, a cohort of 2.7 times its hazards, and where the model updated on it is."""
    folder = tmp_path_factory.mktemp("update")
    write_bundle(bundle, folder / "model")
    write_cohort(hospital_b, folder / "cohort")
    return {name: folder / name for name in ("model", "cohort", "updated")}


@pytest.fixture(scope="module")
def found(folders: dict[str, Path], hospital_b: Cohort) -> UpdatedModel:
    found = update_bundle(load_model(folders["model"]), hospital_b, n_bootstrap=100)
    assert found.bundle is not None
    write_bundle(found.bundle, folders["updated"])
    return found


def test_level_is_updated_and_the_parent_stays(found: UpdatedModel, folders: dict[str, Path]) -> None:
    assert found.update.method == "in the large" and found.update.shift == pytest.approx(1.0, abs=0.25)
    figures = found.figures.set_index("metric")
    for years in (2, 3):
        row = figures.loc[f"calibration_intercept_{years}y"]
        assert row["before"] > 0.35 and row["before_low"] > 0
        assert abs(row["after"]) < 0.3 and row["after_low"] < 0 < row["after_high"]
    assert figures.loc["integrated_brier", "after"] < figures.loc["integrated_brier", "before"]
    assert check_model(folders["model"]).updates == ()


def test_after_is_not_apparent(found: UpdatedModel, hospital_b: Cohort) -> None:
    assert found.bundle is not None and found.bundle.followed_days is not None
    outcome = make_outcome(hospital_b, "relapse")
    known = score(found.bundle, hospital_b).set_index("patient_id")["log_risk"].reindex(outcome.patient_ids)
    y, risk = outcome.y[known.notna()], known.dropna().to_numpy()
    until = np.minimum(y["time"], found.bundle.followed_days)
    steps = found.bundle.model.baseline_  # type: ignore[attr-defined]
    hazard = np.array([steps.event_step[steps.times <= time].sum() for time in until]) * np.exp(risk)
    events = ((y["event"] == 1) & (y["time"] <= found.bundle.followed_days)).sum()
    assert hazard.sum() == pytest.approx(events, rel=1e-6)  # apparently the level is perfect
    figures = found.figures.set_index("metric")
    assert figures.loc["calibration_intercept_2y", "after"] != 0
    width = {when: figures[f"{when}_high"] - figures[f"{when}_low"] for when in ("before", "after")}
    assert (width["after"] > width["before"])[["harrell_c", "calibration_slope"]].all()


def test_the_updated_model_is_loaded_scored_and_additive(
    found: UpdatedModel, folders: dict[str, Path], others: Cohort
) -> None:
    loaded, parent = load_model(folders["updated"]), load_model(folders["model"])
    new = simulate_cohort(60, seed=31)
    scores, before = score(loaded, new), score(parent, new)
    total = scores["baseline"] + scores.filter(like="mechanism__").sum(axis=1)
    np.testing.assert_allclose(total, scores["log_risk"], atol=1e-9)
    slope = found.update.slope
    np.testing.assert_allclose(scores["log_risk"], slope * before["log_risk"], rtol=1e-9)
    np.testing.assert_allclose(scores["mechanism__mycn"], slope * before["mechanism__mycn"], rtol=1e-9, atol=1e-12)
    assert (scores["incidence_2y"].dropna() > before["incidence_2y"].dropna()).all()
    pd.testing.assert_series_equal(scores["risk_percentile"], before["risk_percentile"])
    pd.testing.assert_series_equal(scores["unlike_training"], before["unlike_training"])
    pd.testing.assert_series_equal(scores["evidence"], before["evidence"])
    in_memory = score(found.bundle, new)
    pd.testing.assert_frame_equal(in_memory, scores)
    limits = scores[["incidence_2y_low", "incidence_2y", "incidence_2y_high"]].dropna().to_numpy()
    assert len(limits) > 50 and (np.diff(limits, axis=1) >= 0).all()  # bands were learned anew


def test_it_says_where_it_comes_from(found: UpdatedModel, folders: dict[str, Path], others: Cohort) -> None:
    loaded = load_model(folders["updated"])
    parent = load_model(folders["model"]).fingerprint
    (record,) = loaded.updates
    assert record["parent"] == parent
    assert (record["cohort"], record["patients"], record["events"]) == ("hospital_b", found.patients, found.events)
    assert record["figures"][0]["metric"] == "harrell_c" and record["tests"]
    checked = check_model(folders["updated"])
    assert f"updated on {found.patients} patients of hospital_b, from the model {parent}" in str(checked)
    assert checked.to_dict()["updates"][0]["parent"] == parent
    assert any("updated on" in note and "hospital_b" in note for note in cohort_notes(loaded, others))
    assert "# The card of hospital A" in loaded.card and "updated on hospital_b" in loaded.card
    assert "updated" in repr(loaded) and loaded.training.observed is None
    # No patient in it.
    text = "".join(path.read_text(errors="replace") for path in folders["updated"].rglob("*.json"))
    assert not any(patient in text for patient in others.patient_ids)


def test_baselines_are_those_of_the_new_patients(found: UpdatedModel, bundle: Bundle) -> None:
    assert found.bundle is not None
    assert set(found.bundle.references) == set(bundle.references)
    old, new = (one.references["clinical_cox"].baseline_.times for one in (bundle, found.bundle))  # type: ignore[attr-defined]
    assert not np.array_equal(old, new)


def test_its_own_patients_are_refused_and_others_are_judged(
    found: UpdatedModel, folders: dict[str, Path], bundle: Bundle, hospital_b: Cohort, tmp_path: Path
) -> None:
    loaded = load_model(folders["updated"])
    with pytest.raises(InputError, match="updated on"):
        evaluate_bundle(loaded, hospital_b, n_bootstrap=100)
    part = replace(hospital_b, patients=hospital_b.patients.iloc[:-3].reset_index(drop=True))
    assert "those of its update" in evaluate_bundle(loaded, part, n_bootstrap=100).withheld
    with pytest.raises(InputError, match="those of its update"):
        update_bundle(loaded, part, n_bootstrap=100)
    new = drawn(bundle, simulate_cohort(220, seed=41), "next year", shift=1.0)
    judged = evaluate_bundle(loaded, new, n_bootstrap=100)
    assert not judged.withheld and any("updated on" in note for note in judged.notes)
    # What the update was for: patients of the same hospital, none of whom it has seen.
    after, before = (
        one.metrics.query("model == 'cox' and population == 'all'").set_index("metric")["value"]
        for one in (judged, evaluate_bundle(bundle, new, n_bootstrap=100))
    )
    assert abs(after["calibration_intercept_2y"]) < 0.3 < before["calibration_intercept_2y"]
    assert after["integrated_brier"] < before["integrated_brier"]
    assert after["harrell_c"] == pytest.approx(before["harrell_c"])
    arguments = ["update", folders["updated"], write_cohort(new, tmp_path / "new"), "--out", tmp_path / "again"]
    again = CliRunner().invoke(app, [*map(str, arguments), "--bootstrap", "100"])
    assert again.exit_code == 1 and "nothing is to be changed" in again.stdout and "No model is written" in again.stdout
    assert not (tmp_path / "again").exists()


def test_an_update_of_an_update_keeps_both_records(
    found: UpdatedModel, bundle: Bundle, tmp_path: Path, others: Cohort
) -> None:
    assert found.bundle is not None
    low = drawn(bundle, simulate_cohort(300, seed=51), "hospital_d", shift=-0.3)
    again = update_bundle(found.bundle, low, n_bootstrap=100)
    assert again.bundle is not None and again.update.shift < -0.6
    loaded = load_model(write_bundle(again.bundle, tmp_path / "again"))
    assert [record["cohort"] for record in loaded.updates] == ["hospital_b", "hospital_d"]
    assert type(loaded.model.model) is type(bundle.model)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(score(loaded, others), score(again.bundle, others))


def test_weaker_effects_shrink_the_attributions(bundle: Bundle) -> None:
    weak = update_bundle(
        bundle, drawn(bundle, simulate_cohort(400, seed=61), "hospital_c", slope=0.4, shift=0.3), n_bootstrap=100
    )
    assert weak.update.method == "slope" and weak.update.slope == pytest.approx(0.4, abs=0.2)
    assert weak.bundle is not None
    np.testing.assert_allclose(weak.bundle.schema["importance"], weak.update.slope * bundle.schema["importance"])
    row = weak.figures.set_index("metric").loc["calibration_slope"]
    assert row["before"] < 0.7 and abs(row["after"] - 1) < 0.3


def test_a_binary_endpoint_is_updated_by_a_line(tmp_path: Path) -> None:
    trained, other = simulate_cohort(220, seed=81), simulate_cohort(300, seed=82)
    table, outcome = build_features(trained), make_outcome(trained, "refractory")
    columns = ["mycn__amplified", "clinical__log2_age", "clinical__stage_metastatic"]
    X = table.values.loc[outcome.patient_ids]
    model = Logistic(columns, penalty=0.01).fit(X, outcome)
    binary = make_bundle(
        "refractory",
        model,
        X,
        refits=(),
        references={"clinical_logistic": ClinicalLogistic().fit(X, outcome)},
        catalogue=table.catalogue,
        gene_sets={},
        training=TrainingSummary.of(trained, outcome),
    )
    happened = make_outcome(other, "refractory")
    well = happened.patient_ids[happened.y == 0]
    harder = replace(other.take(other.patient_ids.difference(well[: len(well) * 2 // 3])), name="harder")
    found = update_bundle(binary, harder, n_bootstrap=100)
    assert found.update.changes and found.update.competing_shift == 0 and found.bundle is not None
    row = found.figures.set_index("metric").loc["calibration_intercept"]
    assert row["before"] > 0.5 and abs(row["after"]) < 0.4
    loaded = load_model(write_bundle(found.bundle, tmp_path / "binary"))
    scores = score(loaded, other).dropna(subset=["log_risk"])
    before = score(binary, other).dropna(subset=["log_risk"])
    log_odds = found.update.shift + found.update.slope * before["log_risk"]
    np.testing.assert_allclose(scores["log_risk"], log_odds, rtol=1e-9)
    np.testing.assert_allclose(scores["probability_refractory"], 1 / (1 + np.exp(-log_odds)), rtol=1e-9)
    total = scores["baseline"] + scores.filter(like="mechanism__").sum(axis=1)
    np.testing.assert_allclose(total, scores["log_risk"], atol=1e-9)
    pd.testing.assert_series_equal(scores["risk_percentile"], before["risk_percentile"])
    judged = evaluate_bundle(loaded, other, n_bootstrap=100)
    assert judged.case_mix is not None and np.isfinite(judged.case_mix.value("calibrated_c"))
    assert "which censoring raises" not in " ".join(judged.case_mix_sentences())


def test_too_few_events_are_refused_with_the_number_needed(bundle: Bundle, others: Cohort) -> None:
    ill = others.patients["event"].isin(["relapse", "progression", "unspecified"])
    few = others.patients[~ill | (ill.cumsum() <= 8)].reset_index(drop=True)
    with pytest.raises(InputError, match="too few events") as caught:
        update_bundle(bundle, replace(others, patients=few), n_bootstrap=100)
    assert "at least 10 events" in str(caught.value) and "20 for the slope" in str(caught.value)
    assert "10.1016/0895-4356(95)00048-8" in str(caught.value)


def test_with_fewer_than_twenty_the_slope_is_left_alone(bundle: Bundle, others: Cohort) -> None:
    ill = others.patients["event"].isin(["relapse", "progression", "unspecified"])
    few = others.patients[~ill | (ill.cumsum() <= 15)].reset_index(drop=True)
    found = update_bundle(bundle, replace(others, patients=few), n_bootstrap=100)
    assert found.update.slope == 1.0 and found.events < 20 and found.update.tests[0]["degrees"] == 1
    assert any("bear one parameter" in note for note in found.notes)


def test_the_training_patients_are_refused(bundle: Bundle, cohort: Cohort, result: ExperimentResult) -> None:
    trained = cohort.patients["patient_id"].isin(result.data.training.patient_ids)
    same = replace(cohort, patients=cohort.patients[trained].reset_index(drop=True))
    with pytest.raises(InputError, match="trained on"):
        update_bundle(bundle, same, n_bootstrap=100)
    nearly = replace(same, patients=same.patients.iloc[:-2].reset_index(drop=True))
    with pytest.raises(InputError, match="look the same as training patients"):
        update_bundle(bundle, nearly, n_bootstrap=100)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["updates"][0].pop("patients"),
        lambda manifest: manifest["updates"][0].update(method="magic"),
        lambda manifest: manifest["updates"][0].update(parent="../../x"),
        lambda manifest: manifest.update(updates={}),
    ],
)
def test_a_forged_record_is_refused(
    found: UpdatedModel, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    assert found.bundle is not None
    folder = write_bundle(found.bundle, tmp_path / "forged")
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(_sealed(manifest), encoding="utf-8")
    with pytest.raises(BundleError):
        load_model(folder)


def test_the_command_writes_a_signed_model(folders: dict[str, Path], tmp_path: Path) -> None:
    key = private_key(tmp_path / "key")
    out = tmp_path / "new"
    arguments = ["update", folders["model"], folders["cohort"], "--out", out, "--sign", key, "--bootstrap", 100]
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document["folder"] == str(out) and document["method"] == "in the large" and document["shift"] > 0.7
    assert load_model(out, trust=f"{key}.pub").updates[0]["cohort"] == "hospital_b"
    told = CliRunner().invoke(app, [str(part) for part in arguments])
    assert isinstance(told.exception, InputError) and "there already" in str(told.exception)
