"""Features of a cohort: a row a patient, a column a mechanism's feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import counted
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue


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
                mend="build the features of a cohort that has them, or leave them out",
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
                mend="correct the name",
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
