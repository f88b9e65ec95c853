"""The legal keys and values of a catalogue's entries, and how a user's catalogue extends the packaged one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from nbrelapse.cohort.cohort import ASSAYS
from nbrelapse.cohort.schema import LAYER
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.therapies import EVIDENCE_LEVELS, Therapy

_THERAPIES = "therapies"
"""The table of a catalogue that is no mechanism: what is known of agents."""

_KINDS = ("binary", "count", "fraction", "continuous", "score", "ordinal")
_ROLES = ("feature", "gene", "baseline")
ENDPOINTS = ("relapse", "efs", "os", "refractory")
_LARGEST_PRIOR = 5.0
"""A larger log hazard ratio (beyond 150-fold) is a hazard ratio that was not put on the log scale."""

_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_GENE_NAME = re.compile(r"gene_[A-Za-z0-9][A-Za-z0-9._-]*")
"""Of features that :func:`with_gene_features` has made: they stand in the catalogues of saved models."""
_ROW_NAME = re.compile(r"[a-z0-9][a-z0-9_]*_[A-Za-z0-9][A-Za-z0-9._-]*")
"""Of features that :func:`with_layer_features` has made: the layer and the row."""
_FEATURE_NAME = re.compile(rf"{_NAME.pattern}__{_NAME.pattern}")
_GENE_SET_KEYS = {"gene_set": "genes", "gene_set_down": "genes_down"}
"""The parameters that name a gene set, and those that its genes become."""
_NAMES_OF_OTHERS = {*_GENE_SET_KEYS, "layer", "row"}
"""Parameters whose texts are names from files, and none of features."""


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return type(value) is int or (type(value) is float and isfinite(value))


def _named_features(parameters: Mapping[str, Any]) -> list[str]:
    """Names of other features (``mechanism__feature``) in the parameters of an entry, each once.

    Examples
    --------
    >>> _named_features({"difference": ["cell_state__adrenergic", "cell_state__mesenchymal"], "gene_set": "MY__SET"})
    ['cell_state__adrenergic', 'cell_state__mesenchymal']
    """
    read = {key: value for key, value in parameters.items() if key not in _NAMES_OF_OTHERS}
    return list(
        dict.fromkeys(text for text in _leaves(read) if isinstance(text, str) and _FEATURE_NAME.fullmatch(text))
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _plain(value: Any) -> Any:
    if not all(isinstance(leaf, (str, bool)) or _is_number(leaf) for leaf in _leaves(value)):
        raise ValueError("not plain data")
    return value


def _each_once(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(texts)) < len(texts):
        raise ValueError("a text stands twice")
    return texts


def _sourced(prior: dict[str, Any]) -> dict[str, Any]:
    figures = [figure for key, figure in prior.items() if key in ENDPOINTS]
    source = prior.get("source")
    sourced = isinstance(source, str) and bool(source.strip()) and isinstance(prior.get("adjusted"), bool)
    plausible = all(_is_number(figure) and abs(figure) <= _LARGEST_PRIOR for figure in figures)
    if prior and not (figures and sourced and plausible and set(prior) <= {*ENDPOINTS, "source", "adjusted"}):
        raise ValueError("not log hazard ratios with their source")
    return prior


def _one_of(legal: Sequence[str]) -> Any:
    return Field(pattern=f"^({'|'.join(legal)})$", description=", ".join(legal))


_Text = Annotated[str, Field(pattern=r"\S")]
_Title = Annotated[_Text, Field(description="a short text")]
_Sentence = Annotated[_Text, Field(description="a sentence or two")]
_Reference = Annotated[str, Field(description="a text: a DOI or another source")]
_Texts = Annotated[
    tuple[_Text, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
    AfterValidator(_each_once),
]
_Therapies = Annotated[_Texts, Field(description='a list of texts, each once: ["lorlatinib", "crizotinib"]')]
_Direction = Annotated[
    dict[Annotated[str, _one_of(ENDPOINTS)], Annotated[int, Field(ge=-1, le=1)]],
    BeforeValidator(lambda value: value if isinstance(value, dict) else {"relapse": value}),
    Field(description=f"1, -1 or 0, or a table of them by endpoint ({', '.join(ENDPOINTS)})"),
]
_Prior = Annotated[
    dict[str, Any],
    AfterValidator(_sourced),
    Field(
        description=f'{{ endpoint = log hazard ratio (at most {_LARGEST_PRIOR:g}), source = "DOI", '
        f"adjusted = true or false }}, endpoint one of {', '.join(ENDPOINTS)}"
    ),
]
_Days = Annotated[int | FiniteFloat, Field(ge=0, description="days from diagnosis, 0 or more")]


class _Entry(BaseModel):
    """A table of the catalogue; the description of a key is what an error says to be expected of it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    kind_of_entry: ClassVar[str]
    more_keys: ClassVar[str] = ""
    add: ClassVar[str] = "add what is missing; an entry that changes a packaged one must bear its name"


