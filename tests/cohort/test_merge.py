"""Several cohorts as one: who is kept, what is aligned, what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import (
    Cohort,
    assay_rows,
    assemble_cohort,
    is_merged,
    merge_cohorts,
    merge_folders,
    read_cohort,
    write_cohort,
)
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.readers import import_geo, import_tables
from nbrelapse.scoring import is_simulated

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data"))


def patients(ids: list[str], ages: list[float], **more: list) -> pd.DataFrame:
    times = [300.0 + 11 * number for number in range(len(ids))]
    base = {
        "patient_id": ids,
        "age_days": ages,
        "inss_stage": "4",
        "event": "relapse",
        "event_days": times,
        "death": 1.0,
        "followup_days": [time + 200 for time in times],
    }
    return pd.DataFrame(base | more)


def ages(start: int, number: int = 6) -> list[float]:
    """Ages that agree with nobody's of another start."""
    return [float(start + 97 * step) for step in range(number)]


def matrix(genes: list[str], samples: list[str], seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(5, 2, (len(genes), len(samples))).clip(0.1).round(3)
    return pd.DataFrame(values, index=genes, columns=samples)


A, B = ["1", "2", "3", "4", "5", "6"], ["1", "2", "3", "x4", "x5", "x6"]


def pair(tables: dict | None = None, other: dict | None = None, **metadata: dict) -> tuple[Cohort, Cohort]:
    one = assemble_cohort("one", {"patients": patients(A, ages(400)), **(tables or {})}, metadata=metadata.get("one"))
    two = assemble_cohort("two", {"patients": patients(B, ages(440)), **(other or {})}, metadata=metadata.get("two"))
    return one, two


def layer(rows: list[str], samples: list[str], unit: str = "log2", **more: object) -> tuple[dict, dict]:
    """Return a layer, and what the metadata of a cohort say of it."""
    table = matrix(rows, samples).rename_axis("feature")
    return {"x": table}, {"layers": {"x": {"unit": unit, "mechanism": "gene", **more}}}


def with_layer(cohort: Cohort, layers: dict, metadata: dict) -> Cohort:
    samples = list(next(iter(layers.values())).columns)
    assays = pd.concat([cohort.assays, assay_rows(samples, "layer:x")], ignore_index=True)
    return replace(cohort, assays=assays, layers=layers, metadata={**cohort.metadata, **metadata})


def test_layers_are_joined_by_name() -> None:
    one, two = pair()
    merged = merge_cohorts(
        [with_layer(one, *layer(["MYCN.a", "ALK.b"], A)), with_layer(two, *layer(["MYCN.a"], B, "tpm"))]
    )
    assert merged.layers["x"].index.tolist() == ["MYCN.a"]  # ranks among other rows are not comparable
    assert len(merged.assayed_samples("layer:x")) == 12 == merged.layers["x"].shape[1]
    assert merged.metadata["layers"]["x"]["unit"] == "log2"
    assert (
        "merge: layer x: 1 rows measured in all cohorts (2 in one, 1 in two), the others left out"
        in (merged.metadata["repairs"])
    )
    assert merged.layers["x"]["x4"].tolist() == matrix(["MYCN.a"], B)["x4"].tolist()


def test_a_layer_of_values_keeps_the_rows_of_each_cohort() -> None:
    one, two = pair()
    said = {"unit": "score", "mechanism": "table"}
    first = layer(["r1", "r2"], A, **said, mechanisms={"alk": ["r1"]})
    second = layer(["r1", "r3"], B, **said, mechanisms={"mycn": ["r1", "r3"]})
    merged = merge_cohorts([with_layer(one, *first), with_layer(two, *second)])
    assert merged.layers["x"].notna().sum(axis=1).to_dict() == {"r1": 12, "r2": 6, "r3": 6}
    assert merged.metadata["layers"]["x"]["mechanisms"] == {"alk": ["r1"], "mycn": ["r3"]}


def test_a_layer_of_one_cohort_is_missing_in_the_other(tmp_path: Path) -> None:
    one, two = pair()
    merged = merge_cohorts([with_layer(one, *layer(["MYCN.a"], A)), two])
    found = read_cohort(write_cohort(merged, tmp_path / "both"))
    assert len(found.assayed_samples("layer:x")) == 6 and found.layers["x"].shape == (1, 6)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"unit": "score"}, "the layer x differs in its unit: log2 in one, score in two"),
        ({"mechanism": "none"}, "the layer x differs in its mechanism: gene in one, none in two"),
    ],
)
def test_layers_of_one_name_that_hold_something_else(said: dict, message: str) -> None:
    one, two = pair()
    with pytest.raises(InputError, match=message):
        merge_cohorts([with_layer(one, *layer(["MYCN.a"], A)), with_layer(two, *layer(["MYCN.a"], B, **said))])


