"""TARGET neuroblastoma as the GDC and the TARGET data matrix offer it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.readers.gdc_clinical import read_clinical
from nbrelapse.cohort.readers.gdc_files import find_gdc_files
from nbrelapse.cohort.readers.gdc_molecular import MolecularTables, read_molecular
from nbrelapse.cohort.readers.gdc_sample_sheet import read_sample_sheets
from nbrelapse.cohort.readers.target_barcodes import target_patients, target_timepoints
from nbrelapse.cohort.readers.tumour_purity import purity_from_percent
from nbrelapse.cohort.schema import MATRICES
from nbrelapse.errors import InputError

NAME = "TARGET-NBL"


def read_gdc(sources: Sequence[str | Path], *, timepoint: str | None = None) -> Cohort:
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
    keys = _keys()
    files = find_gdc_files(sources, keys["files"])
    repairs: list[str] = []
    patients, unread = read_clinical(files["clinical"], keys, repairs)
    sheet = read_sample_sheets(files["sample_sheet"], keys)
    read = read_molecular(files, sheet, keys)
    samples = _of_patients(_samples(read, sheet, timepoint), patients["patient_id"], repairs)
    purity = purity_from_percent(patients["purity_percent"], repairs).set_axis(patients["patient_id"])
    tables = {
        "patients": patients.drop(columns="purity_percent"),
        "samples": _with_purity(_complete(samples, patients["patient_id"]), purity),
        **_tables_of(read, samples["sample_id"]),
    }
    metadata: dict[str, Any] = {
        "source": {
            "reader": "gdc",
            "files": {kind: len(paths) for kind, paths in files.items()},
            "unread_columns": unread,
        },
        **read.metadata,
        "repairs": repairs,
    }
    projects = sheet["project"].dropna().unique()
    name = str(projects[0]) if len(projects) == 1 else NAME
    return assemble_cohort(name, tables, metadata=metadata, files=_named(files))


@cache
def _keys() -> dict[str, Any]:
    text = resources.files("nbrelapse.cohort.readers").joinpath("gdc_keys.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _samples(read: MolecularTables, sheet: pd.DataFrame, default: str | None) -> pd.DataFrame:
    """List the samples that any molecular file has."""
    parts = [rows["sample_id"] for rows in read.assays]
    ids = pd.Series(pd.concat(parts).unique() if parts else [], dtype="str", name="sample_id")
    known = sheet.drop_duplicates("sample_id").set_index("sample_id")
    timepoints = ids.map(known["timepoint"]).astype("str").fillna(target_timepoints(ids))
    return pd.DataFrame(
        {
            "sample_id": ids,
            "patient_id": ids.map(known["patient_id"]).astype("str").fillna(target_patients(ids)),
            "timepoint": timepoints if default is None else timepoints.fillna(default),
        }
    )


def _of_patients(samples: pd.DataFrame, patient_ids: pd.Series, repairs: list[str]) -> pd.DataFrame:
    """Leave out the samples of patients whom no workbook has."""
    known = samples["patient_id"].isin(patient_ids)
    if len(samples) and not known.any():
        raise InputError(
            "none of the molecular samples is of a patient in the clinical files",
            column="Case ID",
            expected="Case IDs of the sample sheet that are a TARGET USI of a workbook",
            mend="name the clinical files of these patients, discovery and validation, among the sources",
        )
    if not known.all():
        repairs.append(f"samples: {int((~known).sum())} of patients without clinical data left out")
    return samples[known]


def _tables_of(read: MolecularTables, sample_ids: pd.Series) -> dict[str, pd.DataFrame]:
    """Molecular tables and ``assays`` of some samples."""
    kept = set(sample_ids)
    tables = dict(read.tables)
    if read.assays:
        tables["assays"] = pd.concat(read.assays, ignore_index=True).drop_duplicates(["sample_id", "assay"])
    return {
        name: table.loc[:, table.columns.isin(kept)] if name in MATRICES else table[table["sample_id"].isin(kept)]
        for name, table in tables.items()
    }


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
