from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import mutations
from nbrelapse.mechanisms.builders.mutations import _COLUMNS
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue

CATALOGUE = load_catalogue()
DEFINITIONS = {definition.name: definition for definition in CATALOGUE.by_builder("mutations")}
PANEL = ["ALK", "TP53"]
NUMBERS = {"Start_Position", "End_Position", "t_alt_count", "t_ref_count"}
HOTSPOT = "alk__hotspot_mutation"
CLONAL = "alk__clonal_mutation"
SUBCLONAL = "alk__subclonal_mutation"
KINASE = "alk__other_kinase_mutation"
RAS = "ras_mapk__activating_mutation"
RARE = "ras_mapk__raf1_sos1_mutation"
PROMOTER = "telomere__tert_promoter_mutation"
COUNT = "instability__mutation_count"
BURDEN = "instability__mutation_burden"
BOTH_BUILDS = [
    (HOTSPOT, "ALK", "2", 29443695, 29220829),
    (HOTSPOT, "ALK", "2", 29443697, 29220831),
    (HOTSPOT, "ALK", "2", 29432664, 29209798),
    (HOTSPOT, "ALK", "2", 29436859, 29213993),
    (KINASE, "ALK", "2", 29432655, 29209789),
    (KINASE, "ALK", "2", 29445450, 29222584),
    (RAS, "NRAS", "1", 115256529, 114713908),
    (RAS, "NRAS", "1", 115258747, 114716126),
    (RAS, "NRAS", "1", 115258744, 114716123),
    (RAS, "KRAS", "12", 25398284, 25245350),
    (RAS, "KRAS", "12", 25398281, 25245347),
    (RAS, "KRAS", "12", 25380275, 25227341),
    (RAS, "HRAS", "11", 534288, 534288),
    (RAS, "HRAS", "11", 533874, 533874),
    (RAS, "BRAF", "7", 140453136, 140753336),
    (RAS, "PTPN11", "12", 112888165, 112450361),
    (RAS, "PTPN11", "12", 112888199, 112450395),
    (RAS, "PTPN11", "12", 112888210, 112450406),
    (RAS, "FGFR1", "8", 38274849, 38417331),
    (RAS, "FGFR1", "8", 38272308, 38414790),
    (RARE, "RAF1", "3", 12645699, 12604200),
    (RARE, "SOS1", "2", 39249913, 39022772),
    (RARE, "SOS1", "2", 39281778, 39054637),
]
"""The same substitution in hg19 and hg38."""


def cohort_of(
    calls: list[dict], panels: list[str | None], build: str | None = "hg19", covered_mb: float | None = None
) -> Cohort:
    """A cohort of patients p0, p1, ... with sample s0, s1, ...; the last patient of all has no sample."""
    samples = [f"s{number}" for number in range(len(panels))]
    patients = [f"p{number}" for number in range(len(panels) + 1)]
    types = {column: "float64" if column in NUMBERS else "str" for column in _COLUMNS}
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": patients}),
        pd.DataFrame({"sample_id": samples, "patient_id": patients[:-1], "timepoint": "diagnosis"}),
        pd.DataFrame(
            {
                "sample_id": samples,
                "assay": "mutations",
                "genome_build": build,
                "panel": panels,
                "covered_mb": np.nan if covered_mb is None else covered_mb,
            }
        ),
        panels=pd.DataFrame({"panel": "P", "gene": PANEL}),
        mutations=pd.DataFrame(calls, columns=_COLUMNS).astype(types),
    )


def call(sample: str, gene: str, change: str | None = None, kind: str | None = "Missense_Mutation", **more) -> dict:
    # Each gene has a place of its own: calls of one place are one variant.
    place = sum(map(ord, gene))
    position = {"Chromosome": "5", "Start_Position": place, "Reference_Allele": "G", "Tumor_Seq_Allele2": "A"}
    return {
        "sample_id": sample,
        "Hugo_Symbol": gene,
        "HGVSp_Short": change,
        "Variant_Classification": kind,
        **position,
        **more,
    }


