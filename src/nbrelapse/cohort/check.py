"""The checks that every cohort passes, and a report of what it holds and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.columns import _check_time_units, _decoded, encode, is_among, refuse_rows
from nbrelapse.cohort.genome import _check_positions
from nbrelapse.cohort.layers import WAYS, as_layers, check_layer_name, layer_assay
from nbrelapse.cohort.mutations import _check_mutations
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES, TABLES, _kind, levels
from nbrelapse.cohort.segments import _check_segments
from nbrelapse.errors import InputError, printable


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
    where : str or None
        How the patients were chosen from those of the study; None where all are there.
    layers : dict
        Of each layer ``features``, ``samples``, and what is known of it: ``unit``, ``platform``, ``genome_build``,
        and ``mechanism``, how its rows find one.
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
    where: str | None = None
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

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
            *([] if self.where is None else [f"only {self.where}"]),
            "",
            *_block("tables (rows)", self.tables),
            *_block("layers", {name: _layer_in_words(about) for name, about in self.layers.items()}),
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
        return "\n".join(map(printable, lines))


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
        assays={assay: len(cohort.assayed_samples(assay)) for assay in cohort.assay_names[1:]},
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
        where=cohort.where,
        layers=_layers(cohort),
    )


_SAID_OF_LAYERS = ("unit", "platform", "genome_build", "mechanism")


def _layers(cohort: Cohort) -> dict[str, dict[str, Any]]:
    layers, about = as_layers(cohort.layers), cohort.metadata.get("layers", {})
    return {
        name: {"features": layers.n_rows(name), "samples": len(layers.samples(name))}
        | {key: about[name][key] for key in _SAID_OF_LAYERS if key in about.get(name, {})}
        for name in layers
    }


def _layer_in_words(about: Mapping[str, Any]) -> str:
    said = [f"{about['features']:,} features of {about['samples']:,} samples", about["unit"]]
    said += [str(about[key]) for key in ("platform", "genome_build") if key in about]
    return ", ".join([*said, f"mechanisms by {about['mechanism'].replace('_', ' ')}"])


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


_Files = Mapping[str, str | Path]

_PROBLEMS = {
    "level": ("unknown code", "correct the value or leave the cell empty where it is not known"),
    "zero_or_one": ("unknown code", "0 alive, 1 dead, empty where it is not known"),
    "non_negative": ("negative value", "correct the value; times count in days from diagnosis"),
    "positive": ("value not above zero", "correct the value"),
    "fraction": ("value outside 0 to 1", "divide percentages by 100"),
    "year": ("not a year", "four digits"),
    "not_nullable": ("empty cell", "fill it or remove the row"),
    "field_uniqueness": ("duplicated value", "keep one row for each"),
    "multiple_fields_uniqueness": ("duplicated row", "keep one row for each"),
    "end_after_start": ("a segment ends before it starts", "swap start and end"),
    "column_in_dataframe": ("a column is missing", "add it; its cells may be empty"),
    "column_in_schema": ("unknown column", "correct its name or remove it"),
}
_EXPECTED = {"zero_or_one": "0, 1", "non_negative": ">= 0", "positive": "> 0", "fraction": "0 to 1"}


def validate_cohort(cohort: Cohort, files: _Files | None = None) -> Cohort:
    """Check a cohort against the schema and the rules that hold between its tables.

    Parameters
    ----------
    cohort : Cohort
    files : dict of str to path, optional
        Where each table was read from, for error messages; the table's name otherwise.

    Returns
    -------
    Cohort
        The same cohort.

    Raises
    ------
    InputError
        The first problem found: a missing or unknown column, an illegal value, a duplicated patient, a sample
        without patient, data of a sample that was not assayed, mixed genome builds, positions that the genome build
        does not have, overlapping segments, segments that are no log2 ratios, times that are not days, an event after
        death, event-free more than a month after the end of follow-up. The message names file, column and rows.
    """
    named = files or {}
    _check_name(cohort.name, named.get("name"))
    for name, schema in TABLES.items():
        table = getattr(cohort, name)
        if table is not None:
            _check_table(table, schema, named.get(name, name))
    for name in MATRICES:
        table = getattr(cohort, name)
        if table is not None:
            _check_matrix(table, named.get(name, name))
    _check_layers(cohort, named)
    _check_samples(cohort, named)
    _check_builds(cohort.assays, named)
    if cohort.segments is not None:
        file = named.get("segments", "segments")
        _check_segments(cohort.segments, file)
        _check_positions(cohort.segments, "chromosome", ["end"], _build(cohort.assays, "copy_number"), file)
    if cohort.rearrangements is not None:
        file, build = named.get("rearrangements", "rearrangements"), _build(cohort.assays, "rearrangements")
        for site in ("site1", "site2"):
            _check_positions(cohort.rearrangements, f"{site}_chromosome", [f"{site}_position"], build, file)
    if cohort.mutations is not None:
        _check_mutations(cohort.mutations, _build(cohort.assays, "mutations"), named.get("mutations", "mutations"))
    _check_outcome(cohort.patients, named.get("patients", "patients"))
    if not cohort.metadata.get("units_checked", False):
        _check_time_units(cohort.patients, file=named.get("patients", "patients"))
    return cohort


def _check_name(name: str, file: str | Path | None) -> None:
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InputError(
            "a cohort cannot have this name",
            file=file,
            column="name",
            expected=f"1 to {_LONGEST_NAME} characters that can be seen",
            fix="give it another",
        )


_LONGEST_NAME = 200


def _check_table(table: pd.DataFrame, schema: pa.DataFrameSchema, file: str | Path) -> None:
    if _is_valid(table, schema):
        return
    try:
        schema.validate(_decoded(table), lazy=True)
    except SchemaErrors as error:
        raise _as_input_error(error.failure_cases, schema, file) from None


def _is_valid(table: pd.DataFrame, schema: pa.DataFrameSchema) -> bool:
    """Tell whether a table is certain to pass its schema; pandera, which takes longer, says what is wrong with others.

    Texts are judged by the distinct ones, and may be categorical; numbers by the smallest and the largest.
    """
    return (
        set(table.columns) == set(schema.columns)
        and len(table.columns) == len(schema.columns)
        and all(_is_valid_column(table[name], rule) for name, rule in schema.columns.items())
        and not (schema.unique and table.duplicated(schema.unique).any())
        and all(check(table).check_passed for check in schema.checks)
    )


def _is_valid_column(values: pd.Series, rule: pa.Column) -> bool:
    texts = values.cat.categories if isinstance(values.dtype, pd.CategoricalDtype) else values
    if texts.dtype != _kind(rule) or (not rule.nullable and values.hasnans):
        return False
    if rule.unique and values.duplicated().any():
        return False
    return all(_passes(values, check) for check in rule.checks)


def _passes(values: pd.Series, check: pa.Check) -> bool:
    bounds = check.statistics or {}
    if check.name not in _BOUNDED:
        coded = isinstance(values.dtype, pd.CategoricalDtype)
        distinct = values.cat.categories.to_series() if coded else encode(values)[1]
        if set(bounds) == {"allowed_values"}:
            return set(bounds["allowed_values"]).issuperset(distinct.tolist())
        return bool(check(distinct).check_passed)
    known = values.to_numpy()
    low, high = (float(end.reduce(known, initial=np.nan)) for end in (np.fmin, np.fmax))
    if np.isnan(low):
        return True
    over = low > bounds["min_value"] or (low == bounds["min_value"] and check.name != "greater_than")
    return over and high <= bounds.get("max_value", np.inf)


_BOUNDED = ("greater_than", "greater_than_or_equal_to", "in_range")
"""Checks of pandera on numbers; those of a range include its ends."""


def _as_input_error(cases: pd.DataFrame, schema: pa.DataFrameSchema, file: str | Path) -> InputError:
    """Turn pandera's failure cases into the message of the first one, with all rows that fail alike."""
    structural = cases["check"].isin(["column_in_dataframe", "column_in_schema"])
    of_column = cases["schema_context"] == "Column"
    first = (cases[structural] if structural.any() else cases[of_column] if of_column.any() else cases).iloc[0]
    check = str(first["check"])
    alike = cases[(cases["check"] == first["check"]) & (cases["column"] == first["column"])]
    problem, fix = _PROBLEMS.get(check, (f"wrong type of values ({check})", "convert the column"))
    if check in ("column_in_dataframe", "column_in_schema"):
        legal = None if check == "column_in_dataframe" else ", ".join(map(str, schema.columns))
        return InputError(problem, file=file, column=str(first["failure_case"]), expected=legal, fix=fix)
    rows = sorted({int(index) + 1 for index in alike["index"].dropna()})
    column = str(first["column"])
    if check in ("multiple_fields_uniqueness", "end_after_start"):
        column = ", ".join(map(str, schema.unique)) if check.startswith("multiple") and schema.unique else "start, end"
    elif check in ("level", "zero_or_one", "non_negative", "positive", "fraction", "year"):
        problem += f" {first['failure_case']}"
    elif check == "field_uniqueness" and column == "patient_id":
        problem = "duplicated patient"
    expected = ", ".join(levels(column)) if check == "level" else _EXPECTED.get(check)
    return InputError(problem, file=file, column=column, rows=rows, expected=expected, fix=fix)


