"""Which mechanism the rows of layers and measured genes find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assay_rows
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import (
    OTHER,
    build_features,
    gene_places,
    layer_mechanisms,
    layers_read,
    load_catalogue,
    parse_catalogue,
    with_all_genes,
    with_layer_features,
)
from nbrelapse.mechanisms.catalogue import PriorKnowledge

SAMPLES = [f"s{number}" for number in range(4)]


def cohort_of(rows: list[str], about: dict[str, object], name: str = "x") -> Cohort:
    values = np.random.default_rng(0).normal(size=(len(rows), 4))
    return Cohort(
        "four",
        pd.DataFrame({"patient_id": SAMPLES}),
        pd.DataFrame({"sample_id": SAMPLES, "patient_id": SAMPLES, "timepoint": "diagnosis"}),
        assay_rows(SAMPLES, f"layer:{name}"),
        layers={name: pd.DataFrame(values, index=pd.Index(rows, name="feature"), columns=SAMPLES)},
        metadata={"layers": {name: {"unit": "log2", **about}}},
    )


def mechanisms(rows: list[str], **about: object) -> list[str]:
    sets = {"HALLMARK_MYC_TARGETS_V1": ["ODC1", "ALK"], "HALLMARK_KRAS_SIGNALING_UP": ["ODC1", "X1", "X2"]}
    catalogue = with_layer_features(load_catalogue(), cohort_of(rows, about), gene_sets=sets)
    found = {f.parameters["row"]: f.mechanism for f in catalogue.features.values() if f.builder == "layers"}
    return [found[row] for row in rows]


def test_by_gene_the_shortest_list_decides() -> None:
    rows = ["MYCN.a", "ODC1.a", "ALK.a", "ACTB.a", "GARBAGE", "ACTBandTERT.c", "ODC1andALK.b"]
    expected = ["mycn", "mycn", "alk", OTHER, OTHER, "telomere", "alk"]
    assert mechanisms(rows, mechanism="gene") == expected


def test_by_place_the_gene_that_it_overlaps_in_its_build_decides() -> None:
    start, end = gene_places("hg19").loc["MYCN", ["start", "end"]]
    rows = [
        f"chr2:{start - 9}-{start}",
        f"chr2:{end + 5}-{end - 5}",
        f"chr2:{end + 1}-{end + 9}",
        f"chr3:{start}-{end}",
    ]
    assert mechanisms(rows, mechanism="coordinates", genome_build="hg19") == ["mycn", "mycn", OTHER, OTHER]
    assert mechanisms(rows[:2], mechanism="coordinates", genome_build="hg38") == [OTHER, OTHER]


def test_by_gene_set_the_catalogue_decides_then_the_packaged_table() -> None:
    rows = [
        "HALLMARK_P53_PATHWAY",
        "myc targets v1",
        "CD8 T cells",
        "HALLMARK_NOTCH_SIGNALING",
        "HALLMARK_SPERMATOGENESIS",
    ]
    assert mechanisms(rows, mechanism="gene_set") == ["p53", "mycn", "microenvironment", "cell_state", OTHER]


def test_by_table() -> None:
    assert mechanisms(["r1", "r2"], mechanism="table", mechanisms={"alk": ["r2"]}) == [OTHER, "alk"]
    assert mechanisms(["r1"], mechanism="none") == [OTHER]
    with pytest.raises(InputError, match="a mechanism that does not exist: akl") as caught:
        mechanisms(["r1"], mechanism="table", mechanisms={"akl": ["r1"]})
    assert "alk" in str(caught.value.expected)


def test_names_are_legal_unique_and_survive_a_saved_model() -> None:
    rows = ["B cells", "B-cells", "B_cells", "+", "-", "x__y", "chr1:5-9", "é" * 300, "é" * 301, "a" * 300, "a" * 301]
    cohort = cohort_of(rows, {"mechanism": "none"})
    catalogue = with_layer_features(load_catalogue(), cohort)
    names = [name for name, feature in catalogue.features.items() if feature.builder == "layers"]
    assert len(names) == len(rows) and max(map(len, names)) < 130
    assert parse_catalogue(catalogue.to_document()) == catalogue
    kept = catalogue.subset(names[:2])
    assert list(kept.mechanisms) == [OTHER] and layers_read(kept) == ["x"]
    again = build_features(cohort, parse_catalogue(kept.to_document()))
    pd.testing.assert_frame_equal(again.values, build_features(cohort, catalogue).values[names[:2]])
    assert catalogue.mechanisms[OTHER].description == "Measured, and not tied to one mechanism."
    assert OTHER not in load_catalogue().mechanisms


def test_rows_that_say_nothing_become_no_features() -> None:
    cohort = cohort_of(["flat", "empty", "fine"], {"mechanism": "none"})
    values = cohort.layers["x"].copy()
    values.loc["flat"], values.loc["empty"] = 3.0, np.nan
    found = with_layer_features(load_catalogue(), replace(cohort, layers={"x": values}))
    assert [f.parameters["row"] for f in found.features.values() if f.builder == "layers"] == ["fine"]


def test_layers_are_chosen_by_name() -> None:
    cohort = cohort_of(["r"], {"mechanism": "none"})
    assert with_layer_features(load_catalogue(), cohort, []).features.keys() == load_catalogue().features.keys()
    with pytest.raises(InputError, match="the cohort has no layer y") as caught:
        with_layer_features(load_catalogue(), cohort, ["x", "y"])
    assert caught.value.expected == "x"


def test_a_layer_is_a_block_of_its_own_in_each_mechanism() -> None:
    catalogue = with_layer_features(load_catalogue(), cohort_of(["MYCN.a"], {"mechanism": "gene"}))
    catalogue = with_all_genes(catalogue, ["MYCN"])
    prior = PriorKnowledge.of_catalogue(catalogue, ["mycn__x_MYCN.a", "mycn__gene_MYCN"], "efs")
    assert prior.blocks == {"mycn__x_MYCN.a": "mycn layer:x", "mycn__gene_MYCN": "mycn genes"}


def test_all_genes() -> None:
    catalogue = with_all_genes(
        load_catalogue(), ["ACTB", "NMYC", "CDKN1A", "IGH@"], {"HALLMARK_P53_PATHWAY": ["CDKN1A"]}
    )
    genes = {f.parameters["gene"]: name for name, f in catalogue.features.items() if f.role == "gene"}
    expected = {
        "ACTB": "other__gene_ACTB",
        "MYCN": "mycn__gene_MYCN",
        "CDKN1A": "p53__gene_CDKN1A",
        "IGH@": "other__gene_IGH",
    }
    assert genes == expected
    assert parse_catalogue(catalogue.to_document()) == catalogue


def test_counts_by_mechanism() -> None:
    counts = layer_mechanisms(cohort_of(["MYCN.a", "ALK.a", "ALK.b", "z"], {"mechanism": "gene"}), load_catalogue())
    assert counts["x"][counts["x"] > 0].to_dict() == {"mycn": 1, "alk": 2, "other": 1}
    assert counts.index[-1] == OTHER
