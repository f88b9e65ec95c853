"""Patients as JSON data: features or cohort tables in, scores, explanations and pages out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.schema import MATRICES, TABLES
from nbrelapse.errors import InputError, did_you_mean
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.probability import to_probability
from nbrelapse.explanation.stability import patient_intervals
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import load_catalogue
from nbrelapse.models.design import ReadFeatures
from nbrelapse.report.patient_report import patient_page
from nbrelapse.scoring.bundle import Bundle, _explained_horizon
from nbrelapse.scoring.patient import _StudiedPatient, describe_patient
from nbrelapse.scoring.pyfunc import _listed, _nearest
from nbrelapse.scoring.scores import _LEAST_EVIDENCE, _columns_of_scores, cohort_notes, score

_GENES = "Hugo_Symbol"
_LARGEST = float(np.finfo(np.float32).max)
"""Trees read 32-bit floats."""

_NOT_NAMED = "not named"
_GIVEN = "given by feature"


@dataclass(frozen=True)
class PatientRecords:
    """Patients that were read from JSON data; see :class:`RecordScorer`.

    Parameters
    ----------
    ids : list of str or None
        None where a patient was given by feature without an id.
    X : ReadFeatures or None
        The model's features of patients who were given by feature.
    cohort : Cohort or None
        Of patients who were given by tables.
    allow_missing_assays : bool
    """

    ids: list[str | None]
    X: ReadFeatures | None = None
    cohort: Cohort | None = None
    allow_missing_assays: bool = False

    def __len__(self) -> int:
        return len(self.ids)


class RecordScorer:
    """A saved model that scores and explains patients given as JSON data, for a server.

    What it returns equals :func:`nbrelapse.scoring.score` to the last bit; of patients given by feature it equals the
    saved model's ``predict``.

    Parameters
    ----------
    bundle : Bundle

    Examples
    --------
    >>> scorer = RecordScorer(bundle)  # doctest: +SKIP
    >>> patients = scorer.read_features([{"patient_id": "a", "features": {"mycn__amplified": 1}}])  # doctest: +SKIP
    >>> scorer.score(patients)[0]["incidence_3y"]  # doctest: +SKIP
    0.41
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._names = [str(name) for name in bundle.schema.index]
        self._columns = pd.Index(self._names)
        self._place = {name: position for position, name in enumerate(self._names)}
        self._others = {*bundle.catalogue.features, *load_catalogue().features} - set(self._names)

    def read_features(self, records: Sequence[Mapping[str, Any]]) -> PatientRecords:
        """Read patients given by feature.

        Parameters
        ----------
        records : sequence of mapping
            ``features``, by name: a number, true or false (1 and 0), None or NaN where it was not assayed, as is what
            is left out; other features of the catalogue are not read. ``patient_id``, text, may be there.

        Returns
        -------
        PatientRecords

        Raises
        ------
        InputError
            A name is no feature, a value is no finite number, or a patient has no feature that the model reads. It says
            at which place, from 1, the patient stands, and what the nearest right name is; no value.
        """
        values = np.full((len(records), len(self._names)), np.nan)
        for row, record in enumerate(records):
            self._read_patient(record["features"], values[row], row + 1)
        ids = [record.get("patient_id") for record in records]
        return PatientRecords(ids, self._table(values))

    def join(self, parts: Sequence[PatientRecords]) -> PatientRecords:
        """Put patients given by feature one under the other: a patient's scores do not depend on the others."""
        if len(parts) == 1:
            return parts[0]
        values = np.concatenate([part.X.numbers for part in parts if part.X is not None])
        return PatientRecords([number for part in parts for number in part.ids], self._table(values))

    def _table(self, values: np.ndarray) -> ReadFeatures:
        return ReadFeatures(values, index=pd.RangeIndex(len(values)), columns=self._columns)

    def _read_patient(self, features: Mapping[str, Any], row: np.ndarray, number: int) -> None:
        unknown, wrong, read = [], [], 0
        for name, value in features.items():
            place = self._place.get(name)
            if place is None:
                if name not in self._others:
                    unknown.append(name)
                continue
            read += 1
            if value is None or value != value:
                continue
            if not isinstance(value, (bool, int, float)) or abs(value) > _LARGEST:
                wrong.append(name)
                continue
            row[place] = value
        if unknown or wrong or not read:
            raise self._refusal(unknown, wrong, number)

    def _refusal(self, unknown: list[str], wrong: list[str], number: int) -> InputError:
        if unknown:
            return InputError(
                "no such feature",
                column=_listed(unknown),
                rows=[number],
                expected=_listed(_nearest(unknown[:5], self._names)),
                fix="correct the name, or leave it out; /schema lists the features",
            )
        if wrong:
            return InputError(
                "a feature is not a finite number",
                column=_listed(wrong),
                rows=[number],
                expected="a number, true or false, or null where it was not assayed",
            )
        return InputError(
            "no feature that this model reads is given, so there is nothing to score by",
            column="features",
            rows=[number],
            expected=f"features such as {', '.join(self._names[:3])}",
            fix="give the model's features by name; those that were not assayed may be left out",
        )

    def read_tables(
        self,
        tables: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        platforms: Mapping[str, Mapping[str, float]] | None = None,
        units_checked: bool = False,
        allow_missing_assays: bool = False,
    ) -> PatientRecords:
        """Read patients given by the tables of a cohort, which pass the same checks as a cohort folder.

        Parameters
        ----------
        tables : mapping of str to sequence of mapping
            ``patients`` and others of :mod:`nbrelapse.cohort.schema`, a record a row; of ``expression`` and
            ``gene_copy_number`` a record a gene: ``Hugo_Symbol``, and a value a sample.
        platforms : mapping, optional
            ``centre``, ``loss``, ``gain`` and ``noise`` of the log2 ratios by platform, from the ``cohort.toml`` of a
            whole study: one patient's segments tell little of them.
        units_checked : bool
            The times are days although they look like months, as of infants only.
        allow_missing_assays : bool
            Score although nobody has an assay that the model reads.

        Returns
        -------
        PatientRecords

        Raises
        ------
        InputError
            As :func:`nbrelapse.cohort.assemble_cohort` raises.
        """
        frames = {name: _frame(name, rows) for name, rows in tables.items()}
        cohort = assemble_cohort("tables given", frames, metadata={"units_checked": units_checked})
        if platforms:
            known = {**cohort.metadata.get("platforms", {}), **platforms}
            cohort = replace(cohort, metadata={**cohort.metadata, "platforms": known})
        return PatientRecords(list(cohort.patient_ids), cohort=cohort, allow_missing_assays=allow_missing_assays)

    def score(self, patients: PatientRecords) -> list[dict[str, Any]]:
        """Score patients.

        Returns
        -------
        list of dict
            ``patient_id``, then the columns of :func:`nbrelapse.scoring.score`; None where there is no number.

        Raises
        ------
        InputError
            As :func:`nbrelapse.scoring.score` raises.
        """
        if patients.X is not None:
            columns = _columns_of_scores(self.bundle, patients.X)
        else:
            table = self._scored_cohort(patients)
            columns = {str(name): table[name].to_numpy() for name in table.columns}
        lists = [_plain(column) for column in columns.values()]
        names = list(columns)
        return [
            {"patient_id": number, **dict(zip(names, row, strict=True))}
            for number, row in zip(patients.ids, zip(*lists, strict=True), strict=True)
        ]

    def _scored_cohort(self, patients: PatientRecords) -> pd.DataFrame:
        assert patients.cohort is not None
        table = score(self.bundle, patients.cohort, allow_missing_assays=patients.allow_missing_assays)
        return table.drop(columns="patient_id")

    def notes(self, patients: PatientRecords) -> list[str]:
        """Say what speaks against the numbers of patients given by tables as a whole; nothing of those by feature."""
        return [] if patients.cohort is None else cohort_notes(self.bundle, patients.cohort)

    def _features(self, patients: PatientRecords) -> pd.DataFrame:
        """All features, a row a patient, in the order of ``ids``."""
        if patients.cohort is None:
            assert patients.X is not None
            return patients.X
        return build_features(patients.cohort, self.bundle.catalogue, self.bundle.gene_sets).values

    def explain(self, patients: PatientRecords, horizon_years: float | None = None) -> list[dict[str, Any]]:
        """Explain patients' predictions by feature and by mechanism, on both scales.

        Parameters
        ----------
        patients : PatientRecords
        horizon_years : float, optional
            Of the explained probability; the longest of 1, 2, 3 and 5 that the follow-up in training reaches.

        Returns
        -------
        list of dict
            ``patient_id``; ``scores``, from :meth:`score`; ``log_risk`` and ``probability``, each with ``baseline``,
            ``value``, ``mechanisms`` and ``features`` that add up to it, and the mechanisms' intervals over the refits
            on the scale of the log risk. None where too little is known for a score.

        Raises
        ------
        InputError
            As :meth:`score` raises, or the horizon is not one that training carries.
        """
        days = _explained_horizon(self.bundle, horizon_years)
        scores = self.score(patients)
        X = self._features(patients)
        return [
            {"patient_id": own["patient_id"], "scores": own, **self._explained(X.iloc[[row]], own, days)}
            for row, own in enumerate(scores)
        ]

    def _explained(self, row: pd.DataFrame, scores: Mapping[str, Any], days: float | None) -> dict[str, Any]:
        if scores["evidence"] < _LEAST_EVIDENCE:
            return {"log_risk": None, "probability": None}
        bundle = self.bundle
        found = explain(bundle.model, row[self._names], bundle.catalogue)
        intervals = patient_intervals(found, bundle.refits, bundle.catalogue).to_dict("index")
        measured = {str(name): {key: _value(value) for key, value in own.items()} for name, own in intervals.items()}
        likely = _sums(to_probability(found, bundle.model, days))
        return {
            "log_risk": {**_sums(found), "exact": found.exact, "measured": measured},
            "probability": {"horizon_days": days, **likely},
        }

    def page(self, patients: PatientRecords, horizon_years: float | None = None) -> str:
        """Return the page of the first patient, see :func:`nbrelapse.report.patient_page`.

        Raises
        ------
        InputError
            As :meth:`score` raises.
        """
        self.score(replace(patients, allow_missing_assays=True))
        name = str(patients.ids[0] or _NOT_NAMED)
        X, cohort = self._features(patients), patients.cohort
        if cohort is None:
            X = X.iloc[[0]].set_axis([name], axis=0)
            cohort = assemble_cohort(_GIVEN, {"patients": pd.DataFrame({"patient_id": [name]})})
        studied = _StudiedPatient(cohort, X, name, _explained_horizon(self.bundle, horizon_years))
        created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return patient_page(describe_patient(self.bundle, studied, created))