def at(gene: str, chromosome: str, position: float | None, kind: str | None = "Missense_Mutation", **more) -> dict:
    """A call of sample s0 that tells no protein change."""
    return call("s0", gene, None, kind, Chromosome=chromosome, Start_Position=position, **more)


def reads(mutated: float | None, reference: float | None, change: str = "p.F1174L") -> dict:
    return call("s0", "ALK", change, t_alt_count=mutated, t_ref_count=reference)


def values(name: str, calls: list[dict], panels: list[str | None], build: str | None = "hg19", **more) -> list[float]:
    table = mutations.build(cohort_of(calls, panels, build, **more), [DEFINITIONS[name]])
    assert table.index.name == "patient_id"
    assert table[name].dtype == np.float64
    return table[name].tolist()


@pytest.mark.parametrize(
    ("name", "gene", "change", "kind", "expected"),
    [
        (HOTSPOT, "ALK", "p.F1174L", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "p.R1275Q", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "p.F1245C", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "F1174V", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "p.Phe1174Leu", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "NP_004295.2:p.(Arg1275Gln)", "Missense_Mutation", 1),
        (HOTSPOT, "ALK", "p.F1174*", "Nonsense_Mutation", 0),
        (HOTSPOT, "ALK", "p.F1174X", "Nonsense_Mutation", 0),
        (HOTSPOT, "ALK", "p.F1174fs", "Frame_Shift_Del", 0),
        (HOTSPOT, "ALK", "p.F1174del", "In_Frame_Del", 0),
        (HOTSPOT, "ALK", "p.F117L", "Missense_Mutation", 0),
        (HOTSPOT, "ALK", "p.I1250T", "Missense_Mutation", 0),
        (HOTSPOT, "ALK", "p.F1174=", "Silent", 0),
        (HOTSPOT, "ALK", "p.F1174F", "Silent", 0),
        (HOTSPOT, "ALK", "p.F1174L", None, np.nan),
        (HOTSPOT, "ALK", "p.F1174L", "Targeted_Region", np.nan),
        (HOTSPOT, "ALK", "p.I1250T", "Targeted_Region", 0),
        (HOTSPOT, "TP53", "p.F1174L", "Missense_Mutation", 0),
        (KINASE, "ALK", "p.I1171N", "Missense_Mutation", 1),
        (KINASE, "ALK", "p.Tyr1278Ser", "Missense_Mutation", 1),
        (KINASE, "ALK", "p.L1116P", "Missense_Mutation", 1),
        (KINASE, "ALK", "p.A1392T", "Missense_Mutation", 1),
        (KINASE, "ALK", "p.V1115M", "Missense_Mutation", 0),
        (KINASE, "ALK", "p.G1393R", "Missense_Mutation", 0),
        (KINASE, "ALK", "p.F1174L", "Missense_Mutation", 0),
        (KINASE, "ALK", "p.R1192*", "Nonsense_Mutation", 0),
        (RAS, "NRAS", "p.Q61K", "Missense_Mutation", 1),
        (RAS, "KRAS", "p.G12D", "Missense_Mutation", 1),
        (RAS, "KRAS", "p.G128D", "Missense_Mutation", 0),
        (RAS, "HRAS", "p.Gly13Arg", "Missense_Mutation", 1),
        (RAS, "PTPN11", "p.A72T", "Missense_Mutation", 1),
        (RAS, "PTPN11", "p.D61Y", "Missense_Mutation", 1),
        (RAS, "BRAF", "p.V600E", "Missense_Mutation", 1),
        (RAS, "BRAF", "p.V600K", "Missense_Mutation", 1),
        (RAS, "BRAF", "p.G469A", "Missense_Mutation", 0),
        (RAS, "FGFR1", "p.N546K", "Missense_Mutation", 1),
        (RAS, "FGFR1", "p.N577K", "Missense_Mutation", 1),
        (RAS, "NRAS", "p.E76K", "Missense_Mutation", 0),
        (RARE, "RAF1", "p.S257L", "Missense_Mutation", 1),
        (RARE, "SOS1", "p.N233Y", "Missense_Mutation", 1),
        (RARE, "SOS1", "p.N234Y", "Missense_Mutation", 0),
        ("ras_mapk__nf1_truncating", "NF1", "p.R1534*", "Nonsense_Mutation", 1),
        ("ras_mapk__nf1_truncating", "NF1", None, "Splice_Site", 1),
        ("ras_mapk__nf1_truncating", "NF1", None, "Splice_Region", 0),
        ("ras_mapk__nf1_truncating", "NF1", "p.A2S", "Missense_Mutation", 0),
        ("p53__tp53_mutation", "TP53", "p.R248Q", "Missense_Mutation", 1),
        ("p53__tp53_mutation", "TP53", None, "In_Frame_Del", 1),
        ("p53__tp53_mutation", "TP53", "p.R248=", "Silent", 0),
        ("p53__tp53_mutation", "TP53", None, "RNA", 0),
        ("p53__tp53_mutation", "TP53", None, "Targeted_Region", np.nan),
        ("p53__tp53_mutation", "TP53", "p.M1V", "Start_Codon_SNP", 1),
        ("p53__tp53_mutation", "TP53", None, "De_novo_Start_OutOfFrame", 0),
        ("p53__cdkn2a_mutation", "CDKN2A", "p.R80*", "Nonsense_Mutation", 1),
        ("p53__cdkn2a_mutation", "CDKN2B", "p.R80*", "Nonsense_Mutation", 0),
        ("telomere__atrx_daxx_truncating", "DAXX", "p.Q101*", "Nonsense_Mutation", 1),
        ("telomere__atrx_daxx_truncating", "ATRX", "p.K1936R", "Missense_Mutation", 0),
        ("cell_state__arid1_truncating", "ARID1B", "p.Q5fs", "Frame_Shift_Ins", 1),
        ("cell_state__crebbp_mutation", "CREBBP", "p.R1446H", "Missense_Mutation", 1),
    ],
)
def test_one_variant(name: str, gene: str, change: str | None, kind: str | None, expected: float) -> None:
    found = values(name, [call("s0", gene, change, kind)], [None, None])
    np.testing.assert_array_equal(found, [expected, 0, np.nan])


