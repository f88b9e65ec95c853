"""From a feature table to the matrix that a model computes with, standardised where the model wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.outcome import Outcome, event_of, kind_of

LEAST_OBSERVED = 0.2
"""Share of the training patients that a feature is known in, where nothing else is said. A choice."""


def default_columns(X: FeatureTable, values: pd.DataFrame, *, genes: bool) -> list[str]:
    """Features of a table that a model reads where it is not told which: those an experiment gives it by default.

    Parameters
    ----------
    X : FeatureTable
        Its catalogue says what each column is: the clinic's own groupings are for the clinical baselines only.
    values : DataFrame of shape (n_samples, n_features)
        Of the training patients; features that say nothing about them are left out, see :func:`uninformative`.
    genes : bool
        Whether the model can weigh hundreds of single genes.

    Returns
    -------
    list of str
        In the order of the table.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = pd.DataFrame([[1.0, 0.0, 2.0], [1.0, 1.0, 0.0]])
    >>> values.columns = ["mycn__amplified", "alk__amplified", "clinical__risk_group"]
    >>> default_columns(FeatureTable(values, load_catalogue()), values, genes=False)
    ['alk__amplified']
    """
    return [
        name
        for name in X.model_columns()
        if (genes or X.catalogue.features[name].role != "gene") and uninformative(values[name]) is None
    ]


def uninformative(values: pd.Series, least_observed: float = LEAST_OBSERVED) -> str | None:
    """Say why a feature tells a model nothing about its training patients; None where it may.

    Examples
    --------
    >>> uninformative(pd.Series([1.0, 1.0, float("nan")]))
    'the same in all training patients'
    """
    observed = values.notna().mean()
    if observed < least_observed:
        return f"known in {observed:.0%} of the training patients (min_observed {least_observed:.0%})"
    return "the same in all training patients" if values.nunique() < 2 else None


def _as_array(X: Any, *, least: int = 1) -> np.ndarray:
    """Return what is neither a feature table nor a DataFrame as a float array, a row a patient; NaN = unknown.

    Raises
    ------
    InputError
        It is sparse, complex, not numbers, infinite, has not two dimensions or fewer patients than ``least``.
    """
    try:
        return np.asarray(
            check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=least, input_name="X")
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"X cannot be read: {error}", expected="a FeatureTable, a DataFrame or an array, a row a patient"
        ) from None


def _array_columns(width: int) -> list[str]:
    """Return the names that the columns of an array are given: ``x0``, ``x1``, and so on."""
    return [f"x{column}" for column in range(width)]


def _training_matrix(
    X: pd.DataFrame, y: np.ndarray, columns: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, values and outcomes to train on, rows and columns in an order that does not depend on how they came.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, at least n_features)
    y : ndarray of shape (n_samples,)
        Structured, ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; or 0 and 1.
    columns : sequence of str, optional
        The columns to read; all of X by default.

    Returns
    -------
    names : ndarray of shape (n_features,)
        See :func:`_canonical`.
    values : ndarray of shape (n_samples, n_features)
        NaN = not assayed.
    y : ndarray of shape (n_samples,)
        By time; at equal times, or where there are none, the events come first.

    Raises
    ------
    InputError
        There is no column to read, one cannot be used, fewer than two patients had the event, or fewer than two have
        the other value of a binary outcome.
    """
    names = _canonical(X, columns)
    if not len(names):
        raise InputError("the model has no column to read", column="columns", expected="at least one feature")
    _refuse_too_few(y)
    values = read_columns(X, names)
    order = _order(values, y)
    return names, np.ascontiguousarray(values[order]), y[order]


def _training_order(X: pd.DataFrame, y: np.ndarray, columns: Sequence[str] | None) -> np.ndarray:
    """Positions that bring the rows of X into the order of :func:`_training_matrix`."""
    return _order(read_columns(X, _canonical(X, columns)), y)


