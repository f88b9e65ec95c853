"""The mechanism catalogue: which features exist, how they are computed, what is known of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from html import escape
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Self

import pandas as pd

from nbrelapse.cohort.cohort import counted
from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.cohort.schema import LAYER
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue_rules import (
    _FEATURE_KEYS,
    _THERAPIES,
    _check_catalogue,
    _check_required_features,
    _extend_catalogue,
    _FeatureEntry,
    _named_features,
)
from nbrelapse.mechanisms.therapies import Therapy, load_therapies


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
        Agents that address it, whatever their stage of evidence; what is known of them: ``Catalogue.therapies``.
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
        The assay without which the feature is NaN (one of ``nbrelapse.cohort.cohort.ASSAYS``, or ``layer:NAME``).
    kind : {"binary", "count", "fraction", "continuous", "score", "ordinal"}
    builder : str
        The builder module that computes it.
    parameters : dict
        Everything else in the entry: what the builder reads (genes, arms, thresholds).
    direction : dict
        Expected sign of the log hazard by endpoint: +1, -1, or 0 where it is unknown.
    role : {"feature", "gene", "baseline"}
        ``gene`` features are single genes and rows of layers, for families that can weigh thousands of them.
        ``baseline`` features are clinical groupings for comparison; models do not take them by default.
    log_hazard_prior : dict
        ``{endpoint: value, "source": DOI, "adjusted": bool}``; empty where no figure is known.
    therapies : tuple of str
    reference : str
        DOI or other source.
    known_at_days : float
        From which day after diagnosis it is known; see :func:`nbrelapse.mechanisms.feature_table.known_at`.
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
    known_at_days: float = 0

    def direction_for(self, endpoint: str) -> int:
        """Return the sign expected for an endpoint; efs and os fall back on relapse, 0 means no expectation."""
        fallback = 0 if endpoint == "refractory" else self.direction.get("relapse", 0)
        return int(self.direction.get(endpoint, fallback))

    @property
    def inputs(self) -> list[str]:
        """The other features that it is computed from."""
        return _named_features(self.parameters)


@dataclass(frozen=True)
class Catalogue:
    """All mechanisms and features.

    Parameters
    ----------
    version : str
    mechanisms : dict of str to Mechanism
    features : dict of str to FeatureDefinition
        By full name, in catalogue order.
    own_therapies : dict of str to Therapy
        What a catalogue of one's own says of agents; the packaged evidence is not repeated here.
    """

    version: str
    mechanisms: Mapping[str, Mechanism]
    features: Mapping[str, FeatureDefinition]
    own_therapies: Mapping[str, Therapy] = field(default_factory=dict)

    @property
    def therapies(self) -> dict[str, Therapy]:
        """Every agent that a mechanism or feature names, in order of evidence; ``not_reviewed`` where none is known.

        The evidence is that of the installed version, not of the version that a model was saved with, except for a
        catalogue's own.

        Examples
        --------
        >>> list(load_catalogue().subset(["alk__amplified"]).therapies)
        ['crizotinib', 'lorlatinib']
        """
        known = {**load_therapies(), **self.own_therapies}
        named = [entry.therapies for entry in self.mechanisms.values()]
        named += [definition.therapies for definition in self.features.values()]
        agents = dict.fromkeys(chain.from_iterable(named))
        found = [known.get(agent, Therapy(agent)) for agent in agents]
        return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.rank)}

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
            entry = {key: getattr(definition, key) for key in _FEATURE_KEYS}
            entry |= {"therapies": list(definition.therapies), "direction": dict(definition.direction)}
            entry["log_hazard_prior"] = dict(definition.log_hazard_prior)
            feature = name.removeprefix(f"{definition.mechanism}__")
            document[definition.mechanism][feature] = entry | dict(definition.parameters)
        if self.own_therapies:
            document[_THERAPIES] = {name: therapy.to_table() for name, therapy in self.own_therapies.items()}
        return document

    def subset(self, names: Iterable[str]) -> Catalogue:
        """Return the catalogue of the named features, those that they are computed from, and their mechanisms.

        Examples
        --------
        >>> list(load_catalogue().subset(["cell_state__adrn_minus_mes"]).features)
        ['cell_state__adrenergic', 'cell_state__mesenchymal', 'cell_state__adrn_minus_mes']
        """
        wanted: set[str] = set()
        waiting = set(names)
        while waiting:
            wanted |= waiting
            waiting = {read for name in waiting for read in self.features[name].inputs} - wanted
        features = {name: definition for name, definition in self.features.items() if name in wanted}
        used = {definition.mechanism for definition in features.values()}
        mechanisms = {name: mechanism for name, mechanism in self.mechanisms.items() if name in used}
        return replace(self, mechanisms=mechanisms, features=features)

    def by_builder(self, builder: str) -> list[FeatureDefinition]:
        """Return the definitions that a builder has to compute."""
        return [definition for definition in self.features.values() if definition.builder == builder]

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self._overview().to_string(index=False)}" if self.mechanisms else self._headline()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{self._overview().to_html(index=False)}"

    def _headline(self) -> str:
        mechanisms, features = len(self.mechanisms), len(self.features)
        return f"Catalogue {self.version}: {counted(mechanisms, 'mechanism')}, {counted(features, 'feature')}"

    def _overview(self) -> pd.DataFrame:
        features = [definition.mechanism for definition in self.features.values()]
        return pd.DataFrame(
            [(name, entry.title, features.count(name)) for name, entry in self.mechanisms.items()],
            columns=["mechanism", "title", "features"],
        )


def load_catalogue(file: str | Path | None = None) -> Catalogue:
    """Read the packaged catalogue, extended by a file of one's own.

    Parameters
    ----------
    file : path, optional
        A TOML file of the same form: a table a mechanism, in it a table a feature. A mechanism or feature that is new
        is added and must be complete; of one that exists, the keys that the file names are replaced, and with
        ``builder`` among them all parameters of the builder. ``remove = true`` leaves a feature or a mechanism out.
        A table ``[therapies."agent"]`` says what is known of an agent. With ``extends = false`` at the top the file
        stands alone.

    Returns
    -------
    Catalogue
        Its version is the packaged one, followed by ``+`` and the file's own ``version`` or name where there is a file.

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
    if file is None:
        return parse_catalogue(_packaged())
    own = _read_document(Path(file))
    extends = own.pop("extends", True)
    if not isinstance(extends, bool):
        raise InputError(
            f"illegal extends {extends!r}", file=file, expected="true or false", fix="correct or remove the key"
        )
    if extends:
        packaged = _packaged()
        version = f"{packaged['version']}+{own.pop('version', Path(file).stem)}"
        own = _extend_catalogue(packaged, own, str(file)) | {"version": version}
    catalogue = parse_catalogue(own, str(file))
    # Only here: the catalogue of a saved model holds no more than the model's own features.
    _check_required_features(catalogue.own_therapies, catalogue.features, str(file))
    return catalogue


