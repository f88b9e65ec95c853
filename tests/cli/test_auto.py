"""``nbrelapse score auto`` and ``nbrelapse models COHORT``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(trained: Any, nbrelapse: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the models of the study."""
    found = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.folder)
        for name, uri in trained.training.document["models"].items():
            if not name.startswith("clinical"):
                assert nbrelapse("export", uri, found / name).code == 0
    return found


def test_each_patient_by_a_model_of_the_folder(study: Any, folder: Path, nbrelapse: Run, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    options = ("--models", folder, "--endpoint", "relapse")
    document = nbrelapse("score", "auto", "new", "--out", out, *options, "--json").document
    table = pd.read_csv(out, keep_default_na=False, na_values=[""])
    counts = table["model"].value_counts().to_dict()
    assert {name: number for name, number in document["models"].items() if number} == counts
    assert set(document["models"]) == {path.name for path in folder.iterdir()}
    assert (document["patients"], document["unscored"]) == (40, table["log_risk"].isna().sum())
    assert document["unscored"] == sum(document["not_scored"].values())
    assert list(table.columns[:3]) == ["patient_id", "model", "model_reason"]
    text = nbrelapse("score", "auto", "new", "--out", tmp_path / "again.csv", *options)
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
    for name, number in document["models"].items():
        assert f"  {name}: {number}\n" in text.out
    assert not any(patient in text.out + text.err for patient in table["patient_id"])


def test_what_only_auto_takes_is_refused_elsewhere(study: Any, folder: Path, nbrelapse: Run, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "scores.csv")
    nbrelapse("score", study.model, "new", *out, "--endpoint", "efs").assert_refused("--endpoint is of", "say auto")
    nbrelapse("score", study.model, "new", *out, "--models", folder).assert_refused("--models is of", "say auto")
    nbrelapse("score", "auto", "new", *out, "--models", folder).assert_refused(
        "no model of the endpoint 'efs'", "expected: relapse", "--models"
    )
    nbrelapse("score", "auto", "new", *out, "--models", tmp_path / "none").assert_refused("no such folder of models")
    nbrelapse("models", "--where", "high_risk").assert_refused("a condition on patients, but no cohort")
    assert list(tmp_path.iterdir()) == []


def test_models_says_how_many_each_could_score(study: Any, folder: Path, nbrelapse: Run) -> None:
    documents = {entry["name"]: entry for entry in nbrelapse("models", "new", "--folder", folder, "--json").document}
    for name in ("ensemble", "cox", "boosted"):
        found = documents[name]["could_score"]
        assert found["patients"] == 40 == found["scored"] + sum(found["not"].values())
        assert found["told"].startswith(f"could score {found['scored']} of 40 patients")
    text = nbrelapse("models", "new", "--folder", folder).out
    assert text.count("could score ") == 3
    assert "could score" not in nbrelapse("models", "--folder", folder).out
    high = nbrelapse("models", "new", "--folder", folder, "--where", "high_risk", "--json").document
    assert all(0 < entry["could_score"]["patients"] < 40 for entry in high)
