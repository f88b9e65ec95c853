"""Some of the patients on the command line: ``cohort subset``, ``--where``, and ``--name`` of an import."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from nbrelapse.cohort import read_cohort, select_patients, take_where, write_cohort
from nbrelapse.scoring import load_model
from nbrelapse.simulation import simulate_cohort, write_raw_files

Run = Callable[..., Any]
HIGH = "risk_group == 'high' and has('copy_number')"


@pytest.fixture
def folder(empty: Path) -> Path:
    write_cohort(simulate_cohort(80, seed=4), empty / "cohort")
    return empty


def test_a_subset_is_a_cohort_that_says_where_it_comes_from(nbrelapse: Run, folder: Path) -> None:
    ids = select_patients(read_cohort("cohort"), HIGH).tolist()
    done = nbrelapse("cohort", "subset", "cohort", "--where", HIGH, "--out", "high", "--name", "high only")
    assert (done.code, done.out) == (0, f"{len(ids)} of 80 patients kept: high\n")
    high = read_cohort("high")
    assert (high.patient_ids.tolist(), high.name, high.where) == (ids, "high only", HIGH)
    settings = tomllib.loads(Path("high/cohort.toml").read_text())["metadata"]
    assert settings["source"] == read_cohort("cohort").metadata["source"]
    step = {"cohort": "simulated", "patients": 80, "kept": len(ids), "where": HIGH, "not_known": 0}
    assert settings["selections"] == [step]
    checked = nbrelapse("cohort", "check", "high", "--json").document
    assert (checked["patients"], checked["where"]) == (len(ids), HIGH)


def test_a_list_and_a_condition_together(nbrelapse: Run, folder: Path) -> None:
    ids = read_cohort("cohort").patient_ids
    Path("some.txt").write_text("\n".join(ids[:40]))
    pd.DataFrame({"patient_id": ids[:10], "site": "x"}).to_csv("out.csv", index=False)
    done = nbrelapse(
        "cohort", "subset", "cohort", "--patients", "some.txt", "--without", "out.csv", "--out", "a", "--json"
    )
    assert done.document["kept"] == 30 and done.document["of"] == 80
    assert read_cohort("a").patient_ids.tolist() == ids[10:40].tolist()
    both = nbrelapse("cohort", "subset", "cohort", "--patients", "some.txt", "--where", "high_risk", "--out", "b")
    assert both.code == 0
    expected = set(ids[:40]) & set(select_patients(read_cohort("cohort"), "high_risk"))
    assert set(read_cohort("b").patient_ids) == expected
    text = Path("b/cohort.toml").read_text()
    assert not any(one in text for one in ids)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ((), ("--where, --patients or --without",)),
        (("--where", "risk == 'high'"), ("no column 'risk'", "did you mean risk_group")),
        (("--where", "risk_group == 'hihg'"), ("'hihg'", "high, intermediate, low")),
        (("--where", "age_days < 0"), ("true of none of 80 patients",)),
        (("--where", "high_risk", "--name", " "), ("a cohort needs a name",)),
        (("--patients", "none.txt"), ("none.txt",)),
        (("--patients", "list.txt"), ("1 of 2 ids is of no patient", "rows: 2", "list.txt")),
        (("--without", "all.txt"), ("no patient is left",)),
        (("--where", "high_risk", "--out", "cohort", "--overwrite"), ("the one it comes from",)),
    ],
)
def test_what_is_refused_leaves_nothing(
    nbrelapse: Run, names: Callable[[Path], list[str]], folder: Path, arguments: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    ids = read_cohort("cohort").patient_ids
    Path("list.txt").write_text(f"{ids[0]}\nsecret-9\n")
    Path("all.txt").write_text("\n".join(ids))
    before = names(folder)
    out = () if "--out" in arguments else ("--out", "new")
    done = nbrelapse("cohort", "subset", "cohort", *arguments, *out)
    done.assert_refused(*texts)
    assert "secret-9" not in done.err
    assert names(folder) == before


def test_check_of_some_patients(nbrelapse: Run, folder: Path) -> None:
    done = nbrelapse("cohort", "check", "cohort", "--where", HIGH)
    kept = len(select_patients(read_cohort("cohort"), HIGH))
    assert (done.code, done.err.splitlines()[0]) == (0, f"{kept} of 80 patients: {HIGH}")
    assert f"simulated: {kept} patients" in done.out and f"only {HIGH}" in done.out
    nbrelapse("cohort", "check", "cohort", "--where", "stage == '4'").assert_refused("inss_stage")


def test_score_and_explain_some_patients(nbrelapse: Run, study: Any, tmp_path: Path) -> None:
    kept = len(select_patients(read_cohort("new"), "high_risk"))
    files = {name: tmp_path / name for name in ("high.csv", "whole.csv", "no.csv")}
    scored = nbrelapse("score", study.model, "new", "--where", "high_risk", "--out", files["high.csv"], "--json")
    assert scored.document["patients"] == kept
    assert nbrelapse("score", study.model, "new", "--out", files["whole.csv"]).code == 0
    part, everybody = (
        pd.read_csv(files[name], index_col="patient_id")[["log_risk", "risk_percentile"]]
        for name in ("high.csv", "whole.csv")
    )
    pd.testing.assert_frame_equal(part, everybody.loc[part.index])
    told = nbrelapse("explain", study.model, "new", "--where", "high_risk", "--out", tmp_path / "explained", "--json")
    assert told.document["patients"] == kept
    refused = nbrelapse("score", study.model, "new", "--where", "hi_risk", "--out", files["no.csv"])
    refused.assert_refused("high_risk")
    assert not files["no.csv"].exists()


EXPERIMENT = """
name = "chosen"
models = ["cox"]
refits = 20
[cohort]
path = "cohort"
where = "risk_group != 'low'"
[split]
column = "split"
train = ["discovery"]
validation = []
[validation]
folds = 2
repeats = 1
inner_folds = 2
trials = 1
bootstrap = 100
"""


def test_the_condition_stands_in_the_report_the_run_and_the_model(
    nbrelapse: Run, store: Path, cohort_folder: Path
) -> None:
    whole, where = read_cohort(cohort_folder), "risk_group != 'low'"
    write_cohort(take_where(whole, "has('copy_number')"), store.parent / "cohort")
    Path("chosen.toml").write_text(EXPERIMENT)
    done = nbrelapse("train", "chosen.toml", "--jobs", 1, "--json")
    assert done.code == 0, done.err
    assert done.document["holdout"] is None
    both = f"has('copy_number'); {where}"
    kept = len(select_patients(take_where(whole, "has('copy_number')"), where))
    html = unescape(Path("reports/chosen.html").read_text())
    assert f"{both}: {kept} of {len(whole.patients)} patients" in html
    assert (
        MlflowClient(f"sqlite:///{store}/mlflow.db").get_run(done.document["run_id"]).data.params["cohort.where"]
        == both
    )
    bundle = load_model(done.document["models"]["cox"])
    assert bundle.training.where == both
    assert both in repr(bundle) and both in bundle.card
    assert bundle.training.patients is not None and bundle.training.patients < kept


def test_a_model_is_judged_on_some_patients_but_not_by_their_outcome(nbrelapse: Run, study: Any) -> None:
    where = "age_days > 100"
    others = simulate_cohort(150, seed=78)
    write_cohort(others, "others")
    judged = nbrelapse("evaluate", study.model, "others", "--where", where, "--bootstrap", 100, "--json")
    assert judged.code == 0, judged.err
    assert judged.document["where"] == where
    kept = len(select_patients(others, where))
    assert max(row["n"] for row in judged.document["metrics"]) <= kept < 150
    assert f"{kept} of 150 patients: {where}" in judged.err
    for later in ("event_days > 365", "induction_response == 'CR'"):
        nbrelapse("evaluate", study.model, "others", "--where", later).assert_refused("what became of them", "landmark")


def test_a_cohort_is_named_when_it_is_imported(nbrelapse: Run, empty: Path) -> None:
    Path("clinical.csv").write_text("id,stage\na,4\nb,1\n")
    mapping = 'name = "published"\n[patients]\nfile = "clinical.csv"\n[patients.columns]\npatient_id = "id"\n'
    Path("map.toml").write_text(mapping)
    write_raw_files(empty / "raw", 50, 1)
    imports = {"tables": "map.toml", "cbioportal": "raw"}
    for reader, source in imports.items():
        out = f"cohorts-{reader}"
        done = nbrelapse("cohort", "import", reader, source, "--name", " ours ", "--out", out, "--json")
        assert done.document["name"] == read_cohort(out).name == "ours"
    assert read_cohort("cohorts-tables").metadata["source"]["mapping"] == "map.toml"
    assert read_cohort("cohorts-cbioportal").metadata["source"]["study"] != "ours"
    refused = nbrelapse("cohort", "import", "tables", "map.toml", "--name", "", "--out", "no")
    refused.assert_refused("a cohort needs a name")
    assert (
        json.loads(nbrelapse("cohort", "import", "tables", "map.toml", "--out", "own", "--json").out)["name"]
        == "published"
    )
