"""Studies as cBioPortal offers them for download: patients, samples and molecular files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import assay_rows, join_assay_rows, sample_ids_of
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.columns import is_among, refuse_rows, require_columns, row_numbers
from nbrelapse.cohort.schema import (
    ASSAY_OF,
    LARGEST_NUMBER,
    PATIENTS,
    SAMPLES,
    as_text,
    coded_columns,
    levels,
    read_levels,
)
from nbrelapse.errors import InputError
from nbrelapse.readers import _cbioportal_molecular as molecular
from nbrelapse.readers._assays import leave_out_normals, recorded_purity, target_timepoints
from nbrelapse.readers._cbioportal_molecular import listed_samples, panel_samples, read_panels
from nbrelapse.readers._files import RawCohort, StudyFiles, open_study


def import_cbioportal(
    source: str | Path,
    *,
    name: str | None = None,
    timepoint: str | None = None,
    expression: str | None = None,
    attributes: Mapping[str, str] | None = None,
    ignore: Collection[str] = (),
    codes: bool = False,
) -> Cohort:
    """Read a study folder or archive.

    Files are those that the ``meta_*.txt`` name (``data_filename``), or those of the usual names. The outcome is
    ``FIRST_EVENT`` with ``EFS_TIME``, or else the first of ``EFS``, ``PFS`` and ``DFS`` that has both ``_STATUS`` and
    ``_DAYS`` or ``_MONTHS`` (of 30.4375 days), and ``OS_STATUS`` with ``OS_DAYS`` or ``OS_MONTHS``; ``EFSCENS``,
    ``SCENS`` and ``STIME`` belong to an older extract and are not read. ``1:`` of a status, and ``FIRST_EVENT``
    "Event", is an event of unknown kind. An attribute with a familiar name whose values mean something else is left
    out. What was not read stands in ``metadata["source"]``: ``unread_attributes`` and ``unread_files``.

    What a sample says of its patient (MYCN, grade) is taken from the samples at diagnosis or, where the patient has
    none, from those whose time point is not known; never from a relapse.

    A sample was looked at for mutations or rearrangements where a case list, the gene panel matrix, the MAF's
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
    attributes : dict of str to str, optional
        Attributes of the clinical files, and the column of ``patients`` or ``samples`` that each one is; a unit may
        follow, as in ``{"AGE": "age_days:years"}``. They come before the attributes that are known by name.
    ignore : collection of str
        Attributes that are not to be read.
    codes : bool, default False
        Leave the texts of ``mutations`` and ``segments`` categorical, which takes less than half of the memory:
        enough for :func:`nbrelapse.cohort.write_cohort` alone, which writes the same folder.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The study, a clinical file or a column is missing, a file is a Git LFS pointer, or the content is not valid.
    """
    study = open_study(source)
    clinical = _Clinical(study, _choices(attributes or {}), frozenset(attribute.upper() for attribute in ignore))
    patients, samples = _read_clinical(clinical, timepoint)
    study_name = _study_name(study)
    source_of: dict[str, object] = {"reader": "cbioportal", "study": study_name, "unread_attributes": clinical.unread}
    sample_file = study.where(study.file_of("sample") or "")
    patient_file = study.file_of("patient")
    raw = RawCohort(
        tables={"patients": patients, "samples": samples},
        files={
            "patients": sample_file if patient_file is None else study.where(patient_file),
            "samples": sample_file,
            "assays": study.source,
        },
        metadata={"source": source_of},
        repairs=study.repairs,
        sample_columns={"mutations": "Tumor_Sample_Barcode", "rearrangements": "Sample_Id", "segments": "ID"},
    )
    builds, told, normals = _read_molecular(study, raw, expression)
    leave_out_normals(raw.tables, normals, raw.repairs)
    raw.tables["assays"] = _assays(study, raw, builds, told)
    panels = read_panels(study)
    if len(panels):
        raw.tables["panels"] = panels
    source_of["unread_files"] = study.unread()
    return raw.assemble(name or study_name, codes=codes)


def _study_name(study: StudyFiles) -> str:
    fields = study.fields("meta_study.txt") if study.first(["meta_study.txt"]) else {}
    return fields.get("cancer_study_identifier") or study.source.name.split(".")[0]


def _read_molecular(
    study: StudyFiles, raw: RawCohort, expression: str | None
) -> tuple[dict[str, str | None], list[pd.DataFrame], list[str]]:
    """Add the molecular tables that the study has.

    Returns
    -------
    builds : dict of str to str or None
        Genome build by assay.
    told : list of DataFrame
        Rows of ``assays`` that the files hold besides their data: samples named in the MAF's comments, and those of
        rows that are no mutation.
    normals : list of str
        Matched normal samples.
    """
    builds: dict[str, str | None] = {}
    told: list[pd.DataFrame] = []
    normals: list[str] = []
    tables, files = raw.tables, raw.files
    if name := study.file_of("mutations"):
        files["mutations"] = study.where(name)
        maf = molecular.read_mutations(study, name)
        tables["mutations"], builds["mutations"] = maf.table, maf.genome_build
        told, normals = [assay_rows(maf.sequenced, "mutations"), assay_rows(maf.named, "mutations")], maf.normals
    if name := study.file_of("rearrangements"):
        files["rearrangements"] = study.where(name)
        tables["rearrangements"], builds["rearrangements"] = molecular.read_rearrangements(study, name)
    if name := study.file_of("segments"):
        files["segments"] = study.where(name)
        tables["segments"], builds["copy_number"] = molecular.read_segments(study, name)
    discrete = study.file_of("discrete_copy_number")
    if name := discrete or study.file_of("log2_copy_number"):
        files["gene_copy_number"] = study.where(name)
        tables["gene_copy_number"] = molecular.read_gene_copy_number(study, name, discrete=bool(discrete))
        raw.metadata["gene_copy_number"] = {"unit": "gistic" if discrete else "log2", "file": name}
    if name := _expression_file(study, expression):
        files["expression"] = study.where(name)
        tables["expression"], raw.metadata["expression"] = molecular.read_expression(study, name)
    return builds, told, normals


def _expression_file(study: StudyFiles, chosen: str | None) -> str | None:
    known = [name for name in study.files_of("expression") if not molecular.is_z_scores(name)]
    if chosen is None:
        return next(iter(known), None)
    z_scores = molecular.is_z_scores(chosen)
    if chosen in study.names and not z_scores:
        return chosen
    raise InputError(
        "z-scores cannot be compared between the genes of a sample" if z_scores else "the study has no such file",
        file=study.where(chosen),
        column="--expression",
        expected=", ".join(known) or None,
        fix="use the file without z-scores" if z_scores else "name a file of the study",
    )


def _assays(study: StudyFiles, raw: RawCohort, builds: dict[str, str | None], told: list[pd.DataFrame]) -> pd.DataFrame:
    """Who was looked at, and how; only for assays that the study has data of."""
    present = {ASSAY_OF[name] for name in raw.tables if name in ASSAY_OF}
    said = pd.concat([panel_samples(study), listed_samples(study), *told[:1]], ignore_index=True)
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
    assays = pd.concat([said[said["assay"].isin(present)], *found, *told[1:]], ignore_index=True)
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


_MONTH, _YEAR, _WEEK = 30.4375, 365.25, 7.0
_UNITS = {"day": 1.0, "week": _WEEK, "month": _MONTH, "year": _YEAR}
"""Days; a year of the Julian calendar, and its twelfth."""
_NOT_KNOWN_CODES = {"9", "99", "999", "-1", "-9", "-99"}
"""Numbers that stand for "not known" where a list of codes has no such number."""
_OLDEST_MEDIAN = 20.0
"""Years; half of all patients are younger than two (SEER), so a median above it is of another unit."""
_SHOWN = 3


@dataclass(frozen=True)
class _Choice:
    """The column that the user wants an attribute to be, and the days of its unit."""

    column: str
    days: float | None = None


@dataclass(frozen=True)
class _Clinical:
    """The clinical files, what the user says of their attributes, and what was not read of them."""

    study: StudyFiles
    chosen: Mapping[str, _Choice]
    ignored: frozenset[str]
    unread: list[str] = field(default_factory=list)

    def leave(self, attribute: str, why: str = "") -> None:
        """Note an attribute that is not read."""
        self.unread.append(f"{attribute} ({why})" if why else attribute)


def _choices(attributes: Mapping[str, str]) -> dict[str, _Choice]:
    """Read ``{"AGE": "age_days:years"}``."""
    legal = [str(name) for name in (*PATIENTS.columns, *SAMPLES.columns) if not str(name).endswith("_id")]
    choices = {}
    for attribute, text in ((name.upper(), text) for name, text in attributes.items()):
        column, colon, unit = text.partition(":")
        days = _UNITS.get(unit.lower().removesuffix("s"))
        if column not in legal or (colon and (days is None or not column.endswith("_days"))):
            raise InputError(
                f"{text!r} is no column of a cohort" if column not in legal else f"{text!r} has no such unit",
                column=f"--attribute {attribute}",
                expected=", ".join(legal) if column not in legal else "days, weeks, months or years, of a time",
                fix="say --attribute NAME=COLUMN or, for a time, NAME=COLUMN:months",
            )
        choices[attribute] = _Choice(column, days)
    return choices


def _read_clinical(clinical: _Clinical, timepoint: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the clinical files; without one of patients they are those that the samples name.

    Parameters
    ----------
    clinical : _Clinical
        Its ``unread``, and the study's ``repairs``, are added to.
    timepoint : str or None
        Of samples for which neither an attribute nor a TARGET code says it.

    Returns
    -------
    patients, samples : DataFrame
        With the schema's column names; values as the files spell them.

    Raises
    ------
    InputError
        There is no file of samples, it lacks ``PATIENT_ID`` or ``SAMPLE_ID``, or no file has an attribute that the user
        names.
    """
    study = clinical.study
    of_patients, of_samples = _clinical_table(study, "patient"), _clinical_table(study, "sample")
    if of_samples is None:
        raise InputError(
            "the study has no sample file",
            file=study.source,
            expected=" or ".join(study.keys["files"]["sample"]),
            fix="give the folder or archive of one study, as downloaded",
        )
    _check_named(clinical, [] if of_patients is None else of_patients.columns, of_samples.columns)
    samples = pd.DataFrame({name: as_text(of_samples[name.upper()]) for name in ("sample_id", "patient_id")})
    raw_samples = _read_attributes(clinical, of_samples, "sample")
    samples["timepoint"] = _timepoint(raw_samples, samples["sample_id"], timepoint)
    if of_patients is None:
        study.repairs.add("patients", "the study has no file of patients; they are those that the samples name")
        patients = pd.DataFrame({"patient_id": samples["patient_id"].drop_duplicates().reset_index(drop=True)})
    else:
        raw = _read_attributes(clinical, of_patients, "patient")
        patients = raw.assign(patient_id=as_text(of_patients["PATIENT_ID"]))
    samples["purity"] = _purity(patients, raw_samples, samples, study.repairs)
    patients = patients.drop(columns="purity_percent", errors="ignore")
    lifted = [str(name) for name in raw_samples.columns if name in PATIENTS.columns]
    of_patient = _lift(raw_samples, samples, lifted, study.repairs)
    for name in lifted:
        values = patients["patient_id"].map(of_patient[name])
        patients[name] = patients[name].where(patients[name].notna(), values) if name in patients else values
    if "split" in patients:
        patients["split"] = patients["split"].astype("str").str.lower()
    return _within_followup(patients, study.repairs), samples


