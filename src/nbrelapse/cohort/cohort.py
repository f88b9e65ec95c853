"""A study's patients, samples and molecular tables, in memory and as a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import pandas as pd

from nbrelapse.cohort.columns import is_among, refuse_rows
from nbrelapse.cohort.layers import as_layers, layer_assay
from nbrelapse.errors import InputError, printable

ASSAYS = ("clinical", "fish", "mutations", "copy_number", "rearrangements", "expression")


@dataclass(frozen=True)
class Cohort:
    """Validated tables of one study; times in days from diagnosis, unknown values missing.

    Build one with a reader, :func:`nbrelapse.cohort.read_cohort` or :func:`nbrelapse.simulate_cohort`; all of them
    validate. The columns are listed in ``nbrelapse.cohort.schema``.

    Parameters
    ----------
    name : str
        The study's name.
    patients : DataFrame
        A row a patient, with a unique ``patient_id``.
    samples : DataFrame
        ``sample_id``, ``patient_id``, ``timepoint``, ``purity``.
    assays : DataFrame
        ``sample_id``, ``assay``, ``genome_build``, ``panel``: which samples were looked at, and how. A
        (sample, assay) pair that is not here was not assayed: its features are NaN, never 0.
    panels : DataFrame, optional
        ``panel``, ``gene``.
    mutations, segments, rearrangements : DataFrame, optional
        Long tables, a row an alteration, keyed by ``sample_id``.
    gene_copy_number, expression : DataFrame, optional
        Gene symbols as index, sample ids as columns.
    metadata : dict
        The content of ``cohort.toml``: source, repairs, ``platforms`` (scale of the log2 ratios), expression
        unit and platform, ``layers`` (of each layer the unit, and how its rows find a mechanism), and ``selections``,
        how the patients were chosen from those of the study.
    layers : mapping of str to DataFrame, optional
        Further matrices of the samples, such as transcripts or scores of gene sets: names of features as index, sample
        ids as columns. Those of a folder are read when they are asked for.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> simulate_cohort(60, seed=1)
    Cohort 'simulated': 60 patients; fish 59, mutations 49, copy number 59, rearrangements 41, expression 56
    """

    name: str
    patients: pd.DataFrame
    samples: pd.DataFrame
    assays: pd.DataFrame
    panels: pd.DataFrame | None = None
    mutations: pd.DataFrame | None = None
    segments: pd.DataFrame | None = None
    gene_copy_number: pd.DataFrame | None = None
    rearrangements: pd.DataFrame | None = None
    expression: pd.DataFrame | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def patient_ids(self) -> pd.Index:
        """Patient ids in table order, named ``patient_id``."""
        return pd.Index(self.patients["patient_id"], name="patient_id")

    def assayed_samples(self, assay: str, timepoint: str = "diagnosis") -> pd.Series:
        """One assayed sample a patient.

        Parameters
        ----------
        assay : {"fish", "mutations", "copy_number", "rearrangements", "expression"}
            Or ``layer:NAME``.
        timepoint : str, default "diagnosis"
            Samples taken at another time never stand in for it. A sample without a recorded time point
            counts as diagnosis only where the reader has said so.

        Returns
        -------
        Series
            ``sample_id`` by ``patient_id``, in the order of ``patients``; the first in order of sample id where
            a patient has several. Patients without such a sample are absent.
        """
        # An index finds 200,000 identifiers ten times faster than isin does.
        profiled = pd.Index(self.assays.loc[self.assays["assay"] == assay, "sample_id"])
        known = profiled.get_indexer(self.samples["sample_id"]) >= 0
        at_time = self.samples[(self.samples["timepoint"] == timepoint) & known]
        chosen = at_time.sort_values("sample_id").drop_duplicates("patient_id").set_index("patient_id")["sample_id"]
        return chosen.reindex(self.patient_ids).dropna()

    def take(self, patient_ids: Iterable[str]) -> Cohort:
        """Keep some of the patients, with their samples, assays and data.

        Parameters
        ----------
        patient_ids : iterable of str
            In any order, repetitions count once. By a condition: :func:`nbrelapse.cohort.take_where`.

        Returns
        -------
        Cohort
            Of the same name, patients and all rows in the order of this one. ``metadata["selections"]`` tells how many
            were kept; panels, repairs and scales of platforms stay those of the whole cohort, and so does every value
            that is computed of a patient.

        Raises
        ------
        InputError
            There is no id, or one is of no patient of the cohort; the message gives its place, not the id.

        Examples
        --------
        >>> from nbrelapse.simulation import simulate_cohort
        >>> cohort = simulate_cohort(60, seed=1)
        >>> cohort.take(cohort.patient_ids[:20]).metadata["selections"]
        [{'cohort': 'simulated', 'patients': 60, 'kept': 20, 'list': 20}]
        """
        if isinstance(patient_ids, str):
            raise InputError("one text is no list of patients", column="patient_ids", fix="write [patient_id]")
        wanted = pd.Series(list(dict.fromkeys(patient_ids)), dtype="object", name="patient_ids")
        return _restricted(self, wanted, {"list": len(wanted)})

    @property
    def assay_names(self) -> tuple[str, ...]:
        """The assays that a sample can have been looked at with, those of the cohort's own layers at the end."""
        return (*ASSAYS, *map(layer_assay, self.layers))

    @property
    def where(self) -> str | None:
        """How these patients were chosen from those of the study, in words; None where nobody was left out."""
        return "; ".join(map(_in_words, self.metadata.get("selections", []))) or None

    def __repr__(self) -> str:
        counts = ", ".join(f"{assay} {patients:,}" for assay, patients, _ in self._assayed())
        return f"{self._headline()}; {counts}"

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self._assayed(), columns=["assay", "patients at diagnosis", "samples"])
        return f"<p>{escape(self._headline())}</p>{table.to_html(index=False)}"

    def _headline(self) -> str:
        return f"Cohort {self.name!r}: {counted(len(self.patients), 'patient')}"

    def _assayed(self) -> list[tuple[str, int, int]]:
        """Return each assay with the patients that it has at diagnosis, and the samples that it has at any time."""
        assays = self.assays.reindex(columns=["sample_id", "assay"])
        samples = self.samples.reindex(columns=["sample_id", "patient_id", "timepoint"])
        counts = []
        for assay in self.assay_names[1:]:
            of_assay = samples[samples["sample_id"].isin(assays.loc[assays["assay"] == assay, "sample_id"])]
            at_diagnosis = of_assay.loc[of_assay["timepoint"] == "diagnosis", "patient_id"]
            counts.append((assay.replace("_", " ").replace(":", " "), at_diagnosis.nunique(), len(of_assay)))
        return counts


