from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Catalogue, build_features, load_catalogue


@pytest.fixture
def clinical_only() -> Cohort:
    return Cohort(
        "two",
        pd.DataFrame({"patient_id": ["p2", "p1"], "mycn_status": ["amplified", "not_amplified"]}),
        pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str"),
        pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str"),
    )


def test_absent_tables_give_missing_values_in_catalogue_order(clinical_only: Cohort) -> None:
    table = build_features(clinical_only)
    catalogue = load_catalogue()
    expected = [name for name, entry in catalogue.features.items() if "gene_set" not in entry.parameters]
    assert list(table.values.columns) == expected
    assert list(table.catalogue.features) == expected
    assert table.values.index.tolist() == ["p2", "p1"]
    assert set(table.values.dtypes.astype(str)) == {"float64"}
    assert table.values["mycn__amplified"].tolist() == [1.0, 0.0]
    molecular = [name for name in expected if catalogue.features[name].assay not in ("clinical", "fish")]
    assert len(molecular) > 40
    assert table.values[molecular].isna().all(axis=None)


def test_features_of_a_gene_set_appear_with_it(clinical_only: Cohort) -> None:
    catalogue = load_catalogue()
    wanting = {entry.parameters["gene_set"] for entry in catalogue.features.values() if "gene_set" in entry.parameters}
    signature = replace(
        catalogue.features["mycn__amplified"],
        name="cell_state__of_a_set",
        builder="expression",
        assay="expression",
        parameters={"gene_set": "MINE"},
    )
    catalogue = Catalogue("1", catalogue.mechanisms, {signature.name: signature})
    assert "MINE" not in wanting
    assert build_features(clinical_only, catalogue).values.shape == (2, 0)
    found = build_features(clinical_only, catalogue, {"MINE": ["PHOX2B", "GATA3"]})
    assert list(found.values.columns) == ["cell_state__of_a_set"]


def test_a_builder_that_does_not_exist_is_refused(clinical_only: Cohort) -> None:
    catalogue = load_catalogue()
    entry = replace(catalogue.features["mycn__amplified"], builder="methylation")
    with pytest.raises(InputError, match="methylation"):
        build_features(clinical_only, Catalogue("1", catalogue.mechanisms, {entry.name: entry}))


def test_a_feature_that_lacks_a_gene_set_is_left_out_with_what_is_computed_from_it(clinical_only: Cohort) -> None:
    packaged = load_catalogue()
    score = packaged.features["cell_state__adrenergic"]
    entries = [
        replace(score, name="cell_state__both", parameters={"gene_set": "UP", "gene_set_down": "DOWN"}),
        replace(score, name="cell_state__up", parameters={"gene_set": "UP"}),
        replace(score, name="cell_state__gap", parameters={"difference": ["cell_state__both", "cell_state__up"]}),
        replace(score, name="cell_state__any", builder="combination", parameters={"first_known": ["cell_state__gap"]}),
    ]
    catalogue = Catalogue("1", packaged.mechanisms, {entry.name: entry for entry in entries})
    up = build_features(clinical_only, catalogue, {"UP": ["PHOX2B"]})
    assert list(up.values.columns) == list(up.catalogue.features) == ["cell_state__up"]
    both = build_features(clinical_only, catalogue, {"UP": ["PHOX2B"], "DOWN": ["PRRX1"]})
    assert list(both.values.columns) == [entry.name for entry in entries]
    assert both.catalogue.features["cell_state__both"].parameters == {"gene_set": "UP", "gene_set_down": "DOWN"}


def test_combinations_read_what_the_other_builders_built(clinical_only: Cohort) -> None:
    catalogue = load_catalogue().subset(["mycn__any_amplification"])
    table = build_features(clinical_only, catalogue)
    assert table.values["mycn__any_amplification"].tolist() == [1.0, 0.0]
    assert list(table.values.columns) == list(catalogue.features)


def test_a_misspelt_parameter_is_refused(clinical_only: Cohort, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[alk.hotspot_mutation]\nprotein_change = ["F1174*"]\n')
    with pytest.raises(InputError, match="the builder mutations does not read protein_change") as error:
        build_features(clinical_only, load_catalogue(tmp_path / "my.toml"))
    assert error.value.column == "[alk.hotspot_mutation]"
    assert "protein_changes" in str(error.value.expected)
