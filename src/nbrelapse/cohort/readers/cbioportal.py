"""Studies as cBioPortal offers them for download."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.distinct_values import is_among
from nbrelapse.cohort.readers import cbioportal_molecular as molecular
from nbrelapse.cohort.readers.cbioportal_clinical import read_clinical
from nbrelapse.cohort.readers.cbioportal_profiled import listed_samples, panel_samples, read_panels
from nbrelapse.cohort.readers.leave_out_normals import leave_out_normals
from nbrelapse.cohort.readers.study_files import StudyFiles, open_study
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES
from nbrelapse.cohort.vocabulary import as_text
from nbrelapse.errors import InputError


def read_cbioportal(source: str | Path, *, timepoint: str | None = None, expression: str | None = None) -> Cohort:
    """Read a study folder or archive.

    ``FIRST_EVENT`` with ``EFS_TIME`` and ``OS_STATUS`` with ``OS_DAYS`` are the outcome; ``EFSCENS``, ``SCENS`` and
    ``STIME`` belong to an older extract and are not read. ``FIRST_EVENT`` "Event" is an event of unknown kind. A sample
    was looked at for mutations or rearrangements where a case list, the gene panel matrix, the MAF's
    ``#sequenced_samples`` or the data themselves say so; without any of the former only samples with a finding count,
    and the repairs say it.

    Parameters
    ----------
    source : path
        Study folder, or ``.tar.gz``.
    timepoint : {"diagnosis", "refractory", "relapse", "other"}, optional
        Of samples for which neither ``TIMEPOINT``, ``SAMPLE_TYPE`` nor a TARGET sample code says it.
    expression : str, optional
        Name of the expression file to read where the study has several; the first of ``[files] expression`` in
        ``cbioportal_keys.toml`` by default. Files of z-scores are never read.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The study, a clinical file or a column is missing, a file is a Git LFS pointer, or the content is not valid.
    """
    study = open_study(source)
    keys = _keys()
    repairs: list[str] = []
    patients, samples, unread = read_clinical(study, keys, timepoint, repairs)
    tables = {"patients": patients, "samples": samples}
    files: dict[str, str | Path] = {
        "patients": study.where(study.first(keys["files"]["patient"]) or ""),
        "samples": study.where(study.first(keys["files"]["sample"]) or ""),
        "assays": study.source,
    }
    metadata: dict[str, Any] = {
        "source": {"reader": "cbioportal", "study": _study_name(study), "unread_attributes": unread},
        "repairs": repairs,
    }
    builds, sequenced, normals = _read_molecular(study, keys, tables, files, metadata, expression)
    leave_out_normals(tables, normals, repairs)
    tables["assays"] = _assays(study, keys, tables, builds, sequenced, metadata)
    panels = read_panels(study)
    if len(panels):
        tables["panels"] = panels
    return assemble_cohort(_study_name(study), tables, metadata=metadata, files=files)


@cache
def _keys() -> dict[str, Any]:
    text = resources.files("nbrelapse.cohort.readers").joinpath("cbioportal_keys.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _study_name(study: StudyFiles) -> str:
    fields = study.fields("meta_study.txt") if study.first(["meta_study.txt"]) else {}
    return fields.get("cancer_study_identifier") or study.source.name.split(".")[0]


def _read_molecular(
    study: StudyFiles,
    keys: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    files: dict[str, str | Path],
    metadata: dict[str, Any],
    expression: str | None,
) -> tuple[dict[str, str | None], list[str], list[str]]:
    """Add the molecular tables that the study has; return genome builds by assay, sequenced and normal samples."""
    builds: dict[str, str | None] = {}
    sequenced: list[str] = []
    normals: list[str] = []
    repairs = metadata["repairs"]
    if name := study.first(keys["files"]["mutations"]):
        files["mutations"] = study.where(name)
        maf = molecular.read_mutations(study, name, repairs)
        tables["mutations"], builds["mutations"] = maf.table, maf.genome_build
        sequenced, normals = maf.sequenced, maf.normals
    if name := study.first(keys["files"]["rearrangements"]):
        files["rearrangements"] = study.where(name)
        columns = keys["rearrangement_columns"]
        tables["rearrangements"], builds["rearrangements"] = molecular.read_rearrangements(
            study, name, columns, repairs
        )
    if name := next((name for name in study.names if name.endswith(".seg")), None):
        files["segments"] = study.where(name)
        columns = keys["segment_columns"]
        tables["segments"], builds["copy_number"] = molecular.read_segments(study, name, columns, repairs)
    discrete = study.first(keys["files"]["discrete_copy_number"])
    if name := discrete or study.first(keys["files"]["log2_copy_number"]):
        files["gene_copy_number"] = study.where(name)
        tables["gene_copy_number"] = molecular.read_gene_matrix(study, name)
        metadata["gene_copy_number"] = {"unit": "gistic" if discrete else "log2", "file": name}
    if name := _expression_file(study, keys, expression):
        files["expression"] = study.where(name)
        tables["expression"], metadata["expression"] = molecular.read_expression(study, name, repairs)
    return builds, sequenced, normals


def _expression_file(study: StudyFiles, keys: dict[str, Any], chosen: str | None) -> str | None:
    name = study.first([chosen] if chosen else keys["files"]["expression"])
    if chosen is None or name is not None:
        return name
    z_scores = "zscore" in chosen.lower()
    raise InputError(
        "z-scores cannot be compared between the genes of a sample" if z_scores else "the study has no such file",
        file=study.where(chosen),
        column="--expression",
        expected=", ".join(name for name in study.names if name in keys["files"]["expression"]) or None,
        mend="use the file without z-scores" if z_scores else "name a file of the study",
    )


def _assays(
    study: StudyFiles,
    keys: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    builds: dict[str, str | None],
    sequenced: list[str],
    metadata: dict[str, Any],
) -> pd.DataFrame:
    """Who was looked at, and how; only for assays that the study has data of."""
    present = {ASSAY_OF[name] for name in tables if name in ASSAY_OF}
    panels = panel_samples(study, keys["panel_columns"], keys["panel_words"]["whole"])
    listed = listed_samples(study, keys["case_lists"])
    named = pd.DataFrame({"sample_id": sequenced, "assay": "mutations"}).astype("str")
    said = pd.concat([panels, listed, named], ignore_index=True)
    for assay in ("mutations", "rearrangements"):
        if assay in present and not (said["assay"] == assay).any():
            metadata["repairs"].append(
                f"assays: the study does not say who was profiled for {assay}; samples with a finding count"
            )
    found = [
        pd.DataFrame({"sample_id": _samples_of(name, tables[name]), "assay": assay}).astype("str")
        for name, assay in ASSAY_OF.items()
        if name in tables
    ]
    metadata["repairs"] += _unlisted(said, found)
    assays = pd.concat([said[said["assay"].isin(present)], *found], ignore_index=True)
    assays = assays.drop_duplicates(["sample_id", "assay"], ignore_index=True)
    unknown = ~is_among(assays["sample_id"], tables["samples"]["sample_id"])
    with_data = pd.concat(found)["sample_id"] if found else pd.Series(dtype="str")
    from_lists = unknown & ~is_among(assays["sample_id"], with_data)
    if from_lists.any():
        metadata["repairs"].append(f"assays: {int(from_lists.sum())} rows of samples without clinical data left out")
    assays = assays[~from_lists].reset_index(drop=True)
    platform = metadata.get("expression", {}).get("platform")
    return assays.assign(
        genome_build=assays["assay"].map(builds).astype("str"),
        platform=assays["assay"].map({"expression": platform}).astype("str"),
    )


def _unlisted(said: pd.DataFrame, found: list[pd.DataFrame]) -> list[str]:
    """Note the samples with data that the study's own lists leave out."""
    notes = []
    for part in found:
        assay = part["assay"].iloc[0] if len(part) else ""
        listed = said[said["assay"] == assay]
        count = int((~is_among(part["sample_id"], listed["sample_id"])).sum()) if len(listed) else 0
        if count:
            notes.append(
                f"assays: {count} samples have {assay} data but are not listed as profiled; they count as profiled"
            )
    return notes


def _samples_of(name: str, table: pd.DataFrame) -> pd.Series:
    ids = pd.Series(table.columns) if name in MATRICES else table["sample_id"]
    return as_text(pd.Series(ids.unique(), dtype="str")).drop_duplicates()