class _MechanismEntry(_Entry):
    """The keys of a mechanism."""

    kind_of_entry = "a mechanism"
    more_keys = ", and a table a feature"

    title: _Title
    color: Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$", description='a hex colour such as "#0072B2"')]
    description: _Sentence
    therapies: _Therapies = ()
    reference: _Reference = ""


class _FeatureEntry(_Entry):
    """The keys that every feature may have; the others are the parameters of its builder."""

    model_config = ConfigDict(extra="allow")
    kind_of_entry = "a feature"
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_plain)]] = Field(init=False)

    title: _Title
    definition: _Sentence
    assay: Annotated[
        str,
        Field(
            pattern=rf"^({'|'.join(ASSAYS)}|{LAYER}{_NAME.pattern})$", description=f"{', '.join(ASSAYS)}, layer:NAME"
        ),
    ]
    kind: Annotated[str, _one_of(_KINDS)]
    builder: Annotated[_Text, Field(description="the name of a builder")]
    direction: _Direction = {"relapse": 0}
    role: Annotated[str, _one_of(_ROLES)] = "feature"
    log_hazard_prior: _Prior = {}
    therapies: _Therapies = ()
    reference: _Reference = ""
    known_at_days: _Days = 0


class _TherapyEntry(_Entry):
    """What a catalogue says of an agent."""

    kind_of_entry = "a therapy"
    add = "add what is missing"

    target: Annotated[_Text, Field(description="what the agent acts on")]
    level: Annotated[str, _one_of([level for level in EVIDENCE_LEVELS if level != "not_reviewed"])]
    population: Annotated[_Text, Field(description="in whom the finding was made")]
    finding: Annotated[_Text, Field(description="what was found, with the figure")]
    source: Annotated[_Text, Field(description="a DOI or another source")]
    requires: Annotated[
        dict[str, Any], Field(description='{ text = "TP53 wild type", none_of = ["p53__tp53_mutation"] }')
    ] = {}


class _RequirementEntry(_Entry):
    """What a therapy requires of a tumour."""

    kind_of_entry = "a therapy"
    add = "add what is missing"

    text: Annotated[_Text, Field(description="what the tumour must have")]
    any_of: Annotated[_Texts, Field(description='a list of features: ["alk__hotspot_mutation"]')] = ()
    none_of: Annotated[_Texts, Field(description='a list of features: ["p53__tp53_mutation"]')] = ()


_FEATURE_KEYS = tuple(_FeatureEntry.model_fields)
_AnyEntry = TypeVar("_AnyEntry", bound=_Entry)


def _check_catalogue(
    document: Mapping[str, Any], file: str
) -> dict[str, tuple[_MechanismEntry, dict[str, _FeatureEntry]]]:
    """Read the entries of a catalogue, or refuse it for one that lacks a key or has an illegal value.

    Parameters
    ----------
    document : dict
        ``version``, a table a mechanism with its keys and, in it, a table a feature, and ``therapies``.
    file : str
        Named in errors.

    Returns
    -------
    dict of str to (MechanismEntry, dict of str to FeatureEntry)
        Each mechanism with its features, in the document's order.

    Raises
    ------
    InputError
        For the first illegal entry, which it names as ``[mechanism.feature]``.

    Examples
    --------
    >>> _check_catalogue({"alk": {"title": "ALK", "color": "blue", "description": "The kinase."}}, "my.toml")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: illegal color 'blue'
      file: my.toml
      column: [alk]
      expected: a hex colour such as "#0072B2"
      fix: correct the value
    """
    _check_therapies(document.get(_THERAPIES, {}), file)
    mechanisms = {
        key: _mechanism(key, table, file) for key, table in document.items() if key not in ("version", _THERAPIES)
    }
    _check_colors({key: mechanism.color for key, (mechanism, _) in mechanisms.items()}, file)
    names = {f"{key}__{feature}" for key, (_, features) in mechanisms.items() for feature in features}
    for key, (_, features) in mechanisms.items():
        for feature, entry in features.items():
            absent = sorted(set(_named_features(entry.model_extra or {})) - names)
            if absent:
                raise InputError(
                    f"a feature reads another that does not exist: {', '.join(absent)}",
                    file=file,
                    column=f"[{key}.{feature}]",
                    fix="correct the name, or remove this feature too",
                )
    return mechanisms


