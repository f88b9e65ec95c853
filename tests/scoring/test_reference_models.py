"""The committed models: cards, no patient in them, and scores of a fresh import that are those of their cards."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nbrelapse.cohort import Cohort, read_cohort
from nbrelapse.metrics import harrell_c
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import Bundle, load_model, model_folders, score, who_can_be_scored

ROOT = Path(__file__).parents[2]
OF_PATIENTS = [folder for folder in model_folders(ROOT / "models") if folder.name != "quickstart"]
NO_MODELS = "models/ has no model of real patients: make models"


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models_tool", ROOT / "tools" / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Cohort]:
    """The cohort that a reference model is trained on, imported now."""
    scratch = tmp_path_factory.mktemp("fresh")

    @cache
    def cohort(name: str) -> Cohort:
        experiment = tomllib.loads(TOOL.experiments()[name].read_text(encoding="utf-8"))
        try:
            return read_cohort(TOOL._cohort(Path(experiment["cohort"]["path"]).name, scratch))
        except TOOL.DataAbsentError as absent:
            pytest.skip(f"there is no {absent}; NBRELAPSE_DATA names the folder of the data")

    return cohort


def _documents(folder: Path) -> Iterator[Any]:
    """All JSON of a model, that of its refits too."""
    for file in sorted(folder.rglob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))
    with zipfile.ZipFile(folder / "data" / "refits.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def _parts(document: Any) -> Iterator[Any]:
    """A document and all that is within it, keys too."""
    yield document
    if isinstance(document, dict):
        yield from document
    for part in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from _parts(part)


def test_every_model_of_the_folder_has_an_experiment() -> None:
    known = TOOL.experiments()
    assert {folder.name for folder in model_folders(ROOT / "models")} <= set(known)
    assert {"quickstart", "relapse-clinical", "relapse-expression", "high-risk-copy-number"} < set(known)


def test_every_reference_experiment_says_what_its_card_needs() -> None:
    recipes = tomllib.loads((TOOL.REFERENCE / TOOL.COHORTS).read_text(encoding="utf-8"))
    for name, file in TOOL.experiments().items():
        if file.parent == TOOL.REFERENCE:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
            assert {"participants", "predictors", "terms"} <= set(document["card"]), name
            assert Path(document["cohort"]["path"]).name in recipes, name
            assert (document["name"], len(document["models"])) == (name, 1)


def test_without_the_data_nothing_is_made_and_nothing_lost(tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in (ROOT / "models").rglob("*")}
    names = [name for name, file in TOOL.experiments().items() if file.parent == TOOL.REFERENCE]
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "models.py", *names],
        env=os.environ | {"NBRELAPSE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in told] == names
    assert all(" not made, there is no " in line and "NBRELAPSE_DATA" in line for line in told)
    assert {file: file.stat().st_mtime_ns for file in (ROOT / "models").rglob("*")} == before
    wrong = subprocess.run(
        [sys.executable, ROOT / "tools" / "models.py", "relaps"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("there is no reference model 'relaps': quickstart, high-risk-copy-number")


@pytest.mark.parametrize("folder", model_folders(ROOT / "models"), ids=lambda folder: folder.name)
def test_the_card_and_its_numbers_agree(folder: Path) -> None:
    bundle = load_model(folder)
    assert bundle.card_numbers is not None
    told = bundle.card_numbers
    assert (told["experiment"], told["endpoint"]) == (folder.name, bundle.endpoint)
    assert told["training"]["patients"] == bundle.training.patients == told["training_scored"]["patients"]
    for row in told["performance"]["metrics"]:
        if row["value"] is not None:
            assert f"| {row['population']} | {row['metric']} | {row['value']:.3f} |" in bundle.card
    for heading in ("Participants", "Outcome", "Predictors and missing data", "What it must not be used for"):
        assert f"\n## {heading}\n" in bundle.card
    assert f"\n## Performance, in {told['performance']['where']}\n" in bundle.card
    assert ("\n## Licence and terms of the data\n" in bundle.card) == (not bundle.training.of_simulated)


@pytest.mark.skipif(not OF_PATIENTS, reason=NO_MODELS)
@pytest.mark.parametrize("folder", OF_PATIENTS, ids=lambda folder: folder.name)
def test_no_patient_is_in_it(folder: Path, fresh: Callable[[str], Cohort]) -> None:
    cohort = fresh(folder.name)
    named = set(cohort.patient_ids) | set(cohort.samples["sample_id"])
    training = load_model(folder).training
    for document in _documents(folder):
        for part in _parts(document):
            assert not isinstance(part, str) or part not in named
            # Neither ids nor a number of each patient.
            assert not isinstance(part, list) or len(part) not in (training.patients, len(cohort.patient_ids))
    text = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for patient in named:
        if not re.fullmatch(r"\d{1,4}", str(patient)):  # which may be any number
            assert str(patient).encode() not in text


@pytest.mark.skipif(not OF_PATIENTS, reason=NO_MODELS)
@pytest.mark.parametrize("folder", OF_PATIENTS, ids=lambda folder: folder.name)
def test_a_fresh_import_is_scored_to_the_numbers_of_the_card(folder: Path, fresh: Callable[[str], Cohort]) -> None:
    cohort, bundle = fresh(folder.name), load_model(folder)
    assert bundle.card_numbers is not None
    told = bundle.card_numbers["training_scored"]
    outcome = make_outcome(cohort, bundle.endpoint)
    table = score(bundle, cohort).set_index("patient_id").loc[outcome.patient_ids]
    known = table["log_risk"].notna().to_numpy()
    assert (told["patients"], told["scored"]) == (len(table), known.sum())
    assert told["harrell_c"] == pytest.approx(harrell_c(outcome.y[known], table.loc[known, "log_risk"].to_numpy()))
    assert told["log_risk_mean"] == pytest.approx(table["log_risk"].mean(), abs=1e-6)
    assert told["log_risk_sd"] == pytest.approx(np.std(table.loc[known, "log_risk"]), rel=1e-6)
    for name, value in told["probability"].items():
        assert value == pytest.approx(table[name].mean(), rel=1e-6)
    _covered(bundle, cohort, told)


def _covered(bundle: Bundle, cohort: Cohort, told: dict[str, Any]) -> None:
    """Nearly all whom the model was trained on can be scored by it."""
    assert who_can_be_scored(bundle, cohort).patients >= told["scored"] * 0.95