def test_layers_without_a_common_row() -> None:
    one, two = pair()
    with pytest.raises(InputError, match="the cohorts share no row of layer x: 1 in one, 1 in two"):
        merge_cohorts([with_layer(one, *layer(["MYCN.a"], A)), with_layer(two, *layer(["ALK.a"], B))])


def test_studies_are_kept_where_recorded_and_named_after_the_cohort_where_not() -> None:
    one, two = pair()
    one = replace(one, patients=one.patients.assign(study=["COG", None, "COG", "GPOH", "GPOH", None]))
    merged = merge_cohorts([one, two], name="both")
    assert merged.name == "both"
    assert is_merged(merged)
    assert merged.patients["study"].tolist() == ["COG", "one", "COG", "GPOH", "GPOH", "one", *["two"] * 6]


def test_ids_of_two_patients_get_the_name_of_their_cohort_and_the_others_stay() -> None:
    merged = merge_cohorts(pair({"mutations": mutation("1")}, {"mutations": mutation("x4")}))
    assert merged.patient_ids.tolist() == [
        *["one:1", "one:2", "one:3", "4", "5", "6"],
        *["two:1", "two:2", "two:3", "x4", "x5", "x6"],
    ]
    assert merged.samples["sample_id"].tolist() == merged.samples["patient_id"].tolist()
    assert merged.mutations is not None
    assert merged.mutations["sample_id"].tolist() == ["one:1", "x4"]
    assert "merge: patients: 3 ids of two that another cohort uses have 'two:' in front" in merged.metadata["repairs"]


def mutation(sample: str) -> pd.DataFrame:
    row = {"Hugo_Symbol": "ALK", "Variant_Classification": "Missense_Mutation", "HGVSp_Short": "p.R1275Q"}
    return pd.DataFrame([{"sample_id": sample, **row}])


@pytest.fixture
def shared() -> tuple[Cohort, Cohort]:
    """Four patients of two are patients of one: two has what one lacks, and other copy number of the first."""
    same, more = ages(400)[:4], ages(8000, 2)
    first = patients(A, ages(400), sex=["male", None, "male", None, "male", None])
    second = patients(["a", "b", "c", "d", "e", "f"], same + more, sex="female", split="train", ldh=500.0)
    second.loc[[0, 2], "sex"] = "male"
    calls = matrix(["MYCN", "ALK"], ["a", "b", "e"]).round() % 3 - 1
    one = assemble_cohort("one", {"patients": first, "gene_copy_number": calls.set_axis(["1", "5", "6"], axis=1)})
    return one, assemble_cohort("two", {"patients": second, "gene_copy_number": calls, "expression": GENES})


GENES = matrix([f"NOGENE{n}" for n in range(30)], ["a", "b", "c", "d", "e", "f"])
OTHERS = ["TP53", "BRAF", "KRAS", "NRAS", "PTEN", "RB1"]
GENES.index = ["MYCN", "ALK", "TERT", "CD8A", "PHOX2B", "GATA3", *GENES.index[6:]]


@pytest.fixture
def genes() -> list[str]:
    return GENES.index.tolist()