@cache
def _packaged_texts() -> dict[str, str]:
    folder = resources.files("nbrelapse.mechanisms")
    files = [folder.joinpath("catalogue.toml"), *folder.joinpath("features").iterdir()]
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith(".toml")}


def _packaged() -> dict[str, Any]:
    """Return the packaged catalogue as one document: its mechanisms, each with its features."""
    texts = _packaged_texts()
    document = tomllib.loads(texts["catalogue.toml"])
    for mechanism in document:
        if mechanism != "version":
            document[mechanism] |= tomllib.loads(texts[f"{mechanism}.toml"])
    return document


def _read_document(path: Path) -> dict[str, Any]:
    return parse_toml(read_bytes(path), path, "the catalogue", expected="a table a feature: [alk.hotspot_mutation]")


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
    tables = _check_catalogue(document, file)
    features = [
        _definition(mechanism, feature, entry)
        for mechanism, (_, entries) in tables.items()
        for feature, entry in entries.items()
    ]
    return Catalogue(
        str(document.get("version", "0")),
        {key: Mechanism(key, **dict(mechanism)) for key, (mechanism, _) in tables.items()},
        {definition.name: definition for definition in features},
        {name: Therapy.from_table(name, table) for name, table in document.get(_THERAPIES, {}).items()},
    )


