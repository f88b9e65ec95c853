from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.builders import expression
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition
from nbrelapse.mechanisms.genes_found import genes_found


def cohort_of(matrix: pd.DataFrame | None) -> Cohort:
    samples = [] if matrix is None else list(matrix.columns)
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": ["a", "b"]}),
        pd.DataFrame({"sample_id": samples, "patient_id": ["a", "b"][: len(samples)], "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "expression"}),
        expression=matrix,
    )


def catalogue_of(**entries: dict[str, object]) -> Catalogue:
    features = {
        f"m__{name}": FeatureDefinition(f"m__{name}", "m", name, "", "expression", "score", "expression", parameters)
        for name, parameters in entries.items()
    }
    return Catalogue("1", {}, features)


MATRIX = pd.DataFrame(
    {"s1": [1.0, 2.0, 3.0, np.nan, np.nan], "s2": [1.0, 2.0, np.nan, 4.0, np.nan]},
    index=["NMYC", "ALK", "G1", "G2", "G3"],
)


def test_genes_are_counted_by_current_symbol_and_by_value() -> None:
    catalogue = catalogue_of(
        one={"gene": "MYCN"},
        some={"genes": ["MYCN", "ALK", "G1", "G2", "G3", "PHB"]},
        twice={"genes": ["MYCN", "NMYC"]},
        none={"gene": "G9"},
    )
    expected = pd.DataFrame(
        {
            "mechanism": "m",
            "genes_asked": [1, 6, 1, 1],
            "genes_measured": [1, 4, 1, 0],
            "share": [1.0, 4 / 6, 1.0, 0.0],
            "missing": ["", "G3, PHB1", "", "G9"],
            "scorable": [True, True, True, False],
        },
        index=pd.Index(["m__one", "m__some", "m__twice", "m__none"], name="feature"),
    )
    pd.testing.assert_frame_equal(genes_found(cohort_of(MATRIX), catalogue), expected)


def test_both_sides_of_a_score_must_be_found() -> None:
    catalogue = catalogue_of(
        half={"genes": ["ALK", "G1"], "genes_down": ["G3", "G2"]},
        up={"genes": ["ALK", "G1"]},
        down={"genes": ["G8", "G9"]},
        difference={"difference": ["m__up", "m__down"]},
    )
    table = genes_found(cohort_of(MATRIX), catalogue)
    assert table["scorable"].to_dict() == {"m__half": False, "m__up": True, "m__down": False, "m__difference": False}
    assert table.loc["m__difference", ["genes_asked", "genes_measured", "missing"]].tolist() == [4, 2, "G8, G9"]


def test_gene_sets_and_what_is_computed_from_them_need_the_set() -> None:
    catalogue = catalogue_of(
        set={"gene_set": "UP"},
        pair={"gene_set": "UP", "gene_set_down": "DOWN"},
        fixed={"genes": ["ALK", "G1"]},
        difference={"difference": ["m__set", "m__fixed"]},
    )
    assert genes_found(cohort_of(MATRIX), catalogue).index.tolist() == ["m__fixed"]
    table = genes_found(cohort_of(MATRIX), catalogue, {"UP": ["MYCN", "G9"]})
    assert table.index.tolist() == ["m__set", "m__fixed", "m__difference"]
    assert table["missing"].tolist() == ["G9", "", "G9"]


@pytest.mark.parametrize("matrix", [None, MATRIX.iloc[:0]])
def test_without_expression_nothing_is_scorable(matrix: pd.DataFrame | None) -> None:
    table = genes_found(cohort_of(matrix))
    assert not table["scorable"].any()
    assert (table["genes_measured"] == 0).all()
    assert len(table) > 15


def test_genes_measured_only_at_relapse_do_not_count() -> None:
    cohort = cohort_of(MATRIX)
    cohort.samples["timepoint"] = ["diagnosis", "relapse"]
    catalogue = catalogue_of(g1={"gene": "G1"}, g2={"gene": "G2"})
    assert genes_found(cohort, catalogue)["scorable"].tolist() == [True, False]


def test_scorable_features_are_those_with_a_value() -> None:
    catalogue = load_catalogue()
    genes = [gene for entry in catalogue.by_builder("expression") for gene in entry.parameters.get("genes", [])[:7]]
    matrix = pd.DataFrame({"s1": np.arange(len(set(genes)), dtype=float)}, index=pd.Index(genes).unique())
    scorable = genes_found(cohort_of(matrix), catalogue)["scorable"]
    built = expression.build(cohort_of(matrix), [catalogue.features[name] for name in scorable.index]).notna().any()
    assert scorable.any()
    assert not scorable.all()
    assert built.to_dict() == scorable.to_dict()
