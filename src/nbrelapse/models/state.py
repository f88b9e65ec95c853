"""What the saved state of a model may hold, family by family: lengths that agree, numbers that are finite."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nbrelapse.errors import InputError
from nbrelapse.models.tree_file import _check_tree_file

_LARGEST = 1e100
"""Beyond it products of two numbers leave the range of floats; no coefficient or hazard comes near."""

_Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
_Positive = Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)]
_Numbers = list[_Number]


class _Part(BaseModel):
    """Part of a document. Keys that are not named here stay: later versions may write more."""

    model_config = ConfigDict(strict=True, extra="allow")


def _same_length(length: int, **lists: list[Any]) -> None:
    for name, values in lists.items():
        if len(values) != length:
            raise ValueError(f"{name} has {len(values)} values, not {length}")


class _Hazard(_Part):
    times: list[_Positive]
    event_step: list[_Positive]
    competing_step: list[_Positive]
    last_time: _Positive
    competes: bool
    competing_slope: _Number = 0.0
    carried_time: _Positive | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _same_length(len(self.times), event_step=self.event_step, competing_step=self.competing_step)
        if not (np.diff(self.times) > 0).all():
            raise ValueError("times do not ascend")
        if self.times and self.last_time < self.times[-1]:
            raise ValueError("last_time is before the last of times")
        return self


class _Competing(_Part):
    slope: _Number
    coefficients: _Numbers
    means: _Numbers


class _Read(_Part):
    """What every document has."""

    family: str
    features: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is there twice")
        return self


class _State(_Read):
    """What every family's document has."""

    parameters: dict[str, Any]


class _Hazards(_Read):
    baseline: _Hazard
    competing: _Competing | None = None
    study_baselines: dict[str, _Hazard] = {}

    @model_validator(mode="after")
    def _competing_agrees(self) -> Self:
        if self.competing is not None:
            found = self.competing
            _same_length(len(self.features), coefficients=found.coefficients, means=found.means)
        return self


class _Survival(_Hazards, _State):
    """Of the families of times to an event."""


class _Missing(_Part):
    effects: _Numbers
    rates: list[_Positive]


class _Linear(_State):
    coefficients: _Numbers
    means: _Numbers
    unused: list[str]
    missing: _Missing | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        length = len(self.features)
        _same_length(length, coefficients=self.coefficients, means=self.means)
        if self.missing is not None:
            _same_length(length, effects=self.missing.effects, rates=self.missing.rates)
        return self


class _Cox(_Linear, _Survival):
    penalty: _Positive


class _CoxPrior(_Linear, _Survival):
    trust: _Number | None
    expected: _Numbers

    @model_validator(mode="after")
    def _expected_agrees(self) -> Self:
        _same_length(len(self.features), expected=self.expected)
        return self


class _Calibrated(_State):
    calibration: Annotated[_Numbers, Field(min_length=2, max_length=2)]
    classes: Annotated[list[int | float | str], Field(min_length=2, max_length=2)] = [0, 1]


class _Logistic(_Linear, _Calibrated):
    penalty: _Positive
    intercept: _Number


class _Trees(_State):
    medians: list[_Number | None]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _same_length(len(self.features), medians=self.medians)
        return self


class _Boosted(_Trees, _Survival):
    directions: dict[str, int]
    offset: _Number


class _BoostedPrior(_Boosted):
    expected: _CoxPrior


class _Forest(_Trees, _Survival):
    slope: _Number
    offset: _Number


class _BoostedClassifier(_Trees, _Calibrated):
    directions: dict[str, int]


class _Blend(_Survival):
    directions: dict[str, int]
    prior: dict[str, Any] | None
    weights: dict[str, _Positive]
    members: dict[str, dict[str, Any]]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.members or set(self.weights) != set(self.members):
            raise ValueError("weights are not those of the members")
        return self


_Positions = list[Annotated[int, Field(ge=0)]]


class _EnsembleBlock(_Part):
    features: _Positions
    coefficients: _Numbers
    clinical: _Numbers
    members: Annotated[int, Field(ge=0, le=1000)]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _same_length(len(self.features), coefficients=self.coefficients)
        return self


class _EnsembleState(_State):
    means: _Numbers
    unused: list[str]
    clinical: _Positions
    blocks: Annotated[dict[str, _EnsembleBlock], Field(min_length=1)]
    covariance: list[_Numbers]
    slope: _Positive
    intercept: _Number

    @model_validator(mode="after")
    def _agree(self) -> Self:
        length = len(self.features)
        _same_length(length, means=self.means)
        _same_length(len(self.blocks), covariance=self.covariance)
        for row in self.covariance:
            _same_length(len(self.blocks), covariance=row)
        positions = [self.clinical, *(block.features for block in self.blocks.values())]
        if any(position >= length for own in positions for position in own):
            raise ValueError("a block names a feature that is not there")
        if len({position for own in positions for position in own}) != sum(map(len, positions)):
            raise ValueError("a feature is in two blocks")
        for block in self.blocks.values():
            _same_length(len(self.clinical), clinical=block.clinical)
        return self


