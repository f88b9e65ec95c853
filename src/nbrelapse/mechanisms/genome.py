"""Chromosome names, arms, bands and gene spans of the two human genome builds."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from nbrelapse.cohort.genome import normalise_chromosomes
from nbrelapse.errors import InputError

_BUILDS = ("hg19", "hg38")
_AUTOSOMES = tuple(str(number) for number in range(1, 23))


def _gene_spans() -> MappingProxyType[str, dict[str, tuple[str, int, int]]]:
    genes = tomllib.loads(files("nbrelapse.mechanisms").joinpath("gene_spans.toml").read_text("utf-8"))
    spans = {build: {gene: (row["chromosome"], *row[build]) for gene, row in genes.items()} for build in _BUILDS}
    return MappingProxyType(spans)


_GENE_SPANS = _gene_spans()
"""Chromosome, first and last base by build and current gene symbol: GENCODE v19 for hg19, Ensembl 100 for hg38."""


@cache
def chromosome_arms(build: str) -> pd.DataFrame:
    """Return the two arms of every chromosome.

    Parameters
    ----------
    build : {"hg19", "hg38"}

    Returns
    -------
    DataFrame
        Indexed by chromosome (``"1"`` to ``"22"``, ``"X"``, ``"Y"``): ``centromere``, the end of the last p band,
        and ``length``, both in bases, from the UCSC cytobands packaged with bioframe (10.1093/bioinformatics/btae088).

    Raises
    ------
    InputError
        There are no cytobands of this build.

    Examples
    --------
    >>> chromosome_arms("hg19").loc["11"].to_dict()
    {'centromere': 53700000, 'length': 135006516}
    """
    bands = _cytobands(build)
    length = bands.groupby("chromosome")["end"].max()
    centromere = bands[bands["band"].str.startswith("p")].groupby("chromosome")["end"].max()
    return pd.DataFrame({"centromere": centromere, "length": length}).dropna().astype("int64")


def gene_places(build: str) -> pd.DataFrame:
    """Return where the genes that features name lie.

    Parameters
    ----------
    build : {"hg19", "hg38"}

    Returns
    -------
    DataFrame
        Indexed by current symbol: ``chromosome`` (``"1"`` to ``"22"``, ``"X"``), ``start`` and ``end`` in bases, of
        GENCODE v19 (hg19) and Ensembl 100 (hg38).

    Raises
    ------
    InputError
        There is no such build.

    Examples
    --------
    >>> gene_places("hg19").loc["MYCN"].to_dict()
    {'chromosome': '2', 'start': 16080686, 'end': 16087129}
    """
    if build not in _BUILDS:
        raise InputError(f"unknown genome build {build!r}", column="genome_build", expected=" or ".join(_BUILDS))
    return pd.DataFrame.from_dict(_GENE_SPANS[build], orient="index", columns=["chromosome", "start", "end"])


def _band_span(build: str, band: str) -> tuple[str, int, int]:
    """Return where a cytogenetic band, with its sub-bands, lies.

    Parameters
    ----------
    build : {"hg19", "hg38"}
    band : str
        ``"2p24.3"``, or ``"2p24"`` for all its sub-bands.

    Returns
    -------
    tuple of str, int, int
        Chromosome, first and last base.

    Raises
    ------
    InputError
        There is no such build or band.

    Examples
    --------
    >>> _band_span("hg19", "2p24.3")
    ('2', 12200000, 16700000)
    """
    bands = _cytobands(build)
    found = bands[(bands["chromosome"] + bands["band"]).str.fullmatch(_with_sub_bands(band))]
    if found.empty:
        raise InputError(f"there is no band {band!r}", column="band", expected="such as 2p24.3 or 11q23")
    return str(found["chromosome"].iloc[0]), int(found["start"].min()), int(found["end"].max())


@cache
def _cytobands(build: str) -> pd.DataFrame:
    if build not in _BUILDS:
        raise InputError(f"unknown genome build {build!r}", column="genome_build", expected=" or ".join(_BUILDS))
    # Importing bioframe brings Matplotlib's pyplot, half a second or more; what is wanted is a table beside its code.
    package = find_spec("bioframe")
    assert package is not None and package.submodule_search_locations
    bands = pd.read_table(Path(package.submodule_search_locations[0]) / "io" / "data" / f"{build}.cytoband.tsv")
    return bands.assign(chromosome=normalise_chromosomes(bands["chrom"]))


def _with_sub_bands(band: str) -> str:
    """Match a band and its sub-bands: 2p24 has 2p24.1, and 2p24.3 may have 2p24.31."""
    return re.escape(band) + (r"\d*" if "." in band else r"(?:\.\d+)?")
