"""Tables of any study, through a mapping file that says which column is what.

A mapping file is TOML::

    name = "my_study"                       # of the cohort
    source = "doi or where it comes from"   # optional, kept in cohort.toml
    timepoint = "diagnosis"                 # of the samples, where no [samples] table says it (this is the default)
    units_checked = false                   # true: the times are days although they look like months

    [patients]                              # required
    file = "clinical.csv"                   # CSV, TSV, xlsx, Parquet, text also gzip; below the --source folder
    separator = ";"                         # optional, of a text file
    sheet = "Table S1"                      # optional, of an xlsx file

    [patients.columns]                      # schema column = where it comes from
    patient_id = "Name"                                              # a column of the file
    age_days = { column = "Age", unit = "months" }                   # days, weeks, months or years
    event = { column = "EFS", values = { 0 = "none", 1 = "unspecified" } }
    risk_group = { constant = "high" }                               # the same for all rows

``samples``, ``assays``, ``panels``, ``mutations``, ``segments`` and ``rearrangements`` are described in the same way; a
table that comes from several files is a list of such sections (``[[assays]]``). ``gene_copy_number`` and ``expression``
are gene by sample files::

    [expression]
    file = "expression.tsv.gz"
    gene_column = "Hugo_Symbol"
    ignored_columns = ["Entrez_Gene_Id"]

The columns are those of :mod:`nbrelapse.cohort.schema`. Without ``samples`` each patient is one sample of that name.
Values are spelled as in ``vocabulary.toml``, also after ``values`` has been applied. Units: a week is 7 days, a month
30.4375 and a year 365.25 (the mean of the Julian calendar).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.normalise_table import normalise_matrix
from nbrelapse.cohort.read_table import read_table
from nbrelapse.cohort.readers.expression_scale import to_log2
from nbrelapse.cohort.readers.table_mapping import ColumnSource, MatrixSource, TableSource, read_mapping
from nbrelapse.cohort.schema import TABLES
from nbrelapse.cohort.vocabulary import as_text, normalise_numbers
from nbrelapse.errors import InputError

DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}


def read_tables(mapping: str | Path, source: str | Path | None = None) -> Cohort:
    """Read a cohort through a mapping file.

    Parameters
    ----------
    mapping : path
        The mapping file, see the module's text.
    source : path, optional
        The folder that the files are in; the mapping file's folder by default.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The mapping has an unknown key, a file or column that it names is missing, or the content is not valid.
    """
    settings = read_mapping(mapping)
    folder = Path(mapping).parent if source is None else Path(source)
    if not folder.is_dir():
        raise InputError("the source folder does not exist", file=folder, mend="check --source")
    tables: dict[str, pd.DataFrame] = {}
    files: dict[str, str | Path] = {}
    repairs: list[str] = []
    for name in TABLES:
        parts: list[TableSource] = getattr(settings, name)
        if parts:
            tables[name] = pd.concat([_read_part(part, folder) for part in parts], ignore_index=True)
            files[name] = " + ".join(str(folder / part.file) for part in parts)
    metadata: dict[str, Any] = {
        "source": {"reader": "tables", "mapping": Path(mapping).name, "reference": settings.source},
        "units_checked": settings.units_checked,
        "repairs": repairs,
    }
    if settings.gene_copy_number is not None:
        files["gene_copy_number"] = folder / settings.gene_copy_number.file
        tables["gene_copy_number"] = _read_matrix(settings.gene_copy_number, folder, repairs)
    if settings.expression is not None:
        file = folder / settings.expression.file
        files["expression"] = file
        tables["expression"], unit = to_log2(_read_matrix(settings.expression, folder, repairs))
        metadata["expression"] = {"unit": unit, "file": file.name}
    if "samples" not in tables and "patient_id" in tables["patients"]:
        ids = as_text(tables["patients"]["patient_id"])
        tables["samples"] = pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": settings.timepoint})
    return assemble_cohort(settings.name, tables, metadata=metadata, files=files)


def _read_part(part: TableSource, folder: Path) -> pd.DataFrame:
    file = folder / part.file
    table = read_table(file, separator=part.separator, sheet=part.sheet)
    absent = [source.column for source in part.columns.values() if source.column and source.column not in table]
    if absent:
        raise InputError(
            "a column that the mapping names is missing",
            file=file,
            column=", ".join(absent),
            expected=f"one of {', '.join(map(str, table.columns[:30]))}",
            mend="correct the mapping file, or `separator` in it",
        )
    return pd.DataFrame({name: _read_column(source, table, file) for name, source in part.columns.items()})


def _read_column(source: ColumnSource, table: pd.DataFrame, file: Path) -> pd.Series:
    if source.column is None:
        return pd.Series(str(source.constant), index=table.index, dtype="str")
    values = table[source.column]
    if source.codes:
        text = as_text(values)
        values = text.replace({key: str(value) for key, value in source.codes.items()})
    return values if source.unit == "days" else normalise_numbers(values, file=file) * DAYS[source.unit]


def _read_matrix(source: MatrixSource, folder: Path, repairs: list[str]) -> pd.DataFrame:
    file = folder / source.file
    table = read_table(file, separator=source.separator, sheet=source.sheet, matrix=True)
    absent = [name for name in (source.gene_column, *source.ignored_columns) if name not in table]
    if absent:
        expected = f"one of {', '.join(map(str, table.columns[:5]))}"
        raise InputError("a column is missing", file=file, column=", ".join(absent), expected=expected)
    return normalise_matrix(table.drop(columns=source.ignored_columns).set_index(source.gene_column), file, repairs)
