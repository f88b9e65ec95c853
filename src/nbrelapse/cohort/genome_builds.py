"""What tells the two genome builds apart; the numbers stand in ``genome_builds.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def genome_landmarks() -> dict[str, Any]:
    """Return chromosome lengths by build, and the places of well-known hotspots in both.

    Examples
    --------
    >>> genome_landmarks()["lengths"]["hg19"]["1"], genome_landmarks()["hotspots"][0]["gene"]
    (249250621, 'ALK')
    """
    text = resources.files("nbrelapse.cohort").joinpath("genome_builds.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
