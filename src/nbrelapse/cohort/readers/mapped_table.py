"""One section of a mapping file: its table, and who was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.normalise_table import normalise_matrix
from nbrelapse.cohort.read_table import read_table
from nbrelapse.cohort.readers.assay_rows import assay_rows, single_build
from nbrelapse.cohort.readers.bedpe import read_bedpe
from nbrelapse.cohort.readers.cbioportal_molecular import genome_build
from nbrelapse.cohort.readers.expression_scale import to_log2
from nbrelapse.cohort.readers.gistic import read_gistic
from nbrelapse.cohort.readers.matching_files import matching_files, samples_of_files
from nbrelapse.cohort.readers.star_counts import read_star_counts
from nbrelapse.cohort.readers.table_sources import (
    ColumnSource,
    GisticSource,
    MatrixSource,
    SampleTableSource,
    StarCountsSource,
    TableSource,
    VariantSource,
)
from nbrelapse.cohort.readers.vcf import read_vcf
from nbrelapse.cohort.schema import ASSAY_OF
from nbrelapse.cohort.vocabulary import as_text, normalise_numbers
from nbrelapse.errors import InputError

DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
VARIANT_READERS = {"vcf": read_vcf, "bedpe": read_bedpe}


def read_mapped_table(part: TableSource, folder: Path) -> pd.DataFrame:
    """Read the columns that a section names from its file.

    Raises
    ------
    InputError
        The file, or a column that the section names, is missing.
    """
    return _columns(part, folder / part.file)[0]


def read_sample_tables(
    name: str, part: SampleTableSource | VariantSource, folder: Path, repairs: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the files of a section of ``mutations``, ``segments`` or ``rearrangements``.

    Parameters
    ----------
    name : str
        The table.
    part : SampleTableSource or VariantSource
    folder : Path
    repairs : list of str
        What was left out is appended.

    Returns
    -------
    table : DataFrame
        All files.
    looked_at : DataFrame
        Rows of ``assays``: the samples of the table, and those that the names of the files tell, also where a file is
        empty; with the genome build that the files name.

    Raises
    ------
    InputError
        A file is missing or of another format, does not say whose it is, or the files are of several genome builds.
    """
    files = matching_files(folder, part.file)
    samples = samples_of_files(files, part.sample_pattern, part.sample_id)
    tables: list[pd.DataFrame] = []
    builds: dict[Path, str | None] = {}
    notes: dict[Path, list[str]] = {}
    for number, file in enumerate(files):
        sample = None if samples is None else samples[number]
        if isinstance(part, VariantSource):
            read = VARIANT_READERS[part.format]
            table, builds[file] = read(file, sample_id=sample, repairs=notes.setdefault(file, []))
        else:
            table, builds[file] = _columns(part, file)
            if sample is not None:
                table = table.assign(sample_id=pd.Series(sample, table.index, dtype="str"))
        if table.empty and sample is None and (len(files) > 1 or isinstance(part, VariantSource)):
            raise InputError(
                "a file without rows does not say whose it is",
                file=file,
                mend="add `sample_pattern` or `sample_id` to the mapping",
            )
        tables.append(table)
    repairs.extend(_summed(notes, name))
    joined = pd.concat(tables, ignore_index=True)
    found = [*(samples or []), *as_text(joined["sample_id"]).dropna().unique()]
    return joined, assay_rows(found, ASSAY_OF[name], single_build(builds, name))


def read_mapped_matrix(
    source: MatrixSource | GisticSource | StarCountsSource, folder: Path, repairs: list[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a gene by sample table, and what ``cohort.toml`` keeps of it.

    Raises
    ------
    InputError
        A file or column is missing, or of another format.
    """
    if isinstance(source, GisticSource):
        return read_gistic(folder / source.file), {"unit": "gistic", "file": Path(source.file).name}
    if isinstance(source, StarCountsSource):
        files = matching_files(folder, source.file)
        samples = samples_of_files(files, source.sample_pattern, source.sample_id) or []
        return read_star_counts(files, samples, source.gene_types)
    file = folder / source.file
    table = read_table(file, separator=source.separator, sheet=source.sheet, matrix=True)
    absent = [name for name in (source.gene_column, *source.ignored_columns) if name not in table]
    if absent:
        expected = f"one of {', '.join(map(str, table.columns[:5]))}"
        raise InputError("a column is missing", file=file, column=", ".join(absent), expected=expected)
    matrix = table.drop(columns=source.ignored_columns).set_index(source.gene_column)
    return normalise_matrix(matrix, file, repairs), {"file": file.name}


def read_mapped_expression(
    source: MatrixSource | StarCountsSource, folder: Path, repairs: list[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read expression in log2, and what ``cohort.toml`` keeps of it; raises as :func:`read_mapped_matrix`."""
    matrix, about = read_mapped_matrix(source, folder, repairs)
    if isinstance(source, StarCountsSource):
        return matrix, about
    matrix, unit = to_log2(matrix, folder / source.file)
    return matrix, {"unit": unit, **about}


def _summed(notes: Mapping[Path, list[str]], name: str) -> list[str]:
    """Add up what the files of a table say, so that a line stands for all of them and none shows a file's name."""
    totals: Counter[str] = Counter()
    for file, lines in notes.items():
        for line in lines:
            count, _, what = line.removeprefix(f"{file.name}: ").partition(" ")
            totals[what] += int(count)
    return [f"{name}: {count} {what}" for what, count in totals.items()]


def _columns(part: TableSource, file: Path) -> tuple[pd.DataFrame, str | None]:
    """Columns of one file, and the genome build that its ``NCBI_Build`` names."""
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
    columns = {name: _column(source, table, file) for name, source in part.columns.items()}
    return pd.DataFrame(columns), genome_build(table, file)


def _column(source: ColumnSource, table: pd.DataFrame, file: Path) -> pd.Series:
    if source.column is None:
        return pd.Series(str(source.constant), index=table.index, dtype="str")
    values = table[source.column]
    if source.codes:
        text = as_text(values)
        values = text.replace({key: str(value) for key, value in source.codes.items()})
    return values if source.unit == "days" else normalise_numbers(values, file=file) * DAYS[source.unit]