def _check_matrix(table: pd.DataFrame, file: str | Path) -> None:
    if table.index.name != "Hugo_Symbol":
        raise InputError("the gene column is missing", file=file, column="Hugo_Symbol")
    genes = table.index.duplicated() | table.index.isna()
    if genes.any():
        rows = (genes.nonzero()[0] + 1).tolist()
        raise InputError("duplicated or empty gene", file=file, column="Hugo_Symbol", rows=rows)
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()]
        raise InputError("a sample is there twice", file=file, column=f"{len(twice)} columns")
    wrong = [place for place, dtype in enumerate(table.dtypes, 1) if dtype != "float64"]
    if wrong:
        raise InputError(
            "values that are not numbers", file=file, column=f"sample column {wrong[0]}", expected="numbers"
        )


def _check_layers(cohort: Cohort, files: _Files) -> None:
    about, layers = cohort.metadata.get("layers", {}), as_layers(cohort.layers)
    for name in layers:
        file, said = files.get(name, name), about.get(check_layer_name(name), {})
        if not isinstance(said.get("unit"), str) or said.get("mechanism") not in WAYS:
            raise InputError(
                "what a layer holds is not known",
                file="cohort.toml",
                column=f"metadata.layers.{name}",
                expected=f"unit, a text, and mechanism, one of {', '.join(WAYS)}",
                fix="import the layer with a reader, or say both",
            )
        layers.check(name, file)
        of_layer = pd.Series(layers.samples(name), name="columns")
        assayed = cohort.assays.loc[cohort.assays["assay"] == layer_assay(name), "sample_id"]
        problem = f"data of a sample that is not in assays as {layer_assay(name)}"
        _must_be_in(of_layer, assayed, problem, name, files)