def _restricted(cohort: Cohort, wanted: pd.Series, reason: Mapping[str, Any]) -> Cohort:
    """Keep some of the patients, and record why; see :meth:`Cohort.take`.

    Parameters
    ----------
    cohort : Cohort
    wanted : Series of str
        Patient ids.
    reason : mapping
        What ``selections`` says beside the numbers: ``where``, a condition, and ``not_known``, of how many it could not
        be told; ``list`` or ``without``, the length of a list.
    """
    if wanted.empty:
        raise InputError("no patient is left", column=str(wanted.name), expected="at least one patient")
    known = cohort.patients["patient_id"]
    _refuse_unknown(wanted, known)
    kept = _rows_of_patients(cohort, wanted.astype("str"))
    matrices = {name: getattr(kept, name) for name in ("gene_copy_number", "expression")}
    without: dict[str, Any] = {name: None for name, one in matrices.items() if one is not None and not one.shape[1]}
    record = {"cohort": cohort.name, "patients": len(known), "kept": len(kept.patients), **reason}
    # The whole cohort has passed the check of units, which some of its patients, infants say, may fail.
    metadata = {**cohort.metadata, "units_checked": True}
    metadata["selections"] = [*cohort.metadata.get("selections", []), record]
    return replace(kept, metadata=metadata, **without)


def _rows_of_patients(cohort: Cohort, ids: pd.Series) -> Cohort:
    """Return the rows of some patients in all tables; a matrix in which they have no sample is left without columns."""
    samples = cohort.samples[is_among(cohort.samples["patient_id"], ids)]
    own = samples["sample_id"]
    tables: dict[str, Any] = {
        "patients": cohort.patients[is_among(cohort.patients["patient_id"], ids)],
        "samples": samples,
        "assays": cohort.assays[is_among(cohort.assays["sample_id"], own)],
    }
    for name in ("mutations", "segments", "rearrangements"):
        if (table := getattr(cohort, name)) is not None:
            tables[name] = table[is_among(table["sample_id"], own)]
    tables = {name: table.reset_index(drop=True) for name, table in tables.items()}
    for name in ("gene_copy_number", "expression"):
        if (matrix := getattr(cohort, name)) is not None:
            tables[name] = matrix.loc[:, is_among(pd.Series(matrix.columns), own)]
    return replace(cohort, layers=as_layers(cohort.layers).take(own), **tables)


