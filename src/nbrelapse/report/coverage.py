"""How much of each feature is known."""

from __future__ import annotations

import pandas as pd

from nbrelapse.mechanisms.feature_table import FeatureTable


def coverage_table(table: FeatureTable) -> pd.DataFrame:
    """Share of patients with a value, feature by feature.

    Parameters
    ----------
    table : FeatureTable

    Returns
    -------
    DataFrame
        Index ``feature``: ``mechanism``, ``title``, ``assay`` and ``observed`` (0 to 1).
    """
    definitions = [table.catalogue.features[name] for name in table.values.columns]
    return pd.DataFrame(
        {
            "mechanism": [definition.mechanism for definition in definitions],
            "title": [definition.title for definition in definitions],
            "assay": [definition.assay for definition in definitions],
            "observed": table.values.notna().mean().to_numpy(),
        },
        index=pd.Index(table.values.columns, name="feature"),
    )
