from __future__ import annotations

import json
from pathlib import Path

import mlflow.models
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models.cox import CoxElasticNet
from nbrelapse.scoring import Bundle, load_model, write_bundle


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_files_are_data_and_nothing_else(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    beside = {"MLmodel", "README.md", "requirements.txt", "python_env.yaml"}
    data = {"manifest", "model", "baseline", "references", "catalogue"}
    names = beside | {f"data/{name}.json" for name in data} | {"data/refits.zip"}
    assert set(contents(write_bundle(bundles["cox"], tmp_path / "cox"))) == names
    assert set(contents(write_bundle(bundles["boosted"], tmp_path / "boosted"))) == names | {"data/model.ubj"}


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_the_same_model_gives_the_same_bytes_however_often_it_is_loaded(
    bundles: dict[str, Bundle], tmp_path: Path, family: str
) -> None:
    first = write_bundle(bundles[family], tmp_path / "first")
    second = write_bundle(load_model(first), tmp_path / "second")
    assert contents(first) == contents(second)


def test_mlflow_reads_the_description(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    description = mlflow.models.Model.load(str(write_bundle(bundles["cox"], tmp_path / "model")))
    assert description.flavors["python_function"]["loader_module"] == "nbrelapse.scoring.pyfunc"
    assert description.get_input_schema().input_names() == list(bundles["cox"].schema.index)
    assert {column.type.name for column in description.get_input_schema().inputs} == {"double"}
    assert not any(column.required for column in description.get_input_schema().inputs)
    assert "log_risk" in description.get_output_schema().input_names()


def test_the_manifest_says_what_the_model_is(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    manifest = json.loads((folder / "data" / "manifest.json").read_text())
    assert (manifest["endpoint"], manifest["family"], manifest["refits"]) == ("relapse", "cox", 8)
    assert manifest["training"]["patients"] == 160
    assert manifest["followed_days"] == 1500.0
    assert set(manifest["files"]) == set(contents(folder)) - {"data/manifest.json"}
    assert not any("patient-" in text.decode(errors="ignore") for text in contents(folder).values())


def test_a_folder_that_is_there_is_kept_unless_it_may_be_replaced(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    target = write_bundle(bundles["cox"], tmp_path / "model")
    with pytest.raises(InputError, match="there already"):
        write_bundle(bundles["boosted"], target)
    assert load_model(target).model.family == "cox"
    write_bundle(bundles["boosted"], target, overwrite=True)
    assert load_model(target).model.family == "boosted"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_only_a_saved_model_is_ever_replaced(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.tex").write_text("text")
    with pytest.raises(InputError, match="not a saved model"):
        write_bundle(bundles["cox"], precious, overwrite=True)
    assert (precious / "chapter.tex").read_text() == "text"


def test_a_failure_leaves_the_old_model_and_nothing_half_written(
    bundles: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_bundle(bundles["boosted"], tmp_path / "model")

    def fail(model: CoxElasticNet) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CoxElasticNet, "state", fail)
    with pytest.raises(InputError, match="No space left"):
        write_bundle(bundles["cox"], target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_model(target).model.family == "boosted"