def _canonical(X: pd.DataFrame, columns: Sequence[str] | None) -> np.ndarray:
    """Return the columns to read in the one order that every model computes in: alphabetical, numbers by their size.

    Sums, splits and draws depend on the order of the features in their last bits and, where features are alike, in
    their choice; in one order the same features give the same bits, however the table has them.

    Examples
    --------
    >>> _canonical(pd.DataFrame(columns=["x10", "x2", "a__loss_11q", "a__loss_3p"]), None).tolist()
    ['a__loss_3p', 'a__loss_11q', 'x2', 'x10']
    """
    given = tuple(X.columns if columns is None else columns)
    plain = all(type(name) is str for name in given)  # 1 and 1.0 are other names, but the same key
    names = np.empty(len(given), dtype=object)
    names[:] = _sorted_texts(given) if plain else sorted(given, key=_natural)
    return names


@lru_cache(maxsize=32)
def _sorted_texts(names: tuple[str, ...]) -> list[str]:
    """Sort names; the same thousands of them come again with every fit."""
    return sorted(names, key=_natural)


def _natural(name: object) -> tuple[Any, ...]:
    parts = [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", str(name))]
    return parts, str(name), type(name).__name__


_LEADING = 8
"""Features that patients are ordered by before all others are asked. A choice."""


def _order(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Order patients by time, events first, then by the features from the last to the first, then by what happened.

    Sums of floats depend on their order: sorting first gives the same bits however the patients are ordered.
    """
    event = event_of(y)
    last = (event != 1, *([y["time"]] if kind_of(y).has_time else []))
    keys = (*values.T[-_LEADING:], *last)
    order = np.lexsort(keys)
    # Only of patients who are alike in all of this, and not in everything as copies in a resample are, can the other
    # keys decide: to sort by thousands of them takes longer than most fits.
    tied = np.logical_and.reduce([_alike(key[order]) for key in keys])
    first, second = order[:-1][tied], order[1:][tied]
    same = (values[first] == values[second]) | (np.isnan(values[first]) & np.isnan(values[second]))
    if same.all() and (event[first] == event[second]).all():
        return order
    return np.lexsort((event, *values.T, *last))


def _alike(key: np.ndarray) -> np.ndarray:
    """Whether each value is the same as the next; missing values are."""
    return (key[:-1] == key[1:]) | ((key[:-1] != key[:-1]) & (key[1:] != key[1:]))


def _refuse_one_patient(ids: pd.Index) -> None:
    """Raise where the index says that all rows are one patient's: they could not be parted wherever patients are."""
    if len(ids) > 1 and len(ids.unique()) == 1:
        raise InputError(
            f"all {len(ids)} rows of X have one index, they would be one patient",
            column="X.index",
            expected="an id a patient; the same id for rows of the same patient only",
            fix="X.reset_index(drop=True), or set the patients' ids as index",
        )


def _refuse_too_few(y: np.ndarray) -> None:
    event = event_of(y)
    events = int(np.count_nonzero(event == 1))
    if events < 2:
        raise InputError(
            f"too few events to fit a model: {events} of {len(y)} patients had it",
            column="event",
            expected="at least 2",
            fix="use more patients or fewer folds, or check that the endpoint is the one meant",
        )
    if not kind_of(y).has_time and len(y) - events < 2:
        raise InputError(
            f"too few patients without the event to fit a model: {len(y) - events} of {len(y)}",
            column="event",
            expected="at least 2",
            fix="use more patients or fewer folds, or check that the endpoint is the one meant",
        )


def _background_rows(background: pd.DataFrame) -> pd.DataFrame:
    """Return the patients that attributions are compared with.

    Raises
    ------
    InputError
        There are none.
    """
    if not len(background):
        raise InputError("the background has no patients", column="background", expected="at least one")
    return background


def read_columns(X: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Values of the named columns, shape (n_samples, n_features), NaN = not assayed.

    Raises
    ------
    InputError
        A column is not in X, is there twice, is not numeric, or holds values that are infinite or as good as that.
    """
    if isinstance(X, ReadFeatures):
        return X.take_columns(names)
    # Sums depend on the layout in memory, which depends on how the table came about.
    values = np.ascontiguousarray(_numbers(X, names))
    infinite = np.abs(values) > _LARGEST
    if infinite.any():
        raise InputError(
            "infinite feature values",
            column=_shown(names[infinite.any(axis=0)]),
            rows=(np.flatnonzero(infinite.any(axis=1)) + 1).tolist(),
            expected="finite numbers below 3e38, NaN = unknown",
        )
    return values


def _numbers(X: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Values of the named columns, which are numbers; of a table of floats without making another table first."""
    columns = X.columns.tolist()
    place = {name: position for position, name in enumerate(columns)}
    if len(place) == len(columns) and place.keys() >= set(names) and set(X.dtypes.tolist()) == {_FLOAT}:
        return X.to_numpy()[:, [place[name] for name in names]]
    table = _select(X, names)
    if table.shape[1] != len(names):
        repeated = table.columns[table.columns.duplicated()].unique()
        raise InputError("the feature table has a column more than once", column=_shown(repeated))
    real = {dtype: _is_real(dtype) for dtype in set(table.dtypes)}
    words = [
        name
        for name, dtype in (() if all(real.values()) else table.dtypes.items())
        if not (real[dtype] or _holds_numbers(table[name]))
    ]
    if words:
        raise InputError(
            "features that are not numbers",
            column=_shown(words),
            expected="float, NaN = unknown",
            fix="code them as numbers, 0 and 1 for no and yes",
        )
    return table.to_numpy(dtype=float, na_value=np.nan)


class ReadFeatures(pd.DataFrame):
    """Features whose values were read and checked, for models that are to be asked about them many times.

    To find and check a hundred columns takes pandas longer than a model takes to predict a patient. Not to be changed:
    models read the values that the table was made of. What is taken from it is an ordinary table.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        From :func:`read_columns`.
    index : Index
        Patients.
    columns : Index
        Features.

    Examples
    --------
    >>> table = ReadFeatures(np.array([[1.0, 2.0]]), index=pd.Index(["p1"]), columns=pd.Index(["a", "b"]))
    >>> read_columns(table, np.array(["b", "a"]))
    array([[2., 1.]])
    """

    _metadata: ClassVar[list[str]] = ["numbers", "_taken"]  # no columns, for pandas

    def __init__(self, values: np.ndarray, *, index: pd.Index, columns: pd.Index) -> None:
        super().__init__(values, index=index, columns=columns, copy=False)  # type: ignore[call-arg]
        self.numbers = values
        self._taken: dict[tuple[str, ...], np.ndarray] = {tuple(columns): values}

    def rows(self, chosen: slice) -> ReadFeatures:
        """Return some of the patients."""
        return ReadFeatures(self.numbers[chosen], index=self.index[chosen], columns=self.columns)

    def take_columns(self, names: np.ndarray) -> np.ndarray:
        """Values of the named columns; see :func:`read_columns`."""
        key = tuple(names.tolist())
        if key not in self._taken:
            place = {name: position for position, name in enumerate(self.columns)}
            if not place.keys() >= set(key):
                _select(self, names)
            self._taken[key] = np.ascontiguousarray(self.numbers[:, [place[name] for name in key]])
        return self._taken[key]


_LARGEST = float(np.finfo(np.float32).max)
"""Trees read 32-bit floats, to which more is infinite."""


_FLOAT = np.dtype(np.float64)


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _holds_numbers(column: pd.Series) -> bool:
    """Whether an untyped column holds real numbers; text that looks like one is text."""
    if not pd.api.types.is_object_dtype(column.dtype):
        return False
    return all(isinstance(value, Real | np.bool_) or pd.isna(value) is True for value in column)


def _select(X: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the named columns.

    Raises
    ------
    InputError
        A column is not in X.
    """
    names = list(names)
    there = set(X.columns.tolist())
    missing = [str(name) for name in names if name not in there]
    if missing:
        raise InputError(
            "the feature table lacks columns that the model reads",
            column=_shown(missing),
            fix="build the features with the catalogue and the gene sets that the model was trained with",
        )
    return X[names]


def _shown(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


_MIN_PATIENTS = 3
"""A coefficient never rests on fewer patients: one early event in the only carrier has an unbounded hazard ratio."""


@dataclass(frozen=True, eq=False)
class _Standardised:
    """Training features as a linear model computes with them; build it with :func:`standardise`.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_used + n_indicators)
        Standardised; 0 where missing. The indicators of missing values come last.
    used : ndarray of int, shape (n_used,)
        Positions of the features in ``Z``.
    means, scales : ndarray of shape (n_features,)
        Of the observed values.
    groups : list of ndarray of int
        The features that each indicator stands for.
    indicator_scales : ndarray of shape (n_indicators,)
    """

    Z: np.ndarray
    used: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    groups: list[np.ndarray]
    indicator_scales: np.ndarray

    def unscale(self, standardised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients per unit of each feature, and effects of a missing value, from those of ``Z``."""
        coefficients, effects = np.zeros(len(self.means)), np.zeros(len(self.means))
        coefficients[self.used] = standardised[: len(self.used)] / self.scales[self.used]
        shared = standardised[len(self.used) :] / self.indicator_scales
        for members, effect in zip(self.groups, shared, strict=True):
            effects[members] = effect / len(members)
        return coefficients, effects


def standardise(values: np.ndarray, *, indicators: bool = False) -> _Standardised:
    """Standardise features by their observed values.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        NaN = missing.
    indicators : bool
        Add a column for each set of patients in whom the same features are missing, at least three of them, and
        known in at least three others.

    Returns
    -------
    Standardised

    Examples
    --------
    >>> nan = float("nan")
    >>> found = standardise(np.array([[0.0], [0.0], [0.0], [2.0], [2.0], [2.0], [nan], [nan], [nan]]), indicators=True)
    >>> found.Z.round(2)[[0, 3, 6]].tolist()
    [[-1.0, -0.71], [1.0, -0.71], [0.0, 1.41]]
    """
    missing = np.isnan(values)
    count = np.maximum((~missing).sum(axis=0), 1)
    means = np.where(missing, 0.0, values).sum(axis=0) / count
    centred = np.where(missing, 0.0, values - means)
    scales = np.sqrt((centred**2).sum(axis=0) / count)
    used = np.flatnonzero((scales > 1e-12 * np.maximum(1.0, np.abs(means))) & _varied(values))
    groups = _groups(missing, used) if indicators else []
    flags = np.array([missing[:, members[0]] for members in groups], dtype=float).reshape(len(groups), len(values)).T
    flags = flags - flags.mean(axis=0)
    spread = flags.std(axis=0)
    return _Standardised(
        np.hstack([centred[:, used] / scales[used], flags / spread]), used, means, scales, groups, spread
    )


def _groups(missing: np.ndarray, used: np.ndarray) -> list[np.ndarray]:
    patterns, of_feature = np.unique(missing[:, used], axis=1, return_inverse=True)
    often = np.minimum(patterns.sum(axis=0), (~patterns).sum(axis=0)) >= _MIN_PATIENTS
    return [used[of_feature.ravel() == pattern] for pattern in np.flatnonzero(often)]


def _varied(values: np.ndarray) -> np.ndarray:
    """Whether in each column enough observed values differ from its most frequent one.

    Examples
    --------
    >>> _varied(np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [0.0, 0.4], [2.0, np.nan]])).tolist()
    [False, True]
    """
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    observed = (~np.isnan(values)).sum(axis=0)
    # The most frequent value stands at most once more than values stand beside their like.
    most = (ordered[:, 1:] == ordered[:, :-1]).sum(axis=1) + 1
    varied = observed - most >= _MIN_PATIENTS
    for column in np.flatnonzero(~varied & (observed > _MIN_PATIENTS)):
        counts = np.unique(ordered[column, : observed[column]], return_counts=True)[1]
        varied[column] = observed[column] - counts.max() >= _MIN_PATIENTS
    return np.asarray(varied)


def align_patients(
    X: FeatureTable | pd.DataFrame | np.ndarray, y: Outcome | pd.Series | np.ndarray | Sequence[Any]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the features and the outcome of the same patients, row by row.

    Patients are matched by their ids where both sides have them; nobody is dropped in silence. The one exception is
    stated by the outcome itself: patients that :func:`nbrelapse.outcome` left out are left out of the
    features too, where its ``excluded`` accounts for each of them.

    Parameters
    ----------
    X : FeatureTable, DataFrame or array of shape (n_patients, n_features)
        Patient ids as index. An array has none: its rows are those of `y`.
    y : Outcome, Series or array of shape (n_patients,)
        An array has no ids: its entries are the rows of `X`.

    Returns
    -------
    DataFrame of shape (n_patients, n_features)
        In the order of `y`; the columns of an array are ``x0``, ``x1``, and so on.
    ndarray of shape (n_patients,)
        As in :class:`Outcome`, or what `y` held.

    Raises
    ------
    InputError
        Patients of one are not in the other, a patient stands twice, or, without ids, the lengths differ.

    Examples
    --------
    >>> X = pd.DataFrame({"alk__amplified": [1.0, 0.0, 0.0]}, index=["a", "b", "c"])
    >>> features, status = align_patients(X, pd.Series([0, 1, 0], index=["c", "b", "a"]))
    >>> features.index.tolist(), status.tolist()
    (['c', 'b', 'a'], [0, 1, 0])
    >>> align_patients(X, pd.Series([0, 1], index=["c", "b"]))
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: the patients of X and of y differ: 1 of X is not in y
      expected: the same patients in both, in any order
      fix: X.loc[y.index]
    """
    features = X.values if isinstance(X, FeatureTable) else X
    values, ids = _values_and_ids(y)
    if not isinstance(features, pd.DataFrame):
        array = np.asarray(features)
        if array.ndim != 2:
            raise InputError(f"X has {array.ndim} dimensions", expected="two: a row a patient, a column a feature")
        features, ids = pd.DataFrame(array, columns=[f"x{column}" for column in range(array.shape[1])]), None
    if ids is None:
        if values.shape[:1] != (len(features),):
            raise InputError(
                f"X has {len(features)} patients and y has {len(values) if values.ndim else 'one value'}",
                expected="the same number, in the same order",
                fix="give X as a table and y as an outcome or a Series: they are then matched by patient",
            )
        return features, values
    if features.index.equals(ids) and ids.is_unique:
        return features, values
    _refuse_duplicates(features.index, ids)
    _refuse_other_patients(X, y, features.index, ids)
    return features.loc[ids], values


def _values_and_ids(y: Any) -> tuple[np.ndarray, pd.Index | None]:
    if isinstance(y, Outcome):
        return y.y, y.patient_ids
    if isinstance(y, pd.Series):
        return y.to_numpy(), y.index
    return np.asarray(y), None


def _refuse_duplicates(of_x: pd.Index, of_y: pd.Index) -> None:
    for name, ids in (("X", of_x), ("y", of_y)):
        twice = int(ids.duplicated().sum())
        if twice:
            raise InputError(
                f"{name} has more than one row of a patient: {twice} of its {len(ids)} rows repeat an id",
                expected="a row a patient",
                fix="leave out the repeated rows; rows drawn more than once are given with y as an array",
            )


def _refuse_other_patients(X: Any, y: Any, of_x: pd.Index, of_y: pd.Index) -> None:
    """Raise where patients of one are not in the other, unless the outcome says that it has left them out."""
    only_x, only_y = int((~of_x.isin(of_y)).sum()), int((~of_y.isin(of_x)).sum())
    left_out = sum(y.excluded.values()) if isinstance(y, Outcome) else 0
    if only_y == 0 and only_x in (0, left_out):
        return
    counts = [
        f"{count} of {name} {'is' if count == 1 else 'are'} not in {other}"
        for count, name, other in ((only_x, "X", "y"), (only_y, "y", "X"))
        if count
    ]
    raise InputError(
        f"the patients of X and of y differ: {', '.join(counts)}",
        expected="the same patients in both, in any order",
        fix=_fix(X, y, bool(only_x), bool(only_y)),
    )


def _fix(X: Any, y: Any, more_in_x: bool, more_in_y: bool) -> str:
    """Return the call that keeps the patients which both have."""
    ids = "y.patient_ids" if isinstance(y, Outcome) else "y.index"
    take_x = "X.take({})" if isinstance(X, FeatureTable) else "X.loc[{}]"
    take_y = "y.take({})" if isinstance(y, Outcome) else "y.loc[{}]"
    if more_in_x and more_in_y:
        return f"both = X.index.intersection({ids}), then {take_x.format('both')} and {take_y.format('both')}"
    return take_x.format(ids) if more_in_x else take_y.format("X.index")
