"""Names of genes: former symbols, identifiers, and symbols that a spreadsheet turned into dates, to current symbols."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import _map_distinct, _of_codes, encode, row_numbers
from nbrelapse.cohort.schema import coded_text
from nbrelapse.errors import InputError

_Symbols = TypeVar("_Symbols", pd.Series, pd.Index)

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {text: number for number, name in enumerate(_NAMES, start=1) for text in (name, f"{number:02}")}
_STEMS = {3: ("MARCH", "MARC"), 9: ("SEPT", "SEP"), 12: ("DEC",)}
"""By month, the former symbols that spreadsheets read as a date: the stem and a number."""
_LARGEST_NUMBER = 15
"""Of the symbols that look like a date: SEP15, now SELENOF."""
_DATES = (
    re.compile(r"(?P<number>\d{1,2})-(?P<month>[a-z]{3})(?:-(?P<year>\d{2}|\d{4}))?", re.IGNORECASE),
    re.compile(r"(?P<month>[a-z]{3})-(?P<number>\d{2})", re.IGNORECASE),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<number>\d{2})(?:[ T]00:00:00)?"),
)


def canonical_symbols(symbols: _Symbols) -> _Symbols:
    """Turn previous symbols and aliases into the current HGNC symbols.

    The table ``gene_ids.tsv.gz`` covers the protein-coding genes, and others that the catalogue, the builders and the
    published signatures name. A name that two genes share, or that is the current symbol of a gene, is never read as
    another gene. Case does not matter for former symbols, since some programs write ``C11ORF95``.

    Parameters
    ----------
    symbols : Series or Index of str

    Returns
    -------
    Series or Index
        As `symbols`; names that the table does not hold are unchanged, missing ones stay missing.

    References
    ----------
    HGNC, 10.1093/nar/gkac888

    Examples
    --------
    >>> canonical_symbols(pd.Index(["ODZ4", "C11orf95", "MYCN", "not a gene", None])).tolist()
    ['TENM4', 'ZFTA', 'MYCN', 'not a gene', nan]
    """
    codes, distinct = pd.factorize(symbols)
    distinct = pd.Index(distinct, dtype="str")
    # A dict is looked up by name: pandas would index its 40,000 names at each call.
    former = _current_by_former()
    current = [former.get(name) for name in distinct.str.upper()]
    if not any(current):
        return symbols
    return _spread(
        symbols, codes, pd.Index([new or name for new, name in zip(current, distinct, strict=True)], dtype="str")
    )


def may_mean(symbols: pd.Series | pd.Index, genes: Collection[str]) -> np.ndarray:
    """Tell the former symbols that several genes share, one of these among them.

    Parameters
    ----------
    symbols : Series or Index of str
    genes : collection of str
        Current symbols.

    Returns
    -------
    ndarray of bool
        What is called so may be one of `genes`, and may be another gene: it is not known.

    Examples
    --------
    >>> may_mean(pd.Index(["MLL2", "KMT2D", "MLL", None]), ["KMT2D", "ALK"]).tolist()
    [True, False, False, False]
    """
    codes, distinct = pd.factorize(symbols)
    sharing, asked = _genes_by_shared_name(), frozenset(genes)
    shared = [not asked.isdisjoint(sharing.get(name.upper(), ())) for name in distinct]
    return np.array([*shared, False], dtype=bool)[codes]


@cache
def _genes_by_shared_name() -> dict[str, set[str]]:
    """Return the genes of each former symbol, in capitals, that several have and none is called now."""
    table = _gene_table()
    by_name = _symbol_by("previous", "aliases")
    current = {symbol.upper() for symbol in _current_symbols()}
    genes: dict[str, set[str]] = {
        name: set() for name, symbol in by_name.items() if symbol == _SHARED and name not in current
    }
    for symbol, *parts in zip(table["symbol"], table["previous"], table["aliases"], strict=True):
        for name in "|".join(parts).upper().split("|"):
            if name in genes:
                genes[name].add(symbol)
    return genes


ENTREZ = "entrez:"
"""In front of the Entrez id that stands for the symbol of a gene, where no symbol is known."""


def fill_symbols(symbols: pd.Series, entrez: pd.Series, where: str, repairs: Repairs) -> pd.Series:
    """Fill empty symbols from Entrez identifiers.

    Parameters
    ----------
    symbols, entrez : Series
        As a file has them, of the same rows.
    where : str
        File and column, for the repairs.
    repairs : Repairs
        How many were filled, and how many are not known.

    Returns
    -------
    Series of str
        A gene whose identifier is not in the table is called ``entrez:`` and the identifier: it may be any gene, so
        that its sample is not negative for a gene. Missing where there is no identifier either, or 0. May be
        categorical where `symbols` are.

    Examples
    --------
    >>> repairs = Repairs()
    >>> fill_symbols(pd.Series(["ALK", None, None]), pd.Series(["238", "0", "99"]), "a.maf", repairs).tolist()
    ['ALK', nan, 'entrez:99']
    >>> list(repairs)
    ['a.maf: 1 genes with an Entrez id alone are not known']
    """
    text, ids = coded_text(symbols), coded_text(entrez)
    numbered = _map_distinct(ids, lambda words: words.str.fullmatch(r"[1-9]\d*").astype("boolean"))
    empty = text.isna() & numbered.fillna(False).astype(bool)
    if not empty.any():
        return text
    text, ids = text.astype("str"), ids[empty].astype("str")
    found = symbols_of_entrez(ids)
    repairs.add_count(where, found.notna().sum(), "symbols filled from Entrez ids")
    repairs.add_count(where, found.isna().sum(), "genes with an Entrez id alone are not known")
    filled = text.copy()
    filled[empty] = found.fillna(ENTREZ + ids)
    return filled


def _is_mangled(symbols: pd.Series) -> pd.Series:
    """Tell which symbols a spreadsheet has turned into a date.

    Parameters
    ----------
    symbols : Series of str

    Returns
    -------
    Series of bool
        Serial numbers of dates (43160) are not told from Entrez identifiers, and stay False.

    Examples
    --------
    >>> _is_mangled(pd.Series(["1-Mar", "Sep-09", "2016-12-01", "MARCH1", "APR-1"])).tolist()
    [True, True, True, False, False]
    """
    codes, distinct = pd.factorize(symbols)
    dates = np.array([_date(symbol) is not None for symbol in distinct] + [False])
    return pd.Series(dates[codes], index=symbols.index, name=symbols.name)


def _excel_gene(symbols: pd.Series) -> pd.Series:
    """Give symbols that a spreadsheet has turned into a date their gene back, where only one can be meant.

    Parameters
    ----------
    symbols : Series of str

    Returns
    -------
    Series of str
        The current symbol for a date (10.1186/s13059-016-1044-7); missing where the date stands for no gene or for
        two, as ``1-Mar`` for MARCHF1 and MTARC1. Other symbols are unchanged.

    Examples
    --------
    >>> _excel_gene(pd.Series(["2-Sep", "1-Mar", "Dec-01", "5-Mar", "7-Jul", "MYCN"])).tolist()
    ['SEPTIN2', nan, 'DELEC1', 'MARCHF5', nan, 'MYCN']
    """
    codes, distinct = pd.factorize(symbols)
    genes = pd.Index([_gene_of(symbol) for symbol in distinct], dtype="str")
    return _spread(symbols, codes, genes)


def _spread(symbols: _Symbols, codes: np.ndarray, distinct: pd.Index) -> _Symbols:
    """Return the replaced distinct values in the place of every symbol."""
    if isinstance(symbols, pd.Index):
        return pd.Index(distinct.array.take(codes, allow_fill=True), name=symbols.name)
    return _of_codes(symbols, codes, pd.Series(distinct))


def _gene_of(symbol: str) -> str | None:
    """Gene of a date, None where it is not one gene; the symbol itself where it is no date."""
    date = _date(symbol)
    if date is None:
        return symbol
    month, numbers = date
    names = [f"{stem}{number}" for stem in _STEMS.get(month, ()) for number in numbers]
    # What a spreadsheet spoils are the approved symbols of their time: aliases do not count.
    genes = {gene for gene in map(_symbol_by("previous").get, names) if gene}
    return genes.pop() if len(genes) == 1 else None


def _date(symbol: str) -> tuple[int, set[int]] | None:
    """Month of a date and the numbers that the symbol may have had, or None where it is no date."""
    found = next(filter(None, (form.fullmatch(symbol) for form in _DATES)), None)
    if found is None:
        return None
    parts = found.groupdict()
    month = _MONTHS.get(parts["month"].lower())
    if month is None:
        return None
    numbers = {int(parts["number"])}
    year = int(parts.get("year") or 0) % 100
    # `Mar-02`, read as a month of 2002, becomes its first day: the number may then stand in the year.
    return month, numbers | ({year} if numbers == {1} and 0 < year <= _LARGEST_NUMBER else set())


_SHARED = ""
"""Stands for the genes of a name that several have."""


@cache
def _gene_table() -> dict[str, tuple[str, ...]]:
    """Return the columns of the packaged table: ``symbol``, and names of the genes separated by ``|``."""
    file = resources.files("nbrelapse.cohort").joinpath("gene_ids.tsv.gz")
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {column: tuple(values) for column, *values in zip(*rows, strict=True)}


@cache
def _current_symbols() -> frozenset[str]:
    return frozenset(_gene_table()["symbol"])


@cache
def _symbol_by(*columns: str) -> dict[str, str]:
    """Return the symbol by the names in these columns, in capitals; ``_SHARED`` where several genes have a name."""
    genes: dict[str, str] = {}
    table = _gene_table()
    for column in columns:
        for symbol, names in zip(table["symbol"], table[column], strict=True):
            for name in names.upper().split("|"):
                genes[name] = symbol if genes.get(name, symbol) == symbol else _SHARED
    genes.pop("", None)
    return genes


@cache
def _current_by_former() -> dict[str, str]:
    """Return the current symbol by former symbol in capitals, where it is one gene's and no current symbol."""
    current = {symbol.upper(): symbol for symbol in _current_symbols()}
    other_case = {name: symbol for name, symbol in current.items() if name != symbol}
    genes = _symbol_by("previous", "aliases")
    return {name: gene for name, gene in genes.items() if gene and name not in current} | other_case


