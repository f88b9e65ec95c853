"""The registry of models: register, list, and give an alias to a version that has earned it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbrelapse.errors import InputError
from nbrelapse.tracking._trouble import _told
from nbrelapse.tracking.log import _logged_model, _model_name, _run, _source, _ways_in
from nbrelapse.tracking.names import _IMPORT, _KIND_TAG, _NOTE_TAG, BUNDLE_TAG, ENDPOINT_TAG, MODEL_ID_TAG
from nbrelapse.tracking.read import ModelAddress, _registered_version
from nbrelapse.tracking.store import _experiment_id, _undoing, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_MODEL_VERSIONS = "mlflow.modelVersions"
"""Tag by which MLflow's page shows a logged model as registered."""

_LEGAL_NAME = re.compile(r"[^/:@.%\"'\s][^/:@%\"']*")
_LEGAL_ALIAS = re.compile(r"(?!v\d+$|latest$)[\w-]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class RegistrationRecord:
    """What is said of a model that is registered.

    Parameters
    ----------
    name : str
        To register it under.
    experiment : str
        Of MLflow, which a model from elsewhere goes into.
    fingerprint : str
        Of what the model holds: the same model is not registered twice.
    tags : dict of str to str
        Of the version, the endpoint among them.
    description : str
        Markdown; how to load the model is added.
    """

    name: str
    experiment: str
    fingerprint: str
    tags: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model.

    Parameters
    ----------
    name : str
    version : int
    aliases : tuple of str
    tags : dict of str to str
        What was said of it when it was registered; empty where nbrelapse did not register it.
    run_id, model_id : str or None
        MLflow's run and logged model that it comes from.
    new : bool
        Whether it was registered just now.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str | None = None
    model_id: str | None = None
    new: bool = False

    @property
    def uri(self) -> str:
        """``models:/NAME/VERSION``."""
        return f"models:/{self.name}/{self.version}"

    @property
    def endpoint(self) -> str | None:
        """What it predicts; None where it was not registered by nbrelapse."""
        return self.tags.get(ENDPOINT_TAG)

    @property
    def fingerprint(self) -> str | None:
        """Of what the model holds; None where it was not registered by nbrelapse."""
        return self.tags.get(BUNDLE_TAG)


def check_model_name(name: str) -> str:
    """Return a name that a model can be registered under.

    Raises
    ------
    InputError
        It cannot stand in an address.
    """
    if not _LEGAL_NAME.fullmatch(name):
        raise InputError(
            f"illegal name {name!r} of a registered model",
            column="--name",
            expected="a name without / : @ % and quotes, which begins with none of these, a dot or a space",
        )
    return name


def check_alias(alias: str) -> str:
    """Return an alias that MLflow takes.

    Raises
    ------
    InputError
        It does not: letters, digits, ``_`` and ``-``, but not ``latest`` or such as ``v2``.
    """
    if not _LEGAL_ALIAS.fullmatch(alias):
        raise InputError(
            f"illegal alias {alias!r}",
            column="--alias",
            expected="letters, digits, _ and -, such as champion; latest, and such as v2, are MLflow's own",
        )
    return alias


def register(
    record: RegistrationRecord, folder: Path, address: ModelAddress | None, *, alias: str | None = None
) -> RegisteredVersion:
    """Register a model in the store; nothing is left of it where that fails.

    Parameters
    ----------
    record : RegistrationRecord
    folder : path
        Where its files are; what no logged model of the store holds yet is uploaded, unchanged.
    address : ModelAddress or None
        Where the store has it already.
    alias : str, optional
        That no version has yet: who takes it from another, has to beat that one, see :func:`promote`.

    Returns
    -------
    RegisteredVersion
        ``new`` is False where the same model was registered under this name already.

    Raises
    ------
    InputError
        Another version has the alias, or the store does not take the model.
    """
    check_model_name(record.name)
    client = open_store()
    with _told(client.tracking_uri, "the model cannot be registered"), _undoing() as undo:
        there = [found for found in _versions(client, record.name) if found.fingerprint == record.fingerprint]
        if alias is not None:
            _refuse_taken(client, record.name, check_alias(alias), there)
        found = there[-1] if there else _new_version(client, record, folder, address, undo)
        if alias is not None and alias not in found.aliases:
            client.set_registered_model_alias(record.name, alias, str(found.version))
        version = client.get_model_version(record.name, str(found.version))
        return _read_version(version, tuple(sorted(version.aliases)), new=not there)


def _refuse_taken(client: MlflowClient, name: str, alias: str, same: list[RegisteredVersion]) -> None:
    holders = [found for found in _versions(client, name) if alias in found.aliases]
    if holders and holders[0].version not in {found.version for found in same}:
        holder = holders[0]
        raise InputError(
            f"version {holder.version} of {name!r} has the alias {alias!r}",
            column="--alias",
            fix=f"register without it, then: nbrelapse promote {name} VERSION --alias {alias}",
        )


def _new_version(
    client: MlflowClient,
    record: RegistrationRecord,
    folder: Path,
    address: ModelAddress | None,
    undo: Callable[..., None],
) -> RegisteredVersion:
    """Make a version of a model, and the registered model where it is the first."""
    stored = None if address is None else address.model_id
    model_id = stored or _import_model(client, record, folder, undo)
    logged = client.get_logged_model(model_id)
    if not client.search_registered_models(_named(record.name)):
        client.create_registered_model(record.name)
        undo(client.delete_registered_model, record.name)
    # The location, not models:/…, which MLflow would look up in the global store, whatever the client's.
    version = client.create_model_version(
        record.name,
        str(logged.artifact_location),
        run_id=logged.source_run_id,
        tags={**record.tags, BUNDLE_TAG: record.fingerprint, MODEL_ID_TAG: model_id},
        model_id=model_id,
        await_creation_for=0,  # it is there at once
    )
    found = _read_version(version, (), new=True)
    undo(client.delete_model_version, record.name, str(found.version))
    client.update_model_version(record.name, str(found.version), f"{record.description}\n\n{_ways_in(found.uri)}")
    _show_registered(client, model_id, found, undo)
    return found


def _show_registered(client: MlflowClient, model_id: str, found: RegisteredVersion, undo: Callable[..., None]) -> None:
    """Say on the page of the logged model that it is registered; a server of MLflow has done so by itself."""
    own = {"name": found.name, "version": found.version}
    listed = json.loads(client.get_logged_model(model_id).tags.get(_MODEL_VERSIONS, "[]"))
    others = [entry for entry in listed if (entry["name"], int(entry["version"])) != (found.name, found.version)]
    undo(client.set_logged_model_tags, model_id, {_MODEL_VERSIONS: json.dumps(others)})
    client.set_logged_model_tags(model_id, {_MODEL_VERSIONS: json.dumps([*others, own])})


def _import_model(client: MlflowClient, record: RegistrationRecord, folder: Path, undo: Callable[..., None]) -> str:
    """Upload a model from elsewhere, byte by byte, as a logged model with a run of its own."""
    tags = _source({}) | {_KIND_TAG: _IMPORT, ENDPOINT_TAG: record.tags[ENDPOINT_TAG], _NOTE_TAG: record.description}
    experiment = _experiment_id(client, record.experiment)
    with _run(client, experiment, f"import of {record.name}", tags, None) as run:
        undo(client.delete_run, run.info.run_id)
        with _logged_model(client, run, _model_name(record.name), {}, {}) as model_id:
            undo(client.delete_logged_model, model_id)
            client.log_model_artifacts(model_id, str(folder))
    return model_id


def registered_models() -> list[RegisteredVersion]:
    """Return all versions of all registered models of the store, by name and version; none without a store.

    Raises
    ------
    InputError
        The store cannot be opened or does not answer.
    """
    client = open_store(create=False)
    with _told(client.tracking_uri, "the registered models cannot be listed"):
        names = sorted(str(model.name) for model in _pages(client.search_registered_models))
        return [found for name in names for found in _versions(client, name)]


def registered_version(name: str, version: int) -> RegisteredVersion:
    """Return a version of a registered model.

    Raises
    ------
    InputError
        There is none; it says what there is.
    """
    client = open_store(create=False)
    with _told(client.tracking_uri, f"version {version} of {name!r} cannot be read"):
        found = _registered_version(client, name, None, str(version))
        return _read_version(found, tuple(sorted(found.aliases)))


def _named(name: str) -> str:
    return f"name = '{name}'"


def _versions(client: MlflowClient, name: str) -> list[RegisteredVersion]:
    """Versions of a registered model in order; none where there is no such model."""
    models = client.search_registered_models(_named(name))
    if not models:
        return []
    # A search for versions leaves their aliases out.
    holders = {alias: int(version) for alias, version in models[0].aliases.items()}
    found = [
        _read_version(
            version, tuple(sorted(alias for alias, number in holders.items() if number == int(version.version)))
        )
        for version in _pages(client.search_model_versions, _named(name))
    ]
    return sorted(found, key=lambda one: one.version)


def _read_version(version: ModelVersion, aliases: tuple[str, ...], *, new: bool = False) -> RegisteredVersion:
    tags = {str(key): str(value) for key, value in version.tags.items()}
    model_id = tags.get(MODEL_ID_TAG) or version.model_id
    return RegisteredVersion(
        str(version.name), int(version.version), aliases, tags, version.run_id or None, model_id or None, new
    )


def _pages(search: Callable[..., Any], condition: str | None = None) -> Iterator[Any]:
    """Go through all that a search finds, page by page."""
    token = None
    while True:
        page = search(filter_string=condition, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
