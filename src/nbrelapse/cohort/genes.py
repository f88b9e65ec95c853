"""Gene symbols: former names and symbols that a spreadsheet turned into dates, back to the current symbol."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import encode, row_numbers
from nbrelapse.cohort.schema import as_text
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

    The table ``gene_symbols.tsv`` covers the genes that the catalogue, the builders and the published signatures name.
    It holds no name that is the current symbol of any gene, nor one that means several protein-coding genes. Case does
    not matter, since some programs write ``C11ORF95``.

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
    >>> canonical_symbols(pd.Index(["ODZ3", "C11orf95", "MYCN", "not a gene", None])).tolist()
    ['TENM3', 'ZFTA', 'MYCN', 'not a gene', nan]
    """
    codes, distinct = pd.factorize(symbols)
    distinct = pd.Index(distinct, dtype="str")
    current = distinct.str.upper().map(_current_by_former())
    if current.isna().all():
        return symbols
    return _spread(symbols, codes, current.where(current.notna(), distinct))


ENTREZ = "entrez:"
"""In front of the Entrez id that stands for the symbol of a gene, where no symbol is known."""


def symbols_of_entrez(ids: pd.Series) -> pd.Series:
    """Turn Entrez identifiers into current symbols.

    Parameters
    ----------
    ids : Series of str
        Whole numbers.

    Returns
    -------
    Series of str
        Missing where the table has no such gene. There is no table yet: all are missing.

    Examples
    --------
    >>> symbols_of_entrez(pd.Series(["7157"])).isna().tolist()
    [True]
    """
    return pd.Series(np.nan, index=ids.index, dtype="str")


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
        that its sample is not negative for a gene. Missing where there is no identifier either, or 0.

    Examples
    --------
    >>> repairs = Repairs()
    >>> fill_symbols(pd.Series(["ALK", None, None]), pd.Series(["238", "0", "99"]), "a.maf", repairs).tolist()
    ['ALK', nan, 'entrez:99']
    >>> list(repairs)
    ['a.maf: 1 genes with an Entrez id alone are not known']
    """
    text, ids = as_text(symbols), as_text(entrez)
    empty = text.isna() & ids.str.fullmatch(r"[1-9]\d*").fillna(False).astype(bool)
    if not empty.any():
        return text
    found = symbols_of_entrez(ids[empty])
    repairs.add_count(where, found.notna().sum(), "symbols filled from Entrez ids")
    repairs.add_count(where, found.isna().sum(), "genes with an Entrez id alone are not known")
    filled = text.copy()
    filled[empty] = found.fillna(ENTREZ + ids[empty])
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
    values = distinct.array.take(codes, allow_fill=True)
    if isinstance(symbols, pd.Index):
        return pd.Index(values, name=symbols.name)
    return pd.Series(values, index=symbols.index, name=symbols.name)


def _gene_of(symbol: str) -> str | None:
    """Gene of a date, None where it is not one gene; the symbol itself where it is no date."""
    date = _date(symbol)
    if date is None:
        return symbol
    month, numbers = date
    names = [f"{stem}{number}" for stem in _STEMS.get(month, ()) for number in numbers]
    genes = {_current_by_former()[name] for name in names if name in _current_by_former()}
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


@cache
def _current_by_former() -> dict[str, str]:
    """Return the current symbol by former symbol in capitals."""
    file = resources.files("nbrelapse.cohort").joinpath("gene_symbols.tsv")
    with file.open(encoding="utf-8") as lines:
        table = pd.read_csv(lines, sep="\t", comment="#", dtype="str", keep_default_na=False)
    names = (table["previous"] + "|" + table["aliases"] + "|" + table["symbol"]).str.upper().str.split("|")
    pairs = pd.DataFrame({"former": names, "symbol": table["symbol"]}).explode("former")
    pairs = pairs[pairs["former"].ne("") & pairs["former"].ne(pairs["symbol"])]
    return dict(zip(pairs["former"], pairs["symbol"], strict=True))


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
    return pd.Series(genes.array.take(codes, allow_fill=True), index=symbols.index, name=symbols.name)


def _serials_as_dates(distinct: pd.Series) -> pd.Series:
    """Write Excel's day numbers as dates, unless the column holds identifiers instead of symbols."""
    is_number = distinct.str.fullmatch(r"\d+(?:\.0)?").fillna(False).astype(bool)
    if not is_number.any() or is_number.mean() > 0.5:
        return distinct
    number = pd.to_numeric(distinct.where(is_number), errors="coerce")
    serial = number.between(_SERIALS.start, _SERIALS.stop - 1)
    day = pd.Timestamp("1899-12-30") + pd.to_timedelta(number.where(serial), unit="D")
    return distinct.mask(serial, day.dt.strftime("%Y-%m-%d").astype("str"))
