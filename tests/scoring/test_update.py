"""A saved model updated on the patients of another hospital: a new model, whose figures are honest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.errors import BundleError, InputError
from nbrelapse.experiment import ExperimentResult
from nbrelapse.mechanisms import build_features
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import (
    Bundle,
    TrainingSummary,
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

DAYS = ["event_days", "followup_days"]


def sooner(cohort: Cohort, factor: float) -> Cohort:
    """The same patients, all events and ends of follow-up after a share of the time."""
    patients = cohort.patients.copy()
    patients[DAYS] = np.maximum(1.0, (patients[DAYS] * factor).round())
    return replace(cohort, name="hospital_b", patients=patients)


def shuffled(cohort: Cohort, share: float) -> Cohort:
    """The same patients, a share of whom have swapped their courses among each other: effects are weaker."""
    random = np.random.default_rng(0)
    patients = cohort.patients.copy()
    rows = np.flatnonzero(random.random(len(patients)) < share)
    course = ["event", "death", *DAYS]
    patients.loc[rows, course] = patients.loc[random.permutation(rows), course].to_numpy()
    return replace(cohort, name="hospital_c", patients=patients.astype(cohort.patients.dtypes))


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
def folders(bundle: Bundle, others: Cohort, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved model, a cohort whose events come three times as soon, and the model updated on it, by hand."""
    folder = tmp_path_factory.mktemp("update")
    write_bundle(bundle, folder / "model")
    write_cohort(sooner(others, 1 / 3), folder / "cohort")
    return {name: folder / name for name in ("model", "cohort", "updated")}


@pytest.fixture(scope="module")
def found(folders: dict[str, Path], others: Cohort) -> object:
    return update_bundle(load_model(folders["model"]), sooner(others, 1 / 3), n_bootstrap=100)


def test_level_is_updated_and_the_parent_stays(found, folders: dict[str, Path]) -> None:  # type: ignore[no-untyped-def]
    before = (folders["model"] / "data" / "manifest.json").read_bytes()
    assert found.update.method != "none" and found.update.shift > 0.5
    figures = found.figures.set_index("metric")
    for years in (1, 2):
        row = figures.loc[f"calibration_intercept_{years}y"]
        assert row["before"] > 0.5 and row["before_low"] > 0
        assert abs(row["after"]) < 0.3 and row["after_low"] < 0 < row["after_high"]
    assert figures.loc["brier_2y", "after"] < figures.loc["brier_2y", "before"]
    write_bundle(found.bundle, folders["updated"])
    assert (folders["model"] / "data" / "manifest.json").read_bytes() == before


def test_after_is_not_apparent(found, folders: dict[str, Path], others: Cohort) -> None:  # type: ignore[no-untyped-def]
    new = sooner(others, 1 / 3)
    outcome = make_outcome(new, "relapse")
    X = build_features(new).values.loc[outcome.patient_ids]
    until = np.minimum(outcome.y["time"], found.bundle.followed_days)
    steps, risk = found.bundle.model.baseline_, found.bundle.model.predict_log_risk(X)
    hazard = np.array([steps.event_step[steps.times <= time].sum() for time in until]) * np.exp(risk)
    event = (outcome.y["event"] == 1) & (outcome.y["time"] <= found.bundle.followed_days)
    assert hazard.sum() == pytest.approx(event.sum(), rel=1e-6)  # apparently the level is perfect
    after = found.figures.set_index("metric")
    wide = after["after_high"] - after["after_low"]
    assert (wide.dropna() > 0).all() and after.loc["calibration_intercept_1y", "after"] != 0.0


def test_the_updated_model_is_loaded_scored_and_additive(found, folders: dict[str, Path], others: Cohort) -> None:  # type: ignore[no-untyped-def]
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


def test_it_says_where_it_comes_from(found, folders: dict[str, Path], others: Cohort) -> None:  # type: ignore[no-untyped-def]
    loaded = load_model(folders["updated"])
    parent = json.loads((folders["model"] / "data" / "manifest.json").read_text())["sha256"]
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


def test_baselines_are_those_of_the_new_patients(found, bundle: Bundle) -> None:  # type: ignore[no-untyped-def]
    assert set(found.bundle.references) == set(bundle.references)
    old, new = (one.references["clinical_cox"].baseline_.event_step.sum() for one in (bundle, found.bundle))
    assert new != old


