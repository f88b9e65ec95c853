"""Therapies with their evidence in patients with neuroblastoma, and what each of them requires."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Self


@cache
def load_therapies() -> Mapping[str, Therapy]:
    """Return the agents that the packaged catalogue names, with what was shown of them in neuroblastoma.

    Returns
    -------
    mapping of str to Therapy
        By name. A catalogue of one's own may name others: :attr:`nbrelapse.mechanisms.Catalogue.therapies` holds all
        that a catalogue names.

    Examples
    --------
    >>> crizotinib = load_therapies()["crizotinib"]
    >>> crizotinib.level, crizotinib.source
    ('single_arm', '10.1158/1078-0432.CCR-20-4224')
    """
    text = resources.files("nbrelapse.mechanisms").joinpath("therapies.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: Therapy.from_table(name, table) for name, table in tomllib.loads(text).items()})


EVIDENCE_LEVELS = {
    "approved": "licensed for neuroblastoma, by whom and when its finding says",
    "randomised": "compared with another treatment in a randomised trial of neuroblastoma",
    "single_arm": "phase 2 trial or expansion cohort without a comparison, with the responses in neuroblastoma",
    "early": "phase 1 trial or case series with patients with neuroblastoma",
    "preclinical": "cells or animals; no result in patients with neuroblastoma was found",
    "not_reviewed": "evidence not reviewed",
}
"""What was shown in neuroblastoma, the strongest kind of evidence first. The kind says not how well an agent worked."""


@dataclass(frozen=True)
class _Requirement:
    """What a tumour must have for an agent to act, or what every patient had in whom it was tried.

    Parameters
    ----------
    text : str
    any_of : tuple of str
        Features of which one at least is to be present (0.5 or more).
    none_of : tuple of str
        Features that are all to be absent. With neither, no feature tells whether it is met.
    """

    text: str
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Therapy:
    """An agent or class of agents, with the evidence in neuroblastoma: a statement, no recommendation.

    Parameters
    ----------
    name : str
        As the catalogue's ``therapies`` name it.
    target : str
        What it acts on.
    level : str
        A key of ``EVIDENCE_LEVELS``.
    population : str
        In whom the finding was made.
    finding : str
        What was found, with the figure.
    source : str
        DOI, or the NCI's PDQ with its date.
    requires : Requirement, optional

    Examples
    --------
    >>> Therapy("an agent that nobody has looked up").level
    'not_reviewed'
    """

    name: str
    target: str = ""
    level: str = "not_reviewed"
    population: str = ""
    finding: str = ""
    source: str = ""
    requires: _Requirement | None = None

    @property
    def rank(self) -> int:
        """Place of its level in ``EVIDENCE_LEVELS``, 0 the strongest."""
        return list(EVIDENCE_LEVELS).index(self.level)

    @property
    def level_title(self) -> str:
        """The level in words: ``single arm``."""
        return self.level.replace("_", " ")

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, Any]) -> Self:
        """Read an entry as a TOML file holds it."""
        requires = table.get("requires")
        if requires is not None:
            lists = {key: tuple(requires.get(key, ())) for key in ("any_of", "none_of")}
            requires = _Requirement(requires["text"], **lists)
        return cls(name, **{**table, "requires": requires})

    def to_table(self) -> dict[str, Any]:
        """Return the entry as a TOML file holds it."""
        keys = ("target", "level", "population", "finding", "source")
        table: dict[str, Any] = {key: getattr(self, key) for key in keys}
        if self.requires is not None:
            lists = {"any_of": list(self.requires.any_of), "none_of": list(self.requires.none_of)}
            table["requires"] = {"text": self.requires.text, **lists}
        return table