@pytest.mark.parametrize(
    ("former", "name"), [("RAD54", "telomere__atrx_daxx_truncating"), ("RSTS", "cell_state__crebbp_mutation")]
)
def test_a_former_name_is_the_gene(former: str, name: str) -> None:
    assert values(name, [call("s0", former, "p.Q101*", "Nonsense_Mutation")], [None])[0] == 1


@pytest.mark.parametrize(("name", "gene", "chromosome", "hg19", "hg38"), BOTH_BUILDS)
def test_without_a_protein_change_the_position_decides(
    name: str, gene: str, chromosome: str, hg19: int, hg38: int
) -> None:
    for build, position, other in (("hg19", hg19, hg38), ("hg38", hg38, hg19)):
        assert values(name, [at(gene, chromosome, position)], [None], build)[0] == 1
        assert values(name, [at(gene, f"chr{chromosome}", position)], [None], build)[0] == 1
        assert values(name, [at(gene, chromosome, position, "Silent")], [None], build)[0] == 0
        assert values(name, [at(gene, chromosome, position, "In_Frame_Del")], [None], build)[0] == 0
        assert values(name, [at(gene, "21", position)], [None], build)[0] == 0
        if position != other:
            assert values(name, [at(gene, chromosome, other)], [None], build)[0] == 0


@pytest.mark.parametrize(
    ("position", "expected"),
    [(29443694, 0), (29443695, 1), (29443697, 1), (29443698, 0), (None, np.nan)],
)
def test_a_codon_has_two_ends(position: float | None, expected: float) -> None:
    np.testing.assert_equal(values(HOTSPOT, [at("ALK", "2", position)], [None])[0], expected)


