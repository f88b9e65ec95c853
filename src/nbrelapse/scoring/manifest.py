"""What the manifest of a saved model and the files beside it must say, checked before a model is made of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.base import ModelState
from nbrelapse.models.families import BINARY_FAMILIES, SURVIVAL_FAMILIES
from nbrelapse.outcome import kind_of_endpoint
from nbrelapse.scoring.training_summary import TrainingSummary

_DEEPEST = 64
"""Lists and objects within each other; saved models have ten."""

_LONGEST_WHOLE = 18
"""Digits of a whole number: more do not fit into 64 bits."""

_Number = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(ge=0, le=1e100)]
_Count = Annotated[int, Field(ge=0, le=10**9)]


def _read_json(content: bytes) -> Any:
    """Read JSON that holds finite numbers, each key once, and nothing nested without end.

    Raises
    ------
    ValueError
        It is something else.

    Examples
    --------
    >>> _read_json(b'{"a": 1e999}')
    Traceback (most recent call last):
    ...
    ValueError: a number that is not finite: 1e999
    """
    _refuse_nested(content)
    return json.loads(
        content.decode("utf-8"),
        parse_float=_finite,
        parse_int=_whole,
        parse_constant=_finite,
        object_pairs_hook=_distinct,
    )


def _refuse_nested(content: bytes) -> None:
    """Raise a ValueError where brackets stand deeper within each other than in any model: parsers recurse."""
    steps = np.zeros(256, dtype=np.int8)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    if np.cumsum(steps[np.frombuffer(content, dtype=np.uint8)], dtype=np.int64).max(initial=0) > _DEEPEST:
        raise ValueError("it is nested too deeply")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number that is not finite: {text[:20]}")
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_WHOLE:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


class _Part(BaseModel):
    """Part of a document. Keys that are not named here stay: later versions may write more."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Feature(_Part):
    feature: str
    mechanism: str
    title: str
    assay: str
    low: _Number | None
    high: _Number | None
    observed: _Share
    importance: _Positive

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self


class _Bands(_Part):
    days: list[_Positive]
    risk: list[list[_Number]]
    shift: list[list[_Number]]
    variance: list[list[_Positive]]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        shapes = {tuple(map(len, rows)) for rows in (self.risk, self.shift, self.variance)}
        rows = next(iter(shapes))
        if len(shapes) > 1 or len(rows) != max(1, len(self.days)) or len(set(rows)) > 1 or 0 in rows:
            raise ValueError("rows differ in number or length")
        if not (np.diff(self.days) > 0).all():
            raise ValueError("days do not ascend")
        if not (np.diff(self.risk, axis=1) >= -1e-9).all():
            raise ValueError("risk falls")
        return self


class _Marks(_Part):
    salt: Annotated[str, Field(pattern="^([0-9a-f]{2}){1,64}$")]
    size: Annotated[int, Field(ge=1, le=10**8)]
    bits: Annotated[str, Field(pattern="^[A-Za-z0-9+/]*=*$")]

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if len(self.bits) != 4 * math.ceil(math.ceil(self.size / 8) / 3):
            raise ValueError("bits are not as many as size says")
        return self


class _Update(_Part):
    parent: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    cohort: str
    simulated: bool
    patients: _Count
    events: _Count
    outcome_fingerprint: str
    marks: _Marks | None = None
    method: Literal["none", "in the large", "slope"]
    shift: _Number
    slope: _Positive
    competing_shift: _Number


class _Manifest(_Part):
    format_version: Literal[1]
    nbrelapse_version: str
    endpoint: Literal["relapse", "efs", "os", "refractory"]
    family: str
    features: Annotated[list[_Feature], Field(min_length=1, max_length=100_000)]
    gene_sets: dict[str, list[str]]
    files: dict[str, str]
    training: dict[str, Any]
    bands: _Bands | None = None
    updates: list[_Update] = []

    @model_validator(mode="after")
    def _agree(self) -> Self:
        families = SURVIVAL_FAMILIES if kind_of_endpoint(self.endpoint).has_time else BINARY_FAMILIES
        if self.family not in families:
            raise ValueError(f"no {self.endpoint} model is of the family {self.family[:40]!r}")
        if self.bands is not None and bool(self.bands.days) != kind_of_endpoint(self.endpoint).has_time:
            raise ValueError("bands of another kind of endpoint")
        if len({row.feature for row in self.features}) != len(self.features):
            raise ValueError("a feature is there twice")
        return self


class _Outcome(_Part):
    events: dict[str, _Count]


_TRAINING = TypeAdapter(TrainingSummary)


