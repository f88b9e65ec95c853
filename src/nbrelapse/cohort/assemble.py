"""From a reader's raw tables to a validated cohort: the one way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.distinct_values import is_among
from nbrelapse.cohort.normalise_table import normalise_matrix, normalise_table
from nbrelapse.cohort.repair_mutations import repair_mutations
from nbrelapse.cohort.repair_segments import repair_segments
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES, TABLES
from nbrelapse.cohort.validate import validate_cohort
from nbrelapse.errors import InputError


def assemble_cohort(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    metadata: Mapping[str, Any] | None = None,
    files: Mapping[str, str | Path] | None = None,
) -> Cohort:
    """Normalise, complete, repair and validate the tables that a reader has found.

    What it adds: columns that the source does not have (empty); a diagnosis sample named as its patient where there
    are no ``samples`` at all, or where a patient with a known MYCN status has none; an ``assays`` row for each sample
    that a molecular table has data of, and ``fish`` for the diagnosis sample of patients with a known MYCN status;
    the platforms' log2 scales (``metadata["platforms"]``). What it repairs is listed in ``metadata["repairs"]``.

    Parameters
    ----------
    name : str
        The study.
    tables : dict of str to DataFrame
        By table name; columns are the schema's, values may be spelled in any way that the vocabulary knows.
        ``patients`` is required. Matrices have genes as index and samples as columns.
    metadata : dict, optional
        To be kept in ``cohort.toml``.
    files : dict of str to path, optional
        The file each table comes from, for error messages.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        A table has an unknown column or an illegal value, or the tables contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"patient_id": ["a", "b"], "inss_stage": ["4s", "Unknown"], "mycn_status": ["1", ""]})
    >>> cohort = assemble_cohort("demo", {"patients": patients})
    >>> cohort.patients["inss_stage"].tolist(), cohort.assayed_samples("fish").to_dict()
    (['4S', nan], {'a': 'a'})
    """
    named = dict(files or {})
    repairs: list[str] = [*(metadata or {}).get("repairs", [])]
    ready = _normalise(tables, named, repairs)
    ready["patients"] = _repair_outcome(_fill_high_risk(ready["patients"]), repairs)
    ready["samples"] = _complete_samples(ready, repairs)
    ready["assays"] = _complete_assays(ready)
    cohort = Cohort(
        name=name,
        patients=ready.pop("patients"),
        samples=ready.pop("samples"),
        assays=ready.pop("assays"),
        metadata={**(metadata or {}), "repairs": repairs},
        **ready,
    )
    return _with_platform_scales(_renumbered(validate_cohort(cohort, named)))


def _renumbered(cohort: Cohort) -> Cohort:
    """Return the tables with rows numbered from 0: until here they had their places in the files, for messages."""
    tables = {name: getattr(cohort, name) for name in TABLES}
    return replace(
        cohort, **{name: table.reset_index(drop=True) for name, table in tables.items() if table is not None}
    )


def _normalise(
    tables: Mapping[str, pd.DataFrame], files: Mapping[str, str | Path], repairs: list[str]
) -> dict[str, pd.DataFrame]:
    foreign = sorted(set(tables) - {*TABLES, *MATRICES})
    if foreign or "patients" not in tables:
        wrong = ", ".join(foreign) if foreign else "patients"
        raise InputError("unknown table" if foreign else "a table is missing", column=wrong)
    ready = {key: normalise_table(key, tables[key], files.get(key, key), repairs) for key in TABLES if key in tables}
    for key in MATRICES:
        if key in tables:
            file, calls = files.get(key, key), key == "gene_copy_number"
            ready[key] = normalise_matrix(tables[key], file, repairs, calls=calls)
    if "segments" in ready:
        ready["segments"] = repair_segments(ready["segments"], repairs)
    if "mutations" in ready:
        ready["mutations"] = repair_mutations(ready["mutations"], repairs)
    if ready["patients"].empty:
        raise InputError("the cohort has no patients", file=files.get("patients", "patients"))
    return ready


def _fill_high_risk(patients: pd.DataFrame) -> pd.DataFrame:
    known = patients["risk_group"].notna()
    from_group = (patients["risk_group"] == "high").astype("boolean").mask(~known)
    return patients.assign(high_risk=patients["high_risk"].fillna(from_group))


def _repair_outcome(patients: pd.DataFrame, repairs: list[str]) -> pd.DataFrame:
    """Fill what follows with certainty: death from a fatal first event, follow-up at least until the event."""
    died = (patients["event"] == "death") & patients["death"].isna()
    seen_later = (patients["death"] != 1) & (patients["event_days"] > patients["followup_days"])
    if died.any():
        repairs.append(f"patients.death: {int(died.sum())} set to 1, their first event is death")
    if seen_later.any():
        repairs.append(f"patients.followup_days: {int(seen_later.sum())} raised to event_days, which is later")
    return patients.assign(
        death=patients["death"].mask(died, 1.0),
        followup_days=patients["followup_days"].mask(seen_later, patients["event_days"]),
    )


def _complete_samples(tables: dict[str, pd.DataFrame], repairs: list[str]) -> pd.DataFrame:
    patients = tables["patients"]
    if "samples" not in tables:
        return _diagnosis_samples(patients["patient_id"])
    samples = tables["samples"]
    bare = int((~is_among(patients["patient_id"], samples["patient_id"])).sum())
    if bare:
        repairs.append(f"samples: {bare} patients have no sample")
    at_diagnosis = samples.loc[samples["timepoint"] == "diagnosis", "patient_id"]
    known = patients["mycn_status"].notna()
    without = patients.loc[known & ~is_among(patients["patient_id"], at_diagnosis), "patient_id"].reset_index(drop=True)
    if without.empty:
        return samples
    repairs.append(f"samples: {len(without)} diagnosis samples added for patients with a MYCN status and none")
    taken = is_among(without, samples["sample_id"])
    added = _diagnosis_samples(without).assign(sample_id=without.mask(taken, without + "-diagnosis"))
    return pd.concat([samples, added], ignore_index=True)


def _diagnosis_samples(patient_ids: pd.Series) -> pd.DataFrame:
    ids = patient_ids.reset_index(drop=True)
    frame = pd.DataFrame({"sample_id": ids, "patient_id": ids})
    return frame.assign(
        timepoint=pd.Series("diagnosis", index=frame.index, dtype="str"),
        purity=pd.Series(float("nan"), index=frame.index, dtype="float64"),
    )


def _complete_assays(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [tables["assays"]] if "assays" in tables else []
    for table, assay in ASSAY_OF.items():
        if table in tables:
            found = tables[table].columns if table in MATRICES else tables[table]["sample_id"].unique()
            parts.append(_assay_rows(found, assay))
    patients, samples = tables["patients"], tables["samples"]
    known = patients.loc[patients["mycn_status"].notna(), "patient_id"]
    tested = samples[(samples["timepoint"] == "diagnosis") & is_among(samples["patient_id"], known)]
    first = tested.sort_values("sample_id").drop_duplicates("patient_id")["sample_id"]
    parts.append(_assay_rows(first, "fish"))
    assays = pd.concat(parts, ignore_index=True)
    explicit = len(tables["assays"]) if "assays" in tables else 0
    repeated = assays.duplicated(["sample_id", "assay"]) & (assays.index >= explicit)
    assays = assays[~repeated].reset_index(drop=True)
    build = assays.groupby("assay")["genome_build"].transform("first")
    return assays.assign(genome_build=assays["genome_build"].fillna(build).astype("str"))


def _assay_rows(sample_ids: Any, assay: str) -> pd.DataFrame:
    frame = pd.DataFrame({"sample_id": pd.Series(list(sample_ids), dtype="str")})
    empty = pd.Series(float("nan"), index=frame.index).astype("str")
    return frame.assign(
        assay=pd.Series(assay, index=frame.index, dtype="str"),
        genome_build=empty,
        panel=empty,
        covered_mb=float("nan"),
        platform=empty,
    )


def _with_platform_scales(cohort: Cohort) -> Cohort:
    if cohort.segments is None or cohort.segments.empty:
        return cohort
    from nbrelapse.cohort.log2_scale import estimate_platform_scales

    scales = estimate_platform_scales(cohort.segments, cohort.assays, cohort.samples)
    return replace(cohort, metadata={**cohort.metadata, "platforms": scales})
