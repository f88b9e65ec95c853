"""The families of models by name: create one, or restore one from its saved state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import ModelState, RiskModel
from nbrelapse.models.clinical import _CLINICAL_BINARY_COLUMNS, CLINICAL_COLUMNS, ClinicalCox, ClinicalLogistic
from nbrelapse.models.recalibration import _PLAIN, RecalibratedBinary, RecalibratedSurvival
from nbrelapse.models.state import _check_state
from nbrelapse.models.updated import UpdatedBinary, UpdatedSurvival
from nbrelapse.outcome import BINARY, SURVIVAL

_CLINICAL_BASELINES = tuple(CLINICAL_COLUMNS)
SURVIVAL_FAMILIES = {name: model for name, model in _PLAIN.items() if model.kind is SURVIVAL}
"""Families of the endpoints that are a time to an event."""

BINARY_FAMILIES = {name: model for name, model in _PLAIN.items() if model.kind is BINARY}
"""Families of the binary endpoints."""

FAMILIES: dict[str, type[RiskModel]] = {
    **SURVIVAL_FAMILIES,
    **BINARY_FAMILIES,
    ClinicalCox.family: ClinicalCox,
    ClinicalLogistic.family: ClinicalLogistic,
}

_SAVED: dict[str, type[RiskModel]] = {
    **FAMILIES,
    RecalibratedSurvival._saved_as: RecalibratedSurvival,
    RecalibratedBinary._saved_as: RecalibratedBinary,
    UpdatedSurvival._saved_as: UpdatedSurvival,
    UpdatedBinary._saved_as: UpdatedBinary,
}
"""What a saved model may be."""


_MODELS = {
    "cox": "Elastic-net Cox",
    "cox_prior": "Cox from the literature",
    "boosted": "Boosted trees",
    "boosted_prior": "Boosted trees from the literature",
    "forest": "Random survival forest",
    "blend": "Blend of models",
    "ensemble": "Ensemble of ridge models",
    "logistic": "Elastic-net logistic",
    "boosted_classifier": "Boosted classifier",
    "ensemble_classifier": "Ensemble of ridge classifiers",
    "clinical_risk_group": "Recorded risk group",
    "clinical_cog_v2": "COG v2 risk group",
    "clinical_inrg": "INRG risk group",
    "clinical_cox": "Clinical Cox (age, stage, MYCN)",
    "clinical_logistic": "Clinical logistic (age, stage, MYCN)",
}


def clinical_baselines(*, binary: bool) -> tuple[str, ...]:
    """Names of the clinical baselines of a kind of endpoint."""
    return tuple(_CLINICAL_BINARY_COLUMNS if binary else CLINICAL_COLUMNS)


def create_model(
    name: str,
    *,
    columns: Sequence[str] | None = None,
    directions: Mapping[str, int] | None = None,
    prior: PriorKnowledge | None = None,
    strata: Mapping[str, str] | pd.Series | None = None,
    seed: int = 0,
    binary: bool = False,
    **parameters: Any,
) -> RiskModel:
    """Create an unfitted model by name.

    Parameters
    ----------
    name : str
        A family, such as ``cox`` and ``boosted`` or (binary) ``logistic`` and ``boosted_classifier``; or a clinical
        baseline, see :func:`clinical_baselines`.
    columns : sequence of str, optional
        Columns that it reads; the clinical baselines have their own.
    directions : mapping of str to int, optional
        Expected signs, for the families that constrain them.
    prior : PriorKnowledge, optional
        Expected effects, for the families that start from them.
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`RiskModel`.
    seed : int
    binary : bool
        Whether the model is of a binary endpoint, ``refractory``, and not of a time to an event.
    **parameters
        Other parameters of the model, such as ``penalty`` of ``cox``.

    Returns
    -------
    RiskModel

    Raises
    ------
    InputError
        There is no model of that name for such an endpoint, or it has no such parameter.

    Examples
    --------
    >>> create_model("clinical_cog_v2").columns
    ('clinical__cog_v2',)
    """
    families = BINARY_FAMILIES if binary else SURVIVAL_FAMILIES
    clinical = _CLINICAL_BINARY_COLUMNS if binary else CLINICAL_COLUMNS
    model: RiskModel
    if name in clinical:
        model = (ClinicalLogistic if binary else ClinicalCox)(clinical[name], strata=strata)
    elif name in families:
        shared = {"columns": columns, "directions": directions, "prior": prior, "strata": strata, "seed": seed}
        model = families[name]()
        model.set_params(**{key: value for key, value in shared.items() if key in model.get_params(deep=False)})
    else:
        kind = "a binary endpoint" if binary else "a time to an event"
        raise InputError(
            f"there is no model named {name!r} for {kind}", column="models", expected=", ".join((*families, *clinical))
        )
    known = sorted(set(model.get_params(deep=False)) - {"columns", "directions", "prior", "strata", "seed"})
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        raise InputError(f"the model {name!r} has no such parameter", column=unknown[0], expected=", ".join(known))
    return model.set_params(**parameters)


def model_from_state(state: ModelState) -> RiskModel:
    """Return the fitted model that a state describes, one that :func:`check_state` has let pass.

    Raises
    ------
    InputError
        Its family is unknown to this version.
    """
    return _SAVED[_known_family(state)].from_state(state)


def check_state(state: ModelState) -> None:
    """Check the state of a fitted model before a model is made of it: it may come from a damaged or forged file.

    Raises
    ------
    InputError
        Its family is unknown to this version, a key is missing or of another type, a number is not finite, lengths do
        not agree, times do not ascend, or the trees are not what XGBoost writes.
    """
    _known_family(state)
    _check_state(state.document, state.blobs)


def _known_family(state: ModelState) -> str:
    family = state.document.get("family")
    if not isinstance(family, str) or family not in _SAVED:
        raise InputError(f"unknown model family {family!r}", expected=", ".join(_SAVED))
    return family


def model_title(name: str) -> str:
    """Return a model's display name; an unknown one is shown as written, underscores as spaces.

    Examples
    --------
    >>> model_title("clinical_inrg"), model_title("my_model")
    ('INRG risk group', 'my model')
    """
    return _MODELS.get(name, name.replace("_", " "))