_MOST = 0.5
"""Share of a column above which numbers are Entrez identifiers, and not symbols that a spreadsheet has spoiled."""
_SERIALS = range(36526, 47848)
"""Excel's numbers of the days from 2000 to 2030; no human Entrez identifier lies there."""


def _repair_symbols(symbols: pd.Series, where: str, file: str | Path, repairs: Repairs) -> pd.Series:
    """Give dates back the one gene that they can stand for.

    Parameters
    ----------
    symbols : Series of str
    where : str
        Table and column, for the repairs.
    file : path
        For the error message.
    repairs : Repairs
        What was changed is added.

    Returns
    -------
    Series of str

    Raises
    ------
    InputError
        A date stands for no gene or for two, as ``1-Mar`` for MARCHF1 and MTARC1.

    References
    ----------
    10.1186/s13059-016-1044-7

    Examples
    --------
    >>> repairs = Repairs()
    >>> _repair_symbols(pd.Series(["MYCN", "2-Sep", "37226"]), "expression", "e.txt", repairs).tolist()
    ['MYCN', 'SEPTIN2', 'DELEC1']
    >>> list(repairs)
    ["expression: '2-Sep' read as 'SEPTIN2' (1)", "expression: '37226' read as 'DELEC1' (1)"]
    """
    codes, distinct = encode(symbols)
    dates = _serials_as_dates(distinct)
    mangled = _is_mangled(dates).to_numpy()
    if not mangled.any():
        return symbols
    genes = _excel_gene(dates)
    lost = np.flatnonzero(genes.isna() & mangled)
    if len(lost):
        raise InputError(
            "a spreadsheet has turned gene symbols into dates: " + ", ".join(repr(distinct[n]) for n in lost[:5]),
            file=file,
            column=str(symbols.name or "Hugo_Symbol"),
            rows=row_numbers(symbols.index, np.isin(codes, lost)),
            expected="gene symbols; a date such as 1-Mar stands for two genes (MARCHF1, MTARC1) or for none",
            fix="write the symbols again from the source of the file, or remove these rows",
        )
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    for n in np.flatnonzero(mangled):
        repairs.add(where, f"'{distinct[n]}' read as '{genes[n]}' ({counts[n]})")
    return _of_codes(symbols, codes, genes)