def _frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table of a cohort from its records."""
    if name not in (*TABLES, *MATRICES):
        raise InputError("unknown table", column=name, expected=", ".join((*TABLES, *MATRICES)))
    if name in TABLES:
        given = dict.fromkeys(key for row in rows for key in row)
        foreign = [key for key in given if key not in TABLES[name].columns]
        if foreign:  # before rows and columns are multiplied
            raise InputError(
                "unknown column",
                file=name,
                column=_listed(foreign),
                expected=", ".join(map(str, TABLES[name].columns)),
                fix=did_you_mean(foreign[0], map(str, TABLES[name].columns)) or "correct its name or remove it",
            )
        return pd.DataFrame(list(rows), columns=list(given))
    samples = rows[0].keys() if rows else {}
    if _GENES not in samples:
        raise InputError("the gene column is missing", file=name, column=_GENES)
    other = [number for number, row in enumerate(rows, 1) if row.keys() != samples]
    if other:
        fix = "give every gene a value of every sample, null where it is not known"
        raise InputError("records of genes have different samples", file=name, rows=other, fix=fix)
    return pd.DataFrame(list(rows)).set_index(_GENES)


def _sums(explanation: Explanation) -> dict[str, Any]:
    """Return the sums of an explanation of one patient."""
    return {
        "baseline": float(explanation.baseline),
        "value": float(explanation.prediction.iloc[0]),
        "mechanisms": _items(explanation.mechanisms.iloc[0]),
        "features": _items(explanation.features.iloc[0]),
    }


def _items(row: pd.Series) -> dict[str, float | None]:
    return {str(name): _value(value) for name, value in row.items()}


def _plain(column: Any) -> list[Any]:
    return [_value(value) for value in (column.tolist() if isinstance(column, np.ndarray) else column)]


def _value(value: Any) -> Any:
    """Return a value of JSON: None for NaN, no NumPy scalars."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def describe_features(bundle: Bundle) -> list[dict[str, Any]]:
    """Describe the features that a model reads.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``definition``, ``mechanism``, ``assay`` and ``kind``; ``low`` and ``high``, the range in
        training, and ``observed``, the share of training patients with a value. None where training saw no value.
    """
    definitions = [bundle.catalogue.features[str(name)] for name in bundle.schema.index]
    own = [
        {"name": one.name, "title": one.title, "definition": one.definition, "mechanism": one.mechanism}
        | {"assay": one.assay, "kind": one.kind}
        for one in definitions
    ]
    seen = bundle.schema[["low", "high", "observed"]].to_dict("records")
    return [
        one | {str(name): _value(value) for name, value in numbers.items()}
        for one, numbers in zip(own, seen, strict=True)
    ]