def _mechanism(key: str, table: Any, file: str) -> tuple[_MechanismEntry, dict[str, _FeatureEntry]]:
    if not isinstance(table, dict):
        raise InputError(
            "a key at the top of the catalogue is not a mechanism",
            file=file,
            column=key,
            expected="version, extends, therapies, and a table a mechanism",
            fix="put the key into the table of its mechanism",
        )
    _check_name(key, f"[{key}]", file)
    own = {
        name: value
        for name, value in table.items()
        if name in _MechanismEntry.model_fields or not isinstance(value, dict)
    }
    mechanism = _read(_MechanismEntry, own, f"[{key}]", file)
    features = {
        name: _feature(name, entry, f"[{key}.{name}]", file) for name, entry in table.items() if name not in own
    }
    return mechanism, features


def _feature(name: str, table: dict[str, Any], where: str, file: str) -> _FeatureEntry:
    of_layer = table.get("builder") == "layers" and _ROW_NAME.fullmatch(name)
    if not _GENE_NAME.fullmatch(name) and not of_layer:
        _check_name(name, where, file)
    entry = _read(_FeatureEntry, table, where, file)
    for endpoint, figure in entry.log_hazard_prior.items():
        if endpoint in ENDPOINTS and figure * entry.direction.get(endpoint, 0) < 0:
            raise InputError(
                f"direction and log_hazard_prior of {endpoint} contradict each other",
                file=file,
                column=where,
                expected="a negative log hazard ratio where the direction is -1, a positive one where it is 1",
                fix="correct one of them",
            )
    both = [f"{named} and {genes}" for named, genes in _GENE_SET_KEYS.items() if named in table and genes in table]
    if both:
        raise InputError(f"a feature has both {both[0]}", file=file, column=where, fix="remove one of them")
    return entry


def _check_name(name: str, where: str, file: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"illegal name {name!r}",
            file=file,
            column=where,
            expected="lower-case letters and digits, words joined by single underscores",
            fix="rename it",
        )


def _check_colors(colors: Mapping[str, str], file: str) -> None:
    owner: dict[str, str] = {}
    for mechanism, color in colors.items():
        first = owner.setdefault(color.upper(), mechanism)
        if first != mechanism:
            raise InputError(
                f"the mechanisms {first} and {mechanism} have the same color {color}",
                file=file,
                column=f"[{mechanism}]",
                fix="give each its own: pictures distinguish mechanisms by it",
            )


def _check_therapies(tables: Any, file: str) -> None:
    """Refuse a therapy that lacks a key, has one that is not known, or an illegal value.

    Parameters
    ----------
    tables : dict
        A table an agent.
    file : str
        Named in errors.

    Raises
    ------
    InputError
        For the first illegal entry.

    Examples
    --------
    >>> entry = {"target": "ALK", "level": "early", "population": "Neuroblastoma.", "finding": "3 of 20 responded."}
    >>> _check_therapies({"lorlatinib": entry}, "my.toml")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: source missing
      file: my.toml
      column: [therapies."lorlatinib"]
      expected: source: a DOI or another source
      fix: add what is missing
    """
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(
            "therapies are a table an agent",
            file=file,
            column="[therapies]",
            expected='[therapies."lorlatinib"]',
            fix="give each agent a table; the agents of a mechanism stand in its own table",
        )
    for name, table in tables.items():
        where = f'[therapies."{name}"]'
        entry = _read(_TherapyEntry, table, where, file)
        if "requires" in table:
            _read(_RequirementEntry, entry.requires, f"{where} requires", file)


def _check_required_features(therapies: Mapping[str, Therapy], features: Collection[str], file: str) -> None:
    """Refuse a requirement that names a feature which does not exist: it would contradict nobody."""
    for name, therapy in therapies.items():
        named = () if therapy.requires is None else (*therapy.requires.any_of, *therapy.requires.none_of)
        absent = [feature for feature in named if feature not in features]
        if absent:
            raise InputError(
                f"a therapy requires a feature that does not exist: {', '.join(absent)}",
                file=file,
                column=f'[therapies."{name}"] requires',
                expected="names of features: p53__tp53_mutation",
                fix="correct the name; `nbrelapse mechanisms` lists all",
            )