def _definition(mechanism: str, feature: str, entry: _FeatureEntry) -> FeatureDefinition:
    keys = {key: getattr(entry, key) for key in _FEATURE_KEYS}
    return FeatureDefinition(f"{mechanism}__{feature}", mechanism, parameters=entry.model_extra or {}, **keys)


_FALLBACK = {"efs": "relapse", "relapse": "efs", "os": "relapse"}
"""Where the figure of an endpoint is not known: most first events are relapses, and most deaths follow one."""


@dataclass(frozen=True)
class PriorKnowledge:
    """Expected effects of features, and which features belong together.

    Parameters
    ----------
    log_hazards : dict of str to float
        Log hazard ratio per unit of the feature, where one is known.
    adjusted : frozenset of str
        Features whose figure is adjusted for the others; the figures of the rest are of the feature on its own.
    directions : dict of str to int
        Expected sign, -1 or +1, of features without a figure.
    log_hazard_per_sd : float
        What all features of ``directions`` together weigh: the log hazard ratio per standard deviation of their index
        of equal weights.
    blocks : dict of str to str
        Features of one block share what they may weigh, however many they are.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> prior = PriorKnowledge.of_catalogue(load_catalogue(), ["mycn__amplified", "cell_state__ntrk1_expression"], "os")
    >>> prior.log_hazards, prior.directions, prior.blocks["mycn__amplified"]
    ({'mycn__amplified': 1.84}, {'cell_state__ntrk1_expression': -1}, 'mycn fish')
    """

    log_hazards: Mapping[str, float] = field(default_factory=dict)
    adjusted: frozenset[str] = frozenset()
    directions: Mapping[str, int] = field(default_factory=dict)
    log_hazard_per_sd: float = 0.0
    blocks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_catalogue(cls, catalogue: Catalogue, names: Sequence[str], endpoint: str) -> Self:
        """Return what the catalogue says of some features and a survival endpoint.

        ``efs`` and ``relapse`` stand in for each other, and ``relapse`` for ``os``, where a figure is missing. A block
        is a mechanism seen by one assay, its single genes apart. A block of which a figure is known is spoken for: its
        other features, often the same finding in other words, bring no direction.
        """
        definitions = {name: catalogue.features[name] for name in names}
        figures = {name: _figure(definition, endpoint) for name, definition in definitions.items()}
        known = {name: figure for name, figure in figures.items() if figure is not None}
        blocks = {name: _block(definition) for name, definition in definitions.items()}
        spoken_for = {blocks[name] for name in known}
        signs = {name: definition.direction_for(endpoint) for name, definition in definitions.items()}
        return cls(
            known,
            frozenset(name for name in known if definitions[name].log_hazard_prior["adjusted"]),
            {name: sign for name, sign in signs.items() if sign and blocks[name] not in spoken_for},
            _expected_directions()["log_hazard_per_sd"],
            blocks,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self) | {"adjusted": sorted(self.adjusted)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_dict` wrote."""
        return cls(**{**document, "adjusted": frozenset(document["adjusted"])})


def _block(definition: FeatureDefinition) -> str:
    genes = definition.role == "gene" and not definition.assay.startswith(LAYER)
    seen_by = "genes" if genes else definition.assay
    return f"{definition.mechanism} {seen_by}"


def _figure(definition: FeatureDefinition, endpoint: str) -> float | None:
    prior = definition.log_hazard_prior
    figure = prior.get(endpoint, prior.get(_FALLBACK.get(endpoint, "")))
    return None if figure is None else float(figure)


@cache
def _expected_directions() -> dict[str, Any]:
    file = resources.files("nbrelapse.mechanisms").joinpath("expected_directions.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
