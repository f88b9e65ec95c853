from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features
from nbrelapse.mechanisms.builders import expression
from nbrelapse.mechanisms.builders.expression import _within_sample_ranks
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, load_catalogue

CATALOGUE = load_catalogue()
DATA = Path(os.environ.get("NBRELAPSE_DATA", Path(__file__).parents[4] / "shared" / "data"))


def definition(name: str, **parameters: object) -> FeatureDefinition:
    return FeatureDefinition(name, "m", name, "", "expression", "score", "expression", parameters)


def cohort_of(matrix: pd.DataFrame | None, patients: list[str] | None = None) -> Cohort:
    """A sample ``s_X`` for each patient X; patients beyond the matrix have no expression."""
    samples = [] if matrix is None else list(matrix.columns)
    owners = [sample.removeprefix("s_") for sample in samples]
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": patients or owners}),
        pd.DataFrame({"sample_id": samples, "patient_id": owners, "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "expression"}),
        expression=matrix,
    )


FOUR = pd.DataFrame({"s_a": [1.0, 2.0, 3.0, 4.0], "s_b": [9.0, 9.0, 0.5, 7.0]}, index=["G1", "G2", "G3", "G4"])


def test_one_gene_is_its_rank_percentile() -> None:
    table = expression.build(cohort_of(FOUR), [definition("m__g", gene="G4"), definition("m__no", gene="G9")])
    np.testing.assert_array_equal(table["m__g"], [0.875, 0.375])
    assert table["m__no"].isna().all()


def test_ties_share_their_mean_rank() -> None:
    table = expression.build(cohort_of(FOUR), [definition("m__g", gene="G1")])
    np.testing.assert_array_equal(table["m__g"], [0.125, (3.5 - 0.5) / 4])


def test_signature_is_the_mean_centred_percentile_up_minus_down() -> None:
    definitions = [
        definition("m__up", genes=["G3", "G4"]),
        definition("m__all", genes=["G1", "G2", "G3", "G4"]),
        definition("m__both", genes=["G3", "G4"], genes_down=["G1", "G2"]),
    ]
    table = expression.build(cohort_of(FOUR), definitions)
    np.testing.assert_array_equal(table["m__up"], [0.25, -0.25])
    np.testing.assert_array_equal(table["m__all"], [0.0, 0.0])
    np.testing.assert_array_equal(table["m__both"], [0.5, -0.5])


def test_gene_sets_come_from_the_user() -> None:
    definitions = [
        definition("m__set", gene_set="UP"),
        definition("m__difference", gene_set="UP", gene_set_down="DOWN"),
        definition("m__half", gene_set="UP", gene_set_down="ABSENT"),
    ]
    catalogue = Catalogue("1", {}, {entry.name: entry for entry in definitions})
    table = build_features(cohort_of(FOUR), catalogue, {"UP": ["G3", "G4"], "DOWN": ["G1", "G2"]}).values
    assert list(table.columns) == ["m__set", "m__difference"]
    np.testing.assert_array_equal(table["m__set"], [0.25, -0.25])
    np.testing.assert_array_equal(table["m__difference"], [0.5, -0.5])


def test_difference_of_two_entries_whatever_their_order() -> None:
    definitions = [
        definition("m__d", difference=["m__up", "m__down"]),
        definition("m__up", genes=["G3", "G4"]),
        definition("m__down", genes=["G1", "G2"]),
        definition("m__lost", difference=["m__up", "m__absent"]),
    ]
    table = expression.build(cohort_of(FOUR), definitions)
    assert list(table.columns) == ["m__d", "m__up", "m__down", "m__lost"]
    np.testing.assert_array_equal(table["m__d"], [0.5, -0.5])
    assert table["m__lost"].isna().all()


@pytest.mark.parametrize(
    ("size", "found", "scored"),
    [(2, 1, False), (2, 2, True), (8, 2, True), (9, 2, False), (200, 7, False), (200, 8, True), (1, 1, True)],
)
def test_too_few_measured_genes_give_nan(size: int, found: int, scored: bool) -> None:
    matrix = pd.DataFrame({"s_a": np.arange(20.0)}, index=[f"G{number}" for number in range(20)])
    genes = [*matrix.index[:found], *(f"X{number}" for number in range(size - found))]
    table = expression.build(cohort_of(matrix), [definition("m__s", genes=genes)])
    assert table["m__s"].notna().item() is scored


def test_genes_missing_in_one_sample_are_left_out_there() -> None:
    matrix = FOUR.assign(s_b=[1.0, 2.0, np.nan, 4.0])
    table = expression.build(cohort_of(matrix), [definition("m__s", genes=["G2", "G3", "G4"])])
    np.testing.assert_array_equal(table["m__s"], [(3 - 0.5) / 4 - 0.5, (2.5 - 0.5) / 3 - 0.5])


def test_repeated_symbols_are_averaged() -> None:
    matrix = pd.DataFrame({"s_a": [1.0, 5.0, 3.5, 2.0]}, index=["G1", "G1", "G2", "G3"])
    table = expression.build(cohort_of(matrix), [definition("m__g", gene="G1"), definition("m__h", gene="G3")])
    np.testing.assert_allclose(table.to_numpy(), [[1.5 / 3, 0.5 / 3]], rtol=0, atol=1e-15)


def percentiles(symbols: list[str | None], values: list[float], **genes: str) -> dict[str, float]:
    """Percentile of genes in one sample, by a name of one's own."""
    matrix = pd.DataFrame({"s_a": values}, index=pd.Index(symbols, dtype="str"))
    definitions = [definition(f"m__{name}", gene=gene) for name, gene in genes.items()]
    row = expression.build(cohort_of(matrix), definitions).iloc[0]
    return {name: row[f"m__{name}"] for name in genes}


def test_a_former_symbol_in_the_matrix_is_the_gene() -> None:
    assert percentiles(["NMYC", "ALK", "KIAA1455", "X1"], [4.0, 3.0, 2.0, 1.0], mycn="MYCN", tenm3="TENM3") == {
        "mycn": 0.875,
        "tenm3": 0.375,
    }


def test_a_former_symbol_in_the_catalogue_is_the_gene() -> None:
    assert percentiles(["KMT2A", "ALK"], [4.0, 3.0], mll="MLL", p14="p14ARF")["mll"] == 0.75
    assert percentiles(["CDKN2A", "ALK"], [1.0, 3.0], p14="p14ARF")["p14"] == 0.25


def test_former_symbols_on_both_sides_meet() -> None:
    assert percentiles(["C11ORF95", "ALK"], [1.0, 3.0], zfta="C11orf95")["zfta"] == 0.25


def test_a_current_symbol_is_never_taken_for_another_gene() -> None:
    # DEC1 is an alias of BHLHE40 and the former symbol of DELEC1: it is not known which is meant. FEV is itself.
    found = percentiles(["BHLHE40", "FEV", "DEC1"], [3.0, 2.0, 1.0], bhlhe40="BHLHE40", fev="FEV", delec1="DELEC1")
    assert found == pytest.approx({"bhlhe40": 2.5 / 3, "fev": 0.5, "delec1": np.nan}, nan_ok=True)


def test_the_current_symbol_wins_over_a_former_one() -> None:
    # Without the row NMYC three genes are ranked.
    assert percentiles(["NMYC", "MYCN", "X1", "X2"], [9.0, 1.0, 2.0, 3.0], mycn="MYCN")["mycn"] == 0.5 / 3


def test_two_former_symbols_of_a_gene_are_averaged() -> None:
    # MLL and TRX1 are both KMT2A: (1 + 4) / 2 = 2.5 lies between 2 and 3.
    assert percentiles(["MLL", "TRX1", "X1", "X2"], [1.0, 4.0, 2.0, 3.0], kmt2a="KMT2A")["kmt2a"] == 1.5 / 3


def test_averages_leave_unknown_values_out() -> None:
    symbols, nan = ["G1", "G1", "G2", "G2", "G3"], np.nan
    found = percentiles(symbols, [nan, 2.0, nan, nan, 1.0], g1="G1", g2="G2", g3="G3")
    assert found["g1"] == 0.75
    assert found["g3"] == 0.25
    assert np.isnan(found["g2"])


def test_rows_without_a_symbol_are_not_ranked() -> None:
    assert percentiles(["G1", None, "G2"], [1.0, 2.0, 3.0], g2="G2")["g2"] == 0.75


def test_an_alias_and_its_gene_in_a_signature_count_once() -> None:
    once, twice = definition("m__once", genes=["MYCN", "ALK"]), definition("m__twice", genes=["MYCN", "NMYC", "ALK"])
    matrix = pd.DataFrame({"s_a": [1.0, 2.0, 3.0]}, index=["MYCN", "ALK", "G1"])
    table = expression.build(cohort_of(matrix), [once, twice])
    np.testing.assert_array_equal(table["m__once"], table["m__twice"])


def test_a_gene_listed_twice_counts_once() -> None:
    once, twice = definition("m__once", genes=["G3", "G4"]), definition("m__twice", genes=["G3", "G4", "G4"])
    table = expression.build(cohort_of(FOUR), [once, twice])
    np.testing.assert_array_equal(table["m__once"], table["m__twice"])


def test_patients_without_expression_are_nan() -> None:
    table = expression.build(cohort_of(FOUR, ["z", "b", "a"]), [definition("m__g", gene="G4")])
    assert table.index.tolist() == ["z", "b", "a"]
    np.testing.assert_array_equal(table["m__g"], [np.nan, 0.375, 0.875])
    nothing = expression.build(
        cohort_of(None, ["z"]), [definition("m__g", gene="G4"), definition("m__s", genes=["G1"])]
    )
    assert nothing.shape == (1, 2)
    assert nothing.isna().all(axis=None)


def test_relapse_samples_do_not_stand_in() -> None:
    cohort = cohort_of(FOUR)
    cohort.samples["timepoint"] = ["diagnosis", "relapse"]
    np.testing.assert_array_equal(expression.build(cohort, [definition("m__g", gene="G4")])["m__g"], [0.875, np.nan])


def random_matrix(seed: int, samples: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    genes = sorted({gene for d in CATALOGUE.by_builder("expression") for gene in d.parameters.get("genes", [])})
    genes += [*genes[:20], *(f"OTHER{number}" for number in range(501))]
    values = rng.normal(8, 2, (len(genes), samples)).round(1)
    values[rng.random(values.shape) < 0.02] = np.nan
    return pd.DataFrame(values, index=genes, columns=[f"s_{number}" for number in range(samples)])


def own_definitions() -> list[FeatureDefinition]:
    return [d for d in CATALOGUE.by_builder("expression") if "gene_set" not in d.parameters]


@pytest.mark.parametrize("seed", [1, 2])
def test_one_sample_alone_has_the_same_bits_as_in_a_batch(seed: int) -> None:
    matrix = random_matrix(seed, 23)
    batch = expression.build(cohort_of(matrix), own_definitions())
    alone = pd.concat([expression.build(cohort_of(matrix[[sample]]), own_definitions()) for sample in matrix.columns])
    assert alone.notna().any().sum() > 10
    pd.testing.assert_frame_equal(alone, batch, check_exact=True)


@pytest.mark.parametrize("samples", [31, 32, 33, 65])
def test_blocks_of_samples_change_nothing(samples: int) -> None:
    matrix = random_matrix(3, samples)
    batch = expression.build(cohort_of(matrix), own_definitions())
    ends = [0, 30, 31, 32, 33, 64, samples - 1]
    few = [matrix.columns[place] for place in sorted({place for place in ends if place < samples})]
    alone = pd.concat([expression.build(cohort_of(matrix[[sample]]), own_definitions()) for sample in few])
    pd.testing.assert_frame_equal(alone, batch.loc[alone.index], check_exact=True)


def test_sample_order_and_number_type_do_not_matter() -> None:
    matrix = random_matrix(4, 5).round(0)
    expected = expression.build(cohort_of(matrix), own_definitions())
    turned = expression.build(cohort_of(matrix[matrix.columns[::-1]].astype("float32")), own_definitions())
    pd.testing.assert_frame_equal(turned.loc[expected.index], expected, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-5, 5), scale=st.floats(0.1, 10), seed=st.integers(0, 5))
def test_unit_and_gene_order_do_not_matter(shift: float, scale: float, seed: int) -> None:
    matrix = random_matrix(seed, 3)
    matrix = matrix[~matrix.index.duplicated()]
    expected = expression.build(cohort_of(matrix), own_definitions())
    changed = matrix.sample(frac=1, random_state=seed) * scale + shift
    pd.testing.assert_frame_equal(expression.build(cohort_of(changed), own_definitions()), expected, check_exact=True)


def test_compact_signatures_are_compact_sourced_and_without_repeats() -> None:
    signatures = [d for d in CATALOGUE.by_builder("expression") if "genes" in d.parameters]
    assert len(signatures) >= 10
    for signature in signatures:
        genes = signature.parameters["genes"]
        assert 2 <= len(genes) <= 40, signature.name
        assert len(set(genes)) == len(genes), signature.name
        assert signature.reference.startswith("10."), signature.name


@pytest.mark.skipif(
    not (DATA.parent / "reference" / "gene_sets.tsv").exists(),
    reason="../shared/reference/gene_sets.tsv is absent (set NBRELAPSE_DATA to shared/data)",
)
def test_signatures_follow_their_stated_rule_and_every_published_set_is_tied() -> None:
    published = pd.read_csv(DATA.parent / "reference" / "gene_sets.tsv", sep="\t")
    sets = {name: set(rows["Hugo_Symbol"]) for name, rows in published.groupby("gene_set")}

    def genes(name: str) -> set[str]:
        return set(CATALOGUE.features[name].parameters["genes"])

    def hallmark(name: str) -> set[str]:
        return sets[f"HALLMARK_{name}"]

    assert genes("mycn__activity") == (hallmark("MYC_TARGETS_V1") & hallmark("MYC_TARGETS_V2")) - {"MYC"}
    assert genes("mycn__growth") == hallmark("MYC_TARGETS_V1") & hallmark("MTORC1_SIGNALING")
    assert genes("p53__apoptosis") == hallmark("P53_PATHWAY") & hallmark("APOPTOSIS")
    assert genes("cell_state__proliferation") == (
        hallmark("E2F_TARGETS") & hallmark("G2M_CHECKPOINT") & hallmark("MITOTIC_SPINDLE")
    )
    assert genes("microenvironment__inflammation") == (
        hallmark("INFLAMMATORY_RESPONSE") & hallmark("INTERFERON_GAMMA_RESPONSE")
    )
    assert genes("microenvironment__hypoxia") == sets["NB_HYPOXIA_7"]
    assert genes("cell_state__adrenergic") < sets["ADRENERGIC_369"]
    assert genes("cell_state__mesenchymal") < sets["MESENCHYMAL_485"]
    entries = [d.parameters for d in CATALOGUE.by_builder("expression")]
    tied = {entry[key] for entry in entries for key in ("gene_set", "gene_set_down") if key in entry}
    assert tied == set(sets) - {"NB_HYPOXIA_7"}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "lacks keys"),
        ({"gen": "ALK"}, "does not read gen"),
        ({"gene": "ALK", "genes": ["ALK"]}, "does not read genes"),
        ({"genes": ["ALK", "MYCN"], "minimum": 3}, "does not read minimum"),
        ({"gene_set": "ADRN"}, "does not read gene_set"),
        ({"genes_down": ["ALK", "MYCN"]}, "lacks keys"),
        ({"gene": ["ALK"]}, "illegal gene"),
        ({"gene": 7}, "illegal gene"),
        ({"genes": "ALK"}, "genes is not legal"),
        ({"genes": []}, "genes is not legal"),
        ({"genes": ["ALK", None]}, "illegal genes"),
        ({"genes": ["ALK"], "genes_down": "MYCN"}, "genes_down is not legal"),
        ({"difference": ["m__a"]}, "difference is not legal"),
        ({"difference": ["m__a", "m__x"]}, "difference is not legal"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        expression.build(cohort_of(FOUR), [definition("m__x", **parameters)])
    assert "[m.x]" in str(error.value)


def test_a_matrix_without_genes_or_without_diagnosis_samples_gives_nothing() -> None:
    empty = pd.DataFrame({"s_a": np.empty(0)}, index=pd.Index([], dtype="str"))
    assert expression.build(cohort_of(empty), [definition("m__g", gene="G1")])["m__g"].isna().tolist() == [True]
    cohort = cohort_of(FOUR)
    cohort.samples["timepoint"] = "relapse"
    assert expression.build(cohort, [definition("m__g", gene="G1")])["m__g"].isna().tolist() == [True, True]


def test_a_sample_without_values_is_nan() -> None:
    table = expression.build(cohort_of(FOUR.assign(s_b=np.nan)), [definition("m__s", genes=["G1", "G2"])])
    np.testing.assert_array_equal(table["m__s"], [-0.25, np.nan])


NAN = np.nan


@pytest.mark.parametrize(
    ("row", "ranks"),
    [
        ([3.0, 1.0, 2.0], [3, 1, 2]),
        ([5.0, 5.0, 5.0], [2, 2, 2]),
        ([1.0, 2.0, 2.0, 9.0], [1, 2.5, 2.5, 4]),
        ([NAN, 2.0, NAN, 1.0], [NAN, 2, NAN, 1]),
        ([NAN, NAN], [NAN, NAN]),
        ([-np.inf, 0.0, -0.0, np.inf], [1, 2.5, 2.5, 4]),
        ([7.0], [1]),
    ],
)
def test_ranks_of_a_row(row: list[float], ranks: list[float]) -> None:
    np.testing.assert_array_equal(_within_sample_ranks(np.array([row])), [ranks])


def test_a_tie_does_not_reach_into_the_next_row() -> None:
    np.testing.assert_array_equal(_within_sample_ranks(np.array([[1.0, 4.0], [4.0, 4.0]])), [[1, 2], [1.5, 1.5]])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_rank(shape: tuple[int, int]) -> None:
    assert _within_sample_ranks(np.empty(shape)).shape == shape


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.integers(0, 6).map(float)))
def test_agrees_with_scipy(values: np.ndarray) -> None:
    np.testing.assert_array_equal(_within_sample_ranks(values), rankdata(values, axis=1))