def _read(model: type[_AnyEntry], table: Mapping[str, Any], where: str, file: str) -> _AnyEntry:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise _as_input_error(model, table, error, where, file) from None


def _as_input_error(
    model: type[_Entry], table: Mapping[str, Any], error: ValidationError, where: str, file: str
) -> InputError:
    """Return the error of the keys that are missing, else of the first that is illegal, else of the unknown ones."""
    found = [(problem["type"], str(problem["loc"][0])) for problem in error.errors()]
    expected = {key: field.description for key, field in model.model_fields.items()}
    missing = [key for kind, key in found if kind == "missing"]
    if missing:
        return InputError(
            f"{', '.join(missing)} missing",
            file=file,
            column=where,
            expected="; ".join(f"{key}: {expected[key]}" for key in missing),
            fix=model.add,
        )
    illegal = next((key for kind, key in found if kind != "extra_forbidden"), None)
    if illegal is None:
        return InputError(
            f"{model.kind_of_entry} has no key {', '.join(key for _, key in found)}",
            file=file,
            column=where,
            expected=", ".join(expected) + model.more_keys,
            fix="correct or remove the key",
        )
    if illegal not in expected:
        return InputError(
            f"illegal value of the parameter {illegal}",
            file=file,
            column=where,
            expected="texts, finite numbers, true or false, and lists and tables of them",
            fix="write a date as a text, leave out what is unknown",
        )
    return InputError(
        f"illegal {illegal} {table[illegal]!r}",
        file=file,
        column=where,
        expected=expected[illegal],
        fix="correct the value",
    )


def _extend_catalogue(packaged: Mapping[str, Any], own: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return a catalogue's document with the tables of another laid over it.

    Of a mechanism or feature that exists, the keys that the other document names are replaced; an entry that names its
    ``builder`` brings all the builder's parameters with it. ``remove = true`` leaves a feature or a mechanism out.

    Parameters
    ----------
    packaged, own : dict
        A table a mechanism, in it a table a feature.
    file : str
        Where ``own`` comes from; named in errors.

    Returns
    -------
    dict
        Not yet checked; neither argument is changed.

    Raises
    ------
    InputError
        What is to be removed does not exist, or an entry removes and says more.

    Examples
    --------
    >>> packaged = {"alk": {"title": "ALK", "hotspot": {"title": "Hotspot"}, "amplified": {"title": "Amplified"}}}
    >>> _extend_catalogue(packaged, {"alk": {"hotspot": {"kind": "binary"}, "amplified": {"remove": True}}}, "my.toml")
    {'alk': {'title': 'ALK', 'hotspot': {'title': 'Hotspot', 'kind': 'binary'}}}
    """
    document = dict(packaged)
    for mechanism, table in own.items():
        if not isinstance(table, dict):
            document[mechanism] = table
        elif _is_removal(table, f"[{mechanism}]", document, file):
            del document[mechanism]
        else:
            document[mechanism] = _with_features(document.get(mechanism, {}), mechanism, table, file)
    return document


def _with_features(before: Mapping[str, Any], mechanism: str, own: Mapping[str, Any], file: str) -> dict[str, Any]:
    table = dict(before)
    for key, value in own.items():
        present = [name for name, entry in table.items() if isinstance(entry, dict)]
        if not isinstance(value, dict):
            table[key] = value
        elif _is_removal(value, f"[{mechanism}.{key}]", present, file):
            del table[key]
        else:
            table[key] = _overridden(table.get(key), value)
    return table


def _overridden(before: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(before, dict):
        return dict(own)
    if "builder" in own:
        before = {key: value for key, value in before.items() if key in _FEATURE_KEYS}
    return {**before, **own}


def _is_removal(table: Mapping[str, Any], where: str, present: Collection[str], file: str) -> bool:
    """Whether a table asks to leave something out that is there."""
    if "remove" not in table:
        return False
    if dict(table) != {"remove": True}:
        raise InputError(
            "an entry that removes says nothing else",
            file=file,
            column=where,
            expected="remove = true",
            fix="delete the other keys, or delete `remove`",
        )
    if where.strip("[]").rpartition(".")[2] not in present:
        raise InputError(
            "what is to be removed does not exist",
            file=file,
            column=where,
            expected=", ".join(name for name in present if name != "version"),
            fix="correct the name; `nbrelapse mechanisms` lists all",
        )
    return True
