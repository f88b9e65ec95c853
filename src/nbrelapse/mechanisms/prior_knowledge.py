"""What is known of the effects of features before a cohort is looked at."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Self

from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition

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
    seen_by = "genes" if definition.role == "gene" else definition.assay
    return f"{definition.mechanism} {seen_by}"


def _figure(definition: FeatureDefinition, endpoint: str) -> float | None:
    prior = definition.log_hazard_prior
    figure = prior.get(endpoint, prior.get(_FALLBACK.get(endpoint, "")))
    return None if figure is None else float(figure)


@cache
def _expected_directions() -> dict[str, Any]:
    file = resources.files("nbrelapse.mechanisms").joinpath("expected_directions.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