def test_its_own_patients_are_refused_and_others_are_judged(found, folders: dict[str, Path], others: Cohort) -> None:  # type: ignore[no-untyped-def]
    loaded = load_model(folders["updated"])
    same = sooner(others, 1 / 3)
    with pytest.raises(InputError, match="updated on"):
        evaluate_bundle(loaded, same, n_bootstrap=100)
    part = replace(same, patients=same.patients.iloc[:-3].reset_index(drop=True))
    judged = evaluate_bundle(loaded, part, n_bootstrap=100)
    assert "those of its update" in judged.withheld
    fresh = evaluate_bundle(loaded, sooner(simulate_cohort(150, seed=41), 1 / 3), n_bootstrap=100)
    assert not fresh.withheld and any("updated on" in note for note in fresh.notes)
    with pytest.raises(InputError, match="updated on"):
        update_bundle(loaded, same, n_bootstrap=100)


def test_an_update_of_an_update_keeps_both_records(found, tmp_path: Path, others: Cohort) -> None:  # type: ignore[no-untyped-def]
    again = update_bundle(found.bundle, replace(simulate_cohort(220, seed=51), name="hospital_d"), n_bootstrap=100)
    assert again.bundle is not None and again.update.shift < -0.3
    loaded = load_model(write_bundle(again.bundle, tmp_path / "again"))
    assert [record["cohort"] for record in loaded.updates] == ["hospital_b", "hospital_d"]
    assert type(loaded.model.model) is type(found.bundle.model.model)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(score(loaded, others), score(again.bundle, others))


def test_weaker_effects_shrink_the_attributions(bundle: Bundle, others: Cohort) -> None:
    weak = update_bundle(bundle, shuffled(simulate_cohort(500, seed=61), 0.7), n_bootstrap=100)
    assert weak.update.method == "slope" and weak.update.slope < 0.75
    assert weak.bundle is not None
    np.testing.assert_allclose(weak.bundle.schema["importance"], weak.update.slope * bundle.schema["importance"])
    row = weak.figures.set_index("metric").loc["calibration_slope"]
    assert row["before"] < 0.75 and abs(row["after"] - 1) < 0.35


def test_patients_as_in_training_need_no_new_model(bundle: Bundle) -> None:
    same = update_bundle(bundle, replace(simulate_cohort(220, seed=71), name="a"), n_bootstrap=100)
    assert same.bundle is None and not same.update.changes
    assert "nothing is to be changed" in same.sentence()


def test_too_few_events_are_refused_with_the_number_needed(bundle: Bundle, others: Cohort) -> None:
    ill = others.patients["event"] == "relapse"
    few = others.patients[~ill | (ill.cumsum() <= 8)].reset_index(drop=True)
    few = few[~few["event"].isin(["progression", "unspecified"])].reset_index(drop=True)
    with pytest.raises(InputError, match="too few events") as caught:
        update_bundle(bundle, replace(others, patients=few), n_bootstrap=100)
    assert "at least 10 events" in str(caught.value) and "20 for the slope" in str(caught.value)
    assert "10.1016/0895-4356(95)00048-8" in str(caught.value)


def test_with_fewer_than_twenty_the_slope_is_left_alone(bundle: Bundle, others: Cohort) -> None:
    ill = others.patients["event"].isin(["relapse", "progression", "unspecified"])
    few = others.patients[~ill | (ill.cumsum() <= 15)].reset_index(drop=True)
    found = update_bundle(bundle, sooner(replace(others, patients=few), 0.2), n_bootstrap=100)
    assert found.update.slope == 1.0 and found.events < 20
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
    found: object, folders: dict[str, Path], tmp_path: Path, change: Callable[[dict[str, object]], object]
) -> None:
    folder = write_bundle(found.bundle, tmp_path / "forged")  # type: ignore[attr-defined]
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(_sealed(manifest), encoding="utf-8")
    with pytest.raises(BundleError):
        load_model(folder)


def test_the_command_writes_a_signed_model(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from nbrelapse.cli import app

    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "B", "-f", key], check=True)
    out = tmp_path / "new"
    arguments = ["update", folders["model"], folders["cohort"], "--out", out, "--sign", key, "--bootstrap", 100]
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document["folder"] == str(out) and document["method"] != "none" and document["shift"] > 0.5
    assert load_model(out, trust=f"{key}.pub").updates[0]["cohort"] == "hospital_b"
    told = CliRunner().invoke(app, [str(part) for part in arguments])
    assert isinstance(told.exception, InputError) and "there already" in str(told.exception)
