"""TARGET neuroblastoma as the GDC and the TARGET data matrix offer it: clinical workbooks and molecular files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import join_assay_rows, normalise_table
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.schema import MATRICES, as_text
from nbrelapse.errors import InputError
from nbrelapse.readers._assays import recorded_purity, target_patients, target_timepoints
from nbrelapse.readers._files import find_sheet, reader_keys
from nbrelapse.readers._gdc_molecular import GdcStudy, find_gdc_files, read_molecular, read_sample_sheets

_NAME = "TARGET-NBL"


def import_gdc(sources: Sequence[str | Path], *, name: str | None = None, timepoint: str | None = None) -> Cohort:
    """Read TARGET clinical workbooks with the molecular files of the GDC.

    ``First Event`` and ``Vital Status`` with their times are the outcome; ``First Event`` "Event" is an event of
    unknown kind. ``Percent Tumor`` is the purity of diagnosis samples. Files of normal samples are left out, and so
    are samples of patients that the workbooks do not have (the repairs say how many). A MAF without variants, or
    a segment file without segments, still says that its sample was looked at.

    Parameters
    ----------
    sources : sequence of path
        Files and folders (searched with their subfolders), under the names they were downloaded with: TARGET clinical
        workbooks (``*.xlsx``, at least one), and where they exist ``gdc_sample_sheet.*.tsv``, STAR counts
        (``*star_gene_counts.tsv``), MAFs (``*.maf``), segments (``*.seg.v2.txt``), all also with ``.gz``, and GISTIC's
        ``all_thresholded.by_genes.txt``. STAR counts and segments need the sample sheet, which says whose they are.
    name : str, optional
        Of the cohort; the GDC project by default.
    timepoint : {"diagnosis", "refractory", "relapse", "other"}, optional
        Of samples for which neither the sample sheet nor the TARGET sample code says it.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        A source is missing or of an unknown kind, no workbook has patients, two workbooks contradict each other, a file
        is not in the sample sheet, or the content is not valid.
    """
    keys = reader_keys("gdc")
    files = find_gdc_files(sources, keys["files"])
    study = GdcStudy(sources=files, files=_named(files), keys=keys)
    patients, unread = _read_clinical(study)
    study.metadata["source"] = {
        "reader": "gdc",
        "files": {kind: len(paths) for kind, paths in files.items()},
        "unread_columns": unread,
    }
    study.sheet = read_sample_sheets(files["sample_sheet"], keys)
    read_molecular(study)
    samples = _of_patients(_samples(study, timepoint), patients["patient_id"], study.repairs)
    purity = recorded_purity(patients["purity_percent"], study.repairs).set_axis(patients["patient_id"])
    _keep_samples(study, samples["sample_id"])
    study.tables["patients"] = patients.drop(columns="purity_percent")
    study.tables["samples"] = _with_purity(_complete(samples, patients["patient_id"]), purity)
    projects = study.sheet["project"].dropna().unique()
    return study.assemble(name or (str(projects[0]) if len(projects) == 1 else _NAME))


def _samples(study: GdcStudy, default: str | None) -> pd.DataFrame:
    """List the samples that any molecular file has."""
    parts = [rows["sample_id"] for rows in study.assays]
    ids = pd.Series(pd.concat(parts).unique() if parts else [], dtype="str", name="sample_id")
    known = study.sheet.drop_duplicates("sample_id").set_index("sample_id")
    timepoints = ids.map(known["timepoint"]).astype("str").fillna(target_timepoints(ids))
    return pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": ids.map(known["patient_id"]).astype("str").fillna(target_patients(ids)),
            "timepoint": timepoints if default is None else timepoints.fillna(default),
        }
    )


def _of_patients(samples: pd.DataFrame, patient_ids: pd.Series, repairs: Repairs) -> pd.DataFrame:
    """Leave out the samples of patients whom no workbook has."""
    known = samples["patient_id"].isin(patient_ids)
    if len(samples) and not known.any():
        raise InputError(
            "none of the molecular samples is of a patient in the clinical files",
            column="Case ID",
            expected="Case IDs of the sample sheet that are a TARGET USI of a workbook",
            fix="name the clinical files of these patients, discovery and validation, among the sources",
        )
    repairs.add_count("samples", (~known).sum(), "of patients without clinical data left out")
    return samples[known]


def _keep_samples(study: GdcStudy, sample_ids: pd.Series) -> None:
    """Leave other samples out of the molecular tables and of ``assays``."""
    kept = set(sample_ids)
    if study.assays:
        study.tables["assays"] = join_assay_rows(None, pd.concat(study.assays, ignore_index=True))
    for name, table in study.tables.items():
        within = table.columns.isin(kept) if name in MATRICES else table["sample_id"].isin(kept)
        study.tables[name] = table.loc[:, within] if name in MATRICES else table[within]


def _complete(samples: pd.DataFrame, patient_ids: pd.Series) -> pd.DataFrame:
    """Add a diagnosis sample, named as its patient, for those without any molecular file."""
    without = patient_ids[~patient_ids.isin(samples["patient_id"])]
    added = pd.DataFrame({"sample_id": without, "patient_id": without}).assign(timepoint="diagnosis")
    return pd.concat([samples, added], ignore_index=True)


def _with_purity(samples: pd.DataFrame, purity: pd.Series) -> pd.DataFrame:
    at_diagnosis = samples["timepoint"] == "diagnosis"
    return samples.assign(purity=samples["patient_id"].map(purity).where(at_diagnosis))


def _named(files: Mapping[str, Sequence[Path]]) -> dict[str, str | Path]:
    """Return what error messages call the files of a table."""
    table_of = {"clinical": "patients", "sample_sheet": "samples"}
    return {
        table_of.get(kind, kind): str(paths[0])
        + (f" and {len(paths) - 1} more, rows counted on" if len(paths) > 1 else "")
        for kind, paths in files.items()
        if paths
    }


_ORIGIN = ["file", "row"]


def _read_clinical(study: GdcStudy) -> tuple[pd.DataFrame, list[str]]:
    """Read and join the workbooks.

    A patient whom several rows describe with the same values is one patient; a value that one of them lacks is taken
    from another.

    Parameters
    ----------
    study : GdcStudy
        Of its clinical xlsx files those without a ``TARGET USI`` column (data dictionaries) are left out; its repairs
        say what was changed.

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
    settings, files = study.keys["clinical"], study.sources["clinical"]
    sheets = {file: find_sheet(file, settings["patient"]) for file in files}
    found = {file: sheet for file, sheet in sheets.items() if sheet is not None}
    if not found:
        raise InputError(
            "no sheet with the patients",
            file=files[0] if files else None,
            column=settings["patient"],
            expected="a TARGET clinical file, TARGET_NBL_ClinicalData_*.xlsx, with this column",
            fix="name the clinical files of the TARGET data matrix among the sources",
        )
    raw = pd.concat([_read(file, sheet, settings, study.repairs) for file, sheet in found.items()], ignore_index=True)
    _check_agreement(raw, {str(file): _original_names(sheet, settings) for file, sheet in found.items()})
    unread = {str(name) for sheet in found.values() for name in sheet if str(name).lower() not in settings["columns"]}
    return _one_row_each(raw), sorted(unread)