def test_a_double_substitution_that_reaches_into_the_codon_counts() -> None:
    assert values(HOTSPOT, [at("ALK", "2", 29443694, End_Position=29443695)], [None])[0] == 1


def test_a_hotspot_by_position_is_not_another_kinase_mutation() -> None:
    assert values(KINASE, [at("ALK", "2", 29443695)], [None])[0] == 0


def test_a_recorded_protein_change_overrules_the_position() -> None:
    beside = call("s0", "ALK", "p.I1171N", Chromosome="2", Start_Position=29443695)
    assert values(HOTSPOT, [beside], [None])[0] == 0


def test_a_position_says_nothing_without_its_build() -> None:
    unknown = at("ALK", "2", 29443695)
    np.testing.assert_array_equal(values(HOTSPOT, [unknown], [None, None], None), [np.nan, 0, np.nan])
    with_change = call("s0", "ALK", "p.F1174L")
    assert values(HOTSPOT, [with_change], [None], None)[0] == 1


@pytest.mark.parametrize("change", [None, "", "p.?"])
def test_neither_a_change_nor_a_position_leaves_it_open(change: str | None) -> None:
    unclear = call("s0", "ALK", change, Start_Position=None)
    np.testing.assert_array_equal(values(HOTSPOT, [unclear], [None, None]), [np.nan, 0, np.nan])
    silent = call("s0", "ALK", change, "Silent", Start_Position=None)
    assert values(HOTSPOT, [silent], [None])[0] == 0


def test_only_this_change_cannot_be_told_by_its_position() -> None:
    parameters = {
        "genes": ["BRAF"],
        "protein_changes": ["V600E"],
        "codons": {"V600": {"hg19": ["7:140453135-140453137"]}},
    }
    own = FeatureDefinition("mine__v600e", "mine", "V600E", "", "mutations", "binary", "mutations", parameters)
    within, outside = at("BRAF", "7", 140453136), {**at("BRAF", "7", 140453139), "sample_id": "s1"}
    found = mutations.build(cohort_of([within, outside], [None, None]), [own])["mine__v600e"]
    np.testing.assert_array_equal(found, [np.nan, 0, np.nan])


@pytest.mark.parametrize(
    ("mutated", "reference", "clonal", "subclonal"),
    [
        (21, 79, 1, 0),
        (20, 80, 0, 1),
        (1, 4, 0, 1),
        (100, 0, 1, 0),
        (1, 999, 0, 1),
        (1, 1999, 0, 0),
        (0, 50, 0, 0),
        (0, 0, np.nan, np.nan),
        (None, 80, np.nan, np.nan),
        (20, None, np.nan, np.nan),
    ],
)
def test_clonality_needs_reads(mutated: float | None, reference: float | None, clonal: float, subclonal: float) -> None:
    np.testing.assert_array_equal(values(CLONAL, [reads(mutated, reference)], [None, None]), [clonal, 0, np.nan])
    np.testing.assert_array_equal(values(SUBCLONAL, [reads(mutated, reference)], [None, None]), [subclonal, 0, np.nan])
    assert values(HOTSPOT, [reads(mutated, reference)], [None])[0] == 1


def test_clones_beside_each_other() -> None:
    calls = [reads(40, 60), reads(5, 95, "p.R1275Q"), reads(None, None, "p.F1245C")]
    assert values(CLONAL, calls, [None])[0] == 1
    assert values(SUBCLONAL, calls, [None])[0] == 1
    assert np.isnan(values(CLONAL, calls[1:], [None])[0])


def test_reads_at_another_residue_do_not_matter() -> None:
    assert values(CLONAL, [reads(None, None, "p.I1250T")], [None])[0] == 0


def test_a_panel_answers_only_for_the_genes_it_has() -> None:
    calls = [call("s0", "ALK", "p.R1275Q"), call("s2", "NRAS", "p.Q61R")]
    panels = ["P", "P", None]
    np.testing.assert_array_equal(values(HOTSPOT, calls, panels), [1, 0, 0, np.nan])
    np.testing.assert_array_equal(values(RAS, calls, panels), [np.nan, np.nan, 1, np.nan])


