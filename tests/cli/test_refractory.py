"""A binary endpoint on the command line: every command that relapse has, and the same guards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbrelapse.cohort import write_cohort
from nbrelapse.simulation import simulate_cohort
from nbrelapse.tracking import open_store

FAMILIES = {"ensemble_classifier", "logistic", "boosted_classifier"}
DECISIONS = ["net_benefit", "net_benefit_differences", "tertile_calibration", "reclassification"]

EXPERIMENT = """
name = "induction"
endpoint = "refractory"
seed = 3
refits = 20
[cohort]
path = "cohort"
[validation]
folds = 3
repeats = 1
inner_folds = 2
trials = 2
bootstrap = 100
"""


@dataclass(frozen=True)
class Induction:
    folder: Path
    training: Any

    @property
    def model(self) -> str:
        document = self.training.document
        return str(document["models"][document["chosen"]])


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, _empty_database: Path, nbrelapse: Callable[..., Any]
) -> Induction:
    folder = tmp_path_factory.mktemp("induction")
    (folder / "mlruns").mkdir()
    shutil.copyfile(_empty_database, folder / "mlruns" / "mlflow.db")
    write_cohort(simulate_cohort(200, seed=8), folder / "cohort")
    write_cohort(simulate_cohort(150, seed=77), folder / "new")
    (folder / "induction.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return Induction(folder, nbrelapse("train", "induction.toml", "--jobs", 1, "--json"))


@pytest.fixture
def induction(trained: Induction, monkeypatch: pytest.MonkeyPatch) -> Iterator[Induction]:
    monkeypatch.chdir(trained.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield trained


def test_training_reports_guards_and_decisions(induction: Any) -> None:
    assert induction.training.code == 0, induction.training.err
    document = induction.training.document
    assert set(document["models"]) == FAMILIES
    report = Path(document["report"]).read_text(encoding="utf-8")
    headings = (
        "Would decisions change?",
        "Thirds of predicted risk",
        "Who changes group",
        "Events per parameter",
        "Models tried",
        "Optimism of the final models",
    )
    assert [heading for heading in headings if heading not in report] == []
    assert "Within None" not in report and "None years" not in report and "nan years" not in report
    assert "Time without an event" not in report


def test_the_store_has_the_tables_and_pictures_of_the_decisions(induction: Any) -> None:
    client = open_store()
    run = induction.training.document["run_id"]
    tables = {file.path for file in client.list_artifacts(run, "tables")}
    assert {f"tables/{name}.parquet" for name in (*DECISIONS, "optimism")} <= tables
    pictures = {file.path for file in client.list_artifacts(run, "plots")}
    assert {"plots/decision_curve.png", "plots/decision_curve.svg", "plots/calibration.svg"} <= pictures


def test_compare_shows_the_leading_metric(induction: Any, nbrelapse: Callable[..., Any]) -> None:
    found = nbrelapse("compare", "induction", "--json")
    assert found.code == 0
    assert {row["model"] for row in found.document["cross_validation"]["metrics"]} >= FAMILIES
    assert "AUC" in nbrelapse("compare", "induction").out
    assert nbrelapse("compare", "induction", "--metric", "harrell_c").code == 2


def test_permuted_outcomes_are_judged_as_those_of_relapse(induction: Any, nbrelapse: Callable[..., Any]) -> None:
    found = nbrelapse("train", "induction.toml", "--null-check", "--permutations", 5, "--jobs", 1, "--json")
    assert found.code in (0, 1), found.err  # five permutations may be far from chance
    assert found.document["endpoint"] == "refractory"
    assert len(found.document["permutations"]) == 5
    assert {row["model"] for row in found.document["summary"]} >= FAMILIES


def test_score_explain_and_export(induction: Any, nbrelapse: Callable[..., Any], tmp_path: Path) -> None:
    assert nbrelapse("export", induction.model, tmp_path / "model").code == 0
    scored = nbrelapse("score", tmp_path / "model", "new", "--out", tmp_path / "scores.csv", "--json")
    assert scored.code == 0, scored.err
    scores = pd.read_csv(tmp_path / "scores.csv")
    known = scores["probability_refractory"].dropna()
    assert len(scores) == 150 and known.between(0, 1).all() and len(known)
    explained = nbrelapse("explain", induction.model, "new", "--out", tmp_path / "explained", "--json")
    assert explained.code == 0, explained.err
    assert (tmp_path / "explained" / "explanation.html").is_file()
    patient = scores.loc[scores["log_risk"].idxmax(), "patient_id"]
    page = nbrelapse("explain", induction.model, "new", "--patient", patient, "--out", tmp_path / "one", "--json")
    assert page.code == 0, page.err
    assert "refractory" in (tmp_path / "one" / "patient.html").read_text(encoding="utf-8")


def test_evaluate_writes_decisions_on_other_patients(
    induction: Any, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    found = nbrelapse("evaluate", induction.model, "new", "--bootstrap", 100, "--out", tmp_path / "judged", "--json")
    assert found.code == 0, found.err
    assert set(DECISIONS) <= set(found.document["utility"])
    net_benefit = pd.read_csv(tmp_path / "judged" / "net_benefit.csv")
    assert net_benefit["years"].isna().all() and net_benefit["net_benefit"].notna().all()
    page = (tmp_path / "judged" / "evaluation.html").read_text(encoding="utf-8")
    assert "Thirds of predicted risk" in page and "nan years" not in page.lower()
    json.dumps(found.document, allow_nan=False)
