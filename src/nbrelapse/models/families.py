"""The models by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbrelapse.errors import InputError
from nbrelapse.models.boosted import BoostedCox
from nbrelapse.models.clinical import CLINICAL_COLUMNS, ClinicalBaseline
from nbrelapse.models.cox import CoxElasticNet
from nbrelapse.models.risk_model import ModelState, RiskModel

CLINICAL_BASELINES = tuple(CLINICAL_COLUMNS)
FAMILIES: dict[str, type[RiskModel]] = {model.family: model for model in (CoxElasticNet, BoostedCox, ClinicalBaseline)}


def create_model(
    name: str,
    *,
    columns: Sequence[str] | None = None,
    directions: Mapping[str, int] | None = None,
    seed: int = 0,
    **parameters: Any,
) -> RiskModel:
    """Create an unfitted model by name.

    Parameters
    ----------
    name : {"cox", "boosted", "clinical_risk_group", "clinical_cog_v2", "clinical_inrg", "clinical_cox"}
    columns : sequence of str, optional
        Columns that it reads; the clinical baselines have their own.
    directions : mapping of str to int, optional
        Expected signs, for the families that constrain them.
    seed : int
    **parameters
        Other parameters of the model, such as ``penalty`` of ``cox``.

    Returns
    -------
    RiskModel

    Raises
    ------
    InputError
        There is no model of that name, or it has no such parameter.

    Examples
    --------
    >>> create_model("clinical_cog_v2").columns
    ('clinical__cog_v2',)
    """
    model: RiskModel
    if name in CLINICAL_COLUMNS:
        model = ClinicalBaseline(CLINICAL_COLUMNS[name])
    elif name == CoxElasticNet.family:
        model = CoxElasticNet(columns)
    elif name == BoostedCox.family:
        model = BoostedCox(columns, directions, seed=seed)
    else:
        legal = (CoxElasticNet.family, BoostedCox.family, *CLINICAL_BASELINES)
        raise InputError(f"there is no model named {name!r}", column="models", expected=", ".join(legal))
    known = sorted(set(model.get_params(deep=False)) - {"columns", "directions", "seed"})
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        raise InputError(f"the model {name!r} has no such parameter", column=unknown[0], expected=", ".join(known))
    return model.set_params(**parameters)


def model_from_state(state: ModelState) -> RiskModel:
    """Return the fitted model that a state describes.

    Raises
    ------
    InputError
        Its family is unknown to this version.
    """
    family = state.document.get("family")
    if family not in FAMILIES:
        raise InputError(f"unknown model family {family!r}", expected=", ".join(FAMILIES))
    return FAMILIES[family].from_state(state)
