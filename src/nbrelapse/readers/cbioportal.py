"""Studies as cBioPortal offers them for download: patients, samples and molecular files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import assay_rows, join_assay_rows, sample_ids_of
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.columns import is_among, require_columns
from nbrelapse.cohort.schema import ASSAY_OF, PATIENTS, SAMPLES, as_text, normalise_levels
from nbrelapse.errors import InputError
from nbrelapse.readers import _cbioportal_molecular as molecular
from nbrelapse.readers._assays import leave_out_normals, purity_from_percent, target_timepoints
from nbrelapse.readers._cbioportal_molecular import listed_samples, panel_samples, read_panels
from nbrelapse.readers._files import RawCohort, StudyFiles, open_study


def import_cbioportal(
    source: str | Path, *, name: str | None = None, timepoint: str | None = None, expression: str | None = None
) -> Cohort:
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
    name : str, optional
        Of the cohort; the study's identifier by default.
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
    patients, samples, unread = _read_clinical(study, timepoint)
    study_name = _study_name(study)
    raw = RawCohort(
        tables={"patients": patients, "samples": samples},
        files={"patients": study.file_of("patient"), "samples": study.file_of("sample"), "assays": study.source},
        metadata={"source": {"reader": "cbioportal", "study": study_name, "unread_attributes": unread}},
        repairs=study.repairs,
    )
    builds, sequenced, normals = _read_molecular(study, raw, expression)
    leave_out_normals(raw.tables, normals, raw.repairs)
    raw.tables["assays"] = _assays(study, raw, builds, sequenced)
    panels = read_panels(study)
    if len(panels):
        raw.tables["panels"] = panels
    return raw.assemble(name or study_name)


def _study_name(study: StudyFiles) -> str:
    fields = study.fields("meta_study.txt") if study.first(["meta_study.txt"]) else {}
    return fields.get("cancer_study_identifier") or study.source.name.split(".")[0]


def _read_molecular(
    study: StudyFiles, raw: RawCohort, expression: str | None
) -> tuple[dict[str, str | None], list[str], list[str]]:
    """Add the molecular tables that the study has; return genome builds by assay, sequenced and normal samples."""
    builds: dict[str, str | None] = {}
    sequenced: list[str] = []
    normals: list[str] = []
    tables, files, names = raw.tables, raw.files, study.keys["files"]
    if name := study.first(names["mutations"]):
        files["mutations"] = study.where(name)
        maf = molecular.read_mutations(study, name)
        tables["mutations"], builds["mutations"] = maf.table, maf.genome_build
        sequenced, normals = maf.sequenced, maf.normals
    if name := study.first(names["rearrangements"]):
        files["rearrangements"] = study.where(name)
        tables["rearrangements"], builds["rearrangements"] = molecular.read_rearrangements(study, name)
    if name := next((name for name in study.names if name.endswith(".seg")), None):
        files["segments"] = study.where(name)
        tables["segments"], builds["copy_number"] = molecular.read_segments(study, name)
    discrete = study.first(names["discrete_copy_number"])
    if name := discrete or study.first(names["log2_copy_number"]):
        files["gene_copy_number"] = study.where(name)
        tables["gene_copy_number"] = molecular.read_gene_matrix(study, name)
        raw.metadata["gene_copy_number"] = {"unit": "gistic" if discrete else "log2", "file": name}
    if name := _expression_file(study, expression):
        files["expression"] = study.where(name)
        tables["expression"], raw.metadata["expression"] = molecular.read_expression(study, name)
    return builds, sequenced, normals


def _expression_file(study: StudyFiles, chosen: str | None) -> str | None:
    known = study.keys["files"]["expression"]
    name = study.first([chosen] if chosen else known)
    if chosen is None or name is not None:
        return name
    z_scores = "zscore" in chosen.lower()
    raise InputError(
        "z-scores cannot be compared between the genes of a sample" if z_scores else "the study has no such file",
        file=study.where(chosen),
        column="--expression",
        expected=", ".join(name for name in study.names if name in known) or None,
        fix="use the file without z-scores" if z_scores else "name a file of the study",
    )


def _assays(study: StudyFiles, raw: RawCohort, builds: dict[str, str | None], sequenced: list[str]) -> pd.DataFrame:
    """Who was looked at, and how; only for assays that the study has data of."""
    present = {ASSAY_OF[name] for name in raw.tables if name in ASSAY_OF}
    said = pd.concat(
        [panel_samples(study), listed_samples(study), assay_rows(sequenced, "mutations")], ignore_index=True
    )
    for assay in ("mutations", "rearrangements"):
        if assay in present and not (said["assay"] == assay).any():
            raw.repairs.add(
                "assays", f"the study does not say who was profiled for {assay}; samples with a finding count"
            )
    found = [
        assay_rows(as_text(sample_ids_of(name, raw.tables[name])), assay)
        for name, assay in ASSAY_OF.items()
        if name in raw.tables
    ]
    _note_unlisted(said, found, raw.repairs)
    assays = pd.concat([said[said["assay"].isin(present)], *found], ignore_index=True)
    assays = join_assay_rows(None, assays)
    unknown = ~is_among(assays["sample_id"], raw.tables["samples"]["sample_id"])
    with_data = pd.concat(found)["sample_id"] if found else pd.Series(dtype="str")
    from_lists = unknown & ~is_among(assays["sample_id"], with_data)
    raw.repairs.add_count("assays", from_lists.sum(), "rows of samples without clinical data left out")
    assays = assays[~from_lists].reset_index(drop=True)
    platform = raw.metadata.get("expression", {}).get("platform")
    return assays.assign(
        genome_build=assays["assay"].map(builds).astype("str"),
        platform=assays["assay"].map({"expression": platform}).astype("str"),
    )


def _note_unlisted(said: pd.DataFrame, found: list[pd.DataFrame], repairs: Repairs) -> None:
    """Note the samples with data that the study's own lists leave out."""
    for part in found:
        assay = part["assay"].iloc[0] if len(part) else ""
        listed = said[said["assay"] == assay]
        if len(listed):
            unlisted = ~is_among(part["sample_id"], listed["sample_id"])
            repairs.add_count(
                "assays",
                unlisted.sum(),
                f"samples have {assay} data but are not listed as profiled; they count as profiled",
            )