def _check_samples(cohort: Cohort, files: _Files) -> None:
    _must_be_in(cohort.samples["patient_id"], cohort.patients["patient_id"], "sample without patient", "samples", files)
    samples = cohort.samples["sample_id"]
    _must_be_in(cohort.assays["sample_id"], samples, "assay of an unknown sample", "assays", files)
    for name, assay in ASSAY_OF.items():
        table = getattr(cohort, name)
        if table is None:
            continue
        of_table = pd.Series(table.columns, name="columns") if name in MATRICES else table["sample_id"]
        assayed = cohort.assays.loc[cohort.assays["assay"] == assay, "sample_id"]
        # Who was assayed has just been seen to be a sample.
        if not is_among(of_table, assayed).all():
            _must_be_in(of_table, samples, "data of an unknown sample", name, files)
            _must_be_in(of_table, assayed, f"data of a sample that is not in assays as {assay}", name, files)


def _must_be_in(values: pd.Series, known: pd.Series, problem: str, table: str, files: _Files) -> None:
    refuse_rows(
        values.index,
        ~is_among(values, known),
        problem,
        file=files.get(table, table),
        column=str(values.name),
        fix="add it to the table that lists them, or remove these rows",
    )


def _check_builds(assays: pd.DataFrame, files: _Files) -> None:
    (of_assay, names), (of_build, builds) = (encode(assays[column]) for column in ("assay", "genome_build"))
    known = (of_assay >= 0) & (of_build >= 0)
    pairs = np.unique(of_assay[known].astype(np.int64) * len(builds) + of_build[known])
    for number in np.unique(pairs // max(len(builds), 1)):
        assay, found = names[number], builds[pairs[pairs // len(builds) == number] % len(builds)]
        if len(found) > 1:
            raise InputError(
                f"mixed genome builds in {assay}: {', '.join(sorted(found))}",
                file=files.get("assays", "assays"),
                column="genome_build",
                expected="one build for all samples of an assay",
                fix="lift all coordinates over to one build, or import two cohorts",
            )


def _build(assays: pd.DataFrame, assay: str) -> str | None:
    builds = assays.loc[assays["assay"] == assay, "genome_build"].dropna()
    return None if builds.empty else str(builds.iloc[0])


ROUNDING_DAYS = 31.0
"""Two times of one visit, both rounded to months, may differ by as much."""


def _check_outcome(patients: pd.DataFrame, file: str | Path) -> None:
    dead = patients["death"] == 1
    late = dead & (patients["event_days"] > patients["followup_days"])
    free = (patients["event"] == "none") & (patients["event_days"] > patients["followup_days"] + ROUNDING_DAYS)
    alive = (patients["event"] == "death") & (patients["death"] == 0)
    for wrong, problem, column, expected in (
        (late, "an event after death", "event_days", "event_days <= followup_days for patients who died"),
        (
            free,
            "event-free after the end of follow-up",
            "event_days",
            f"event_days <= followup_days where event is none, or at most {ROUNDING_DAYS:g} days later by rounding",
        ),
        (alive, "first event is death, yet the patient is recorded alive", "event", "death = 1 for these patients"),
    ):
        refuse_rows(
            patients.index, wrong, problem, file=file, column=column, expected=expected, fix="correct the times"
        )