def _serials_as_dates(distinct: pd.Series) -> pd.Series:
    """Write Excel's day numbers as dates, unless the column holds identifiers instead of symbols."""
    is_number = distinct.str.fullmatch(r"\d+(?:\.0)?").fillna(False).astype(bool)
    if not is_number.any() or is_number.mean() > _MOST:
        return distinct
    number = pd.to_numeric(distinct.where(is_number), errors="coerce")
    serial = number.between(_SERIALS.start, _SERIALS.stop - 1)
    day = pd.Timestamp("1899-12-30") + pd.to_timedelta(number.where(serial), unit="D")
    return distinct.mask(serial, day.dt.strftime("%Y-%m-%d").astype("str"))


def symbols_of_entrez(ids: pd.Series) -> pd.Series:
    """Turn Entrez identifiers into current symbols.

    Parameters
    ----------
    ids : Series of str
        Whole numbers; a spreadsheet's ``4613.0`` is read too.

    Returns
    -------
    Series of str
        Missing where the table ``gene_ids.tsv.gz`` has no such gene, or several genes under the identifier.

    Examples
    --------
    >>> symbols_of_entrez(pd.Series(["7157", "4613.0", "0", None])).tolist()
    ['TP53', 'MYCN', nan, nan]
    """
    codes, distinct = encode(ids)
    genes = _genes_of_entrez(distinct.astype("str"))
    return _spread(ids, codes, pd.Index(genes.mask(genes == _SHARED), dtype="str"))


