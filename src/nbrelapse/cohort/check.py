"""What a cohort holds, what is missing, and what was repaired when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from nbrelapse.cohort.cohort import ASSAYS, Cohort
from nbrelapse.cohort.schema import MATRICES, TABLES


@dataclass(frozen=True)
class CohortReport:
    """Counts that describe a cohort; build it with :func:`check_cohort`.

    Parameters
    ----------
    name : str
    tables : dict of str to int
        Rows of each table; genes for the matrices.
    patients, samples : int
    timepoints : dict of str to int
        Samples by time point; ``unknown`` where it is not recorded.
    assays : dict of str to int
        Patients with a diagnosis sample, by assay.
    missing : dict of str to float
        Share of patients without a value, by column of ``patients``.
    events : dict of str to int
        Patients by first event; ``unknown`` where it is not recorded.
    outcomes : dict of str to int
        ``with_event_time``, ``deaths``, ``with_followup`` and ``censored_but_dead``: patients whose record of events
        ends without one although they died.
    median_followup_days : float or None
        Median follow-up of the patients not known to be dead.
    platforms : dict
        Log2 ratio scale of each copy-number platform.
    repairs : list of str
        What the import changed.
    unread : dict of str to list of str
        What the source has and the import did not read: ``attributes``, ``files``, ``columns`` or ``keys``.
    missing_for_training : list of str
        What a model would lack, a sentence each.
    """

    name: str
    tables: Mapping[str, int]
    patients: int
    samples: int
    timepoints: Mapping[str, int]
    assays: Mapping[str, int]
    missing: Mapping[str, float]
    events: Mapping[str, int]
    outcomes: Mapping[str, int]
    median_followup_days: float | None
    platforms: Mapping[str, Any]
    repairs: list[str]
    unread: Mapping[str, list[str]]
    missing_for_training: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a page of text."""
        known = {column: share for column, share in self.missing.items() if share < 1}
        absent = [column for column in self.missing if column not in known]
        median = "unknown" if self.median_followup_days is None else f"{self.median_followup_days:.0f} days"
        lines = [
            f"{self.name}: {self.patients} patients, {self.samples} samples",
            "",
            *_block("tables (rows)", self.tables),
            *_block("samples by time point", self.timepoints),
            *_block("patients with a diagnosis sample, by assay", self.assays),
            *_block("first event", self.events),
            *_block("outcome", {**self.outcomes, "median follow-up of the living": median}),
            *_block("patients without a value", {column: f"{share:.1%}" for column, share in known.items()}),
            f"columns without any value: {', '.join(absent) or 'none'}",
            "",
            *_block("log2 ratio scale by platform", {name: _scale(scale) for name, scale in self.platforms.items()}),
            "repairs",
            *(f"  {repair}" for repair in self.repairs or ["none"]),
            "",
            *(line for what, names in self.unread.items() for line in _listing(f"{what} not read", names)),
            "missing for training",
            *(f"  {line}" for line in self.missing_for_training or ["nothing"]),
        ]
        return "\n".join(lines)


def check_cohort(cohort: Cohort) -> CohortReport:
    """Describe a cohort.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    CohortReport

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.cohort import assemble_cohort
    >>> patients = pd.DataFrame({"patient_id": ["a", "b"], "event": ["Relapse", "Censored"], "event_days": [200, 900]})
    >>> report = check_cohort(assemble_cohort("demo", {"patients": patients}))
    >>> report.events["relapse"], report.missing["age_days"]
    (1, 1.0)
    """
    patients = cohort.patients
    living = patients.loc[patients["death"] != 1, "followup_days"].dropna()
    present = {name: getattr(cohort, name) for name in (*TABLES, *MATRICES)}
    dead = patients["death"] == 1
    return CohortReport(
        name=cohort.name,
        tables={name: len(table) for name, table in present.items() if table is not None},
        patients=len(patients),
        samples=len(cohort.samples),
        timepoints=_counts(cohort.samples["timepoint"]),
        assays={assay: len(cohort.assayed_samples(assay)) for assay in ASSAYS if assay != "clinical"},
        missing={str(name): float(share) for name, share in patients.isna().mean().items() if name != "patient_id"},
        events=_counts(patients["event"]),
        outcomes={
            "with_event_time": int((patients["event"].notna() & patients["event_days"].notna()).sum()),
            "deaths": int(dead.sum()),
            "with_followup": int((patients["death"].notna() & patients["followup_days"].notna()).sum()),
            "censored_but_dead": int((dead & (patients["event"] == "none")).sum()),
        },
        median_followup_days=float(living.median()) if len(living) else None,
        platforms=dict(cohort.metadata.get("platforms", {})),
        repairs=list(cohort.metadata.get("repairs", [])),
        unread={
            str(key).removeprefix("unread_"): list(names)
            for key, names in cohort.metadata.get("source", {}).items()
            if str(key).startswith("unread_")
        },
        missing_for_training=_missing_for_training(cohort),
    )


def _missing_for_training(cohort: Cohort) -> list[str]:
    """Say what endpoints, clinical baseline and molecular features would lack."""
    patients = cohort.patients
    lines = []
    if not (patients["event"].notna() & patients["event_days"].notna()).any():
        lines.append("event-free survival: no patient has a first event (event) with its time (event_days)")
    if not (patients["death"].notna() & patients["followup_days"].notna()).any():
        lines.append("overall survival: no patient has a status (death) with its time (followup_days)")
    lines += [
        f"{column}: no patient has a value; the clinical baselines need it"
        for column in ("age_days", "inss_stage", "mycn_status")
        if patients[column].isna().all() and not (column == "inss_stage" and patients["inrgss_stage"].notna().any())
    ]
    undated = cohort.samples.loc[cohort.samples["timepoint"].isna(), "sample_id"]
    assayed = cohort.assays[cohort.assays["sample_id"].isin(undated)]
    if len(assayed):
        assays = ", ".join(sorted(assayed["assay"].unique())).replace("_", " ")
        lines.append(
            f"time point of {assayed['sample_id'].nunique()} samples with {assays}: their features are not known; "
            "import again with --timepoint diagnosis where they were taken then"
        )
    return lines


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(level): int(count) for level, count in values.fillna("unknown").value_counts().items()}


def _block(title: str, entries: Mapping[str, Any]) -> list[str]:
    if not entries:
        return []
    width = max(len(str(name)) for name in entries)
    return [title, *(f"  {name!s:<{width}}  {value}" for name, value in entries.items()), ""]


def _listing(title: str, names: list[str]) -> list[str]:
    return [title, *(f"  {name}" for name in names), ""] if names else []


def _scale(scale: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in scale.items()
    )
