"""Series matrices of the Gene Expression Omnibus: samples, their characteristics and expression."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assay_rows, normalise_matrix
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.schema import PATIENTS, coded_columns, normalise_levels, normalise_numbers
from nbrelapse.cohort.text import not_csv, read_table
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import to_log2
from nbrelapse.readers._files import RawCohort, reader_keys
from nbrelapse.readers._layers import describe_layer, read_layer_file
from nbrelapse.readers._mapping import LayerSource

_YES_NO = ("had_event", "progressed")


def import_geo(
    sources: Sequence[str | Path],
    *,
    expression: str | Path | None = None,
    layers: Mapping[str, LayerSource] | None = None,
    name: str | None = None,
    timepoint: str | None = None,
) -> Cohort:
    """Read one or several series matrices of the same samples, and their expression.

    The series are joined on the sample titles without a trailing `` [2]``; a title is patient and sample. What the
    characteristics mean stands in ``geo_keys.toml``. The first event is ``progression`` where there was an event and a
    progression, ``unspecified`` where there was an event of unknown kind, ``none`` otherwise.

    Parameters
    ----------
    sources : list of path
        ``*_series_matrix.txt`` or ``.txt.gz`` files. The patients are those of the first one.
    expression : path, optional
        Gene by sample table (TSV, CSV, Parquet, also gzip), symbols in the first column, the other columns named by
        sample title or accession. Linear values are log2-transformed, and it is recorded.
    layers : dict of str to LayerSource, optional
        Further feature by sample tables, their columns named as those of `expression`; ``LayerSource(file=...,
        mechanism="gene", unit="log2")`` says what a mapping file of ``tables`` says under ``[layers.NAME]``.
    name : str, optional
        Of the cohort; the accessions by default.
    timepoint : {"diagnosis", "refractory", "relapse", "other"}, optional
        When the tumours were taken, for series that ``geo_keys.toml`` does not know.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        A file is missing or no series matrix, no characteristic is known, the files contradict each other, or the
        expression, or a layer, has no sample of the series.
    """
    if not sources:
        raise InputError("no series matrix file is given")
    series = [_read_geo_series(source) for source in sources]
    accessions = [one.accession for one in series]
    patients = _join([_columns_of(one) for one in series], series)
    patients = _first_event(patients, series)
    titles = patients.index
    patients = patients.reset_index(names="patient_id")
    taken = timepoint or reader_keys("geo").get(accessions[0], {}).get("timepoint")
    samples = pd.DataFrame({"sample_id": titles, "patient_id": titles, "timepoint": taken}).astype("str")
    raw = RawCohort(
        tables={"patients": patients, "samples": samples},
        files={"patients": _names_of(series)},
        metadata={"source": {"reader": "geo", "series": accessions, "unread_keys": _unread(series)}},
    )
    if expression is not None:
        raw.files["expression"] = expression
        raw.tables["expression"] = _read_expression(Path(expression), series, raw)
        raw.tables["assays"] = assay_rows(raw.tables["expression"].columns, "expression", platform=series[0].platform)
    for key, source in (layers or {}).items():
        _read_layer(key, source, series, raw)
    return raw.assemble(name or "+".join(accessions))


def _names_of(series: list[_GeoSeries]) -> str:
    return " + ".join(str(one.file) for one in series)


def _keys(series: _GeoSeries) -> dict[str, dict[str, Any]]:
    keys = reader_keys("geo").get(series.accession, {}).get("keys", reader_keys("geo")["any"])
    return {key: rule for key, rule in keys.items() if key in series.characteristics}


def _unread(series: list[_GeoSeries]) -> list[str]:
    return [f"{one.accession}: {key}" for one in series for key in one.characteristics if key not in _keys(one)]


def _columns_of(series: _GeoSeries) -> pd.DataFrame:
    """Characteristics of one series as normalised patient columns; column names keep the key for messages."""
    keys = _keys(series)
    if not keys:
        raise InputError(
            "no characteristic of the series is known",
            file=series.file,
            column=", ".join(series.characteristics.columns[:10]),
            expected=", ".join(reader_keys("geo")["any"]),
            fix="make a table of the annotation and import it with `tables` and a mapping file",
        )
    columns = {}
    for key, rule in keys.items():
        column, raw = rule["column"], series.characteristics[key]
        raw = raw.replace(rule["values"]) if "values" in rule else raw
        raw = raw.fillna(rule["absent"]) if "absent" in rule else raw
        if column in _YES_NO:
            columns[column] = normalise_levels(raw, "high_risk", file=series.file)
        elif column in coded_columns():
            columns[column] = normalise_levels(raw, column, file=series.file)
        elif str(PATIENTS.columns[column].dtype) == "float64":
            columns[column] = normalise_numbers(raw, file=series.file)
        else:
            columns[column] = raw
    return pd.DataFrame(columns)


def _join(tables: list[pd.DataFrame], series: list[_GeoSeries]) -> pd.DataFrame:
    joined = tables[0]
    for table, one in zip(tables[1:], series[1:], strict=True):
        shared = joined.index.intersection(table.index)
        if shared.empty:
            raise InputError(
                f"{one.accession} has no sample of {series[0].accession}",
                file=one.file,
                column="!Sample_title",
                expected="the same titles, but for a trailing [2]",
            )
        for column in table.columns.intersection(joined.columns):
            ours, theirs = joined.loc[shared, column], table.loc[shared, column]
            differ = ours.notna() & theirs.notna() & (ours != theirs)
            if differ.any():
                raise InputError(
                    f"the series contradict each other for {int(differ.sum())} patients",
                    file=one.file,
                    column=column,
                    expected=f"what {series[0].file.name} says",
                    fix="join series of the same patients only, or fix the file",
                )
        joined = joined.combine_first(table.reindex(joined.index))
    return joined.reindex(tables[0].index)


def _first_event(patients: pd.DataFrame, series: list[_GeoSeries]) -> pd.DataFrame:
    absent = pd.Series(float("nan"), index=patients.index).astype("str")
    occurred = patients.get("had_event", absent)
    progressed = patients.get("progressed", absent)
    impossible = (occurred == "false") & (progressed == "true")
    if impossible.any():
        raise InputError(
            f"{int(impossible.sum())} patients progressed and had no event",
            file=_names_of(series),
            column="progression",
        )
    occurred = occurred.fillna(progressed)
    event = absent.mask(occurred == "false", "none").mask(occurred == "true", "unspecified")
    event = event.mask((occurred == "true") & (progressed == "true"), "progression")
    kept = patients.drop(columns=[name for name in _YES_NO if name in patients])
    return kept.assign(event=event) if occurred.notna().any() else kept


def _read_expression(file: Path, series: list[_GeoSeries], raw: RawCohort) -> pd.DataFrame:
    table = read_table(file, matrix=True)
    matrix = _of_series(table.set_index(table.columns[0]), file, series, raw)
    matrix = normalise_matrix(matrix, file, raw.repairs)
    matrix, about = to_log2(matrix, file, raw.repairs)
    raw.metadata["expression"] = {**about, "platform": series[0].platform, "file": file.name}
    return matrix


def _read_layer(name: str, source: LayerSource, series: list[_GeoSeries], raw: RawCohort) -> None:
    """Read a layer into the raw cohort; its platform is that of the first series where nothing else is said."""
    file = Path(source.file)
    matrix = _of_series(read_layer_file(source, Path()), file, series, raw)
    told = source.model_copy(update={"platform": source.platform or series[0].platform})
    layer, about = describe_layer(name, matrix, told, Path(), raw.repairs)
    raw.layers[name], raw.files[name] = layer, file
    raw.metadata["layers"] = {**raw.metadata.get("layers", {}), name: about}


def _of_series(matrix: pd.DataFrame, file: Path, series: list[_GeoSeries], raw: RawCohort) -> pd.DataFrame:
    """Return the columns that are samples of the series, named by title; how many are none is noted."""
    titles = raw.tables["samples"]["sample_id"]
    stems = matrix.columns.str.replace(r"\[\d+\]$", "", regex=True).str.strip()
    title_of = {accession: title for one in series for title, accession in one.sample_accessions.items()}
    matrix.columns = pd.Index([title_of.get(stem, stem) for stem in stems], dtype="str")
    known = matrix.columns.isin(titles)
    if not known.any():
        raise InputError(
            "the file has no sample of the series",
            file=file,
            column=f"{matrix.shape[1]} sample columns",
            expected="the titles of the samples, or their GSM accessions, as names of the columns",
            fix="name the columns so, or give the file of this series",
        )
    raw.repairs.add_count(file.name, (~known).sum(), "columns are no samples of the series, left out")
    return matrix.loc[:, known]


@dataclass(frozen=True)
class _GeoSeries:
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


def _read_geo_series(file: str | Path) -> _GeoSeries:
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
    try:
        rows = [row for row in csv.reader(head, delimiter="\t") if len(row) > 1]
    except csv.Error as error:
        raise not_csv(error, path) from None
    titles = _one(rows, "!Sample_title")
    if not titles:
        raise InputError(
            "the file is not a GEO series matrix",
            file=path,
            column="!Sample_title",
            expected="a *_series_matrix.txt or .txt.gz file as GEO offers it",
            fix="download it again",
        )
    stems = pd.Series(titles, dtype="str").str.replace(r"\[\d+\]$", "", regex=True).str.strip()
    if stems.duplicated().any():
        raise InputError(
            "two samples share a title",
            file=path,
            rows=(stems.duplicated().to_numpy().nonzero()[0] + 1).tolist(),
            fix="rename one of them, or remove it",
        )
    index = pd.Index(stems, name="title")
    accessions = _one(rows, "!Sample_geo_accession") or titles
    return _GeoSeries(
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
            fix="download the file again",
        )
    if not table:
        return pd.DataFrame(index=index)
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
        key = str(long.loc[twice, "key"].iloc[0])
        raise InputError(
            "samples with two values of one key", file=file, column=key, fix="keep the value that is right"
        )
    wide = long.pivot_table(index="title", columns="key", values="value", aggfunc="first")
    return wide.reindex(index).rename_axis(columns=None)