def test_a_patient_of_two_cohorts_stands_once_with_what_both_know(shared) -> None:
    one, two = shared
    merged = merge_cohorts(shared)
    assert merged.patient_ids.tolist() == [*A, "e", "f"]
    table = merged.patients.set_index("patient_id")
    assert table.loc["2", ["sex", "study"]].tolist() == ["female", "one"]
    assert table.loc["1", "sex"] == "male"
    assert table["ldh"].notna().tolist() == [True] * 4 + [False] * 2 + [True] * 2
    assert table["split"].isna().tolist() == [True] * 6 + [False] * 2  # a published division is its own cohort's
    # Each assay once: the first cohort's of the first patient, the other's of those whom the first did not look at.
    assert merged.assayed_samples("copy_number").to_dict() == {"1": "1", "2": "b", "5": "5", "6": "6", "e": "e"}
    assert merged.assayed_samples("expression").to_dict() == dict(zip("1234ef", "abcdef", strict=True))
    assert merged.gene_copy_number is not None
    assert "a" not in merged.gene_copy_number
    counts = [(part["name"], part["patients"], part["added"]) for part in merged.metadata["source"]["cohorts"]]
    assert counts == [("one", 6, 6), ("two", 6, 2)]
    assert merged.metadata["repairs"][0].startswith("merge: 4 patients of two found in one, with an event, a death or")
    assert merged.patients["event_days"].tolist()[:6] == one.patients["event_days"].tolist()
    # Named the other way round, the other records are kept.
    assert merge_cohorts([two, one]).patient_ids.tolist() == [*"abcdef", "5", "6"]


def test_the_outcome_comes_whole_from_one_record(shared) -> None:
    one, two = shared
    without = one.patients.copy()
    without.loc[0, ["event", "event_days"]] = [None, np.nan]
    outcome = ["event", "event_days", "death", "followup_days"]
    found = merge_cohorts([replace(one, patients=without), two]).patients[outcome].iloc[0]
    assert found.isna().tolist() == [True, True, False, False]


def test_three_cohorts_are_compared_each_with_all_before_it(shared) -> None:
    one, two = shared
    third = assemble_cohort("three", {"patients": patients(list("klmnop"), [*ages(400)[:3], *ages(9000, 3)])})
    merged = merge_cohorts([one, two, third])
    assert merged.patient_ids.tolist() == [*A, "e", "f", "n", "o", "p"]


@pytest.fixture
def uncertain() -> tuple[Cohort, Cohort]:
    """Eight patients event-free at one date in one cohort, and two years later in the other."""
    rows = {"event": "none", "death": 0.0}
    first, second = (
        patients([f"{name}{n}" for n in range(8)], ages(500, 8), **rows, event_days=time, followup_days=time)
        for name, time in (("a", 900.0), ("b", 1700.0))
    )
    return assemble_cohort("one", {"patients": first}), assemble_cohort("two", {"patients": second})


def test_who_may_be_in_both_stops_the_merge_unless_it_is_said_what_they_are(uncertain) -> None:
    with pytest.raises(InputError, match="8 more patients of two may be in one: age, stage, MYCN and course") as caught:
        merge_cohorts(uncertain)
    assert "--uncertain join" in str(caught.value)
    assert "b3" not in str(caught.value)
    assert len(merge_cohorts(uncertain, uncertain="join").patients) == 8
    kept = merge_cohorts(uncertain, uncertain="keep")
    assert len(kept.patients) == 16
    assert kept.metadata["repairs"][0].endswith("both records are kept")
    with pytest.raises(InputError, match="illegal value 'both'"):
        merge_cohorts(uncertain, uncertain="both")


def test_a_source_that_two_cohorts_share_is_found_among_the_patients_of_others(uncertain) -> None:
    one, two = uncertain
    rng = np.random.default_rng(0)
    crowd = patients([f"c{n}" for n in range(300)], rng.integers(300, 3000, 300).tolist(), event="none", death=0.0)
    crowd = crowd.assign(event_days=2000.0, followup_days=2000.0, study="elsewhere")
    everybody = pd.concat([two.patients.assign(study="GPOH"), crowd], ignore_index=True)
    larger = assemble_cohort("large", {"patients": everybody[crowd.columns]})
    with pytest.raises(InputError, match="of GPOH may be in one"):
        merge_cohorts([one, larger])


def test_cohorts_without_ages_are_not_merged_unless_both_records_are_to_be_kept() -> None:
    one, two = pair()
    bare = replace(two, patients=two.patients.assign(age_days=np.nan))
    with pytest.raises(InputError, match="nobody of two has an age"):
        merge_cohorts([one, bare])
    assert len(merge_cohorts([one, bare], uncertain="keep").patients) == 12