def _genes_of_entrez(ids: pd.Series) -> pd.Series:
    text = ids.str.strip().str.replace(r"\.0+$", "", regex=True)
    return text.map(_symbol_by("entrez").get, na_action="ignore").astype("str")


_ENSEMBL = r"(ENSG\d{11})(?!\d)"
_ENSEMBL_NAME = r"(?:ENS[GT]|OTTHUM[GT])\d{11}(?:\.\d+)?(?:_PAR_Y)?(?:_at)?"
"""An identifier as files write it: with its version, of the copy on Y, or as the probe set of a whole gene."""
_ENTREZ_FORMS = (
    r"^(?P<beside>[^|()]*)(?:\||\((?=\d+\)$))(?P<entrez>\d+)(?:_calculated)?\)?$",
    r"^(?P<entrez>\d+)\|(?P<beside>[^|\d][^|]*)$",
    r"^(?i:(?:entrez|ncbi)?_?(?:gene)?_?(?:id)?):(?P<entrez>\d+)$",
)
"""``MYCN|4613`` of TCGA, with a suffix in some of its files, and ``MYCN (4613)`` of DepMap; ``4613|MYCN``;
``entrez:4613``, ``GeneID:4613``."""


def _read_identifiers(symbols: pd.Series, where: str, repairs: Repairs, *, leave_out: bool) -> pd.Series:
    """Turn the Ensembl and Entrez identifiers among the names of genes into current symbols.

    An identifier wins over the symbol that stands beside it, which may be of any time; but where that symbol is the
    current one of another gene, it is not known which of them is meant. A symbol alone tells the gene where the
    identifier does not. Numbers alone are Entrez identifiers only where most names are numbers.

    Parameters
    ----------
    symbols : Series of str
    where : str
        File, or table and column, for the repairs.
    repairs : Repairs
        How many rows were read, were ambiguous, and were of no gene in ``gene_ids.tsv.gz``.
    leave_out : bool
        Make the ambiguous and unknown ones missing; else they stay, marked with ``ENTREZ`` where they may be any gene.

    Returns
    -------
    Series of str

    Examples
    --------
    >>> repairs = Repairs()
    >>> names = pd.Series(["ENSG00000134323.12", "?|238", "MYCN|238", "ENSG00000000001", "TERT"])
    >>> _read_identifiers(names, "e.txt", repairs, leave_out=True).tolist()
    ['MYCN', 'ALK', nan, nan, 'TERT']
    >>> list(repairs)
    ['e.txt: 4 rows named by identifiers: 2 read as gene symbols; 1 ambiguous, 1 of no known gene, left out']
    """
    codes, distinct = encode(symbols)
    names = distinct.astype("str").str.strip()
    genes, beside, identified = _genes_of_identifiers(names)
    if not leave_out:
        # What `fill_symbols` has marked was counted there.
        identified &= ~(names.str.startswith(ENTREZ).fillna(False).astype(bool) & genes.isna())
    if not identified.any():
        return symbols
    told = canonical_symbols(beside)
    told = told.where(_is_current(told))
    contradicted = _is_current(beside) & genes.notna() & (genes != _SHARED) & (beside != genes)
    read = genes.mask(genes.isna() | (genes == _SHARED), told).mask(contradicted)
    ambiguous = read.isna() & genes.notna()
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    n_read, n_ambiguous, n_unknown = (
        int(counts[(identified & which).to_numpy()].sum())
        for which in (read.notna(), ambiguous, read.isna() & ~ambiguous)
    )
    repairs.add(
        where,
        f"{n_read + n_ambiguous + n_unknown} rows named by identifiers: {n_read} read as gene symbols; "
        f"{n_ambiguous} ambiguous, {n_unknown} of no known gene, {'left out' if leave_out else 'kept'}",
    )
    final = names.mask(identified, read if leave_out else read.fillna(_kept(names, beside, ambiguous)))
    return _spread(symbols, codes, pd.Index(final, dtype="str"))


