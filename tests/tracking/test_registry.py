"""What is registered, what is said of it, and that nothing is left of what could not be registered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from nbrelapse.errors import BundleError, InputError
from nbrelapse.scoring import Bundle, check_model, load_model, register_model, write_bundle
from nbrelapse.tracking import ExperimentRecord, log_experiment, open_store, registered_models

Record = Callable[..., ExperimentRecord]


def left(store: Path) -> tuple[object, ...]:
    """All of the registry, of the logged models and of the runs that is to be seen."""
    client = open_store()
    experiments = [found.experiment_id for found in client.search_experiments(view_type=ViewType.ALL)]
    return (
        [(found.uri, found.aliases, dict(found.tags)) for found in registered_models()],
        sorted(str(model.name) for model in client.search_registered_models()),
        sorted(
            (str(model.model_id), model.tags.get("mlflow.modelVersions", "[]"))
            for model in client.search_logged_models(experiments)
        ),
        sorted(run.info.run_id for run in client.search_runs(experiments)),
    )


def test_a_model_of_the_store_is_registered_where_it_is(store: Path, record: Record) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    found = register_model(uri, name="nb-relapse", alias="champion")
    assert (found.uri, found.aliases, found.new) == ("models:/nb-relapse/1", ("champion",), True)
    client = open_store()
    logged = client.get_logged_model(uri.removeprefix("models:/"))
    assert (found.model_id, found.run_id) == (logged.model_id, logged.source_run_id)
    assert logged.tags["mlflow.modelVersions"] == '[{"name": "nb-relapse", "version": 1}]'
    assert client.get_model_version_download_uri("nb-relapse", "1") == logged.artifact_location
    assert found.endpoint == "relapse"
    assert found.tags["needs"] == "fish, copy_number, expression, clinical"
    assert found.fingerprint == check_model(uri).fingerprint
    note = client.get_model_version("nb-relapse", "1").description
    assert note.startswith("Elastic-net Cox for relapse (relapse or progression). For research.")
    assert "`nbrelapse score models:/nb-relapse/1 COHORT --out scores.csv`" in note
    for address in (found.uri, "models:/nb-relapse@champion"):
        assert load_model(address).model.family == "cox"
        assert check_model(address).fingerprint == found.fingerprint


def test_the_same_model_is_registered_once_wherever_it_is_kept(store: Path, record: Record, tmp_path: Path) -> None:
    uri = log_experiment(record()).model_uris["boosted"]
    first = register_model(uri)
    assert first.uri == "models:/relapse-boosted/1"
    before = left(store)
    logged = open_store().get_logged_model(uri.removeprefix("models:/"))
    exported = write_bundle(load_model(uri), tmp_path / "exported")
    for address in (uri, f"runs:/{logged.source_run_id}/model", first.uri, exported):
        again = register_model(address)
        assert (again.uri, again.new) == (first.uri, False)
    assert left(store) == before
    assert register_model(exported, alias="champion").aliases == ("champion",)
    assert load_model("models:/relapse-boosted@champion").model.family == "boosted"


def test_other_content_is_another_version(store: Path, bundles: dict[str, Bundle], tmp_path: Path) -> None:
    for number, family in enumerate(("cox", "boosted"), start=1):
        folder = write_bundle(bundles[family], tmp_path / family)
        assert register_model(folder, name="nb").version == number
    assert [found.uri for found in registered_models()] == ["models:/nb/1", "models:/nb/2"]


def test_a_folder_is_uploaded_as_it_is_with_its_signature(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    ring = tmp_path / "ring"
    ring.write_text(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " Ada\n")
    folder = write_bundle(bundles["cox"], tmp_path / "model", sign=tmp_path / "key")
    found = register_model(folder, trust=ring, alias="champion")
    assert found.tags["origin"] == "saved in Python, signed by Ada, imported"
    client = open_store()
    location = Path(client.get_model_version_download_uri(found.name, "1").removeprefix("file://"))
    assert {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()} == {
        file.relative_to(location): file.read_bytes() for file in location.rglob("*") if file.is_file()
    }
    assert check_model(f"models:/{found.name}@champion", trust=ring).signer == "Ada"
    (run,) = client.search_runs([client.get_experiment_by_name("saved models").experiment_id])
    assert (run.info.status, run.data.tags["nbrelapse.kind"]) == ("FINISHED", "import")
    # What the store's files become is looked at as a folder's are.
    (location / "README.md").write_text("another card")
    with pytest.raises(BundleError, match="was changed since it was saved"):
        check_model(f"models:/{found.name}@champion", trust=ring)


def test_a_damaged_model_or_one_of_nobody_trusted_is_not_registered(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    ring = tmp_path / "ring"
    public = Ed25519PrivateKey.generate().public_key()
    ring.write_text(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " Eve\n")
    with pytest.raises(BundleError, match="not signed"):
        register_model(folder, trust=ring)
    (folder / "data" / "model.json").write_text("{}")
    with pytest.raises(BundleError):
        register_model(folder)
    assert left(store) == ([], [], [], [])


def test_an_alias_of_another_version_is_refused_before_anything_is_registered(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    register_model(write_bundle(bundles["cox"], tmp_path / "cox"), name="nb", alias="champion")
    before = left(store)
    with pytest.raises(InputError, match="version 1 of 'nb' has the alias 'champion'") as caught:
        register_model(write_bundle(bundles["boosted"], tmp_path / "boosted"), name="nb", alias="champion")
    assert "nbrelapse promote nb VERSION --alias champion" in str(caught.value)
    assert left(store) == before


@pytest.mark.parametrize(
    ("step", "from_store"),
    [
        ("create_registered_model", True),
        ("update_model_version", True),
        ("set_registered_model_alias", True),
        ("set_registered_model_alias", False),
    ],
)
def test_nothing_is_left_of_what_the_store_does_not_take(
    store: Path, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, from_store: bool
) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    model = uri if from_store else write_bundle(load_model(uri), tmp_path / "exported")
    before = left(store)

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("attempt to write a readonly database\nand more")

    monkeypatch.setattr(MlflowClient, step, refuse)
    with pytest.raises(
        InputError, match="the model cannot be registered: attempt to write a readonly database"
    ) as told:
        register_model(model, alias="champion")
    assert told.value.file is not None
    assert left(store) == before


def test_an_upload_that_fails_leaves_nothing(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "artifacts")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full)
    with pytest.raises(InputError, match="the model cannot be registered: No space left on device"):
        register_model(write_bundle(bundles["cox"], tmp_path / "model"))
    assert left(store) == ([], [], [], [])


def test_who_has_no_right_is_told_so(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise MlflowException("Permission denied", error_code=PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "create_registered_model", forbid)
    with pytest.raises(InputError, match=r"the model cannot be registered: .*may not do this") as caught:
        register_model(write_bundle(bundles["cox"], tmp_path / "model"))
    assert "ask who runs it for the right" in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "it's", "", " ", "50%", ".hidden"])
def test_names_that_cannot_stand_in_an_address(store: Path, bundles: dict[str, Bundle], name: str) -> None:
    with pytest.raises(InputError, match="illegal name"):
        register_model("nowhere", name=name)


@pytest.mark.parametrize("alias", ["latest", "v2", "a b", "", "a/b", "Latest"])
def test_aliases_that_mlflow_does_not_take(store: Path, alias: str) -> None:
    with pytest.raises(InputError, match="illegal alias"):
        register_model("nowhere", alias=alias)


def test_an_address_that_leads_nowhere_says_what_there_is(
    store: Path, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    register_model(write_bundle(bundles["cox"], tmp_path / "cox"), name="nb", alias="champion")
    register_model(write_bundle(bundles["forest"], tmp_path / "forest"), name="nb")
    with pytest.raises(InputError, match="models:/nb@champoin: 'nb' has no alias 'champoin'") as caught:
        load_model("models:/nb@champoin")
    assert "@champion (version 1); versions 1, 2" in str(caught.value)
    with pytest.raises(InputError, match="models:/nb/3: 'nb' has no version 3"):
        load_model("models:/nb/3")
    with pytest.raises(InputError, match="nothing is registered as 'nbb'") as caught:
        load_model("models:/nbb@champion")
    assert "did you mean nb?" in str(caught.value)
