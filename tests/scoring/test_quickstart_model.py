"""models/quickstart is of this code: its format, catalogue and features are those that `make models` would write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbrelapse import __version__
from nbrelapse.experiment import read_config
from nbrelapse.experiment.prepare import _prepare_data
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.scoring import load_model
from nbrelapse.scoring.bundle import _FORMAT_VERSION, _MANIFEST, Bundle
from nbrelapse.scoring.storage import _describe_for_mlflow, _manifest

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "models" / "quickstart"
OLDER = Path(__file__).parent / "bundles" / "catalogue_1"
REMEDY = "models/quickstart is older than the code, say: make models"


def _release(version: str) -> list[str]:
    """The part of a version that a new model is due for: not that of a correction."""
    return version.split(".")[:2]


def _signature(text: str) -> str:
    return text[text.index("signature:") :]


@pytest.fixture(scope="module")
def columns() -> list[str]:
    """Features that the experiment reads today, of the cohort that it simulates today."""
    return _prepare_data(read_config(ROOT / "experiments" / "quickstart.toml")).columns


def _differences(folder: Path, columns: list[str]) -> list[str]:
    """Say in what a saved model differs from one that the code of today would write."""
    bundle = load_model(folder)
    saved = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    today = json.loads(json.dumps(_manifest(bundle, saved["files"])))
    today |= {"sha256": saved["sha256"], "nbrelapse_version": saved["nbrelapse_version"]}
    described = _describe_for_mlflow(bundle.example(), bundle.score_columns, {})["MLmodel"]
    agree = {
        "format": saved["format_version"] == _FORMAT_VERSION,
        "manifest": saved == today,
        "release": _release(saved["nbrelapse_version"]) == _release(__version__),
        "what the pages show of the training patients": bundle.training.observed is not None,
        "numbers of the card": bundle.card_numbers is not None,
        "catalogue": bundle.catalogue.to_document() == _packaged(bundle),
        "features": list(bundle.schema.index) == columns,
        "signature": _signature((folder / "MLmodel").read_text(encoding="utf-8")) == _signature(described),
    }
    return [name for name, same in agree.items() if not same]


def _packaged(bundle: Bundle) -> dict[str, Any]:
    packaged = load_catalogue()
    return packaged.subset([name for name in bundle.catalogue.features if name in packaged.features]).to_document()


def test_the_model_is_that_of_this_code(columns: list[str]) -> None:
    assert _differences(QUICKSTART, columns) == [], REMEDY


def test_a_model_of_an_older_catalogue_and_release_is_found_out(columns: list[str]) -> None:
    assert {"release", "catalogue", "features", "manifest"} <= set(_differences(OLDER, columns))


def test_a_feature_of_today_that_the_model_does_not_read_is_found_out(columns: list[str]) -> None:
    assert _differences(QUICKSTART, [*columns, "alk__new"]) == ["features"], REMEDY


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda catalogue: catalogue["p53"]["cdkn2a_deletion"].pop("therapies"), "catalogue"),
        (lambda catalogue: catalogue.update(version="1"), "catalogue"),
        (lambda catalogue: catalogue["mycn"].update(description="Another."), "catalogue"),
    ],
)
def test_any_change_of_the_catalogue_is_found_out(
    columns: list[str], monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None], found: str
) -> None:
    changed = _packaged(load_model(QUICKSTART))
    change(changed)
    monkeypatch.setattr(f"{__name__}._packaged", lambda bundle: changed)
    assert _differences(QUICKSTART, columns) == [found], REMEDY


def test_the_command_that_writes_it_is_there() -> None:
    assert "models: setup\n\t$(BIN)/python tools/models.py\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert (ROOT / "tools" / "models.py").is_file()