def _clinical_table(study: StudyFiles, kind: str) -> pd.DataFrame | None:
    name = study.file_of(kind)
    if name is None:
        return None
    table = study.table(name)
    table = table.set_axis([str(column).upper() for column in table.columns], axis=1)
    required = ["PATIENT_ID"] if kind == "patient" else ["PATIENT_ID", "SAMPLE_ID"]
    expected = "four lines that start with #, then the header"
    require_columns(table.columns, required, study.where(name), expected=expected)
    return table


def _check_named(clinical: _Clinical, *columns: Iterable[str]) -> None:
    """Refuse an attribute that the user names and no file has."""
    present = [name for part in columns for name in part]
    for option, names in (("--attribute", clinical.chosen), ("--ignore", clinical.ignored)):
        for name in sorted(set(names) - set(present)):
            near = get_close_matches(name.upper(), present)
            raise InputError(
                "no clinical file has such an attribute",
                file=clinical.study.source,
                column=f"{option} {name}",
                expected=", ".join(near or sorted({*present})),
                fix="write the attribute as the header of the clinical file does",
            )


def _read_attributes(clinical: _Clinical, table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Known attributes of a clinical file under the cohort's names."""
    found = _candidates(clinical, list(table.columns), kind)
    _pair_events(clinical, found, table)
    read: dict[str, pd.Series] = {}
    for column, attributes in found.items():
        for place, attribute in enumerate(attributes):
            values = _read_attribute(clinical, table[attribute], column, kind)
            if values is None:
                continue
            if column == "timepoint" and column in read:
                read[column] = read[column].where(read[column].notna(), values)
                continue
            read[column] = values
            if column != "timepoint":
                for other in attributes[place + 1 :]:
                    clinical.leave(other, f"{attribute} is read")
                break
    return pd.DataFrame(read, index=table.index)


def _candidates(clinical: _Clinical, names: list[str], kind: str) -> dict[str, list[str]]:
    """Return the attributes of a file that each column may be read from, the user's first; note the others."""
    keys = clinical.study.keys
    own = {**PATIENTS.columns, **(SAMPLES.columns if kind == "sample" else {})}
    known = {str(column).upper(): str(column) for column in own} | keys["attributes"] | keys[f"{kind}_attributes"]
    order = {attribute: choice.column for attribute, choice in clinical.chosen.items()} | {
        attribute: column for attribute, column in known.items() if attribute not in clinical.chosen
    }
    misplaced = [name for name, choice in clinical.chosen.items() if name in names and choice.column not in own]
    if misplaced:
        raise InputError(
            f"an attribute of patients cannot be the sample's {clinical.chosen[misplaced[0]].column}",
            column=f"--attribute {misplaced[0]}",
            fix="name an attribute of the sample file",
        )
    found: dict[str, list[str]] = {}
    for attribute, column in order.items():
        if attribute in names and attribute not in clinical.ignored and not column.endswith("_id"):
            found.setdefault(column, []).append(attribute)
    taken = {attribute for attributes in found.values() for attribute in attributes}
    needless = {"PATIENT_ID", "SAMPLE_ID", *keys["superseded"]["attributes"], *taken}
    for name in names:
        if name not in needless:
            clinical.leave(name, "ignored" if name in clinical.ignored else "")
    return found


def _pair_events(clinical: _Clinical, found: dict[str, list[str]], table: pd.DataFrame) -> None:
    """Keep the first status that has a time, with the times of its prefix: two endpoints must not be mixed."""
    if not found.get("event") or {*found["event"], *found.get("event_days", [])} & set(clinical.chosen):
        return
    prefixes = clinical.study.keys["survival"] | {"EVENT": "EVENT"}
    times = found.get("event_days", [])
    chosen: tuple[list[str], list[str]] = (found["event"][:1], [])
    for status in found["event"]:
        of_status = [time for time in times if time.startswith(f"{prefixes[status]}_")]
        if of_status and _read_event(clinical, table[status]).notna().any():
            chosen = ([status], of_status)
            break
    for column, kept in zip(("event", "event_days"), chosen, strict=True):
        for attribute in found.pop(column, []):
            if attribute not in kept:
                clinical.leave(attribute, f"{chosen[0][0]} is read")
        if kept:
            found[column] = kept


def _read_attribute(clinical: _Clinical, raw: pd.Series, column: str, kind: str) -> pd.Series | None:
    """Values of an attribute, those that cannot be read missing; None where its values mean something else."""
    study, attribute = clinical.study, str(raw.name)
    file = study.where(study.file_of(kind) or "")
    text = as_text(raw)
    if column == "event" or (column == "death" and attribute.endswith("_STATUS")):
        values = _read_event(clinical, raw) if column == "event" else _read_status(clinical, text)
        legal = "0: or 1: in front, " + ", ".join(levels(column))
    elif column in coded_columns():
        values, legal = text.where(read_levels(text, column).notna()), ", ".join(levels(column))
    elif column in ("purity", "purity_percent") or not _is_number(column):
        return text
    else:
        values, legal = _read_numbers(clinical, text, column, file), "numbers"
    unread = (text.notna() & values.isna()).to_numpy()
    if column in coded_columns():
        # A code for "not known" tells no other list of codes.
        coded = unread & text.isin(_NOT_KNOWN_CODES).to_numpy(dtype=bool)
        unread = unread & ~coded
        note = f"values such as {_shown(text[coded])} read as not known"
        study.repairs.add_count(f"{file.name}.{attribute}", coded.sum(), note)
    if not unread.any():
        return _believed(clinical, values, column)
    if attribute in clinical.chosen:
        fix = "correct the cells, or leave them empty where it is not known"
        refuse_rows(
            raw.index,
            unread,
            _shown(text[unread]) + " cannot be read",
            file=file,
            column=attribute,
            expected=legal,
            fix=fix,
        )
    place = f"{file.name}, rows {_rows(raw.index, unread)}: {_shown(text[unread])}"
    if _is_foreign(text, unread, column):
        clinical.leave(attribute, f"no {column}; {place}")
        return None
    study.repairs.add(f"{file.name}.{attribute}", f"{int(unread.sum())} values that are no {column} left out; {place}")
    # The words of an unread time point stay, so that no default takes their place.
    return text if column == "timepoint" else values


def _is_foreign(text: pd.Series, unread: np.ndarray, column: str) -> bool:
    """Whether the values of an attribute are of another kind: most of them, or numbers of another list of codes."""
    other_codes = column in coded_columns() and text[unread].str.fullmatch(r"[-+]?\d+(?:\.\d+)?").any()
    return bool(other_codes or unread.sum() * 2 > text.notna().sum())


def _shown(text: pd.Series) -> str:
    distinct = [f"'{value[:20]}'" for value in text.unique()[:_SHOWN]]
    return ", ".join(distinct) + (" and others" if text.nunique() > _SHOWN else "")


def _rows(index: pd.Index, wrong: np.ndarray) -> str:
    rows = row_numbers(index, wrong)
    return ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def _is_number(column: str) -> bool:
    schema = PATIENTS if column in PATIENTS.columns else SAMPLES
    return str(schema.columns[column].dtype) == "float64"


def _read_status(clinical: _Clinical, text: pd.Series) -> pd.Series:
    """``0`` and ``1`` of a survival status: its prefix, or its word."""
    words = {word: code for code, listed in clinical.study.keys["status_words"].items() for word in listed}
    prefix = text.str.extract(r"^([01])\s*:", expand=False)
    spelled = read_levels(text, "death")
    return prefix.fillna(spelled).fillna(text.str.lower().map(words).astype("str"))


def _read_event(clinical: _Clinical, raw: pd.Series) -> pd.Series:
    """First events: the word where it names one, else what the prefix says.

    ``1:PROGRESSION`` and the like is how cBioPortal writes any event, so that a status never says progression.
    """
    text = as_text(raw)
    if not str(raw.name).endswith("_STATUS"):
        return text.where(read_levels(text, "event").notna())
    word = read_levels(text.str.replace(r"^[01]\s*:\s*", "", regex=True), "event")
    status = _read_status(clinical, text)
    kinds = word.where(word.isin(["relapse", "death", "second_malignancy"]) & (status != "0"))
    return kinds.fillna(status.map({"0": "none", "1": "unspecified"}).astype("str"))


def _read_numbers(clinical: _Clinical, text: pd.Series, column: str, file: Path) -> pd.Series:
    """Numbers, times in days."""
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    numbers = numbers.where(numbers.abs() <= LARGEST_NUMBER)
    if column == "diagnosis_year":
        return numbers.where(numbers.between(1900, 2100))
    if not column.endswith("_days"):
        return numbers.where(numbers > 0 if column == "dna_index" else numbers >= 0)
    negative = (numbers < 0).to_numpy()
    if negative.any():
        refuse_rows(
            text.index,
            negative,
            f"negative value {numbers[negative].iloc[0]:g}",
            file=file,
            column=str(text.name),
            expected=">= 0",
            fix="correct the value, or leave the attribute out with --ignore",
        )
    return numbers * _days(clinical, str(text.name))


def _days(clinical: _Clinical, attribute: str) -> float:
    """Days of the unit that the user or the attribute's name says."""
    choice = clinical.chosen.get(attribute)
    if choice is not None and choice.days is not None:
        return choice.days
    said = re.search(r"(DAY|WEEK|MONTH|YEAR)S?(?:_|$)", attribute)
    unit = said[1].lower() if said else clinical.study.keys["units"].get(attribute, "days").removesuffix("s")
    return _UNITS[unit]


def _believed(clinical: _Clinical, values: pd.Series, column: str) -> pd.Series | None:
    """Leave out ages in years that are whole, which do not tell 18 months, or that are none."""
    attribute = str(values.name)
    if column != "age_days" or attribute in clinical.chosen or _days(clinical, attribute) != _YEAR:
        return values
    years = values.dropna() / _YEAR
    if len(years) and years.median() > _OLDEST_MEDIAN:
        clinical.leave(attribute, "no age in years of children; say its unit, --attribute AGE=age_days:months")
        return None
    if ((years % 1).abs() < 1e-6).all():
        clinical.leave(attribute, "whole years do not tell 18 months; --attribute AGE=age_days:years reads them")
        return None
    return values


def _timepoint(raw: pd.DataFrame, sample_ids: pd.Series, default: str | None) -> pd.Series:
    """Return what an attribute says, else the TARGET code, else the default."""
    by_code = target_timepoints(sample_ids).replace({"normal": "other"})
    known = by_code if default is None else by_code.fillna(default)
    if "timepoint" not in raw:
        return known
    return read_levels(raw["timepoint"], "timepoint").where(raw["timepoint"].notna(), known)


def _purity(patients: pd.DataFrame, raw_samples: pd.DataFrame, samples: pd.DataFrame, repairs: Repairs) -> pd.Series:
    """Purity as a fraction: the sample's own, or the patient's for diagnosis samples."""
    purity = pd.Series(np.nan, index=samples.index, dtype="float64")
    if "purity" in raw_samples:
        purity = recorded_purity(raw_samples["purity"], repairs).set_axis(samples.index)
    if "purity_percent" not in patients:
        return purity
    by_patient = recorded_purity(patients["purity_percent"], repairs).set_axis(patients["patient_id"])
    by_patient = by_patient[~by_patient.index.duplicated()]
    at_diagnosis = samples["timepoint"] == "diagnosis"
    return purity.fillna(samples["patient_id"].map(by_patient).where(at_diagnosis))


def _lift(raw: pd.DataFrame, samples: pd.DataFrame, columns: list[str], repairs: Repairs) -> pd.DataFrame:
    """Return what the samples say of their patients.

    The first known value among a patient's diagnosis samples, in order of sample id. A patient without a diagnosis
    sample has the value of the samples whose time point is not known, where they agree.
    """
    values = raw[columns].assign(patient_id=samples["patient_id"], sample_id=samples["sample_id"])
    values = values.sort_values("sample_id")
    timepoint = samples["timepoint"].reindex(values.index)
    at_diagnosis, undated = values[timepoint == "diagnosis"], values[timepoint.isna()]
    undated = undated[~is_among(undated["patient_id"], at_diagnosis["patient_id"])]
    spelled = undated.assign(**{name: read_levels(undated[name], name) for name in columns if name in coded_columns()})
    by_patient = spelled.groupby("patient_id")[columns]
    several = by_patient.nunique().gt(1)
    agreed = undated.groupby("patient_id")[columns].first().mask(several)
    note = "values left out, the patient's samples without time point contradict each other"
    repairs.add_count("patients", int(several.to_numpy().sum()), note)
    known = int(agreed.notna().any(axis=1).sum())
    repairs.add_count("patients", known, "patients described by samples whose time point is not known")
    return pd.concat([at_diagnosis.groupby("patient_id")[columns].first(), agreed])


def _within_followup(patients: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Let no event follow death by less than a month, which two times rounded to months may do."""
    if not {"event_days", "death", "followup_days"} <= set(patients.columns):
        return patients
    late = pd.to_numeric(patients["event_days"], errors="coerce") - pd.to_numeric(
        patients["followup_days"], errors="coerce"
    )
    rounded = (read_levels(as_text(patients["death"]), "death") == "1") & late.between(0, _MONTH, inclusive="neither")
    repairs.add_count("patients.event_days", rounded.sum(), "lowered to the day of death, less than a month earlier")
    return patients.assign(event_days=patients["event_days"].mask(rounded, patients["followup_days"]))
