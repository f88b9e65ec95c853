"""The GDC sample sheet: which sample a file is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.read_table import read_table
from nbrelapse.cohort.readers.target_barcodes import target_timepoints
from nbrelapse.errors import InputError

COLUMNS = ["file", "project", "patient_id", "sample_id", "timepoint"]
MEND = "on the GDC portal's cart page choose `Sample Sheet`, and name gdc_sample_sheet.*.tsv among the sources"


def read_sample_sheets(files: Sequence[Path], keys: Mapping[str, Any]) -> pd.DataFrame:
    """Read sample sheets.

    Parameters
    ----------
    files : sequence of Path
        May be empty.
    keys : dict
        ``gdc_keys.toml``.

    Returns
    -------
    DataFrame of str
        A row a file and sample: ``file`` (name without ``.gz``), ``project``, ``patient_id``, ``sample_id`` and
        ``timepoint``, which is ``normal`` for what is no tumour. A file that compares a tumour with a normal sample has
        a row for each.

    Raises
    ------
    InputError
        A sheet lacks a column.
    """
    parts = [_read(file, keys) for file in files]
    if not parts:
        return pd.DataFrame({column: [] for column in COLUMNS}).astype("str")
    return pd.concat(parts, ignore_index=True).drop_duplicates(["file", "sample_id"], ignore_index=True)


def tumour_of_file(files: Sequence[Path], sheet: pd.DataFrame, what: str) -> pd.Series:
    """Return the tumour sample of each file that is of one.

    Parameters
    ----------
    files : sequence of Path
    sheet : DataFrame
        Of :func:`read_sample_sheets`.
    what : str
        The kind of the files, for error messages.

    Returns
    -------
    Series of str
        Sample ids by file; the files of normal samples are left out.

    Raises
    ------
    InputError
        There is no sample sheet, it does not list a file, a file is of several tumours, or two files are of one.
    """
    if sheet.empty:
        raise InputError(
            f"{what} files do not say whose they are", file=files[0].parent, expected="a GDC sample sheet", mend=MEND
        )
    names = pd.Series([file.name.removesuffix(".gz") for file in files], index=list(files), dtype="str")
    absent = ~names.isin(sheet["file"])
    if absent.any():
        raise InputError(
            f"{int(absent.sum())} {what} files are not in the sample sheet",
            file=names.index[absent][0],
            expected="a row of each file in gdc_sample_sheet.*.tsv",
            mend=MEND,
        )
    tumours = sheet[sheet["timepoint"] != "normal"]
    count = names.map(tumours["file"].value_counts()).fillna(0)
    if (count > 1).any():
        raise InputError(
            f"a {what} file of several tumours", file=count.index[count > 1][0], expected="one tumour a file"
        )
    samples = names.map(tumours.set_index("file").loc[lambda t: ~t.index.duplicated(), "sample_id"]).dropna()
    twice = samples.duplicated()
    if twice.any():
        raise InputError(
            f"two {what} files are of the same sample",
            file=samples.index[twice][0],
            expected="one file a sample",
            mend="leave all but one file of each sample out of the sources (masked or not, one aliquot, one workflow)",
        )
    return samples


def _read(file: Path, keys: Mapping[str, Any]) -> pd.DataFrame:
    columns = keys["sample_sheet"]["columns"]
    table = read_table(file)
    absent = [name for name, column in columns.items() if name not in table and column != "sample_type"]
    if absent:
        expected = ", ".join(columns)
        raise InputError("a column is missing", file=file, column=", ".join(absent), expected=expected, mend=MEND)
    table = table.rename(columns=columns).reindex(columns=list(columns.values())).astype("str")
    # Files of a tumour and its normal name both in each cell, separated by a comma.
    samples = _listed(table["sample_id"])
    listed = samples.join(_listed(table["patient_id"])).join(_listed(table["sample_type"]))
    whole = table[["file", "project"]].loc[listed.index.get_level_values("row")].reset_index(drop=True)
    whole["file"] = whole["file"].str.strip().str.removesuffix(".gz")
    listed = listed.reset_index(drop=True)
    # A cell that names a patient once means all samples of the file.
    first = table["patient_id"].str.split(",").str[0].str.strip()
    patients = listed["patient_id"].fillna(pd.Series(first.loc[samples.index.get_level_values("row")].to_numpy()))
    said = listed["sample_type"].astype("str").str.lower().map(keys["sample_types"]).astype("str")
    return whole.assign(
        patient_id=patients,
        sample_id=listed["sample_id"],
        timepoint=said.fillna(target_timepoints(listed["sample_id"])),
    )[COLUMNS]


def _listed(cells: pd.Series) -> pd.DataFrame:
    """Comma-separated cells as rows, indexed by row and position."""
    items = cells.str.split(",").explode().astype("str").str.strip().rename_axis("row")
    position = items.groupby(level="row").cumcount().rename("position")
    return items.to_frame().set_index(position, append=True)