def _original_names(sheet: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, str]:
    known = settings["columns"]
    return {known[str(name).lower()]: str(name) for name in sheet if str(name).lower() in known}


def _read(file: Path, sheet: pd.DataFrame, settings: Mapping[str, Any], repairs: Repairs) -> pd.DataFrame:
    """Known columns under their new names, with the file and the row they stand in."""
    lower = sheet.columns.str.lower()
    absent = [name for name in settings["required"] if name.lower() not in lower]
    if absent:
        found = ", ".join(sheet.columns[:30])
        raise InputError("a column is missing", file=file, column=", ".join(absent), fix=f"columns found: {found}")
    known = lower.isin(list(settings["columns"]))
    twice = known & lower.duplicated()
    if twice.any():
        raise InputError("a column is named twice", file=file, column=sheet.columns[twice][0], fix="remove one")
    names = [settings["columns"][name] for name in lower[known]]
    table = sheet.loc[:, known].set_axis(names, axis=1).apply(as_text)
    table = table.assign(file=str(file), row=range(1, len(table) + 1)).dropna(how="all", subset=names)
    of_patient = target_patients(table["patient_id"]).notna()
    note = ~of_patient & table[names].drop(columns="patient_id").isna().all(axis=1)
    repairs.add_count("patients", note.sum(), "rows without data under the table left out")
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
    kept = table[of_patient].reindex(columns=[*settings["columns"].values(), *_ORIGIN])
    return kept.assign(split=pd.Series(split, index=kept.index, dtype="str"))


def _check_agreement(raw: pd.DataFrame, original_names: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a patient whose rows contradict each other, after the spellings have been made one."""
    compared = [str(name) for name in raw if name not in (*_ORIGIN, "purity_percent", "split")]
    parts = [_normalised(part, compared, str(file)) for file, part in raw.groupby("file", sort=False)]
    values = pd.concat(parts).assign(purity_percent=raw["purity_percent"])
    for name in map(str, values.columns.drop("patient_id")):
        known = raw[["patient_id", *_ORIGIN]].assign(value=values[name]).dropna(subset=["value"])
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
                fix="correct one of the files, or give only the newer one",
            )


def _normalised(part: pd.DataFrame, columns: list[str], file: str) -> pd.DataFrame:
    """Values of one file as the schema spells them; with its blank rows, so that errors count the rows it has."""
    whole = part.set_index("row")[columns].reindex(range(1, int(part["row"].max()) + 1))
    ready = normalise_table("patients", whole.reset_index(drop=True), file, Repairs())[columns]
    return ready.iloc[part["row"].to_numpy() - 1].set_axis(part.index)


def _one_row_each(raw: pd.DataFrame) -> pd.DataFrame:
    by_patient = raw.drop(columns=_ORIGIN).groupby("patient_id", sort=False)
    patients = by_patient.first()
    # A patient of both the discovery and the validation file belongs to neither part.
    both = by_patient["split"].first() != by_patient["split"].last()
    return patients.assign(split=patients["split"].mask(both)).reset_index()
