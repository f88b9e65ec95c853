"""A table inside an Excel workbook, found by its header."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.read_table import read_bytes
from nbrelapse.errors import InputError

LAST_HEADER_ROW = 50


def find_sheet(file: str | Path, column: str) -> pd.DataFrame | None:
    """Return the first sheet that has a column of this name, as text.

    Workbooks as supplements have them carry notes and data dictionaries on other sheets, and titles above the header.
    Cells are read by their reference: a workbook may leave out the blank cells of a row.

    Parameters
    ----------
    file : path
        An xlsx file.
    column : str
        Name of a column, in any case; the header is looked for in the first 50 rows.

    Returns
    -------
    DataFrame of str, or None
        The rows below the header, the blank ones included; blank cells are missing. None where no sheet has the column.

    Raises
    ------
    InputError
        The file is missing, a Git LFS pointer or no workbook.
    """
    path = Path(file)
    content = io.BytesIO(read_bytes(path))
    with warnings.catch_warnings():
        # openpyxl warns of styles and validations that it drops; no value depends on them.
        warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
        try:
            with pd.ExcelFile(content, engine="openpyxl") as book:
                for name in book.sheet_names:
                    grid = pd.read_excel(
                        book, sheet_name=name, header=None, dtype="str", keep_default_na=False, na_values=[""]
                    )
                    table = _below_header(grid, column)
                    if table is not None:
                        return table
        except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
            raise InputError(
                f"the file is not a readable xlsx workbook: {error}",
                file=path,
                expected="an Excel workbook (.xlsx)",
                mend="download it again, or save it as xlsx; a renamed text file is none",
            ) from None
    return None


def _below_header(grid: pd.DataFrame, column: str) -> pd.DataFrame | None:
    top = grid.head(LAST_HEADER_ROW).apply(lambda cells: cells.str.split().str.join(" "))
    has_it = (top.apply(lambda cells: cells.str.lower()) == column.lower()).any(axis=1).to_numpy()
    if not has_it.any():
        return None
    row = int(has_it.argmax())
    names = top.iloc[row]
    table = grid.iloc[row + 1 :].reset_index(drop=True)
    return table.loc[:, names.notna().to_numpy()].set_axis(names.dropna().to_list(), axis=1)