def test_expression_has_the_genes_of_all_and_ranks_among_them(genes) -> None:
    more = [*genes, *(f"OTHER{n}" for n in range(40))]
    former = ["NMYC" if gene == "MYCN" else gene for gene in genes if gene != "NOGENE29"]
    one, two = pair({"expression": matrix(more, A)}, {"expression": matrix(former, B, 1)})
    merged = merge_cohorts([one, two])
    assert merged.expression is not None
    assert merged.expression.index.tolist() == [gene for gene in genes if gene != "NOGENE29"]
    assert not merged.expression.isna().any(axis=None)
    note = "merge: expression: 29 genes measured in all cohorts (70 in one, 29 in two), the others left out"
    assert note in merged.metadata["repairs"]
    # The same features as if the other genes had never been there: no study shifts another's ranks.
    alone = replace(one, expression=merged.expression[["one:1", "one:2", "one:3", "4", "5", "6"]].set_axis(A, axis=1))
    rank = load_catalogue().subset(["mycn__expression"])
    np.testing.assert_array_equal(build_features(merged, rank).values[:6], build_features(alone, rank).values)


def test_copy_number_by_gene_has_the_genes_of_any_missing_where_they_were_not_measured() -> None:
    levels = pd.DataFrame([[0, 2], [1, -1]], index=["MYCN", "ALK"])
    one, two = pair(
        {"gene_copy_number": levels.set_axis(["1", "2"], axis=1)},
        {"gene_copy_number": levels.loc[["MYCN"]].set_axis(["x4", "x5"], axis=1)},
    )
    merged = merge_cohorts([one, two]).gene_copy_number
    assert merged is not None
    assert merged.loc["ALK"].isna().tolist() == [False, False, True, True]
    assert merged.loc["MYCN", "x5"] == 2


