"""The mechanism catalogue: which features exist, how they are read, what is known of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from nbrelapse.errors import InputError

KINDS = ("binary", "count", "fraction", "continuous", "score", "ordinal")
ROLES = ("feature", "baseline")
_OWN_KEYS = (
    "title",
    "definition",
    "assay",
    "kind",
    "builder",
    "direction",
    "role",
    "log_hazard_prior",
    "therapies",
    "reference",
)
"""Keys of an entry that every feature may have; the others are the builder's parameters."""


@dataclass(frozen=True)
class Mechanism:
    """A mechanism of relapse or refractoriness: a player in every explanation.

    Parameters
    ----------
    name, title : str
        Key (``mycn``) and display title.
    color : str
        Hex colour, the same in every picture.
    description : str
        What it is, in a sentence or two.
    therapies : tuple of str
        Agents that address it, whatever their stage of evidence.
    reference : str
        DOI or other source.
    """

    name: str
    title: str
    color: str
    description: str
    therapies: tuple[str, ...]
    reference: str


@dataclass(frozen=True)
class FeatureDefinition:
    """One catalogue entry.

    Parameters
    ----------
    name : str
        ``mechanism__feature``.
    mechanism, title, definition : str
        Its mechanism, a display title, and one sentence that says how it is computed.
    assay : str
        The assay without which the feature is NaN (one of ``nbrelapse.cohort.cohort.ASSAYS``).
    kind : {"binary", "count", "fraction", "continuous", "score", "ordinal"}
    builder : str
        The builder module that computes it.
    parameters : dict
        Everything else in the entry: what the builder reads (genes, arms, thresholds).
    direction : dict
        Expected sign of the log hazard by endpoint: +1, -1, or 0 where it is unknown.
    role : {"feature", "baseline"}
        ``baseline`` features are clinical groupings for comparison; models do not take them by default.
    log_hazard_prior : dict
        ``{endpoint: value, "source": DOI, "adjusted": bool}``; empty where no figure is known.
    therapies : tuple of str
    reference : str
    """

    name: str
    mechanism: str
    title: str
    definition: str
    assay: str
    kind: str
    builder: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    direction: Mapping[str, int] = field(default_factory=dict)
    role: str = "feature"
    log_hazard_prior: Mapping[str, Any] = field(default_factory=dict)
    therapies: tuple[str, ...] = ()
    reference: str = ""

    def direction_for(self, endpoint: str) -> int:
        """Return the sign expected for an endpoint; efs and os fall back on relapse, 0 means no expectation."""
        fallback = 0 if endpoint == "refractory" else self.direction.get("relapse", 0)
        return int(self.direction.get(endpoint, fallback))


@dataclass(frozen=True)
class Catalogue:
    """All mechanisms and features.

    Parameters
    ----------
    version : str
    mechanisms : dict of str to Mechanism
    features : dict of str to FeatureDefinition
        By full name, in catalogue order.
    """

    version: str
    mechanisms: Mapping[str, Mechanism]
    features: Mapping[str, FeatureDefinition]

    def to_document(self) -> dict[str, Any]:
        """Return the catalogue as plain data, the way its TOML file holds it."""
        document: dict[str, Any] = {"version": self.version}
        for key, mechanism in self.mechanisms.items():
            document[key] = {
                "title": mechanism.title,
                "color": mechanism.color,
                "description": mechanism.description,
                "therapies": list(mechanism.therapies),
                "reference": mechanism.reference,
            }
        for name, definition in self.features.items():
            entry = {key: getattr(definition, key) for key in _OWN_KEYS}
            entry |= {"therapies": list(definition.therapies), "direction": dict(definition.direction)}
            entry["log_hazard_prior"] = dict(definition.log_hazard_prior)
            feature = name.removeprefix(f"{definition.mechanism}__")
            document[definition.mechanism][feature] = entry | dict(definition.parameters)
        return document

    def by_builder(self, builder: str) -> list[FeatureDefinition]:
        """Return the definitions that a builder has to compute."""
        return [definition for definition in self.features.values() if definition.builder == builder]


def load_catalogue(file: str | Path | None = None) -> Catalogue:
    """Read a catalogue.

    Parameters
    ----------
    file : path, optional
        A TOML file; the packaged catalogue by default.

    Returns
    -------
    Catalogue

    Raises
    ------
    InputError
        The file is missing or is not TOML, or an entry lacks a key or has an illegal value.

    Examples
    --------
    >>> catalogue = load_catalogue()
    >>> catalogue.features["mycn__amplified"].assay
    'fish'
    """
    name = "catalogue.toml" if file is None else str(file)
    try:
        text = (
            resources.files("nbrelapse.mechanisms").joinpath("catalogue.toml").read_text(encoding="utf-8")
            if file is None
            else Path(file).read_text(encoding="utf-8")
        )
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError("the catalogue file does not exist", file=name) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the catalogue is not valid TOML: {error}", file=name) from None
    return parse_catalogue(document, name)


def parse_catalogue(document: Mapping[str, Any], file: str = "catalogue") -> Catalogue:
    """Read a catalogue given as plain data, as TOML gives it or :meth:`Catalogue.to_document`.

    Parameters
    ----------
    document : dict
    file : str
        Named in errors.

    Returns
    -------
    Catalogue

    Raises
    ------
    InputError
        An entry lacks a key or has an illegal value.
    """
    tables = dict(document)
    version = str(tables.pop("version", "0"))
    mechanisms: dict[str, Mechanism] = {}
    features: dict[str, FeatureDefinition] = {}
    for key, table in tables.items():
        mechanisms[key] = _mechanism(key, table, file)
        for feature, entry in table.items():
            if isinstance(entry, dict):
                features[f"{key}__{feature}"] = _definition(key, feature, entry, file)
    return Catalogue(version, mechanisms, features)


def _mechanism(key: str, table: Any, file: str) -> Mechanism:
    if not isinstance(table, dict):
        raise InputError("a top-level key of the catalogue is not a mechanism table", file=file, column=key)
    missing = [name for name in ("title", "color", "description") if name not in table]
    if missing:
        raise InputError("a mechanism lacks keys", file=file, column=f"[{key}]", expected=", ".join(missing))
    return Mechanism(
        key,
        table["title"],
        table["color"],
        table["description"],
        tuple(table.get("therapies", ())),
        table.get("reference", ""),
    )


def _definition(mechanism: str, feature: str, entry: dict[str, Any], file: str) -> FeatureDefinition:
    where = f"[{mechanism}.{feature}]"
    missing = [name for name in ("title", "definition", "assay", "kind", "builder") if name not in entry]
    if missing:
        raise InputError("a feature lacks keys", file=file, column=where, expected=", ".join(missing))
    for name, legal in (("kind", KINDS), ("role", ROLES)):
        if entry.get(name, legal[0]) not in legal:
            raise InputError(f"illegal {name} {entry[name]!r}", file=file, column=where, expected=", ".join(legal))
    direction = entry.get("direction", 0)
    return FeatureDefinition(
        name=f"{mechanism}__{feature}",
        mechanism=mechanism,
        title=entry["title"],
        definition=entry["definition"],
        assay=entry["assay"],
        kind=entry["kind"],
        builder=entry["builder"],
        parameters={name: value for name, value in entry.items() if name not in _OWN_KEYS},
        direction={"relapse": direction} if isinstance(direction, int) else dict(direction),
        role=entry.get("role", "feature"),
        log_hazard_prior=entry.get("log_hazard_prior", {}),
        therapies=tuple(entry.get("therapies", ())),
        reference=entry.get("reference", ""),
    )
