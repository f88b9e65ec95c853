"""The JSON of requests and answers: how it is read, and its description for OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from nbrelapse.cohort import MATRICES, TABLES
from nbrelapse.errors import InputError, NbRelapseError, did_you_mean
from nbrelapse.scoring import Bundle, PatientRecords, RecordScorer, describe_features

_NUMBER_OR_NULL: dict[str, Any] = {"type": ["number", "null"]}
_TEXT: dict[str, Any] = {"type": "string"}
_CELL = {"type": ["string", "number", "boolean", "null"]}
_FEATURES = "Features"
_Cells = Annotated[
    dict[str, str | float | bool | None], WithJsonSchema({"type": "object", "additionalProperties": _CELL})
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _Patient(_Strict):
    """A patient given by feature."""

    patient_id: Annotated[str, Field(max_length=200)] | None = None
    features: dict[str, Any]


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Platform(_Strict):
    """The scale of a platform's log2 ratios, as ``cohort.toml`` has it."""

    centre: _Finite
    loss: _Finite
    gain: _Finite
    noise: _Finite
    purity: _Finite | None = None
    source: str | None = None


class ScoreRequest(_Strict):
    """Patients given by feature (``patients``) or by the tables of a cohort (``tables``); one of both."""

    patients: Annotated[list[_Patient], Field(min_length=1)] | None = None
    tables: dict[str, list[_Cells]] | None = None
    platforms: dict[str, _Platform] | None = None
    units_checked: bool = False
    allow_missing_assays: bool = False

    @property
    def count(self) -> int:
        """Number of patients."""
        given = self.patients if self.tables is None else self.tables.get("patients")
        return len(given or ())

    def read(self, scorer: RecordScorer) -> PatientRecords:
        """Return the patients.

        Raises
        ------
        InputError
            They cannot be read.
        """
        if self.tables is None:
            return scorer.read_features([patient.model_dump() for patient in self.patients or ()])
        scales = {name: scale.model_dump(exclude_none=True) for name, scale in (self.platforms or {}).items()}
        return scorer.read_tables(
            self.tables,
            platforms=scales,
            units_checked=self.units_checked,
            allow_missing_assays=self.allow_missing_assays,
        )


class ExplainRequest(ScoreRequest):
    """Patients as for scores, and the years of the explained probability."""

    horizon_years: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


def parse(body: bytes, kind: type[ScoreRequest]) -> ScoreRequest:
    """Read a request.

    Parameters
    ----------
    body : bytes
        JSON in UTF-8; NaN counts as null. A key that is there twice is refused.
    kind : ScoreRequest or ExplainRequest

    Raises
    ------
    InputError
        It is no JSON, or not of this kind. No value stands in the message.
    """
    try:
        document = json.loads(body, object_pairs_hook=_once)
        if b"\\u" in body:  # half a pair of surrogates is no text
            json.dumps(document, ensure_ascii=False).encode()
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON", expected="a JSON object in UTF-8") from None
    if not isinstance(document, dict):
        raise InputError("the body is no JSON object", expected='{"patients": [{"features": {…}}]}')
    try:
        request = kind.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, kind) from None
    if (request.patients is None) == (request.tables is None):
        raise InputError("one of patients and tables is to be given", column="patients, tables")
    by_tables = {"platforms", "units_checked", "allow_missing_assays"} & request.model_fields_set
    if request.tables is None and by_tables:
        raise InputError("this goes with tables only", column=", ".join(sorted(by_tables)), fix="leave it out")
    return request


_FIELDS = 10_000