def _refuse_unknown(wanted: pd.Series, known: pd.Series, **place: Any) -> None:
    """Refuse ids that are of no patient; ``place`` says where they stand, see :func:`refuse_rows`."""
    unknown = ~wanted.isin(known).to_numpy(dtype=bool)
    problem = f"{unknown.sum()} of {counted(len(wanted), 'id')} {'is' if unknown.sum() == 1 else 'are'} of no patient"
    fix = "give the ids as the cohort has them, as text"
    refuse_rows(wanted.index, unknown, f"{problem} of the cohort", **{"column": str(wanted.name), "fix": fix, **place})


def _in_words(selection: Mapping[str, Any]) -> str:
    """Say why patients were kept: the condition, or the list.

    Examples
    --------
    >>> _in_words({"where": "risk_group == 'high'"}), _in_words({"without": 3})
    ("risk_group == 'high'", 'all but a list of 3 patients')
    >>> _in_words({"of": "GPOH", "where": "high_risk"})
    'of GPOH: high_risk'
    """
    if "of" in selection:  # one of the cohorts that were merged
        return f"of {selection['of']}: {_in_words({key: said for key, said in selection.items() if key != 'of'})}"
    if "where" in selection:
        return str(selection["where"])
    if "without" in selection:
        return f"all but a list of {counted(selection['without'], 'patient')}"
    return f"a list of {counted(selection['list'], 'patient')}"


def counted(number: int, name: str) -> str:
    """Return a number with what it counts.

    Examples
    --------
    >>> counted(1, "patient"), counted(1200, "patient")
    ('1 patient', '1,200 patients')
    """
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


@dataclass(frozen=True)
class _Repair:
    """One change; as text it is a line of ``cohort.toml``.

    Parameters
    ----------
    where : str
        The file, the table, or the table and column.
    what : str
        What was done there.
    count : int, optional
        How many rows, columns or values it was done to.
    """

    where: str
    what: str
    count: int | None = None

    def __str__(self) -> str:
        what = self.what if self.count is None else f"{self.count} {self.what}"
        return ": ".join(part for part in (self.where, what) if part)


class Repairs:
    """The changes of one import, in the order in which they were made.

    Parameters
    ----------
    lines : iterable of str or Repair
        What is known already, such as the lines of a ``cohort.toml``.

    Examples
    --------
    >>> repairs = Repairs(["a.maf: column 'Start_position' read as 'Start_Position'"])
    >>> repairs.add_count("mutations", 2, "rows that repeat another removed")
    >>> repairs.add_count("mutations", 0, "rows without a gene removed")
    >>> list(repairs)[1:]
    ['mutations: 2 rows that repeat another removed']
    """

    def __init__(self, lines: Iterable[str | _Repair] = ()) -> None:
        self._entries = [_as_repair(line) for line in lines]

    def __iter__(self) -> Iterator[str]:
        return map(str, self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Repairs({list(self)})"

    def add(self, where: str, what: str) -> None:
        """Note a change of a file, table or column."""
        self._entries.append(_Repair(printable(where), printable(what)))

    def add_count(self, where: str, count: int, what: str) -> None:
        """Note a change of some rows, columns or values; nothing where there were none."""
        if count:
            self._entries.append(_Repair(printable(where), printable(what), int(count)))

    def totals(self) -> dict[str, int]:
        """Return how often each counted change was made, over all files.

        Examples
        --------
        >>> repairs = Repairs()
        >>> repairs.add_count("a.vcf", 2, "records left out")
        >>> repairs.add_count("b.vcf", 3, "records left out")
        >>> repairs.totals()
        {'records left out': 5}
        """
        totals: Counter[str] = Counter()
        for entry in self._entries:
            if entry.count is not None:
                totals[entry.what] += entry.count
        return dict(totals)


def _as_repair(line: str | _Repair) -> _Repair:
    if isinstance(line, _Repair):
        return line
    where, _, what = printable(line).partition(": ")
    return _Repair(where, what)
