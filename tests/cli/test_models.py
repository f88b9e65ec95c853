from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from nbrelapse.cli.models import explain
from nbrelapse.cohort import read_cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features
from nbrelapse.models.families import create_model
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import TrainingSummary, make_bundle, score, write_bundle
from nbrelapse.scoring.scores import _LEAST_EVIDENCE
from nbrelapse.simulation import simulate_cohort

pytestmark = pytest.mark.usefixtures("no_store")

app = typer.Typer()
app.command()(explain)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    cohort = simulate_cohort(150, seed=3)
    write_cohort(cohort, folder / "cohort")
    table = build_features(cohort)
    outcome = make_outcome(cohort, "relapse")
    X = table.values.loc[outcome.patient_ids]
    model = create_model("cox", columns=table.model_columns()).fit(X, outcome.y)
    bundle = make_bundle(
        "relapse",
        model,
        X,
        refits=tuple(bootstrap_refits(model, X, outcome.y, n_refits=5, seed=0)),
        references={},
        catalogue=table.catalogue,
        gene_sets={},
        training=TrainingSummary.of(cohort, outcome),
    )
    write_bundle(bundle, folder / "model")
    return folder


def test_attributions_add_up_and_the_report_shows_the_patient(study: Path, tmp_path: Path) -> None:
    patient = str(pd.read_parquet(study / "cohort" / "patients.parquet")["patient_id"].iloc[0])
    arguments = [str(study / "model"), str(study / "cohort"), "--out", str(tmp_path), "--patient", patient, "--json"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    document = json.loads(done.stdout)
    table = pd.read_parquet(document["attributions"])
    mechanisms = table.filter(like="mechanism__")
    np.testing.assert_allclose(table["baseline"] + mechanisms.sum(axis=1), table["log_risk"], atol=1e-5)
    absent = table.filter(like="not_assayed__")
    assert [name.removeprefix("not_assayed__") for name in absent] == [
        name.removeprefix("mechanism__") for name in mechanisms
    ]
    others = ["patient_id", "log_risk", "baseline", "evidence", *mechanisms.columns, *absent.columns]
    features = table.drop(columns=others)
    np.testing.assert_allclose(table["baseline"] + features.sum(axis=1), table["log_risk"], atol=1e-5)
    likely = pd.read_parquet(document["probability"]["attributions"])
    total = likely["baseline"] + likely.filter(like="mechanism__").sum(axis=1)
    np.testing.assert_allclose(total, likely["probability"], atol=1e-5)
    assert document["probability"]["horizon_days"] == 5 * 365.25
    assert set(document["probability"]["mechanisms"]) == set(document["mechanisms"])
    scores = score(study / "model", read_cohort(study / "cohort"))
    pd.testing.assert_series_equal(likely["patient_id"], scores["patient_id"])
    np.testing.assert_allclose(likely["probability"], scores["incidence_5y"], atol=1e-9)
    pd.testing.assert_frame_equal(table[["patient_id", "evidence"]], scores[["patient_id", "evidence"]])
    assert document["patients"] == len(table) == 150
    stable = document["stability"]
    assert (stable["patients"], stable["refits"], list(stable["rank_agreement"])) == (150, 5, ["refits"])
    assert set(stable["mechanisms"]) == set(document["mechanisms"])
    assert all(row["fold_low"] is None for row in stable["mechanisms"].values())
    assert "of 5 bootstrap refits" in Path(document["report"]).read_text(encoding="utf-8")
    assert patient not in Path(document["report"]).read_text(encoding="utf-8")
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert "% points by " in page
    points = [f'<td class="number">{100 * value:.1f}</td>' for value in document["probability"]["mechanisms"].values()]
    assert all(cell in page for cell in points)
    assert f"Patient {patient}" in Path(document["patient_report"]).read_text(encoding="utf-8")
    assert all(Path(file).stat().st_size > 0 for file in document["figures"])
    pictures = {
        f"{name}.{kind}"
        for name in (
            "mechanisms",
            "beeswarm",
            "dependence",
            "risk_groups",
            "cooccurrence",
            "waterfall",
            "waterfall_probability",
            "course",
        )
        for kind in ("png", "svg")
    }
    assert pictures <= {Path(file).name for file in document["figures"]}


def test_contributions_start_from_the_mean_of_the_background(study: Path, tmp_path: Path) -> None:
    write_cohort(simulate_cohort(20, seed=4), tmp_path / "others")
    arguments = [str(study / "model"), str(study / "cohort"), "--background", str(tmp_path / "others"), "--json"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    document = json.loads(done.stdout)
    table = pd.read_parquet(document["attributions"])
    others = score(study / "model", read_cohort(tmp_path / "others"))
    assert len(others.dropna(subset="log_risk")) == 20
    scored = table["evidence"] >= _LEAST_EVIDENCE
    np.testing.assert_allclose(table.loc[scored, "baseline"], others["log_risk"].mean(), atol=1e-6)
    assert 0 < scored.sum() < len(table)
    assert table.loc[~scored].drop(columns=["patient_id", "evidence"]).isna().all(axis=None)
    report = Path(document["report"]).read_text(encoding="utf-8")
    assert "compare with 20 patients" in report
    assert "own game" in report
    assert set(document["game"]) == set(document["mechanisms"])
    # Linear: both games are the same.
    assert max(row["mean_absolute_difference"] for row in document["game"].values()) < 1e-9


def test_an_unknown_patient_is_refused_before_anything_is_written(study: Path, tmp_path: Path) -> None:
    arguments = [str(study / "model"), str(study / "cohort"), "--out", str(tmp_path / "new"), "--patient", "nobody"]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_way_is_named(study: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = CliRunner().invoke(app, [str(study / "model"), str(study / "cohort"), "--out", str(tmp_path / "taken")])
    assert isinstance(done.exception, InputError)
    assert "taken" in str(done.exception)


def test_the_horizon_can_be_chosen_within_the_follow_up(study: Path, tmp_path: Path) -> None:
    arguments = [str(study / "model"), str(study / "cohort"), "--out", str(tmp_path), "--horizon"]
    assert CliRunner().invoke(app, [*arguments, "1.5"], catch_exceptions=False).exit_code == 0
    assert (pd.read_parquet(tmp_path / "attributions_probability.parquet")["horizon_days"] == 1.5 * 365.25).all()
    for illegal in ("0", "90", "nan"):
        done = CliRunner().invoke(app, [*arguments, illegal])
        assert isinstance(done.exception, InputError)
        assert "--horizon" in str(done.exception)


def test_no_probability_is_explained_of_whom_too_little_is_known(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = score(study / "model", read_cohort(study / "cohort"))
    least = float(scores["evidence"].median())
    monkeypatch.setattr("nbrelapse.scoring.explain._LEAST_EVIDENCE", least)
    arguments = [str(study / "model"), str(study / "cohort"), "--out", str(tmp_path)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    table = pd.read_parquet(tmp_path / "attributions_probability.parquet")
    enough = scores["evidence"] >= least
    assert 0 < enough.sum() < len(table)
    others = table.drop(columns=["patient_id", "evidence", "horizon_days"])
    assert others[enough].notna().all(axis=None)
    assert others[~enough].isna().all(axis=None)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(simulate_cohort(120, seed=12), tmp_path_factory.mktemp("others") / "others")


def test_evaluate_says_the_verdict_in_a_few_lines_and_writes_the_rest(
    study: Path, others: Path, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    done = nbrelapse("evaluate", study / "model", others, "--bootstrap", 100, "--out", tmp_path / "out")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "Elastic-net Cox" in lines[0]
    summary = lines[[line.startswith("Judged: ") for line in lines].index(True) :]
    assert summary[0].startswith("Judged: ") and "left out" in summary[0]
    assert 4 <= len(summary) <= 6 and summary[-1].startswith("Of 98 features ")
    assert "note: the model was trained on simulated patients" in done.err
    assert "note" not in done.out
    assert len(pd.read_csv(tmp_path / "out" / "metrics.csv")) > 10
    assert "Judged: " in (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    document = nbrelapse("evaluate", study / "model", others, "--bootstrap", 100, "--json").document
    assert (
        document["patients"]["judged"] == {row["n"] for row in document["metrics"] if row["population"] == "all"}.pop()
    )
    assert len(document["metrics"]) == len(pd.read_csv(tmp_path / "out" / "metrics.csv"))


def test_evaluate_does_not_begin_where_its_folder_is_taken(
    study: Path, others: Path, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    nbrelapse("evaluate", study / "model", others, "--out", tmp_path).assert_refused("mine.txt", "name a new folder")
    nbrelapse("evaluate", study / "model", others, "--out", tmp_path / "mine.txt").assert_refused("this is a file")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_evaluate_withholds_its_verdict_on_training_patients(
    study: Path, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    cohort = read_cohort(study / "cohort")
    # One patient was followed for longer since: it is not the very same cohort any more.
    patients = cohort.patients.assign(event_days=cohort.patients["event_days"] + 30 * (cohort.patients.index == 0))
    folder = write_cohort(replace(cohort, name="part", patients=patients), tmp_path / "part")
    done = nbrelapse("evaluate", study / "model", folder, "--bootstrap", 100)
    assert done.code == 0
    assert done.out.startswith("No verdict: about ")
    assert "look the same as training patients" in done.out
    assert "ranks patients" not in done.out
    allowed = nbrelapse("evaluate", study / "model", folder, "--bootstrap", 100, "--allow-overlap")
    assert "No verdict" not in allowed.out
    assert "look the same as training patients" in allowed.err


def test_score_says_what_speaks_against_all_its_numbers(
    study: Path, others: Path, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    done = nbrelapse("score", study / "model", others, "--out", tmp_path / "scores.csv")
    assert done.code == 0
    assert "trained on simulated patients" in done.err
    assert pd.read_csv(tmp_path / "scores.csv")["warnings"].str.contains("trained on simulated patients").all()
    document = nbrelapse("score", study / "model", others, "--out", tmp_path / "scores.csv", "--json").document
    assert any("simulated" in note for note in document["notes"])