class _ProfilePart(_Part):
    patients: _Count
    known: list[_Count]
    mean: list[_Number | None]
    sd: list[_Positive | None]
    edges: list[list[_Number]]
    shares: list[list[_Share]]
    kurtosis: list[_Positive] | None = None
    loadings: list[list[Annotated[float, Field(ge=-1, le=1)]]] | None = None
    distances: Annotated[list[_Number], Field(min_length=2, max_length=10_000)] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        lists = (self.known, self.mean, self.sd, self.edges, self.shares)
        if len({len(own) for own in lists}) > 1 or max(self.known, default=0) > self.patients:
            raise ValueError("lists differ in length, or more patients are known than there are")
        for ends, shares in zip(self.edges, self.shares, strict=True):
            if not (np.diff(ends) > 0).all() or (len(shares) != len(ends) + 1 and (ends or shares)):
                raise ValueError("edges do not ascend, or shares are not one more")
        self._factors_agree()
        return self

    def _factors_agree(self) -> None:
        if self.kurtosis is None and self.loadings is None and self.distances is None:
            return
        if self.kurtosis is None or self.loadings is None or self.distances is None:
            raise ValueError("a part of the distances is missing")
        if {len(self.kurtosis), len(self.loadings)} != {len(self.mean)} or len(set(map(len, self.loadings))) > 1:
            raise ValueError("loadings or kurtosis differ in length")
        if any(sum(value * value for value in row) >= 1 for row in self.loadings):
            raise ValueError("loadings explain all of a feature")
        if not (np.diff(self.distances) >= 0).all():
            raise ValueError("distances fall")


class _Baseline(_Part):
    log_risk_quantiles: Annotated[list[_Number], Field(min_length=2, max_length=10_000)]
    profile: _ProfilePart | None = None

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if not (np.diff(self.log_risk_quantiles) >= 0).all():
            raise ValueError("log_risk_quantiles fall")
        return self


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Check all that a manifest says.

    Raises
    ------
    ValueError
        Something is missing, of another type, not finite or in another order.
    """
    _Manifest.model_validate(manifest)
    training = _TRAINING.validate_python(manifest["training"])
    if training.outcome is not None:
        _Outcome.model_validate(training.outcome)
    if training.marks is not None:
        _Marks.model_validate(training.marks)
    for group in () if training.observed is None else training.observed.clinical_groups:
        days = group.course["days"]
        if not (np.diff(days) > 0).all() or any(len(group.course[name]) != len(days) for name in group.course):
            raise ValueError("the days of a clinical group do not ascend, or its curves have other lengths")


def _check_baseline(document: Any, features: Sequence[str]) -> None:
    """Check what is kept of the distribution of the training patients' risks and features.

    Raises
    ------
    ValueError
        Something is missing, of another type, not finite or in another order, or is not of these features.
    """
    found = _Baseline.model_validate(document)
    if found.profile is not None and len(found.profile.known) != len(features):
        raise ValueError(f"the profile is of other features: {len(found.profile.known)}, not {len(features)}")


def _check_models(
    manifest: Mapping[str, Any],
    model: ModelState,
    refits: Sequence[ModelState],
    references: Mapping[str, Mapping[str, Any]],
    catalogue: Catalogue,
) -> None:
    """Check that models, refits, clinical baselines, features and catalogue are of each other.

    Raises
    ------
    ValueError
        They are not.
    """
    read = {row["feature"]: row["mechanism"] for row in manifest["features"]}
    for state in (model, *refits):
        if _plain_family(state.document) != manifest["family"] or set(_features(state.document)) != set(read):
            raise ValueError("a model or a refit is of another family, or reads other features than the manifest says")
    if len(refits) != manifest.get("refits", len(refits)):
        raise ValueError(f"{len(refits)} refits, where the manifest says {manifest['refits']}")
    binary = not kind_of_endpoint(manifest["endpoint"]).has_time
    for name, document in references.items():
        if document.get("family") != ("clinical_logistic" if binary else "clinical"):
            raise ValueError(f"the clinical baseline {name!r} is of another family")
    for name in {*read, *(name for document in references.values() for name in _features(document))}:
        if name not in catalogue.features:
            raise ValueError(f"the catalogue lacks {name}")
    for name, mechanism in read.items():
        if catalogue.features[name].mechanism != mechanism:
            raise ValueError(f"{name} is of another mechanism in the catalogue")


def _plain_family(document: Mapping[str, Any]) -> str:
    """Family of the model within whatever recalibrates or updates it."""
    while document["family"].startswith(("recalibrated", "updated")):
        document = document["model"]
    return str(document["family"])


def _features(document: Mapping[str, Any]) -> list[str]:
    """Features of a model and of what is within it."""
    within = [*document.get("members", {}).values()]
    if isinstance(document.get("expected"), dict):
        within.append(document["expected"])
    if any(set(part["features"]) != set(document["features"]) for part in within):
        raise ValueError("a part of the model reads other features than the model")
    return list(document["features"])


def _told(error: Exception) -> str:
    """Say what an exception says of a damaged file, in one line."""
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    if isinstance(error, InputError):
        return error.problem if error.column is None else f"{error.column}: {error.problem}"
    first = str(error).split("\n", 1)[0]
    return re.sub(r"[^\x20-\x7e\xa0-\uffff]", "?", first)[:200] or type(error).__name__