def test_a_hit_on_a_panel_counts_though_it_lacks_other_genes() -> None:
    cohort = cohort_of([call("s0", "NRAS", "p.Q61R"), call("s1", "NRAS", "p.A11S")], ["Q", "Q"])
    panels = pd.DataFrame({"panel": "Q", "gene": ["NRAS"]})
    found = mutations.build(
        Cohort("panel", cohort.patients, cohort.samples, cohort.assays, panels, cohort.mutations), [DEFINITIONS[RAS]]
    )
    np.testing.assert_array_equal(found[RAS], [1, np.nan, np.nan])


@pytest.mark.parametrize(("change", "hg19", "hg38"), [("C228T", 1295228, 1295113), ("C250T", 1295250, 1295135)])
def test_promoter_mutations_follow_the_genome_build(change: str, hg19: int, hg38: int) -> None:
    for build, position, other in (("hg19", hg19, hg38), ("hg38", hg38, hg19)):
        assert values(PROMOTER, [at("TERT", "5", position, "5'Flank")], [None], build)[0] == 1
        assert values(PROMOTER, [at("TERT", "chr5", position, None)], [None], build)[0] == 1
        assert values(PROMOTER, [at("TERT", "5", other, "5'Flank")], [None], build)[0] == 0
        other_base = at("TERT", "5", position, "5'Flank", Tumor_Seq_Allele2="T")
        assert values(PROMOTER, [other_base], [None], build)[0] == 0
        unread = at("TERT", "5", position, "5'Flank", Tumor_Seq_Allele2=None)
        assert np.isnan(values(PROMOTER, [unread], [None], build)[0])


def test_an_exome_says_nothing_of_the_promoter() -> None:
    calls = [call("s0", "TTN", "p.A2S"), call("s1", "TTN", None, "5'Flank"), call("s2", "TERT", "p.A2S")]
    found = values(PROMOTER, calls, [None, None, None])
    np.testing.assert_array_equal(found, [np.nan, 0, np.nan, np.nan])


def test_a_promoter_call_without_a_position_is_unclear_and_a_coding_one_is_not() -> None:
    assert np.isnan(values(PROMOTER, [at("TERT", "5", None, "5'Flank")], [None])[0])
    flanks = call("s0", "TTN", None, "5'Flank")
    assert values(PROMOTER, [flanks, at("TERT", "5", None, "Missense_Mutation")], [None])[0] == 0


def test_the_count_is_of_protein_altering_mutations_and_needs_the_whole_exome() -> None:
    calls = [call("s0", "TTN", "p.A2S"), call("s0", "ALK", "p.A2S"), call("s0", "NEB", "p.A2=", "Silent")]
    calls.append(call("s2", "ALK", "p.A2S"))
    np.testing.assert_allclose(values(COUNT, calls, [None, None, "P"]), [np.log(3), 0, np.nan, np.nan])


def test_a_variant_in_several_rows_counts_once() -> None:
    calls = [
        call("s0", "TP53", "p.A2S"),
        call("s0", "TP53", "p.A3S"),
        call("s0", "TP53", "p.A2T", Tumor_Seq_Allele2="T"),
    ]
    calls += [call("s1", "TP53", None, Reference_Allele=None), call("s1", "TP53", "p.A2S", Reference_Allele=None)]
    np.testing.assert_allclose(values(COUNT, calls, [None, None]), [np.log(3), np.log(3), np.nan])


def test_a_count_with_an_unclear_call_is_unknown() -> None:
    calls = [call("s0", "TTN", "p.A2S"), call("s0", "NEB", None, "Targeted_Region"), call("s1", "TTN", "p.A2S")]
    np.testing.assert_allclose(values(COUNT, calls, [None, None]), [np.nan, np.log(2), np.nan])


