from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.families import create_model
from nbrelapse.scoring import Bundle, make_bundle


@pytest.mark.parametrize("family", ["cox", "boosted"])
def test_the_schema_describes_the_training_values(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], family: str
) -> None:
    X, _ = training
    schema = bundles[family].schema
    assert list(schema.index) == list(X.columns)
    assert schema.loc["mycn__amplified", ["mechanism", "assay", "low", "high"]].tolist() == ["mycn", "fish", 0.0, 1.0]
    assert schema.loc["clinical__log2_age", "low"] == X["clinical__log2_age"].min()
    assert schema.loc["clinical__log2_age", "observed"] == X["clinical__log2_age"].notna().mean()


def test_only_what_is_read_is_kept(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["cox"]
    # adrn_minus_mes is a difference of two other entries, without which it cannot be computed.
    assert set(bundle.catalogue.features) == {
        "mycn__amplified",
        "instability__loss_11q",
        "cell_state__adrn_minus_mes",
        "cell_state__adrenergic",
        "cell_state__mesenchymal",
        "clinical__log2_age",
    }
    assert set(bundle.catalogue.mechanisms) == {"mycn", "instability", "cell_state", "clinical"}
    assert bundle.gene_sets == {}
    assert bundle.mechanisms == ["mycn", "instability", "cell_state", "clinical"]


def test_the_gene_sets_that_are_read_are_kept(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = training
    catalogue = load_catalogue()
    name = next(name for name, definition in catalogue.features.items() if "gene_set_down" in definition.parameters)
    up, down = (catalogue.features[name].parameters[key] for key in ("gene_set", "gene_set_down"))
    X = X.assign(**{name: np.linspace(-1, 1, len(X))})
    bundle = make_bundle(
        "efs",
        create_model("cox", columns=[name]).fit(X, y),
        X,
        refits=(),
        references={},
        catalogue=catalogue,
        gene_sets={up: ["A"], down: ["B"], "ANOTHER": ["C"]},
        training={},
    )
    assert bundle.gene_sets == {up: ["A"], down: ["B"]}
