"""Give a raw table the schema's columns, types and spellings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.chromosomes import normalise_chromosomes, on_contigs
from nbrelapse.cohort.distinct_values import map_distinct
from nbrelapse.cohort.repair_symbols import repair_symbols
from nbrelapse.cohort.schema import TABLES
from nbrelapse.cohort.vocabulary import as_text, coded_columns, normalise_levels, normalise_numbers
from nbrelapse.errors import InputError

# "-" is an allele: nothing, in an insertion or deletion.
ALLELES = {"Reference_Allele", "Tumor_Seq_Allele2"}
CHROMOSOME = {"chromosome", "Chromosome", "site1_chromosome", "site2_chromosome"}
SYMBOL = {"Hugo_Symbol", "site1_gene", "site2_gene", "gene"}
ON_CHROMOSOMES = {"segments": "chromosome", "mutations": "Chromosome"}
NEEDLESS_WITHOUT = {"segments": ("log2_ratio", "a log2 ratio"), "mutations": ("Hugo_Symbol", "a gene")}


def normalise_table(name: str, table: pd.DataFrame, file: str | Path, repairs: list[str]) -> pd.DataFrame:
    """Return the table as the schema wants it; absent columns are added empty.

    Segments without a ratio, mutations without a gene, and both on contigs of the reference genome are left out.

    Parameters
    ----------
    name : str
        Table name, a key of ``nbrelapse.cohort.schema.TABLES``.
    table : DataFrame
    file : path
        For error messages.
    repairs : list of str
        What was changed is appended.

    Returns
    -------
    DataFrame
        Its index is the raw table's, so that later messages can name the rows of the file.

    Raises
    ------
    InputError
        An unknown column, or a value that is neither legal nor a word for "not known".
    """
    schema = TABLES[name]
    unknown = [str(column) for column in table.columns if column not in schema.columns]
    if unknown:
        raise InputError(
            "unknown column",
            file=file,
            column=", ".join(unknown),
            expected=", ".join(map(str, schema.columns)),
            mend="correct its name or remove it",
        )
    absent = [str(column) for column, rule in schema.columns.items() if not rule.nullable and column not in table]
    if absent:
        found = ", ".join(map(str, table.columns[:20]))
        raise InputError("a column is missing", file=file, column=", ".join(absent), mend=f"columns found: {found}")
    columns = {}
    for column, rule in schema.columns.items():
        raw = table[column] if column in table else pd.Series(float("nan"), index=table.index, name=column)
        columns[str(column)] = _normalise_column(raw, str(column), str(rule.dtype), file, repairs, name)
    ready = pd.DataFrame(columns, index=table.index)
    return _without_needless(name, ready, repairs)


def _without_needless(name: str, table: pd.DataFrame, repairs: list[str]) -> pd.DataFrame:
    if name in NEEDLESS_WITHOUT:
        column, what = NEEDLESS_WITHOUT[name]
        empty = table[column].isna()
        if empty.any():
            repairs.append(f"{name}: {int(empty.sum())} rows without {what} removed")
            table = table[~empty]
    if name in ON_CHROMOSOMES:
        contig = on_contigs(table[ON_CHROMOSOMES[name]])
        if contig.any():
            repairs.append(f"{name}: {int(contig.sum())} rows on contigs outside the chromosomes left out")
            table = table[~contig]
    return table


def _normalise_column(
    raw: pd.Series, column: str, dtype: str, file: str | Path, repairs: list[str], table: str
) -> pd.Series:
    if column in ALLELES:
        return map_distinct(raw, _allele)
    if column in CHROMOSOME:
        return normalise_chromosomes(raw, file=file)
    if column in SYMBOL:
        return repair_symbols(as_text(raw), f"{table}.{column}", file, repairs)
    if column in coded_columns():
        ready = normalise_levels(raw, column, file=file)
        _record(raw, ready, f"{table}.{column}", repairs)
        if dtype == "boolean":
            return ready.map({"true": True, "false": False}).astype("boolean")
        return ready.astype("float64") if dtype == "float64" else ready
    return normalise_numbers(raw, file=file) if dtype == "float64" else as_text(raw)


def _allele(raw: pd.Series) -> pd.Series:
    text = raw.astype("str").str.strip()
    return text.mask(text == "")


def _record(raw: pd.Series, ready: pd.Series, where: str, repairs: list[str]) -> None:
    """Note the values that were read as another level; words for "not known" are not repairs."""
    text = as_text(raw)
    changed = text.notna() & (text.str.lower() != ready.str.lower())
    if not changed.any():
        return
    pairs = (text[changed] + "' read as '" + ready[changed]).value_counts().sort_index()
    repairs.extend(f"{where}: '{pair}' ({count})" for pair, count in pairs.items())


def normalise_matrix(
    matrix: pd.DataFrame, file: str | Path, repairs: list[str], *, calls: bool = False
) -> pd.DataFrame:
    """Return a gene by sample table of float64, one row a gene.

    Rows without a symbol are removed; of rows with the same symbol each sample keeps its largest value (the strongest
    probe or transcript), or with ``calls`` the one farthest from 0 (the strongest copy-number change). Both are
    recorded in ``repairs``.

    Raises
    ------
    InputError
        A sample is there twice, or a value is neither a number nor a word for "not known".
    """
    columns = pd.Index([str(column) for column in matrix.columns], dtype="str")
    twice = columns.duplicated()
    if twice.any():
        raise InputError("a sample is there twice", file=file, column=f"{int(twice.sum())} columns")
    # Gene symbols as index would stand for row numbers in messages.
    numbers = matrix.set_axis(columns, axis=1).reset_index(drop=True)
    text = numbers.select_dtypes(exclude="number").columns
    # Samples are told by their place: messages never name them.
    places = {column: f"sample column {place}" for place, column in enumerate(columns, 1)}
    read = {column: normalise_numbers(numbers[column].rename(places[column]), file=file) for column in text}
    numbers = pd.concat([numbers.drop(columns=text), pd.DataFrame(read, index=numbers.index)], axis=1)[columns]
    numbers = numbers.astype("float64")
    name = Path(str(file)).name
    genes = as_text(pd.Series(matrix.index, dtype="str", name="Hugo_Symbol"))
    genes = repair_symbols(genes, name, file, repairs)
    numbers.index = pd.Index(genes, name="Hugo_Symbol", dtype="str")
    unnamed = genes.isna().to_numpy()
    if unnamed.any():
        repairs.append(f"{name}: {int(unnamed.sum())} rows without a gene symbol removed")
        numbers = numbers[~unnamed]
    if numbers.index.has_duplicates:
        repeated = numbers.index.duplicated()
        repairs.append(f"{name}: {int(repeated.sum())} repeated genes removed, in each sample the largest value kept")
        numbers = _largest(numbers, repeated, calls)
    return numbers


def _largest(numbers: pd.DataFrame, repeated: np.ndarray, calls: bool) -> pd.DataFrame:
    """Keep one row a gene, the largest value of each sample: other samples must not decide."""
    shared = numbers.index.isin(numbers.index[repeated])
    grouped = numbers[shared].groupby(level=0, sort=False)
    high, low = grouped.max(), grouped.min()
    chosen = high.where(high.abs() >= low.abs(), low) if calls else high
    kept = numbers[~repeated].copy()
    kept.loc[chosen.index] = chosen
    return kept
