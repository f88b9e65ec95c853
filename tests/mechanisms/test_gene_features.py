from __future__ import annotations

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.mechanisms.gene_features import with_gene_features
from nbrelapse.mechanisms.prior_knowledge import PriorKnowledge

SETS = {"HALLMARK_P53_PATHWAY": ["CDKN1A", "BAX", "MDM2"], "HALLMARK_APOPTOSIS": ["BAX"], "MINE": ["ACTB"]}


def cohort() -> Cohort:
    return Cohort(
        "one",
        pd.DataFrame({"patient_id": ["p1", "p2"]}),
        pd.DataFrame({"sample_id": ["s1"], "patient_id": ["p1"], "timepoint": ["diagnosis"]}),
        pd.DataFrame({"sample_id": ["s1"], "assay": ["expression"], "genome_build": [None], "panel": [None]}),
        expression=pd.DataFrame({"s1": [9.0, 2.0, 7.0, 1.0]}, index=["BAX", "CDKN1A", "ACTB", "GAPDH"]),
    )


def test_measured_genes_of_named_sets_become_features():
    catalogue = with_gene_features(load_catalogue(), SETS, cohort().expression.index)
    found = {name: feature for name, feature in catalogue.features.items() if feature.role == "gene"}
    assert set(found) == {"p53__gene_BAX", "p53__gene_CDKN1A"}
    assert {feature.mechanism for feature in found.values()} == {"p53"}


def test_their_values_are_ranks_within_the_sample():
    catalogue = with_gene_features(load_catalogue(), SETS, cohort().expression.index)
    table = build_features(cohort(), catalogue, SETS)
    assert table.values["p53__gene_BAX"].tolist()[0] == 0.875
    assert table.values["p53__gene_BAX"].isna().tolist() == [False, True]
    assert "p53__gene_BAX" in table.model_columns()


def test_they_are_a_block_of_their_own_and_survive_a_bundle():
    catalogue = with_gene_features(load_catalogue(), SETS, cohort().expression.index)
    prior = PriorKnowledge.of_catalogue(catalogue, ["p53__gene_BAX", "p53__activity"], "efs")
    assert prior.blocks == {"p53__gene_BAX": "p53 genes", "p53__activity": "p53 expression"}
    assert catalogue.subset(["p53__gene_BAX"]).to_document()["p53"]["gene_BAX"]["role"] == "gene"