def _read_clinical(study: StudyFiles, timepoint: str | None) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the clinical files.

    Parameters
    ----------
    study : StudyFiles
        Its ``repairs`` say what was changed.
    timepoint : str or None
        Of samples for which neither an attribute nor a TARGET code says it.

    Returns
    -------
    patients, samples : DataFrame
        With the schema's column names; values as the files spell them.
    unread : list of str
        Attributes that the cohort has no column for.

    Raises
    ------
    InputError
        A clinical file is missing or lacks ``PATIENT_ID`` or ``SAMPLE_ID``.
    """
    raw_patients, unread = _attributes(study, "patient", ["PATIENT_ID"])
    raw_samples, unread_samples = _attributes(study, "sample", ["PATIENT_ID", "SAMPLE_ID"])
    samples = pd.DataFrame({name: as_text(raw_samples[name]) for name in ("sample_id", "patient_id")})
    samples["timepoint"] = _timepoint(study, raw_samples, timepoint)
    samples["purity"] = _purity(raw_patients, raw_samples, samples, study.repairs)
    patients = raw_patients.drop(columns="purity_percent", errors="ignore")
    patients["patient_id"] = as_text(patients["patient_id"])
    lifted = [str(name) for name in raw_samples.columns if name in PATIENTS.columns and name != "patient_id"]
    of_patient = _lift(raw_samples, samples, lifted)
    for name in lifted:
        values = patients["patient_id"].map(of_patient[name])
        patients[name] = as_text(patients[name]).fillna(values) if name in patients else values
    if "split" in lifted:
        patients["split"] = patients["split"].astype("str").str.lower()
    return patients, samples, unread + unread_samples


def _attributes(study: StudyFiles, kind: str, required: list[str]) -> tuple[pd.DataFrame, list[str]]:
    name = study.first(study.keys["files"][kind])
    if name is None:
        raise InputError(
            f"the study has no {kind} file",
            file=study.source,
            expected=" or ".join(study.keys["files"][kind]),
            fix="give the folder or archive of one study, as downloaded",
        )
    table = study.table(name)
    expected = "four lines that start with #, then the header"
    require_columns(table.columns, required, study.where(name), expected=expected)
    own = {**PATIENTS.columns, **(SAMPLES.columns if kind == "sample" else {})}
    known = {column.upper(): column for column in map(str, own)} | study.keys[f"{kind}_attributes"]
    chosen = {column: known[column] for column in table.columns if column in known}
    superseded = study.keys["superseded"]["attributes"]
    unread = [column for column in table.columns if column not in chosen and column not in superseded]
    return table[list(chosen)].rename(columns=chosen), unread


def _timepoint(study: StudyFiles, samples: pd.DataFrame, default: str | None) -> pd.Series:
    by_code = target_timepoints(samples["sample_id"]).replace({"normal": "other"})
    if "timepoint" in samples:
        file = study.file_of("sample")
        said = normalise_levels(samples["timepoint"].rename("TIMEPOINT or SAMPLE_TYPE"), "timepoint", file=file)
        by_code = said.fillna(by_code)
    return by_code if default is None else by_code.fillna(default)


def _purity(patients: pd.DataFrame, raw_samples: pd.DataFrame, samples: pd.DataFrame, repairs: Repairs) -> pd.Series:
    """Purity as a fraction: the sample's own, or the patient's percentage for diagnosis samples."""
    own = pd.to_numeric(as_text(raw_samples["purity"]), errors="coerce") if "purity" in raw_samples else np.nan
    purity = pd.Series(own, index=samples.index, dtype="float64")
    if "purity_percent" not in patients:
        return purity
    by_patient = purity_from_percent(patients["purity_percent"], repairs).set_axis(as_text(patients["patient_id"]))
    by_patient = by_patient[~by_patient.index.duplicated()]
    at_diagnosis = samples["timepoint"] == "diagnosis"
    return purity.fillna(samples["patient_id"].map(by_patient).where(at_diagnosis))


def _lift(raw: pd.DataFrame, samples: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """First known value among a patient's diagnosis samples, in order of sample id."""
    values = pd.DataFrame({name: as_text(raw[name]) for name in columns}, index=raw.index)
    chosen = values.assign(patient_id=samples["patient_id"], sample_id=samples["sample_id"])
    chosen = chosen[samples["timepoint"] == "diagnosis"].sort_values("sample_id")
    return chosen.groupby("patient_id")[columns].first()