def _kept(names: pd.Series, beside: pd.Series, ambiguous: pd.Series) -> pd.Series:
    """Return what stands for a gene that is not known: as in :func:`fill_symbols`, where it may be any gene."""
    own = beside.where(~beside.isin(["", "?"]) & ~ambiguous)
    # All protein-coding genes are known by their Ensembl identifiers: another one is none of them.
    own = own.fillna(names.where(names.str.contains("ENSG") & ~ambiguous))
    return own.fillna(ENTREZ + names)


def _genes_of_identifiers(names: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return the gene of each identifier (``_SHARED`` for several), the symbol beside it, and what has one."""
    genes: pd.Series = pd.Series(np.nan, names.index, dtype="str")
    beside, identified = genes.copy(), pd.Series(False, names.index)
    numbers = names.str.fullmatch(r"\d+(?:\.0+)?").fillna(False).astype(bool)
    if numbers.mean() > _MOST:
        genes, identified = _genes_of_entrez(names.where(numbers)), numbers
    for form in _ENTREZ_FORMS:
        found = names.str.extract(form)
        here = found["entrez"].notna()
        if not here.any():  # most files have none: their table need not be made
            continue
        genes = genes.mask(here, _genes_of_entrez(found["entrez"]))
        if "beside" in found:
            beside = beside.mask(here, found["beside"].str.strip())
        identified |= here
    ids = names.str.extractall(_ENSEMBL)[0]
    if len(ids):
        of_name = ids.map(_symbol_by("ensembl").get).astype("str").groupby(level=0)
        first, last = of_name.min(), of_name.max()
        here = pd.Series(names.index.isin(first.index), names.index)
        genes = genes.mask(here, first.mask(first < last, _SHARED).reindex(names.index))
        rest = names.str.replace(_ENSEMBL_NAME, "", regex=True).str.strip(" |_:;,()")
        beside, identified = beside.mask(here, rest), identified | here
    return genes, beside, identified


def _is_current(symbols: pd.Series) -> pd.Series:
    current = _current_symbols()
    return pd.Series([symbol in current for symbol in symbols], symbols.index, dtype="bool")


_FEWEST_GENES = 0.01
"""Share of rows that are human genes below which the rows of a matrix are something else."""


def _require_genes(genes: pd.Series, file: str | Path) -> None:
    """Refuse a matrix whose rows are no genes: probes, transcripts, junctions, another species, samples.

    Parameters
    ----------
    genes : Series of str
        Names of the rows, identifiers read.
    file : path
        For the error message.

    Raises
    ------
    InputError
        Fewer than one row in a hundred is a current or former symbol in ``gene_ids.tsv.gz``.
    """
    if genes.empty:
        return
    # Former symbols count in capitals alone: Trp53 of the mouse would be one of TP53.
    names = genes.fillna("").tolist()
    former = _symbol_by("previous", "aliases")
    known = _is_current(genes) | np.array([name in former and name == name.upper() for name in names])
    if known.mean() < _FEWEST_GENES:
        raise InputError(
            f"the rows are no genes: {int(known.sum())} of {len(genes)} names are known",
            file=file,
            rows=row_numbers(genes.index, ~known.to_numpy()),
            expected="in the first column, or the one that the mapping names, human gene symbols, Ensembl gene "
            "identifiers (ENSG...) or Entrez identifiers",
            fix="name the rows by gene, with the annotation of the platform where they are probes or transcripts; "
            "transpose the table where its rows are samples",
        )
