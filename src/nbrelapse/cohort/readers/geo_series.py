"""A GEO series matrix file: its samples and their characteristics."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.read_table import decode, read_bytes
from nbrelapse.errors import InputError


@dataclass(frozen=True)
class GeoSeries:
    """Sample annotation of one series.

    Parameters
    ----------
    accession : str
        Such as ``GSE49711``.
    file : Path
    platform : str
        Such as ``GPL17553``; empty where the file does not say.
    sample_accessions : Series of str
        ``GSM…`` by title stem.
    characteristics : DataFrame of str
        Index: title stem, the title without a trailing `` [2]``; a column a key, in lower case. NaN where a sample
        lacks the key.
    """

    accession: str
    file: Path
    platform: str
    sample_accessions: pd.Series
    characteristics: pd.DataFrame


def read_geo_series(file: str | Path) -> GeoSeries:
    """Read the annotation of a series matrix file, plain or gzip.

    Characteristics are read by key, sample by sample: their rows are ragged, a key that a sample lacks moves its later
    keys up.

    Parameters
    ----------
    file : path

    Returns
    -------
    GeoSeries

    Raises
    ------
    InputError
        The file is missing or is no series matrix, two samples share a title, or a sample has two values of a key.
    """
    path = Path(file)
    lines = decode(read_bytes(path), path).splitlines()
    head = [line for line in lines if line.startswith(("!Series_", "!Sample_"))]
    rows = [row for row in csv.reader(head, delimiter="\t") if len(row) > 1]
    titles = _one(rows, "!Sample_title")
    if not titles:
        raise InputError(
            "the file is not a GEO series matrix",
            file=path,
            column="!Sample_title",
            expected="a *_series_matrix.txt or .txt.gz file as GEO offers it",
        )
    stems = pd.Series(titles, dtype="str").str.replace(r"\s*\[\d+\]$", "", regex=True).str.strip()
    if stems.duplicated().any():
        raise InputError(
            "two samples share a title", file=path, rows=(stems.duplicated().to_numpy().nonzero()[0] + 1).tolist()
        )
    index = pd.Index(stems, name="title")
    accessions = _one(rows, "!Sample_geo_accession") or titles
    return GeoSeries(
        accession=(_one(rows, "!Series_geo_accession") or [path.name.split("_")[0]])[0],
        file=path,
        platform=(_one(rows, "!Series_platform_id") or [""])[0],
        sample_accessions=pd.Series(accessions, index=index, dtype="str"),
        characteristics=_characteristics(rows, index, path),
    )


def _one(rows: list[list[str]], name: str) -> list[str]:
    return next((row[1:] for row in rows if row[0] == name), [])


def _characteristics(rows: list[list[str]], index: pd.Index, file: Path) -> pd.DataFrame:
    table = [row[1:] for row in rows if row[0].startswith("!Sample_characteristics_ch1")]
    wrong = [number for number, row in enumerate(table, 1) if len(row) != len(index)]
    if wrong:
        raise InputError(
            "characteristics of another number of samples than titles",
            file=file,
            column="!Sample_characteristics_ch1",
            rows=wrong,
            mend="download the file again",
        )
    cells = pd.DataFrame(table, columns=index, dtype="str").melt(var_name="title")
    parts = cells["value"].str.partition(":")
    long = pd.DataFrame(
        {
            "title": cells["title"],
            "key": parts[0].str.strip().str.lower(),
            "value": parts[2].str.strip(),
        }
    )
    long = long[long["key"] != ""].drop_duplicates()
    twice = long.duplicated(["title", "key"])
    if twice.any():
        raise InputError("samples with two values of one key", file=file, column=str(long.loc[twice, "key"].iloc[0]))
    wide = long.pivot_table(index="title", columns="key", values="value", aggfunc="first")
    return wide.reindex(index).rename_axis(columns=None)
