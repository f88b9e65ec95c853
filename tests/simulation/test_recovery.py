"""What is simulated can be found again by the feature builders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.simulation import read_truth, write_raw_files
from nbrelapse.simulation.genomes import draw_segments
from nbrelapse.simulation.patients import draw_patients, load_calibration

N_PATIENTS, SEED = 800, 9
CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What was drawn, the features that were built, the truth."""
    folder: Path = write_raw_files(tmp_path_factory.mktemp("simulated") / "study", N_PATIENTS, SEED)
    stream = np.random.default_rng(SEED).spawn(10)[0]
    drawn = draw_patients(stream, N_PATIENTS, load_calibration())
    features = build_features(import_cbioportal(folder)).values
    return drawn.set_index(features.index), features, read_truth(folder)


@pytest.mark.parametrize(
    ("feature", "alteration"),
    [
        ("mycn__amplified", "mna"),
        ("alk__hotspot_mutation", "alk_hotspot"),
        ("p53__tp53_mutation", "tp53_mutated"),
        ("ras_mapk__activating_mutation", "ras_activated"),
        ("ras_mapk__nf1_truncating", "nf1_truncated"),
        ("telomere__tert_rearrangement", "tert_rearranged"),
        ("telomere__atrx_deletion", "atrx_deleted"),
        ("telomere__atrx_daxx_truncating", "atrx_truncated"),
        ("instability__hyperdiploid", "hyperdiploid"),
    ],
)
def test_alterations_are_found_exactly(simulated: tuple[pd.DataFrame, ...], feature: str, alteration: str) -> None:
    drawn, features, _ = simulated
    found = features[feature].dropna()
    assert len(found) > 0.5 * N_PATIENTS
    assert found.sum() > 0
    pd.testing.assert_series_equal(found, drawn.loc[found.index, alteration].astype(float), check_names=False)


@pytest.mark.parametrize("arm", ["loss_1p", "loss_3p", "loss_4p", "loss_11q", "gain_1q", "gain_2p", "gain_17q"])
def test_segmental_aberrations_are_found(simulated: tuple[pd.DataFrame, ...], arm: str) -> None:
    drawn, features, _ = simulated
    found = features[f"instability__{arm}"].dropna()
    assert (found == drawn.loc[found.index, arm]).mean() > 0.97


def test_features_hold_the_truth_of_each_mechanism(simulated: tuple[pd.DataFrame, ...]) -> None:
    """The best linear combination of a mechanism's features is all but its true contribution."""
    _, features, truth = simulated
    for mechanism in truth.columns.drop("microenvironment"):
        own = [
            name
            for name in features
            if CATALOGUE.features[name].mechanism == mechanism
            and CATALOGUE.features[name].role == "feature"
            and features[name].notna().mean() > 0.5
        ]
        known = features[own].dropna()
        design = np.column_stack([np.ones(len(known)), known])
        target = truth.loc[known.index, mechanism].to_numpy()
        fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        assert np.corrcoef(fitted, target)[0, 1] > 0.95, mechanism


def test_every_gene_of_the_catalogues_expression_features_is_simulated(tmp_path: Path) -> None:
    folder = write_raw_files(tmp_path / "study", 20, 0)
    simulated_genes = set(
        pd.read_csv(folder / "data_mrna_seq_rpkm.txt", sep="\t", usecols=["Hugo_Symbol"])["Hugo_Symbol"]
    )
    wanted: set[str] = set()
    for definition in CATALOGUE.by_builder("expression"):
        wanted |= set(definition.parameters.get("genes", []))
        wanted |= {definition.parameters["gene"]} if "gene" in definition.parameters else set()
    assert wanted - simulated_genes == set()


def test_segments_tile_the_chromosomes_at_the_expected_levels() -> None:
    drawn = draw_patients(np.random.default_rng(0), 50, load_calibration())
    for name in ("loss_11q", "loss_1p", "gain_17q", "gain_1q", "gain_2p", "loss_3p", "loss_4p", "loss_6q_distal"):
        drawn[name] = 0
    drawn = drawn.assign(loss_11q=1, hyperdiploid=0, mna=1, other_amplified=0, purity=0.8)
    drawn["sample_id"] = [f"s{number}" for number in range(50)]
    table = draw_segments(np.random.default_rng(1), drawn)
    assert set(table["chrom"]) == {*map(str, range(1, 23)), "X"}
    gaps = table["loc.start"] - table.groupby(["ID", "chrom"])["loc.end"].shift()
    assert ((gaps.dropna() >= 1) & (gaps.dropna() < 60_000)).all()
    distal = table[(table["chrom"] == "11") & (table["loc.end"] == 135_006_516)]
    assert len(distal) == 50
    assert distal["loc.start"].between(71e6, 135e6).all()
    # One copy of two in 80% of the cells: log2(0.8 * 0.5 + 0.2).
    assert distal["seg.mean"].median() == pytest.approx(np.log2(0.6), abs=0.02)
    mycn = table[(table["chrom"] == "2") & (table["loc.start"] < 16_080_686) & (table["loc.end"] > 16_087_129)]
    assert len(mycn) == 50
    assert mycn["seg.mean"].min() > np.log2(0.8 * 7 + 0.2) - 0.2