class _EnsembleSurvival(_EnsembleState, _Survival):
    pass


class _EnsembleBinary(_EnsembleState):
    classes: Annotated[list[int | float | str], Field(min_length=2, max_length=2)] = [0, 1]


class _Line(_Part):
    intercept: _Number
    slope: _Positive
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Lines(_Part):
    high: _Line
    not_high: Annotated[_Line, Field(alias="not high")]
    unknown: _Line


class _Recalibrated(_Read):
    folds: int
    recalibration: _Lines
    model: dict[str, Any]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        within = _DOCUMENTS.get(str(self.model.get("family")))
        if within is None or issubclass(within, _Recalibrated):
            raise ValueError("the model within is of no family that is recalibrated")
        if issubclass(within, _Hazards) != isinstance(self, _Hazards):
            raise ValueError("the model within is of another kind of endpoint")
        return self


class _RecalibratedSurvival(_Recalibrated, _Hazards):
    pass


class _RecalibratedBinary(_Recalibrated):
    classes: Annotated[list[int | float | str], Field(min_length=2, max_length=2)] = [0, 1]


class _Change(_Part):
    shift: Annotated[float, Field(ge=-100, le=100)]
    slope: Annotated[float, Field(ge=1e-6, le=1e6)]
    competing_shift: Annotated[float, Field(ge=-100, le=100)]


class _Updated(_Read):
    update: _Change
    model: dict[str, Any]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        family = str(self.model.get("family"))
        within = _DOCUMENTS.get(family)
        if within is None or issubclass(within, _Updated) or family.startswith("clinical"):
            raise ValueError("the model within is of no family that is updated")
        if issubclass(within, _Hazards) == (self.family == "updated_binary"):
            raise ValueError("the model within is of another kind of endpoint")
        if self.model.get("features") != self.features:
            raise ValueError("the model within reads other features")
        return self


_DOCUMENTS: dict[str, type[_Read]] = {
    "updated": _Updated,
    "updated_binary": _Updated,
    "recalibrated": _RecalibratedSurvival,
    "recalibrated_binary": _RecalibratedBinary,
    "cox": _Cox,
    "cox_prior": _CoxPrior,
    "clinical": _Cox,
    "logistic": _Logistic,
    "clinical_logistic": _Logistic,
    "boosted": _Boosted,
    "boosted_prior": _BoostedPrior,
    "boosted_classifier": _BoostedClassifier,
    "forest": _Forest,
    "blend": _Blend,
    "ensemble": _EnsembleSurvival,
    "ensemble_classifier": _EnsembleBinary,
}

_OBJECTIVES = {
    "boosted": "survival:cox",
    "boosted_prior": "survival:cox",
    "boosted_classifier": "binary:logistic",
    "forest": "reg:squarederror",
}
"""Of the trees of each family."""

_TREES = "model.ubj"


def _check_state(document: Any, blobs: dict[str, bytes]) -> None:
    """Check a model's state before the model is made of it.

    Parameters
    ----------
    document : dict
        JSON data of a family that this version knows.
    blobs : dict of str to bytes

    Raises
    ------
    InputError
        A key is missing or of another type, a number is not finite, lengths do not agree, times do not ascend, or the
        trees are not what XGBoost writes.

    Examples
    --------
    >>> _check_state({"family": "cox", "features": ["a"], "parameters": {}, "coefficients": [1e999]}, {})
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: Field required
      column: baseline
    """
    family = document["family"]
    try:
        _DOCUMENTS.get(family, _State).model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or None
        raise InputError(problem["msg"].removeprefix("Value error, "), column=where) from None
    if issubclass(_DOCUMENTS.get(family, _State), _Recalibrated | _Updated):
        _check_state(document["model"], blobs)
        return
    if set(blobs) != _files(document):
        raise InputError("its tree files are not those of such a model", expected=", ".join(sorted(_files(document))))
    if family in _OBJECTIVES:
        _check_tree_file(blobs[_TREES], len(document["features"]), _OBJECTIVES[family])
    for name, member in document.get("members", {}).items():
        own = {file.removeprefix(f"{name}-"): blob for file, blob in blobs.items() if file.startswith(f"{name}-")}
        if member.get("family") != name:
            raise InputError(f"the member {name!r} is of another family", column="members")
        _check_state(member, own)


def _files(document: dict[str, Any]) -> set[str]:
    """Names of the tree files of a model."""
    own = {_TREES} if document["family"] in _OBJECTIVES else set()
    return own | {f"{name}-{_TREES}" for name in document.get("members", {}) if name in _OBJECTIVES}
