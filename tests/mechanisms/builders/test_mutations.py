from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import mutations
from nbrelapse.mechanisms.catalogue import load_catalogue

DEFINITIONS = {definition.name: definition for definition in load_catalogue().by_builder("mutations")}
PANEL = ["ALK", "TP53"]


def cohort_of(calls: list[dict], panels: list[str | None], build: str = "hg19") -> Cohort:
    """A cohort of patients p0, p1, ... with sample s0, s1, ...; the last patient of all has no sample."""
    n_samples = len(panels)
    samples = [f"s{number}" for number in range(n_samples)]
    patients = [f"p{number}" for number in range(n_samples + 1)]
    table = pd.DataFrame(calls, columns=[*mutations.COLUMNS])
    table = table.astype("str").astype({"Start_Position": "float64"})
    return Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": patients}),
        pd.DataFrame({"sample_id": samples, "patient_id": patients[:-1], "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "mutations", "genome_build": build, "panel": panels}),
        panels=pd.DataFrame({"panel": "P", "gene": PANEL}),
        mutations=table,
    )


def call(sample: str, gene: str, change: str | None = None, kind: str = "Missense_Mutation", **more: object) -> dict:
    return {
        "sample_id": sample,
        "Hugo_Symbol": gene,
        "HGVSp_Short": change,
        "Variant_Classification": kind,
        "Chromosome": "5",
        "Start_Position": 1.0,
        "Reference_Allele": "G",
        "Tumor_Seq_Allele2": "A",
        **more,
    }


def values(name: str, calls: list[dict], panels: list[str | None], build: str = "hg19") -> list[float]:
    table = mutations.build(cohort_of(calls, panels, build), [DEFINITIONS[name]])
    assert table.index.name == "patient_id"
    assert table[name].dtype == np.float64
    return table[name].tolist()


@pytest.mark.parametrize(
    ("name", "gene", "change", "kind", "expected"),
    [
        ("alk__hotspot_mutation", "ALK", "p.F1174L", "Missense_Mutation", 1.0),
        ("alk__hotspot_mutation", "ALK", "p.R1275Q", "Missense_Mutation", 1.0),
        ("alk__hotspot_mutation", "ALK", "p.F1245C", "Missense_Mutation", 1.0),
        ("alk__hotspot_mutation", "ALK", "F1174V", "Missense_Mutation", 1.0),
        ("alk__hotspot_mutation", "ALK", "p.F1174*", "Nonsense_Mutation", 0.0),
        ("alk__hotspot_mutation", "ALK", "p.F117L", "Missense_Mutation", 0.0),
        ("alk__hotspot_mutation", "ALK", "p.I1250T", "Missense_Mutation", 0.0),
        ("alk__hotspot_mutation", "ALK", "p.F1174=", "Silent", 0.0),
        ("alk__hotspot_mutation", "ALK", None, "Missense_Mutation", np.nan),
        ("alk__hotspot_mutation", "ALK", None, "Silent", 0.0),
        ("alk__hotspot_mutation", "TP53", "p.F1174L", "Missense_Mutation", 0.0),
        ("ras_mapk__activating_mutation", "NRAS", "p.Q61K", "Missense_Mutation", 1.0),
        ("ras_mapk__activating_mutation", "KRAS", "p.G12D", "Missense_Mutation", 1.0),
        ("ras_mapk__activating_mutation", "KRAS", "p.G128D", "Missense_Mutation", 0.0),
        ("ras_mapk__activating_mutation", "PTPN11", "p.A72T", "Missense_Mutation", 1.0),
        ("ras_mapk__activating_mutation", "BRAF", "p.V600E", "Missense_Mutation", 1.0),
        ("ras_mapk__activating_mutation", "BRAF", "p.V600K", "Missense_Mutation", 0.0),
        ("ras_mapk__activating_mutation", "NRAS", "p.E76K", "Missense_Mutation", 0.0),
        ("ras_mapk__nf1_truncating", "NF1", "p.R1534*", "Nonsense_Mutation", 1.0),
        ("ras_mapk__nf1_truncating", "NF1", None, "Splice_Site", 1.0),
        ("ras_mapk__nf1_truncating", "NF1", "p.A2S", "Missense_Mutation", 0.0),
        ("p53__tp53_mutation", "TP53", "p.R248Q", "Missense_Mutation", 1.0),
        ("p53__tp53_mutation", "TP53", "p.R248=", "Silent", 0.0),
        ("telomere__atrx_daxx_truncating", "DAXX", "p.Q101*", "Nonsense_Mutation", 1.0),
    ],
)
def test_one_variant(name: str, gene: str, change: str | None, kind: str, expected: float) -> None:
    found = values(name, [call("s0", gene, change, kind)], [None, None])
    np.testing.assert_array_equal(found, [expected, 0.0, np.nan])


def test_a_panel_answers_only_for_the_genes_it_has() -> None:
    calls = [call("s0", "ALK", "p.R1275Q"), call("s2", "NRAS", "p.Q61R")]
    panels = ["P", "P", None]
    np.testing.assert_array_equal(values("alk__hotspot_mutation", calls, panels), [1.0, 0.0, 0.0, np.nan])
    np.testing.assert_array_equal(values("ras_mapk__activating_mutation", calls, panels), [np.nan, np.nan, 1.0, np.nan])


def test_promoter_mutations_follow_the_genome_build() -> None:
    position = {"kind": "5'Flank", "Start_Position": 1295113.0}
    calls = [call("s0", "TERT", **position)]
    name = "telomere__tert_promoter_mutation"
    np.testing.assert_array_equal(values(name, calls, [None], "hg38"), [1.0, np.nan])
    np.testing.assert_array_equal(values(name, calls, [None], "hg19"), [0.0, np.nan])
    other_allele = [call("s0", "TERT", **position, Tumor_Seq_Allele2="T")]
    np.testing.assert_array_equal(values(name, other_allele, [None], "hg38"), [0.0, np.nan])


def test_an_exome_says_nothing_of_the_promoter() -> None:
    calls = [call("s0", "TTN", "p.A2S"), call("s1", "TTN", None, "5'Flank")]
    found = values("telomere__tert_promoter_mutation", calls, [None, None])
    np.testing.assert_array_equal(found, [np.nan, 0.0, np.nan])


def test_the_count_is_of_protein_altering_mutations_and_needs_the_whole_exome() -> None:
    calls = [call("s0", "TTN", "p.A2S"), call("s0", "ALK", "p.A2S"), call("s0", "NEB", "p.A2=", "Silent")]
    calls.append(call("s2", "ALK", "p.A2S"))
    found = values("instability__mutation_count", calls, [None, None, "P"])
    np.testing.assert_allclose(found, [np.log(3), 0.0, np.nan, np.nan])


def test_a_relapse_sample_does_not_stand_in_for_the_diagnosis() -> None:
    cohort = cohort_of([call("s0", "ALK", "p.F1174L")], [None])
    at_relapse = Cohort(
        "relapse",
        cohort.patients,
        cohort.samples.assign(timepoint="relapse"),
        cohort.assays,
        mutations=cohort.mutations,
    )
    name = "alk__hotspot_mutation"
    assert mutations.build(at_relapse, [DEFINITIONS[name]])[name].isna().all()


def test_sequenced_without_any_call_is_negative() -> None:
    cohort = cohort_of([], [None])
    without_table = Cohort("none", cohort.patients, cohort.samples, cohort.assays)
    for one in (cohort, without_table):
        table = mutations.build(one, [DEFINITIONS["p53__tp53_mutation"]])
        np.testing.assert_array_equal(table["p53__tp53_mutation"], [0.0, np.nan])


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["s0", "s1"]),
            st.sampled_from(["ALK", "TP53", "NRAS"]),
            st.sampled_from(["p.F1174L", "p.Q61K", None]),
        ),
        max_size=6,
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(rows: list[tuple[str, str, str | None]], order) -> None:
    calls = [call(*row) for row in rows]
    shuffled = order.sample(calls, len(calls))
    definitions = list(DEFINITIONS.values())
    pd.testing.assert_frame_equal(
        mutations.build(cohort_of(calls, [None, "P"]), definitions),
        mutations.build(cohort_of(shuffled, [None, "P"]), definitions),
    )
