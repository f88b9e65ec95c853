"""The commands in the order in which they are used, on one small study."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import read_cohort, write_cohort
from nbrelapse.experiment import parse_config
from nbrelapse.metrics import metric_title
from nbrelapse.models import model_title

FAMILIES = {"ensemble", "cox", "boosted"}
MODELS = {*FAMILIES, "clinical_risk_group", "clinical_cog_v2", "clinical_inrg", "clinical_cox"}


def test_train_prints_one_document_and_its_progress_elsewhere(study: Any) -> None:
    assert study.training.code == 0
    document = study.training.document
    assert document["experiment"] == "tiny"
    assert set(document["models"]) == FAMILIES
    (said,) = (note for note in document["notes"] if note.startswith("Ensemble of ridge models: the mean of"))
    assert "scores" in said
    assert said.endswith("of relapse and efs and os")
    assert {row["model"] for row in document["cross_validation"]["metrics"]} == MODELS
    assert {row["n"] for row in document["holdout"]["metrics"] if row["population"] == "all"} == {91}
    assert Path(document["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "nested cross-validation" in study.training.err
    assert sorted(path.name for path in (study.folder / "reports").iterdir()) == ["tiny.html"]


def test_compare_shows_what_train_said(study: Any, nbrelapse: Callable[..., Any]) -> None:
    found = nbrelapse("compare", "tiny", "--json")
    assert (found.code, found.err) == (0, "")
    trained = study.training.document
    for key in ("run_id", "chosen", "models"):
        assert found.document[key] == trained[key]
    for part in ("cross_validation", "holdout"):
        for table in ("metrics", "differences"):
            assert found.document[part][table] == trained[part][table]
    text = nbrelapse("compare", "tiny", "--metric", "auc_3y")
    assert text.code == 0
    assert all(name in text.out for name in (*map(model_title, MODELS), trained["run_id"], study.model))


def test_a_holdout_too_small_to_be_judged_is_said_to_be_so(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    patients = read_cohort(study.folder / "cohort").patients
    relapsed = patients["event"].isin(["relapse", "progression"])
    few = patients.index.isin([*patients.index[relapsed][:2], *patients.index[patients["event"] == "none"][:20]])
    cohort = replace(
        read_cohort(study.folder / "cohort"),
        patients=patients.assign(split=np.where(few, "validation", "discovery")),
    )
    folder = write_cohort(cohort, tmp_path / "cohort")
    (tmp_path / "few.toml").write_text(
        (study.folder / "tiny.toml").read_text().replace('"tiny"', '"few"').replace("seed", 'models = ["cox"]\nseed')
    )
    trained = nbrelapse(
        "train", tmp_path / "few.toml", "--cohort", folder, "--jobs", 1, "--reports", tmp_path / "reports"
    )
    assert trained.code == 0, trained.err
    assert "hold-out: All patients: left out, it has 22 patients and 2 events" in " ".join(trained.out.split())
    shown = nbrelapse("compare", "few")
    assert shown.code == 0
    assert shown.out.startswith("few: relapse, nested cross-validation\nHarrell C")


def test_an_unknown_metric_names_those_there_are(study: Any, nbrelapse: Callable[..., Any]) -> None:
    for more in ([], ["--json"]):
        refused = nbrelapse("compare", "tiny", "--metric", "accuracy", *more)
        assert (refused.code, refused.out) == (2, "")
        assert "the run has no metric 'accuracy'" in refused.err
        assert "harrell_c" in refused.err
    assert "did you mean harrell_c?" in nbrelapse("compare", "tiny", "--metric", "Harrell-C").err


@pytest.mark.parametrize(
    ("metric", "title", "sense", "best"),
    [
        ("integrated_brier", "Integrated Brier (lower is better)", "lower is better", min),
        ("auc_3y", "AUC 3 y", "higher is better", max),
        ("calibration_slope", "Calibration slope (best at 1)", "best at 1", None),
    ],
)
def test_compare_speaks_of_the_metric_that_was_asked_for(
    study: Any, nbrelapse: Callable[..., Any], metric: str, title: str, sense: str, best: Callable[..., float] | None
) -> None:
    shown = nbrelapse("compare", "tiny", "--metric", metric)
    words = " ".join(shown.out.split())
    assert f"{metric_title(metric)} (95% intervals; {sense})" in words
    assert title in words
    assert "Harrell C" not in words
    document = nbrelapse("compare", "tiny", "--metric", metric, "--json").document
    assert document["metric"] == metric
    assert all(one["sentence"] in words for one in document["verdicts"].values())
    rows = [row for row in document["holdout"]["metrics"] if row["metric"] == metric and row["population"] == "all"]
    lines = (line.strip() for line in shown.out.splitlines())
    first = next(name for line in lines for name in MODELS if line.startswith(model_title(name)))
    if best is not None:
        values = {row["model"]: row["value"] for row in rows if row["value"] is not None}
        assert values[first] == best(values.values())


@pytest.mark.parametrize("address", ["models", "runs"])
def test_export_then_score_to_any_format(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path, address: str
) -> None:
    model = study.model
    if address == "runs":
        runs = {row["model"]: row for row in _children(study)}
        model = f"runs:/{runs[study.training.document['chosen']]['run_id']}/model"
    folder = tmp_path / "model"
    exported = nbrelapse("export", model, folder, "--json")
    assert exported.document == {
        "folder": str(folder),
        "endpoint": "relapse",
        "family": study.training.document["chosen"],
    }
    tables = {}
    for suffix in ("csv", "json", "parquet"):
        file = tmp_path / "deep" / f"scores.{suffix}"
        scored = nbrelapse("score", folder, "new", "--out", file, "--json")
        assert scored.code == 0
        assert scored.document["file"] == str(file)
        assert scored.document["patients"] == 40
        tables[suffix] = getattr(pd, f"read_{suffix}")(file)
    for table in tables.values():
        assert table.columns[0] == "patient_id"
        assert list(table.columns) == list(tables["csv"].columns)
        np.testing.assert_allclose(table["log_risk"], tables["parquet"]["log_risk"], rtol=0, atol=1e-12)
    known = tables["parquet"].dropna(subset=["log_risk"])
    assert len(known) > 30
    parts = known["baseline"] + known.filter(like="mechanism__").sum(axis=1)
    np.testing.assert_allclose(parts, known["log_risk"], rtol=0, atol=1e-5)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [
        "scores.csv",
        "scores.json",
        "scores.parquet",
    ]


def _children(study: Any) -> list[dict[str, str]]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{study.folder / 'mlruns' / 'mlflow.db'}")
    parent = client.get_run(study.training.document["run_id"])
    runs = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    return [{"model": run.info.run_name, "run_id": run.info.run_id} for run in runs]


def test_export_replaces_only_when_told(study: Any, nbrelapse: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    assert nbrelapse("export", study.model, folder).code == 0
    before = _content(tmp_path)
    refused = nbrelapse("export", study.model, folder)
    assert (refused.code, refused.out) == (2, "")
    assert "the folder is there already" in refused.err
    assert _content(tmp_path) == before
    assert nbrelapse("export", study.model, folder, "--overwrite").code == 0
    assert _content(tmp_path).keys() == before.keys()


def _content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_explain_and_evaluate(study: Any, nbrelapse: Callable[..., Any], tmp_path: Path) -> None:
    explained = nbrelapse("explain", study.model, "new", "--out", tmp_path / "explained", "--json")
    assert explained.code == 0
    assert explained.document["patients"] == 40
    assert set(explained.document["mechanisms"]) >= {"mycn", "clinical"}
    evaluate = ("evaluate", study.model, "cohort", "--no-log", "--bootstrap", 100)
    evaluated = nbrelapse(*evaluate, "--json")
    assert evaluated.code == 0
    document = evaluated.document
    expected = {"endpoint", "where", "patients", "verdict", "metrics", "differences", "notes", "utility", "case_mix"}
    assert set(document) == expected and set(document["case_mix"]) == {"case_mix", "case_mix_figures"}
    assert {"net_benefit", "tertile_calibration", "reclassification"} <= set(document["utility"])
    assert document["patients"]["recorded"] == 180
    assert {row["n"] for row in document["metrics"] if row["population"] == "all"} == {document["patients"]["judged"]}
    again = nbrelapse(*evaluate, "--json")
    assert again.document == document
    bca = nbrelapse(*evaluate, "--interval", "bca", "--json").document
    assert [row["value"] for row in bca["metrics"]] == pytest.approx([row["value"] for row in document["metrics"]])
    assert [row["low"] for row in bca["metrics"]] != [row["low"] for row in document["metrics"]]
    text = nbrelapse(*evaluate)
    assert text.code == 0
    assert "Harrell C" in text.out


def test_features_and_their_manifest(study: Any, nbrelapse: Callable[..., Any], tmp_path: Path) -> None:
    written = nbrelapse("features", "new", "--out", tmp_path / "features.csv", "--json")
    assert written.code == 0
    table = pd.read_csv(tmp_path / "features.csv")
    assert table.shape == (40, written.document["columns"] + 1)
    assert table.columns[0] == "patient_id"
    manifest = json.loads(Path(written.document["manifest"]).read_text())
    assert len(manifest["features"]) == written.document["columns"]


def test_training_on_another_cohort_than_the_file_says(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", lambda config, **_: seen.append(config) or _stop())
    assert nbrelapse("train", "tiny.toml", "--cohort", "new", "--gene-sets", "sets.gmt").code == 130
    assert seen[0].cohort.path == Path("new")
    assert seen[0].cohort.gene_sets == Path("sets.gmt")


def _stop() -> None:
    raise KeyboardInterrupt


def test_quickstart_does_the_whole_job(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "name": "quickstart",
        "refits": 20,
        "cohort": {"simulate": {"patients": 120, "seed": 20}},
        "models": ["cox"],
        "validation": {"folds": 2, "repeats": 1, "inner_folds": 2, "trials": 1, "bootstrap": 100},
    }
    monkeypatch.setattr("nbrelapse.experiment.config.read_config", lambda file: parse_config(document))
    out = tmp_path / "demo"
    done = nbrelapse("quickstart", "--out", out, "--jobs", 1, "--json")
    assert done.code == 0, done.err
    assert set(done.document["outputs"]) == {"cohort", "features", "scores"}
    assert sorted(path.name for path in out.iterdir()) == [
        ".nbrelapse-cache",
        "cohort",
        "features.parquet",
        "features.parquet.json",
        "raw",
        "report.html",
        "scores.csv",
    ]
    assert len(pd.read_csv(out / "scores.csv")) == 50
    assert len(pd.read_parquet(out / "features.parquet")) == 120
    # Once more, with other patients.
    document["cohort"] = {"simulate": {"patients": 60, "seed": 21}}
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", lambda *_, **__: _stop())
    assert nbrelapse("quickstart", "--out", out, "--overwrite").code == 130
    assert len(pd.read_parquet(out / "cohort" / "patients.parquet")) == 60
    # Stopped halfway, it leaves nothing of the first patients beside the cohort of the second.
    assert sorted(path.name for path in out.iterdir()) == [".nbrelapse-cache", "cohort", "raw"]


def test_help_and_version(nbrelapse: Callable[..., Any]) -> None:
    shown = nbrelapse("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "nbrelapse")
    commands = ("train", "compare", "evaluate", "explain", "score", "export", "ui", "features", "quickstart")
    for command in (*commands, "register", "promote", "models", "verify"):
        assert command in nbrelapse("--help").out
        assert nbrelapse(command, "--help").code == 0


def test_null_check_trains_nothing_and_answers_with_its_exit_code(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "tiny.toml", "--null-check", "--permutations", 5, "--jobs", 1, "--reports", tmp_path / "none")
    found = nbrelapse(*command, "--json")
    assert found.code == 0, found.err
    document = found.document
    assert document["compatible"] is True
    assert [row["model"] for row in document["summary"]] == ["ensemble", "cox", "boosted", "chosen"]
    assert len(document["permutations"]) == 5
    assert not (tmp_path / "none").exists()
    leak = pd.DataFrame({"cox": [0.7, 0.71, 0.7, 0.72, 0.71], "boosted": [0.72, 0.7, 0.71, 0.7, 0.7]})
    leak["chosen"] = leak.max(axis=1)
    monkeypatch.setattr(
        import_module("nbrelapse.experiment.null_check"), "permuted_discrimination", lambda *_, **__: leak
    )
    refused = nbrelapse(*command)
    assert refused.code == 1
    assert "NOT compatible with chance" in refused.out


def test_a_second_training_takes_its_folds_from_the_cache_and_says_so(
    study: Any, nbrelapse: Callable[..., Any], tmp_path: Path
) -> None:
    cache = study.folder / ".nbrelapse-cache"
    assert cache.is_dir()
    file = tmp_path / "again.toml"
    file.write_text((study.folder / "tiny.toml").read_text().replace('"tiny"', '"again"'))
    options = ("--cohort", study.folder / "cohort", "--jobs", 1, "--reports", tmp_path / "reports", "--json")
    options = (*options, "--log-trials")
    again = nbrelapse("train", file, *options, "--cache", cache)
    assert "21 of 21 folds, 4 trials, 60 of 60 refits came from the cache" in again.err
    without = nbrelapse("train", file, *options, "--no-cache")
    assert "from the cache" not in without.err and not (tmp_path / ".nbrelapse-cache").exists()
    for part in ("cross_validation", "holdout"):
        assert again.document[part] == without.document[part] == study.training.document[part]
    # The trials are those that were done, whether today or when the fold was kept; nobody asked the first time.
    kept, computed, silent = (_trials(study, run) for run in (again, without, study.training))
    assert kept == computed
    assert len(kept) == 2 * (1 + 3) * 2
    assert silent == {}


def _trials(study: Any, training: Any) -> dict[tuple[str, str, str], tuple[dict[str, str], float]]:
    """Parameters and last value of every trial, by model, patients and number."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{study.folder / 'mlruns' / 'mlflow.db'}")
    parent = client.get_run(training.document["run_id"])
    found = {}
    for child in client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'"):
        below = f"tags.mlflow.parentRunId = '{child.info.run_id}'"
        for run in client.search_runs([parent.info.experiment_id], below):
            key = (child.info.run_name, run.data.params["tuned_on"], run.data.params["trial"])
            found[key] = (run.data.params, run.data.metrics["log_likelihood"])
    return found
