"""The feature table: a row per patient, a column per feature, how it is stored, when each feature is known."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from nbrelapse.cohort.cohort import counted
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.files import check_file_name, check_writable
from nbrelapse.cohort.rows import Rows, encode_rows, rows_file
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.mechanisms.therapies import Therapy


@dataclass(frozen=True)
class FeatureTable:
    """The encoded molecular characterization of a cohort.

    It reads like its DataFrame, :attr:`values`: ``X["mycn__amplified"]``, ``X.loc``, ``X.columns``, ``X.index``,
    ``X.shape``, ``len(X)`` (patients), iteration over the names of the features, and ``numpy.asarray(X)``. It cannot be
    changed. scikit-learn's splitters and cross-validation keep it a feature table.

    Parameters
    ----------
    values : DataFrame of float64
        Index ``patient_id``; columns ``mechanism__feature`` in the catalogue's order. NaN means that the
        patient was not assayed for it (or the value is unknown), never that the finding was negative.
    catalogue : Catalogue
        The catalogue that defines the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.mechanisms import FeatureTable, load_catalogue
    >>> values = pd.DataFrame({"mycn__amplified": [1.0, float("nan")]}, index=pd.Index(["a", "b"], name="patient_id"))
    >>> X = FeatureTable(values, load_catalogue())
    >>> X.mechanisms.to_dict()
    {'mycn__amplified': 'mycn'}
    >>> X["mycn__amplified"].to_dict()
    {'a': 1.0, 'b': nan}
    >>> X
    FeatureTable: 2 patients, 1 feature of 1 mechanism
    mechanism  features  assayed patients
         mycn         1                 1
    """

    values: pd.DataFrame
    catalogue: Catalogue

    @property
    def mechanisms(self) -> pd.Series:
        """The mechanism of each column."""
        return pd.Series(
            [self.catalogue.features[name].mechanism for name in self.values.columns],
            index=self.values.columns,
            name="mechanism",
        )

    @property
    def index(self) -> pd.Index:
        """Patient ids, in the order of the rows."""
        return self.values.index

    @property
    def columns(self) -> pd.Index:
        """Names of the features, ``mechanism__feature``."""
        return self.values.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Number of patients and number of features."""
        return self.values.shape

    @property
    def loc(self) -> Any:
        """Values by patient id and feature, as ``DataFrame.loc`` gives them."""
        return self.values.loc

    def model_columns(self) -> list[str]:
        """Columns that may enter a model: not the clinical groupings kept for comparison."""
        return [name for name in self.values.columns if self.catalogue.features[name].role != "baseline"]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of :attr:`values`, to change at will."""
        return self.values.copy()

    def take(self, patient_ids: Iterable[Any]) -> FeatureTable:
        """Return the table of the given patients, in their order.

        Parameters
        ----------
        patient_ids : Index or iterable of str
            For instance ``outcome.patient_ids``, the patients that have an outcome.

        Returns
        -------
        FeatureTable

        Raises
        ------
        InputError
            Some of the patients are not in the table.

        Examples
        --------
        >>> from nbrelapse.mechanisms import load_catalogue
        >>> values = pd.DataFrame({"alk__amplified": [1.0, 0.0, 0.0]}, index=["a", "b", "c"])
        >>> FeatureTable(values, load_catalogue()).take(["c", "a"]).index.tolist()
        ['c', 'a']
        """
        wanted = patient_ids if isinstance(patient_ids, pd.Index) else pd.Index(list(patient_ids))
        absent = int((~wanted.isin(self.index)).sum())
        if absent:
            raise InputError(
                f"{absent} of the {len(wanted)} patients are not in the feature table",
                expected=f"ids of its {len(self)} patients",
                fix="build the features of a cohort that has them, or leave them out",
            )
        return FeatureTable(self.values.loc[wanted], self.catalogue)

    def select(self, names: Iterable[str] | str) -> FeatureTable:
        """Return the table of some features, in the table's order.

        Parameters
        ----------
        names : str or iterable of str
            Features (``mycn__amplified``), and mechanisms (``mycn``) for all their features.

        Returns
        -------
        FeatureTable
            With the same patients and catalogue.

        Raises
        ------
        InputError
            The table has no feature or mechanism of a name.

        Examples
        --------
        >>> from nbrelapse.mechanisms import load_catalogue
        >>> values = pd.DataFrame([[1.0, 0.0, 0.0]], columns=["mycn__amplified", "alk__amplified", "alk__gain"])
        >>> FeatureTable(values, load_catalogue()).select("alk").columns.tolist()
        ['alk__amplified', 'alk__gain']
        """
        wanted = {names} if isinstance(names, str) else set(names)
        mechanisms = self._keys()
        absent = sorted(wanted - {*self.columns, *mechanisms})
        if absent:
            raise InputError(
                f"the feature table has no feature or mechanism {', '.join(absent)}",
                expected=f"names of its columns, or {', '.join(dict.fromkeys(mechanisms))}",
                fix="correct the name",
            )
        chosen = [name for name, key in zip(self.columns, mechanisms, strict=True) if name in wanted or key in wanted]
        return FeatureTable(self.values[chosen], self.catalogue)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values.columns.tolist())

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __getitem__(self, key: Any) -> Any:
        # scikit-learn asks for rows by position as X[rows, ...].
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            rows: Any = self.values.iloc[key[0]]
            return FeatureTable(rows, self.catalogue)
        return self.values[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self._overview().to_string(index=False)}" if self.shape[1] else self._headline()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{self._overview().to_html(index=False)}"

    def _keys(self) -> list[str]:
        return [name.partition("__")[0] for name in self.columns]

    def _headline(self) -> str:
        patients, features = self.shape
        return (
            f"FeatureTable: {counted(patients, 'patient')}, {counted(features, 'feature')} of "
            f"{counted(len(set(self._keys())), 'mechanism')}"
        )

    def _overview(self) -> pd.DataFrame:
        """Count the features of each mechanism, and the patients with a value of one at least."""
        keys = self._keys()
        observed = self.values.notna()
        return pd.DataFrame(
            [
                (key, keys.count(key), int(observed.loc[:, [other == key for other in keys]].any(axis=1).sum()))
                for key in dict.fromkeys(keys)
            ],
            columns=["mechanism", "features", "assayed patients"],
        )


_FORMAT = 1
_SUFFIXES = (".parquet", ".csv")


def write_features(table: FeatureTable, file: str | Path) -> Path:
    """Write a feature table and its manifest, a JSON file of the same name.

    Both are written beside their targets first and renamed when complete.

    Parameters
    ----------
    table : FeatureTable
    file : path
        ``.parquet`` or ``.csv``; ``patient_id`` is the first column, a missing value is NaN or an empty field.

    Returns
    -------
    Path
        The manifest: format, catalogue version, number of patients, and of every feature its mechanism, definition
        and the number of patients with a value.

    Raises
    ------
    InputError
        The extension is another one, or the folder cannot be written to.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = pd.DataFrame({"mycn__amplified": [1.0, None]}, index=pd.Index(["a", "b"], name="patient_id"))
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_features(FeatureTable(values, load_catalogue()), Path(folder) / "features.csv")
    ...     read_features(Path(folder) / "features.csv").values["mycn__amplified"].tolist()
    [1.0, nan]
    """
    with feature_file(file, table.catalogue) as rows:
        rows.append(encode_features(table, Path(file).suffix, first=True))
    return rows.manifest


@dataclass(frozen=True)
class FeatureRows:
    """The rows of some patients as their file will hold them, and what its manifest counts.

    Parameters
    ----------
    rows : bytes or pyarrow.Table
    observed : Series of int
        By feature, the patients with a value.
    patients : int
    """

    rows: Rows
    observed: pd.Series
    patients: int


def encode_features(table: FeatureTable, suffix: str, *, first: bool) -> FeatureRows:
    r"""Write the rows of some patients as a file of features holds them; ``first``: they are its first.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = pd.DataFrame({"mycn__amplified": [1.0, None]}, index=pd.Index(["a", "b"], name="patient_id"))
    >>> encode_features(FeatureTable(values, load_catalogue()), ".csv", first=True).rows
    b'patient_id,mycn__amplified\na,1.0\nb,\n'
    """
    frame = table.values.rename_axis("patient_id").reset_index()
    return FeatureRows(encode_rows(frame, suffix, first=first), table.values.notna().sum(), len(frame))


class _FeatureFile:
    """A table of features that is being written; :attr:`manifest` is the file that describes it."""

    def __init__(self, manifest: Path, catalogue: Catalogue, append: Callable[[Rows], None]) -> None:
        self.manifest, self.patients = manifest, 0
        self.observed: pd.Series | None = None
        self._catalogue, self._append = catalogue, append

    def append(self, block: FeatureRows) -> None:
        self._append(block.rows)
        self.observed = block.observed if self.observed is None else self.observed + block.observed
        self.patients += block.patients

    def described(self) -> str:
        assert self.observed is not None
        document = _manifest(self._catalogue, self.observed, self.patients)
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


@contextmanager
def feature_file(file: str | Path, catalogue: Catalogue) -> Iterator[_FeatureFile]:
    """Write a feature table of blocks of patients: table and manifest appear once all is appended, or not at all.

    Parameters
    ----------
    file : path
        ``.parquet`` or ``.csv``.
    catalogue : Catalogue
        That the features were built by.

    Yields
    ------
    object
        With ``append``, which takes what :func:`encode_features` returns, and ``manifest``, its path.

    Raises
    ------
    InputError
        As :func:`write_features` does.
    """
    target = check_target(file)
    manifest = target.with_name(f"{target.name}.json")
    # The table takes its name first, after the manifest is written: a full disk leaves neither.
    with rows_file(manifest, "the feature table") as describe, rows_file(target, "the feature table") as append:
        yield (rows := _FeatureFile(manifest, catalogue, append))
        describe(rows.described().encode())


def read_features(file: str | Path) -> FeatureTable:
    """Read a feature table that :func:`write_features` wrote.

    Parameters
    ----------
    file : path

    Returns
    -------
    FeatureTable
        Its catalogue holds the features of the table, as they were defined when it was built.

    Raises
    ------
    InputError
        A file is missing or is not what it should be, or table and manifest name different features.
    """
    source = check_file_name(file, "a feature table", _SUFFIXES)
    manifest = source.with_name(f"{source.name}.json")
    missing = [path for path in (source, manifest) if not path.is_file()]
    if missing:
        raise InputError(
            "the feature table or its manifest does not exist",
            file=missing[0],
            fix="write both with `nbrelapse features`",
        )
    catalogue = _catalogue(manifest)
    content = io.BytesIO(read_bytes(source))
    try:
        if source.suffix == ".parquet":
            frame = pd.read_parquet(content)
        else:
            frame = pd.read_csv(content, dtype={"patient_id": "str"})
        values = frame.set_index("patient_id").astype(np.float64)
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = type(error).__name__ if isinstance(error, (KeyError, TypeError)) else f"{error}".partition("\n")[0]
        raise InputError(f"the feature table cannot be read: {reason}", file=source, fix="rebuild it") from None
    if list(values.columns) != list(catalogue.features):
        raise InputError("the feature table and its manifest name different features", file=source, fix="rebuild it")
    return FeatureTable(values, catalogue)


def check_target(file: str | Path) -> Path:
    """Refuse a name that no feature table can have, or a place that cannot be written to, before the work."""
    target = check_file_name(file, "a feature table", _SUFFIXES)
    check_writable(target, "the feature table", "name another folder", replaced=True)
    return target


_CALL_SUFFIXES = (".csv", ".tsv", ".parquet")


def check_calls_file(file: str | Path) -> Path:
    """Refuse a name that no table of calls can have, or a place that cannot be written to, before the work."""
    target = check_file_name(file, "a table of copy-number calls", _CALL_SUFFIXES)
    check_writable(target, "the table of calls", "name another folder", replaced=True)
    return target


def write_calls(calls: pd.DataFrame, file: str | Path) -> Path:
    """Write copy-number calls; an older file is replaced only once the new one is complete.

    Parameters
    ----------
    calls : DataFrame
        Of :func:`nbrelapse.mechanisms.copy_number_calls`.
    file : path
        ``.csv``, ``.tsv`` or ``.parquet``; a missing value is an empty field.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The extension is another one, or the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> calls = pd.DataFrame({"patient_id": ["p"], "arm": ["1p"], "call": ["segmental loss"], "copies": [1.05]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_calls(calls, Path(folder) / "calls.tsv").read_text().splitlines()[1].split()
    ['p', '1p', 'segmental', 'loss', '1.05']
    """
    target = check_calls_file(file)
    with rows_file(target, "the copy-number calls") as append:
        append(encode_rows(calls, target.suffix, first=True))
    return target


def _manifest(catalogue: Catalogue, observed: pd.Series, patients: int) -> dict[str, Any]:
    definitions = {str(name): catalogue.features[str(name)] for name in observed.index}
    used = {definition.mechanism for definition in definitions.values()}
    return {
        "format": _FORMAT,
        "catalogue_version": catalogue.version,
        "patients": patients,
        "mechanisms": [asdict(entry) for name, entry in catalogue.mechanisms.items() if name in used],
        "features": [
            {**asdict(definition), "patients": int(observed[name])} for name, definition in definitions.items()
        ],
        "therapies": {name: therapy.to_table() for name, therapy in catalogue.own_therapies.items()},
    }


def _catalogue(manifest: Path) -> Catalogue:
    try:
        document = json.loads(decode(read_bytes(manifest), manifest))
        if document["format"] != _FORMAT:
            expected = f"format {_FORMAT}"
            raise InputError("a manifest of another format", file=manifest, expected=expected, fix="rebuild the table")
        mechanisms = [
            Mechanism(**{**entry, "therapies": tuple(entry["therapies"])}) for entry in document["mechanisms"]
        ]
        definitions = [
            FeatureDefinition(
                **{
                    **{key: value for key, value in entry.items() if key != "patients"},
                    "therapies": tuple(entry["therapies"]),
                }
            )
            for entry in document["features"]
        ]
        # Tables of before 0.4.0 have none.
        therapies = {name: Therapy.from_table(name, entry) for name, entry in document.get("therapies", {}).items()}
    except InputError:
        raise
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"the manifest cannot be read: {error}", file=manifest, fix="rebuild the table") from None
    return Catalogue(
        str(document["catalogue_version"]),
        {entry.name: entry for entry in mechanisms},
        {entry.name: entry for entry in definitions},
        therapies,
    )


OUTCOME_COLUMNS = ("event", "event_days", "death", "followup_days")
"""Columns of ``patients`` that hold the outcome: nothing that is predicted from may read them."""


def later_columns(endpoint: str, landmark_days: float) -> tuple[str, ...]:
    """Columns of ``patients`` that nobody knows on the day a prediction is made: no patient may be chosen by them.

    Parameters
    ----------
    endpoint : str
    landmark_days : float
        Days from diagnosis to the prediction; the response to induction is known on any such day.

    Examples
    --------
    >>> later_columns("relapse", 0.0)
    ('event', 'event_days', 'death', 'followup_days', 'induction_response')
    >>> later_columns("relapse", 180.0)
    ('event', 'event_days', 'death', 'followup_days')
    """
    responded = landmark_days > 0 and endpoint != "refractory"
    return OUTCOME_COLUMNS if responded else (*OUTCOME_COLUMNS, "induction_response")


_LATER_COLUMNS = ("induction_response",)
"""Columns of ``patients`` that are filled in after diagnosis."""


def known_at(catalogue: Catalogue, name: str) -> float:
    """Return from which day after diagnosis a feature is known.

    Parameters
    ----------
    catalogue : Catalogue
    name : str
        ``mechanism__feature``.

    Returns
    -------
    float
        Its entry's ``known_at_days``, or that of the last known feature that it is computed from, if later. Infinite
        if it reads the outcome, or a column that is filled in after diagnosis without saying when.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> known_at(load_catalogue(), "alk__hotspot_mutation")
    0.0
    """
    definition = catalogue.features[name]
    columns = _columns_read(definition)
    unsaid = not columns.isdisjoint(_LATER_COLUMNS) and definition.known_at_days == 0
    if unsaid or not columns.isdisjoint(OUTCOME_COLUMNS):
        return float("inf")
    inputs = (known_at(catalogue, read) for read in definition.inputs if read in catalogue.features)
    return max([float(definition.known_at_days), *inputs])


def _columns_read(definition: FeatureDefinition) -> set[str]:
    """Return the columns of ``patients`` that an entry names."""
    parameters = definition.parameters
    levels = parameters.get("levels", {})
    return {str(parameters.get("column", "")), *(levels if isinstance(levels, dict) else ())} - {""}
