"""Gene symbols that a spreadsheet has turned into dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode
from nbrelapse.cohort.gene_symbols import excel_gene, is_mangled
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

SERIALS = range(36526, 47848)
"""Excel's numbers of the days from 2000 to 2030; no human Entrez identifier lies there."""


def repair_symbols(symbols: pd.Series, where: str, file: str | Path, repairs: list[str]) -> pd.Series:
    """Give dates back the one gene that they can stand for.

    Parameters
    ----------
    symbols : Series of str
    where : str
        Table and column, for the repairs.
    file : path
        For the error message.
    repairs : list of str
        What was changed is appended.

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
    >>> repairs = []
    >>> repair_symbols(pd.Series(["MYCN", "2-Sep", "37226"]), "expression", "e.txt", repairs).tolist()
    ['MYCN', 'SEPTIN2', 'DELEC1']
    >>> repairs
    ["expression: '2-Sep' read as 'SEPTIN2' (1)", "expression: '37226' read as 'DELEC1' (1)"]
    """
    codes, distinct = encode(symbols)
    dates = _serials_as_dates(distinct)
    mangled = is_mangled(dates).to_numpy()
    if not mangled.any():
        return symbols
    genes = excel_gene(dates)
    lost = np.flatnonzero(genes.isna() & mangled)
    if len(lost):
        raise InputError(
            "a spreadsheet has turned gene symbols into dates: " + ", ".join(repr(distinct[n]) for n in lost[:5]),
            file=file,
            column=str(symbols.name or "Hugo_Symbol"),
            rows=row_numbers(symbols.index, np.isin(codes, lost)),
            expected="gene symbols; a date such as 1-Mar stands for two genes (MARCHF1, MTARC1) or for none",
            mend="write the symbols again from the source of the file, or remove these rows",
        )
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    repairs.extend(f"{where}: '{distinct[n]}' read as '{genes[n]}' ({counts[n]})" for n in np.flatnonzero(mangled))
    return pd.Series(genes.array.take(codes, allow_fill=True), index=symbols.index, name=symbols.name)


def _serials_as_dates(distinct: pd.Series) -> pd.Series:
    """Write Excel's day numbers as dates, unless the column holds identifiers instead of symbols."""
    is_number = distinct.str.fullmatch(r"\d+(?:\.0)?").fillna(False).astype(bool)
    if not is_number.any() or is_number.mean() > 0.5:
        return distinct
    number = pd.to_numeric(distinct.where(is_number), errors="coerce")
    serial = number.between(SERIALS.start, SERIALS.stop - 1)
    day = pd.Timestamp("1899-12-30") + pd.to_timedelta(number.where(serial), unit="D")
    return distinct.mask(serial, day.dt.strftime("%Y-%m-%d").astype("str"))
