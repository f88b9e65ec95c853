from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import ExperimentRecord, fetched_model, log_experiment, open_store


def test_a_folder_is_given_as_it_is(tmp_path: Path) -> None:
    with fetched_model(tmp_path) as folder:
        assert folder == tmp_path


def test_a_download_is_a_copy_that_is_removed(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    with fetched_model(uri) as folder:
        assert (folder / "MLmodel").is_file()
        assert store not in folder.parents
    assert not folder.exists()


@pytest.mark.parametrize(
    "uri",
    [
        "models:/nb@champion",
        "models:/nb/1",
        "models:/m-0123",
        "runs:/0123/model",
        "models:/",
        "runs:/x",
        "models:/a/b/c",
    ],
)
def test_an_address_of_nothing_is_bad_input(store: Path, uri: str) -> None:
    with pytest.raises(InputError, match=uri) as caught, fetched_model(uri):
        pass
    assert "models:/<name>@<alias>" in str(caught.value)


def test_a_run_without_such_a_model(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    logged = log_experiment(record())
    for name in ("nothing", "experiment.json"):
        with pytest.raises(InputError, match="model"), fetched_model(f"runs:/{logged.run_id}/{name}"):
            pass


def test_without_a_store_none_is_made(no_store: Path) -> None:
    with pytest.raises(InputError, match="there is no MLflow store yet"), fetched_model("models:/nb@champion"):
        pass
    assert not no_store.exists()


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such model"), fetched_model(tmp_path / "nothing"):
        pass


def test_the_store_is_left_as_it_was(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    location = Path(
        open_store().get_logged_model(uri.removeprefix("models:/")).artifact_location.removeprefix("file://")
    )
    before = sorted(location.rglob("*"))
    with fetched_model(uri):
        pass
    assert sorted(location.rglob("*")) == before
