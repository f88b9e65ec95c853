from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.mechanisms.builders import expression
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, PriorKnowledge
from nbrelapse.mechanisms.gene_sets import assay_coverage, covers_all, genes_found, read_gene_sets, with_gene_features


def test_table(tmp_path: Path) -> None:
    file = tmp_path / "sets.tsv"
    file.write_text(
        "# a paper\ngene_set\tHugo_Symbol\tsource\nMES\tPRRX1\tx\nADRN\tPHOX2B\tx\nMES\tFOSL1\tx\nMES\tPRRX1\ty\n"
    )
    assert read_gene_sets(file) == {"MES": ["PRRX1", "FOSL1"], "ADRN": ["PHOX2B"]}


def test_gmt(tmp_path: Path) -> None:
    file = tmp_path / "sets.gmt"
    file.write_text("MES\thttps://example.org\tPRRX1\tFOSL1\t\n\nADRN\t\tPHOX2B\tPHOX2B\r\n")
    assert read_gene_sets(file) == {"MES": ["PRRX1", "FOSL1"], "ADRN": ["PHOX2B"]}


def test_symbols_stay_as_published(tmp_path: Path) -> None:
    file = tmp_path / "sets.gmt"
    file.write_text("ADRN\tsource\tC11orf95\tODZ3\tTENM3\n")
    assert read_gene_sets(file) == {"ADRN": ["C11orf95", "ODZ3", "TENM3"]}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("sets.gmt", "MES\tonly a description\n", "rows: 1"),
        ("sets.tsv", "set\tgene\nMES\tPRRX1\n", "gene_set, Hugo_Symbol"),
        ("sets.tsv", "gene_set\tHugo_Symbol\nMES\tPRRX1\nMES\n", "rows: 2"),
        ("sets.tsv", "gene_set\tHugo_Symbol\n", "no genes"),
        ("sets.tsv", "", "gene_set, Hugo_Symbol"),
        ("sets.tsv", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_gene_sets(file)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_gene_sets(tmp_path / "none.gmt")
    (tmp_path / "sets.gmt").write_bytes(b"\x1f\x8b\xff")
    with pytest.raises(InputError, match="gzip file is damaged"):
        read_gene_sets(tmp_path / "sets.gmt")


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
    index=["NMYC", "ALK", "G1", "G2", "NONE3"],
)


def test_genes_are_counted_by_current_symbol_and_by_value() -> None:
    catalogue = catalogue_of(
        one={"gene": "MYCN"},
        some={"genes": ["MYCN", "ALK", "G1", "G2", "NONE3", "PHB"]},
        twice={"genes": ["MYCN", "NMYC"]},
        none={"gene": "G9"},
    )
    expected = pd.DataFrame(
        {
            "mechanism": "m",
            "genes_asked": [1, 6, 1, 1],
            "genes_measured": [1, 4, 1, 0],
            "share": [1.0, 4 / 6, 1.0, 0.0],
            "missing": ["", "NONE3, PHB1", "", "G9"],
            "scorable": [True, True, True, False],
        },
        index=pd.Index(["m__one", "m__some", "m__twice", "m__none"], name="feature"),
    )
    pd.testing.assert_frame_equal(genes_found(cohort_of(MATRIX), catalogue), expected)


def test_both_sides_of_a_score_must_be_found() -> None:
    catalogue = catalogue_of(
        half={"genes": ["ALK", "G1"], "genes_down": ["NONE3", "G2"]},
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


COVERAGE = pd.DataFrame({"panel": ["P", "Q", "unlisted", None]}, index=["p0", "p1", "p2", "p3"])
PANELS = pd.DataFrame({"panel": ["P", "P", "Q"], "gene": ["ALK", "MLL", "ALK"]})


def test_the_diagnosis_sample_and_how_it_was_looked_at() -> None:
    cohort = Cohort(
        "three",
        pd.DataFrame({"patient_id": ["p1", "p0", "p2"]}),
        pd.DataFrame(
            {
                "sample_id": ["s0", "s0-relapse", "s1", "s2"],
                "patient_id": ["p0", "p0", "p1", "p2"],
                "timepoint": ["diagnosis", "relapse", "diagnosis", "diagnosis"],
            }
        ),
        pd.DataFrame(
            {
                "sample_id": ["s0", "s0-relapse", "s1", "s2"],
                "assay": ["mutations", "mutations", "mutations", "expression"],
                "genome_build": ["hg19", "hg19", "hg19", None],
                "panel": ["P", None, None, None],
                "covered_mb": [1.5, 30.0, np.nan, np.nan],
            }
        ),
    )
    found = assay_coverage(cohort, "mutations")
    assert found.index.tolist() == ["p1", "p0"]
    assert found["sample_id"].tolist() == ["s1", "s0"]
    assert found["panel"].isna().tolist() == [True, False]
    assert found["genome_build"].tolist() == ["hg19", "hg19"]
    np.testing.assert_array_equal(found["covered_mb"], [np.nan, 1.5])


def test_assays_without_a_size_or_a_panel() -> None:
    cohort = Cohort(
        "one",
        pd.DataFrame({"patient_id": ["p0"]}),
        pd.DataFrame({"sample_id": ["s0"], "patient_id": ["p0"], "timepoint": ["diagnosis"]}),
        pd.DataFrame({"sample_id": ["s0"], "assay": ["mutations"]}),
    )
    assert assay_coverage(cohort, "mutations")[["panel", "genome_build", "covered_mb"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("genes", "expected"),
    [
        (["ALK"], [True, True, False, True]),
        (["ALK", "KMT2A"], [True, False, False, True]),
        (["MLL"], [True, False, False, True]),
        (["KMT2A", "MLL"], [True, False, False, True]),
        (["TP53"], [False, False, False, True]),
        (None, [False, False, False, True]),
    ],
)
def test_a_panel_covers_its_genes_under_any_of_their_names(genes: list[str] | None, expected: list[bool]) -> None:
    found = covers_all(COVERAGE, PANELS, genes)
    assert found.tolist() == expected
    assert found.index.tolist() == COVERAGE.index.tolist()


def test_a_gene_that_a_panel_lists_by_both_names_is_one() -> None:
    panels = pd.DataFrame({"panel": "P", "gene": ["KMT2A", "MLL"]})
    assert covers_all(COVERAGE[:1], panels, ["KMT2A"]).tolist() == [True]
    assert covers_all(COVERAGE[:1], panels, ["KMT2A", "ALK"]).tolist() == [False]


def test_without_lists_a_panel_covers_nothing() -> None:
    assert covers_all(COVERAGE, None, ["ALK"]).tolist() == [False, False, False, True]