def segments(samples: list[str], level: float) -> pd.DataFrame:
    rows = []
    for sample in samples:
        for chromosome in ("1", "2", "3", "11", "17"):
            rows.append((sample, chromosome, 1_000_000, 60_000_000, 0.0))
            rows.append((sample, chromosome, 60_000_001, 110_000_000 if chromosome != "17" else 80_000_000, level))
    return pd.DataFrame(rows, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"])


def profiled(samples: list[str], build: str, platform: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample_id": samples, "assay": "copy_number", "genome_build": build, "platform": platform}
    ).astype({"platform": "str"})


@pytest.mark.parametrize(("platform", "name"), [("SNP", "SNP"), (None, "unknown")])
def test_platforms_of_one_name_keep_each_studys_own_scale(platform: str | None, name: str) -> None:
    # Strong and weak signals of the same losses: the tumours of one study are purer, or its array is compressed.
    one, two = pair(
        {"segments": segments(A, -0.8), "assays": profiled(A, "hg19", platform)},
        {"segments": segments(B, -0.4), "assays": profiled(B, "hg19", platform)},
    )
    merged = merge_cohorts([one, two])
    scales = merged.metadata["platforms"]
    assert scales == {
        f"one:{name}": one.metadata["platforms"][name],
        f"two:{name}": two.metadata["platforms"][name],
    }
    changes = load_catalogue()
    changes = changes.subset([entry.name for entry in changes.by_builder("copy_number")])
    of_merged = build_features(merged, changes).values
    for part, rows in ((one, slice(0, 6)), (two, slice(6, 12))):
        own = build_features(part, changes).values
        pd.testing.assert_frame_equal(of_merged.iloc[rows].reset_index(drop=True), own.reset_index(drop=True))


def test_coordinates_of_two_genome_builds_are_refused() -> None:
    one, two = pair(
        {"segments": segments(A, -0.8), "assays": profiled(A, "hg19", "P")},
        {"segments": segments(B, -0.8), "assays": profiled(B, "hg38", "Q")},
    )
    with pytest.raises(InputError, match="copy number are of different genome builds: hg19 in one, hg38 in two"):
        merge_cohorts([one, two])


def test_calls_of_two_units_are_refused() -> None:
    levels = matrix(["MYCN", "ALK"], ["1"]).round() % 3 - 1
    ratios = pd.DataFrame([[0.31], [-0.42]], index=["MYCN", "ALK"], columns=["x4"])
    one, two = pair({"gene_copy_number": levels}, {"gene_copy_number": ratios})
    with pytest.raises(InputError, match="different units: discrete in one, log2 in two"):
        merge_cohorts([one, two])


def test_units_of_expression_stand_beside_each_other_because_only_ranks_are_read(genes) -> None:
    about = {name: {"expression": {"unit": unit}} for name, unit in (("one", "log2"), ("two", "log2(TPM + 1)"))}
    merged = merge_cohorts(
        pair({"expression": matrix(genes, A)}, {"expression": matrix(genes, B)}, one=about["one"], two=about["two"])
    )
    told = merged.metadata["expression"]
    assert told == {"unit": "by cohort", "units": {"one": "log2", "two": "log2(TPM + 1)"}}


def test_cohorts_that_share_no_gene_or_nothing_at_all_are_refused(genes) -> None:
    one, two = pair({"expression": matrix(genes[:6], A)}, {"expression": matrix(OTHERS, B)})
    with pytest.raises(InputError, match="share no gene of expression: 6 in one, 6 in two"):
        merge_cohorts([one, two])
    bare = assemble_cohort("bare", {"patients": pd.DataFrame({"patient_id": ["z"], "event": "none", "event_days": 9})})
    with pytest.raises(InputError, match="nothing that is known of the patients of one is known in another cohort"):
        merge_cohorts([one, bare], uncertain="keep")


def test_a_table_of_the_wrong_type_is_refused_by_cohort_table_and_column() -> None:
    one, two = pair()
    clashing = replace(two, patients=two.patients.assign(age_days=two.patients["age_days"].astype("str")))
    with pytest.raises(InputError, match="wrong type of values") as caught:
        merge_cohorts([one, clashing])
    assert (caught.value.file, caught.value.column) == ("two: patients", "age_days")


def test_panels_of_one_name_and_other_genes_are_told_apart() -> None:
    def of(genes: list[str], samples: list[str]) -> dict[str, pd.DataFrame]:
        assays = pd.DataFrame({"sample_id": samples, "assay": "mutations", "genome_build": "hg19", "panel": "P1"})
        panels = pd.DataFrame({"panel": "P1", "gene": genes})
        return {"assays": assays, "panels": panels, "mutations": mutation(samples[3])}

    apart = merge_cohorts(pair(of(["ALK"], A), of(["ALK", "TP53"], B)))
    assert apart.panels is not None
    assert sorted(apart.panels["panel"].unique()) == ["one:P1", "two:P1"]
    together = merge_cohorts(pair(of(["ALK"], A), of(["ALK"], B))).panels
    assert together is not None
    assert together.to_numpy().tolist() == [["P1", "ALK"]]


def test_folders_are_read_merged_written_and_read_again(shared, tmp_path: Path) -> None:
    folders = [write_cohort(cohort, tmp_path / cohort.name) for cohort in shared]
    merged = merge_folders(folders)
    again = read_cohort(write_cohort(merged, tmp_path / "both"))
    pd.testing.assert_frame_equal(again.patients, merged.patients)
    assert is_merged(again)
    with pytest.raises(InputError, match="a cohort is named twice"):
        merge_folders([folders[0], tmp_path / "one" / ".." / "one"])
    with pytest.raises(InputError, match="two cohorts are called 'one'"):
        merge_cohorts([shared[0], shared[0]])
    with pytest.raises(InputError, match="1 cohort cannot be merged"):
        merge_cohorts([shared[0]])


def test_what_is_known_of_the_parts_goes_with_them(shared, cohort: Cohort) -> None:
    one, two = shared
    chosen = two.take(two.patient_ids[2:])
    simulated = replace(cohort, name="made up")
    merged = merge_cohorts([one, chosen, simulated])
    assert merged.where == "of two: a list of 4 patients"
    assert is_simulated(merged)
    assert not is_simulated(merge_cohorts([one, chosen]))


@pytest.mark.skipif(not DATA.exists(), reason=f"no data in {DATA}")
def test_the_german_patients_of_two_public_cohorts_are_kept_once() -> None:
    seqc = import_geo(sorted((DATA / "seqc").glob("GSE*")))
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    others = import_tables(mapping, DATA / "high_risk_copy_number")
    with pytest.raises(InputError, match="10 more patients of GPOH may be in"):
        merge_cohorts([seqc, others])
    merged = merge_cohorts([seqc, others], uncertain="join")
    studies = merged.patients["study"].value_counts().to_dict()
    assert studies == {seqc.name: 498, "COG": 207, "GPOH": 79, "JAP": 68}
    assert len(merged.assayed_samples("copy_number")) == 397
