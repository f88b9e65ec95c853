"""Features of a cohort: a row a patient, a column a mechanism's feature."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nbrelapse.mechanisms.catalogue import Catalogue


@dataclass(frozen=True)
class FeatureTable:
    """The encoded molecular characterization of a cohort.

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
    >>> FeatureTable(values, load_catalogue()).mechanisms.to_dict()
    {'mycn__amplified': 'mycn'}
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

    def model_columns(self) -> list[str]:
        """Columns that may enter a model: not the clinical groupings kept for comparison."""
        return [name for name in self.values.columns if self.catalogue.features[name].role != "baseline"]
