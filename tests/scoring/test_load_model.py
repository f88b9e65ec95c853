from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import BundleError, InputError
from nbrelapse.scoring import Bundle, load_model, write_bundle
from nbrelapse.scoring.format import sealed
from nbrelapse.scoring.score_features import score_features

FILES = [
    "MLmodel",
    "README.md",
    "requirements.txt",
    "python_env.yaml",
    "data/manifest.json",
    "data/model.json",
    "data/model.ubj",
    "data/baseline.json",
    "data/references.json",
    "data/catalogue.json",
    "data/refits.zip",
]


@pytest.fixture
def folder(bundles: dict[str, Bundle], tmp_path: Path) -> Path:
    return write_bundle(bundles["boosted"], tmp_path / "model")


def reseal(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest as somebody would who knows how it is sealed."""
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(sealed(manifest), encoding="utf-8")


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_what_was_saved_is_loaded_to_the_last_bit(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    saved = bundles[family]
    loaded = load_model(write_bundle(saved, tmp_path / "model"))
    pd.testing.assert_frame_equal(score_features(loaded, training[0]), score_features(saved, training[0]), rtol=0)
    pd.testing.assert_frame_equal(loaded.schema, saved.schema, rtol=0)
    np.testing.assert_array_equal(loaded.log_risk_quantiles, saved.log_risk_quantiles)
    assert (loaded.endpoint, loaded.training, loaded.card) == (saved.endpoint, saved.training, saved.card)
    assert loaded.catalogue == saved.catalogue
    assert len(loaded.refits) == len(saved.refits) == 8
    reference = loaded.references["clinical_cox"].predict_log_risk(training[0])
    np.testing.assert_array_equal(reference, saved.references["clinical_cox"].predict_log_risk(training[0]))


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_another_process_scores_the_same(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    write_bundle(bundles[family], tmp_path / "model")
    training[0].to_parquet(tmp_path / "features.parquet")
    code = (
        "import pandas as pd; from nbrelapse.scoring import load_model\n"
        "from nbrelapse.scoring.score_features import score_features\n"
        "score_features(load_model('model'), pd.read_parquet('features.parquet')).to_parquet('scores.parquet')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    elsewhere = pd.read_parquet(tmp_path / "scores.parquet")
    here = score_features(bundles[family], training[0])
    pd.testing.assert_frame_equal(elsewhere, here, rtol=0, atol=1e-9, check_dtype=False)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_changed_byte_is_refused_wherever_it_is(folder: Path, name: str, place: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        load_model(folder)


def test_the_files_that_are_tampered_with_are_all_there_are(folder: Path) -> None:
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("MLmodel", "data/manifest.json")])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"lacks the file {name}"):
        load_model(folder)


@pytest.mark.parametrize("name", ["data/extra.json", "data/deep/model.pkl", "code.py", "data/second.ubj"])
def test_a_file_that_is_not_listed_is_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(BundleError, match=f"does not list: {name}"):
        load_model(folder)


def test_a_link_is_refused_even_to_the_same_content(folder: Path, tmp_path: Path) -> None:
    original = folder / "data" / "model.json"
    moved = original.rename(tmp_path / "model.json")
    original.symlink_to(moved)
    with pytest.raises(BundleError, match=r"link.*data/model\.json"):
        load_model(folder)


def test_a_listed_file_outside_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")

    def escape(manifest: dict[str, object]) -> None:
        manifest["files"]["../secret"] = "0" * 64  # type: ignore[index]

    reseal(folder, escape)
    with pytest.raises(BundleError, match=r"lacks the file \.\./secret"):
        load_model(folder)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("loader_module: nbrelapse.scoring.pyfunc", "loader_module: mlflow.pyfunc.model"),
        ("loader_module: nbrelapse.scoring.pyfunc", "code: code\n    loader_module: nbrelapse.scoring.pyfunc"),
        ("data: data", "data: /etc"),
        ("flavors:\n", "flavors:\n  sklearn: {pickled_model: model.pkl}\n"),
    ],
)
def test_a_foreign_loader_is_refused_before_the_manifest_is_read(folder: Path, ours: str, theirs: str) -> None:
    description = (folder / "MLmodel").read_text()
    assert ours in description
    (folder / "MLmodel").write_text(description.replace(ours, theirs))
    (folder / "data" / "manifest.json").unlink()
    with pytest.raises(BundleError, match="asks to be loaded by"):
        load_model(folder)


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    reseal(folder, lambda manifest: manifest.update(format_version=2, nbrelapse_version="9.0"))
    with pytest.raises(BundleError, match=r"nbrelapse 9\.0.*upgrade"):
        load_model(folder)


@pytest.mark.parametrize("missing", ["endpoint", "features", "training", "files"])
def test_a_manifest_without_its_keys_is_a_damaged_model(folder: Path, missing: str) -> None:
    reseal(folder, lambda manifest: manifest.pop(missing))
    with pytest.raises(BundleError):
        load_model(folder)


def test_mlflow_may_leave_its_note_of_a_registered_model(folder: Path) -> None:
    (folder / "registered_model_meta").write_text("model_name: nb\nmodel_version: '1'\n")
    assert load_model(folder).model.family == "boosted"


def test_a_link_to_the_whole_folder_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(folder)
    assert load_model(tmp_path / "latest").model.family == "boosted"


def test_what_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such model"):
        load_model(tmp_path / "nothing")
    with pytest.raises(BundleError, match="no MLmodel"):
        load_model(tmp_path)
    (tmp_path / "MLmodel").write_text("[not, a, mapping]")
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(tmp_path)
