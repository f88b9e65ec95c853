"""Patients of the TARGET clinical workbooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.normalise_table import normalise_table
from nbrelapse.cohort.readers.find_sheet import find_sheet
from nbrelapse.cohort.readers.target_barcodes import target_patients
from nbrelapse.cohort.vocabulary import as_text
from nbrelapse.errors import InputError

ORIGIN = ["file", "row"]


def read_clinical(files: Sequence[Path], keys: Mapping[str, Any], repairs: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Read and join the workbooks.

    A patient whom several rows describe with the same values is one patient; a value that one of them lacks is taken
    from another.

    Parameters
    ----------
    files : sequence of Path
        xlsx files; those without a ``TARGET USI`` column (data dictionaries) are left out.
    keys : dict
        ``gdc_keys.toml``.
    repairs : list of str
        What was changed is appended.

    Returns
    -------
    patients : DataFrame of str
        The schema's columns and ``purity_percent``; values as the files spell them.
    unread : list of str
        Columns that the cohort has no place for.

    Raises
    ------
    InputError
        No workbook has patients, a column is missing, a row has no TARGET USI, a value is not legal, or two rows of a
        patient contradict each other.
    """
    settings = keys["clinical"]
    sheets = {file: find_sheet(file, settings["patient"]) for file in files}
    found = {file: sheet for file, sheet in sheets.items() if sheet is not None}
    if not found:
        raise InputError(
            "no sheet with the patients",
            file=files[0] if files else None,
            column=settings["patient"],
            expected="a TARGET clinical file, TARGET_NBL_ClinicalData_*.xlsx, with this column",
            mend="name the clinical files of the TARGET data matrix among the sources",
        )
    raw = pd.concat([_read(file, sheet, settings, repairs) for file, sheet in found.items()], ignore_index=True)
    _check_agreement(raw, {str(file): _original_names(sheet, settings) for file, sheet in found.items()})
    unread = {str(name) for sheet in found.values() for name in sheet if str(name).lower() not in settings["columns"]}
    return _one_row_each(raw), sorted(unread)


def _original_names(sheet: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, str]:
    known = settings["columns"]
    return {known[str(name).lower()]: str(name) for name in sheet if str(name).lower() in known}


def _read(file: Path, sheet: pd.DataFrame, settings: Mapping[str, Any], repairs: list[str]) -> pd.DataFrame:
    """Known columns under their new names, with the file and the row they stand in."""
    lower = sheet.columns.str.lower()
    absent = [name for name in settings["required"] if name.lower() not in lower]
    if absent:
        found = ", ".join(sheet.columns[:30])
        raise InputError("a column is missing", file=file, column=", ".join(absent), mend=f"columns found: {found}")
    known = lower.isin(list(settings["columns"]))
    twice = known & lower.duplicated()
    if twice.any():
        raise InputError("a column is named twice", file=file, column=sheet.columns[twice][0], mend="remove one")
    names = [settings["columns"][name] for name in lower[known]]
    table = sheet.loc[:, known].set_axis(names, axis=1).apply(as_text)
    table = table.assign(file=str(file), row=range(1, len(table) + 1)).dropna(how="all", subset=names)
    of_patient = target_patients(table["patient_id"]).notna()
    note = ~of_patient & table[names].drop(columns="patient_id").isna().all(axis=1)
    if note.any():
        repairs.append(f"patients: {int(note.sum())} rows without data under the table left out")
    wrong = ~of_patient & ~note
    if wrong.any():
        raise InputError(
            "a row without a TARGET identifier",
            file=file,
            column=settings["patient"],
            rows=table.loc[wrong, "row"].tolist(),
            expected="TARGET-30- and six letters",
        )
    split = next((word for word in settings["splits"] if word in file.name.lower()), float("nan"))
    kept = table[of_patient].reindex(columns=[*settings["columns"].values(), *ORIGIN])
    return kept.assign(split=pd.Series(split, index=kept.index, dtype="str"))


def _check_agreement(raw: pd.DataFrame, original_names: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a patient whose rows contradict each other, after the spellings have been made one."""
    compared = [str(name) for name in raw if name not in (*ORIGIN, "purity_percent", "split")]
    parts = [_normalised(part, compared, str(file)) for file, part in raw.groupby("file", sort=False)]
    values = pd.concat(parts).assign(purity_percent=raw["purity_percent"])
    for name in map(str, values.columns.drop("patient_id")):
        known = raw[["patient_id", *ORIGIN]].assign(value=values[name]).dropna(subset=["value"])
        first = known.drop_duplicates("patient_id").set_index("patient_id")
        other = known[known["value"] != known["patient_id"].map(first["value"])]
        if len(other):
            file = str(other["file"].iloc[0])
            against = first.loc[other["patient_id"].iloc[0]]
            raise InputError(
                "conflicting values of a patient",
                file=file,
                column=original_names[file][name],
                rows=other.loc[other["file"] == file, "row"].tolist(),
                expected=f"for the first of them, what row {against['row']} of {Path(str(against['file'])).name} says",
                mend="correct one of the files, or give only the newer one",
            )


def _normalised(part: pd.DataFrame, columns: list[str], file: str) -> pd.DataFrame:
    """Values of one file as the schema spells them; with its blank rows, so that errors count the rows it has."""
    whole = part.set_index("row")[columns].reindex(range(1, int(part["row"].max()) + 1))
    ready = normalise_table("patients", whole.reset_index(drop=True), file, [])[columns]
    return ready.iloc[part["row"].to_numpy() - 1].set_axis(part.index)


def _one_row_each(raw: pd.DataFrame) -> pd.DataFrame:
    by_patient = raw.drop(columns=ORIGIN).groupby("patient_id", sort=False)
    patients = by_patient.first()
    # A patient of both the discovery and the validation file belongs to neither part.
    both = by_patient["split"].first() != by_patient["split"].last()
    return patients.assign(split=patients["split"].mask(both)).reset_index()
