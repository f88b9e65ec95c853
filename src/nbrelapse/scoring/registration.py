"""Register saved models with what a reader of the registry wants to know of them."""

from __future__ import annotations

import re
from pathlib import Path

from nbrelapse.models.families import model_title
from nbrelapse.report.wording import ENDPOINTS
from nbrelapse.scoring.evaluation_output import home_experiment
from nbrelapse.scoring.reading import CheckedModel, check_model
from nbrelapse.tracking.names import ENDPOINT_TAG
from nbrelapse.tracking.read import ModelAddress, fetched_model, model_address
from nbrelapse.tracking.registry import RegisteredVersion, RegistrationRecord, check_alias, check_model_name, register


def register_model(
    model: str | Path, *, name: str | None = None, alias: str | None = None, trust: str | Path | None = None
) -> RegisteredVersion:
    """Check a saved model and register it in the store; nothing is left of it where that fails.

    A model of the store stays where it is; a folder is uploaded as it is, its signature with it.

    Parameters
    ----------
    model : str or path
        As in :func:`load_model`.
    name : str, optional
        To register it under; by default ``EXPERIMENT-FAMILY``, or ``ENDPOINT-FAMILY`` of a model that no experiment
        trained.
    alias : str, optional
        That no version of the name has yet; to take it from another there is :func:`nbrelapse.tracking.promote`.
    trust : path, optional
        Keyring: only a model that one of its keys signed is registered.

    Returns
    -------
    RegisteredVersion
        Its ``new`` is False where the same model was registered under this name before, wherever it was kept then.

    Raises
    ------
    InputError
        There is no such model, the name or alias is illegal, another version has the alias, or the store does not take
        it.
    BundleError
        The model is damaged, or not signed by a trusted key.
    """
    if name is not None:
        check_model_name(name)
    if alias is not None:
        check_alias(alias)
    address = model_address(model)
    with fetched_model(model) as folder:
        checked = check_model(folder, trust=trust)
        return register(_record(checked, name, address), folder, address, alias=alias)


def _record(checked: CheckedModel, name: str | None, address: ModelAddress | None) -> RegistrationRecord:
    given = f"{checked.training.experiment or checked.endpoint}-{checked.family}"
    figure, training = checked.performance, checked.training
    tags = {
        ENDPOINT_TAG: checked.endpoint,
        "family": checked.family,
        "catalogue": checked.catalogue_version,
        "needs": ", ".join(checked.needs),
        "origin": origin(checked) + (", imported" if address is None else ""),
        "nbrelapse": checked.version,
    }
    if figure is not None:
        tags |= {"c": f"{figure.value:.3f}", "c.low": f"{figure.low:.3f}", "c.high": f"{figure.high:.3f}"}
        tags |= {"c.where": figure.where}
    if checked.signed_by is not None:
        tags |= {"signed_by": checked.signed_by}
    simulated = "simulated " if training.of_simulated else ""
    lines = [
        f"{model_title(checked.family)} for {checked.endpoint} ({ENDPOINTS[checked.endpoint]}). "
        "For research. Not for treatment decisions.",
        f"Performance: {'not validated' if figure is None else figure}.",
        f"Needs: {tags['needs']}.",
        f"Trained on {training.patients or 'an unknown number of'} {simulated}patients; {tags['origin']}.",
    ]
    return RegistrationRecord(
        name=name or re.sub(r"[/:@.%\"'\s]+", "-", given),
        experiment=home_experiment(training),
        fingerprint=checked.fingerprint,
        tags=tags,
        description="\n\n".join(lines),
    )


def origin(checked: CheckedModel) -> str:
    """Say where a model comes from, and whether somebody signed it."""
    trained = checked.training.experiment
    signer = checked.signer or checked.signed_by
    where = "saved in Python" if trained is None else f"experiment {trained}"
    return f"{where}, {'not signed' if signer is None else f'signed by {signer}'}"