@pytest.mark.parametrize(
    ("panel", "covered_mb", "expected"),
    [
        (None, None, np.log1p(3 / 30)),
        (None, 35.0, np.log1p(3 / 35)),
        ("P", 1.5, np.log1p(3 / 1.5)),
        ("P", None, np.nan),
        ("P", 0.2, np.log1p(3 / 0.2)),
        ("P", 0.1, np.nan),
    ],
)
def test_the_burden_is_per_megabase_looked_at(panel: str | None, covered_mb: float | None, expected: float) -> None:
    calls = [call("s0", gene, "p.A2S") for gene in ("TTN", "NEB", "ALK")] + [call("s0", "TTN", None, "Silent")]
    without = 0 if np.isfinite(expected) else np.nan
    found = values(BURDEN, calls, [panel, panel], covered_mb=covered_mb)
    np.testing.assert_allclose(found, [expected, without, np.nan])


def test_a_relapse_sample_does_not_stand_in_for_the_diagnosis() -> None:
    cohort = cohort_of([call("s0", "ALK", "p.F1174L")], [None])
    at_relapse = Cohort(
        "relapse",
        cohort.patients,
        cohort.samples.assign(timepoint="relapse"),
        cohort.assays,
        mutations=cohort.mutations,
    )
    assert mutations.build(at_relapse, [DEFINITIONS[HOTSPOT]])[HOTSPOT].isna().all()


def test_sequenced_without_any_call_is_negative() -> None:
    cohort = cohort_of([], [None])
    without_table = Cohort("none", cohort.patients, cohort.samples, cohort.assays)
    for one in (cohort, without_table):
        table = mutations.build(one, list(DEFINITIONS.values()))
        unknown = {PROMOTER}
        np.testing.assert_array_equal(table.drop(columns=unknown).iloc[0], 0)
        assert table[PROMOTER].isna().all()


@pytest.mark.parametrize("name", [HOTSPOT, CLONAL, SUBCLONAL, KINASE])
def test_the_alk_features_agree_on_the_hotspots(name: str) -> None:
    parameters = DEFINITIONS[name].parameters
    hotspots = DEFINITIONS[HOTSPOT].parameters["codons"]
    assert parameters["codons"] | hotspots == parameters["codons"]
    assert parameters["except_changes" if name == KINASE else "protein_changes"] == ["F1174*", "R1275*", "F1245*"]


ROWS = st.lists(
    st.tuples(st.sampled_from(["s0", "s1", "s2"]), st.sampled_from(BOTH_BUILDS), st.sampled_from([None, 3, 30])),
    max_size=8,
)


def as_calls(rows: list, build: str, prefix: str = "") -> list[dict]:
    return [
        {**at(gene, prefix + chromosome, hg19 if build == "hg19" else hg38), "sample_id": sample, "t_alt_count": reads}
        | {"t_ref_count": 50}
        for sample, (_, gene, chromosome, hg19, hg38), reads in rows
    ]


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_features_do_not_depend_on_order_build_or_spelling(rows: list, order) -> None:
    definitions = list(DEFINITIONS.values())
    panels = [None, "P", None]
    cohort = cohort_of(as_calls(rows, "hg19"), panels)
    expected = mutations.build(cohort, definitions)
    shuffled = cohort_of(order.sample(as_calls(rows, "hg38", "chr"), len(rows)), panels, "hg38")
    turned = Cohort(
        "turned",
        shuffled.patients[::-1],
        shuffled.samples[::-1],
        shuffled.assays[::-1],
        shuffled.panels[::-1],
        shuffled.mutations,
    )
    pd.testing.assert_frame_equal(mutations.build(turned, definitions)[::-1], expected, check_exact=True)


@pytest.mark.parametrize(("name", "expected"), [("HRAS", 1.0), ("HRAS1", np.nan), ("RASSF7", 0.0)])
def test_a_symbol_that_two_genes_share_may_be_the_gene(name: str, expected: float) -> None:
    # HRAS1 is a former symbol of HRAS, and an alias of RASSF7.
    np.testing.assert_array_equal(values(RAS, [call("s0", name, "p.G12V")], [None])[:1], [expected])