def parse_form(body: bytes) -> dict[str, str]:
    """Read the fields of a form; of those with one name the first counts.

    Raises
    ------
    InputError
        There are more than any model has features.
    """
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_FIELDS)
    except ValueError:
        raise InputError("the form has too many fields", expected=f"at most {_FIELDS}") from None
    return {name: values[0] for name, values in fields.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("a key is there twice in one object", fix="leave out the one that is wrong")
    return found


def _refusal(error: ValidationError, kind: type[ScoreRequest]) -> InputError:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    # A misspelt key is missing under its right name as well.
    problem = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    column = ".".join(str(part + 1) if isinstance(part, int) else part for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        own = _Patient if problem["loc"][0] == "patients" else _Platform if problem["loc"][0] == "platforms" else kind
        legal = list(own.model_fields)
        name = str(problem["loc"][-1])
        return InputError("unknown key", column=column, expected=", ".join(legal), fix=did_you_mean(name, legal))
    if problem["type"] == "missing":
        return InputError("a required key is missing", column=column)
    return InputError("the request cannot be read", column=column, expected=problem["msg"])


def error_document(error: NbRelapseError | str, **more: Any) -> dict[str, Any]:
    """Return an error as JSON data; what does not apply is null."""
    keys = ("column", "rows", "expected", "fix")
    problem = error if isinstance(error, str) else getattr(error, "problem", str(error))
    found = {key: getattr(error, key, None) for key in keys} | more
    table = getattr(error, "file", None)
    return {"error": {"problem": problem, "table": table, **found}}


_TEXTS = ("missing_assays", "out_of_range_features", "warnings")


def schemas(bundle: Bundle) -> dict[str, Any]:
    """Return the JSON schemas of requests and answers, for ``components/schemas``."""
    features = describe_features(bundle)
    value = {"type": ["number", "boolean", "null"]}
    found: dict[str, Any] = {
        _FEATURES: {
            "type": "object",
            "description": "By name; null, or left out: not assayed. Other features of the catalogue are not read.",
            "properties": {one["name"]: {**value, "description": one["title"]} for one in features},
            "additionalProperties": False,
            "minProperties": 1,
        },
        "Score": _object(
            {"patient_id": {"type": ["string", "null"]}}
            | {name: _TEXT if name in _TEXTS else _NUMBER_OR_NULL for name in bundle.score_columns}
        ),
        "Error": _object(
            {
                "error": _object(
                    {"problem": _TEXT}
                    | {name: {"type": ["string", "null"]} for name in ("table", "column", "expected", "fix")}
                    | {"rows": {"type": ["array", "null"], "items": {"type": ["integer", "string"]}}}
                )
            }
        ),
        "Model": _object(dict.fromkeys(model_facts(bundle), _TEXT)),
        "Sums": _sums(),
    }
    found["Scores"] = _object({"model": _ref("Model"), "patients": _list(_ref("Score")), "notes": _list(_TEXT)})
    nothing = {"type": "null"}
    explained = {
        "patient_id": {"type": ["string", "null"]},
        "scores": _ref("Score"),
        "log_risk": {"anyOf": [_ref("Sums"), nothing]},
        "probability": {"anyOf": [_ref("Sums"), nothing]},
    }
    found["Explanations"] = _object(
        {"model": _ref("Model"), "patients": _list(_object(explained)), "notes": _list(_TEXT)}
    )
    for kind in (ScoreRequest, ExplainRequest):
        own = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= own.pop("$defs", {})
        own["oneOf"] = [{"required": ["patients"]}, {"required": ["tables"]}]
        own["properties"] |= {
            "patients": _list(_ref("_Patient")) | {"minItems": 1},
            "tables": {
                "type": "object",
                "properties": {name: _list({"type": "object", "additionalProperties": _CELL}) for name in _tables()},
                "required": ["patients"],
                "additionalProperties": False,
            },
        }
        found[kind.__name__] = own
    found["_Patient"]["properties"]["features"] = _ref(_FEATURES)
    return found


def model_facts(bundle: Bundle) -> dict[str, str]:
    """Return what tells one model from another."""
    return {
        "family": bundle.model.family,
        "endpoint": bundle.endpoint,
        "nbrelapse": bundle.version,
        "catalogue": bundle.catalogue.version,
    }


def _tables() -> Iterable[str]:
    return (*TABLES, *MATRICES)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _sums() -> dict[str, Any]:
    numbers = {"type": "object", "additionalProperties": _NUMBER_OR_NULL}
    sums = {"baseline": {"type": "number"}, "value": {"type": "number"}, "mechanisms": numbers, "features": numbers}
    return _object(sums) | {"description": "Contributions that add up: baseline and mechanisms, or features, to value."}
