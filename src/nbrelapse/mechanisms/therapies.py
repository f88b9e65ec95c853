"""The packaged therapies with their evidence."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from nbrelapse.mechanisms.therapy import Therapy


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
