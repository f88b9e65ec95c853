"""What must not change a feature, to the last bit: how a study is written down, and who else is in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nbrelapse.cohort import Cohort
from nbrelapse.cohort.schema import MATRICES, TABLES
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.mechanisms.genome import _GENE_SPANS, chromosome_arms
from nbrelapse.readers import import_cbioportal
from nbrelapse.simulation import write_raw_files

PATIENTS = 24
LONG = ("data_mutations.txt", "data_cna_hg19.seg", "data_sv.txt")
WIDE = ("data_mrna_seq_rpkm.txt",)
CLINICAL = ("data_clinical_patient.txt", "data_clinical_sample.txt")
KEYS = ["ID", "Tumor_Sample_Barcode", "Sample_Id", "Hugo_Symbol"]
PREFIXED = ["Chromosome", "chrom", "Site1_Chromosome", "Site2_Chromosome"]
SEEDS = st.integers(0, 2**32 - 1)
MECHANISMS = load_catalogue()

# A failing study is not made smaller: each try takes a second, and the seed repeats it.
PHASES = [phase for phase in Phase if phase is not Phase.shrink]
few = settings(
    max_examples=3, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a simulated study, with a repeated and a renamed gene."""
    folder = write_raw_files(tmp_path_factory.mktemp("raw") / "study", PATIENTS, seed=3)
    file = folder / WIDE[0]
    table = pd.read_csv(file, sep="\t", dtype="str")
    twice = table[table["Hugo_Symbol"].isin(["MYCN", "TERT"])].assign(Hugo_Symbol=["NMYC", "TERT"])
    pd.concat([table, twice]).to_csv(file, sep="\t", index=False)
    return folder


@pytest.fixture(scope="module")
def cohort(study: Path) -> Cohort:
    return import_cbioportal(study)


@pytest.fixture(scope="module")
def features(cohort: Cohort) -> pd.DataFrame:
    return build_features(cohort).values


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Another study, on a platform whose ratios are half as large."""
    cohort = import_cbioportal(write_raw_files(tmp_path_factory.mktemp("other") / "study", PATIENTS, seed=4))
    names = {
        "patients": ["patient_id"],
        "samples": ["patient_id", "sample_id"],
        **{name: ["sample_id"] for name in ("assays", "mutations", "segments", "rearrangements")},
    }
    changed = {
        name: getattr(cohort, name).assign(**{key: "other-" + getattr(cohort, name)[key] for key in keys})
        for name, keys in names.items()
    }
    changed["segments"] = changed["segments"].assign(log2_ratio=changed["segments"]["log2_ratio"] * 0.5)
    assert cohort.expression is not None
    changed["expression"] = cohort.expression.add_prefix("other-")
    return replace(cohort, **changed)


def rewritten(study: Path, folder: Path, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """Features of the study after a change of its tables."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(study, folder)
    for name in (*LONG, *WIDE, *CLINICAL):
        lines = (folder / name).read_text().splitlines(keepends=True)
        comments = [line for line in lines if line.startswith("#")]
        table = pd.read_csv(folder / name, sep="\t", dtype="str", skiprows=len(comments), keep_default_na=False)
        body = change(name, table).to_csv(sep="\t", index=False)
        (folder / name).write_text("".join(comments) + body)
    return build_features(import_cbioportal(folder)).values


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert expected.notna().any(axis=None)
    pd.testing.assert_frame_equal(found.reindex(expected.index), expected, check_exact=True)


@few
@given(seed=SEEDS)
def test_order_of_rows_columns_samples_and_patients(
    study: Path, features: pd.DataFrame, tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)

    def shuffled(name: str, table: pd.DataFrame) -> pd.DataFrame:
        # The comments above a clinical file repeat its columns, so these keep their places.
        columns = list(table.columns if name in CLINICAL else random.permutation(table.columns))
        columns.sort(key=lambda column: column not in KEYS)
        return table.iloc[random.permutation(len(table))][columns]

    assert_same(rewritten(study, tmp_path / "study", shuffled), features)


@pytest.mark.parametrize("file", ["data_cna_hg19.seg", "data_mrna_seq_rpkm.txt"])
def test_a_column_of_numbers_comes_first(study: Path, features: pd.DataFrame, tmp_path: Path, file: str) -> None:
    def turned(name: str, table: pd.DataFrame) -> pd.DataFrame:
        return table[table.columns[::-1]] if name == file else table

    assert_same(rewritten(study, tmp_path / "study", turned), features)


@few
@given(seed=SEEDS)
def test_chr_prefix(study: Path, features: pd.DataFrame, tmp_path: Path, seed: int) -> None:
    """In any of the rows."""
    random = np.random.default_rng(seed)

    def prefixed(_: str, table: pd.DataFrame) -> pd.DataFrame:
        columns = [column for column in PREFIXED if column in table]
        with_prefix = {column: "chr" + table[column].str.removeprefix("chr") for column in columns}
        some = {column: with_prefix[column].where(random.random(len(table)) < 0.5, table[column]) for column in columns}
        return table.assign(**some)

    assert_same(rewritten(study, tmp_path / "study", prefixed), features)


@few
@given(seed=SEEDS, share=st.floats(0.05, 1), gap=st.sampled_from([0, 1]))
def test_splitting_segments(cohort: Cohort, features: pd.DataFrame, seed: int, share: float, gap: int) -> None:
    """Anywhere, into pieces that share a base or not."""
    random = np.random.default_rng(seed)
    assert cohort.segments is not None
    segments = cohort.segments
    chosen = (random.random(len(segments)) < share) & (segments["end"] - segments["start"] > 1)
    left, right = segments[chosen].copy(), segments[chosen].copy()
    length = right["end"] - right["start"]
    cut = left["start"] + np.floor(random.random(len(left)) * (length - gap))
    left["end"], right["start"] = cut, cut + gap
    pieces = pd.concat([segments[~chosen], left, right]).sample(frac=1, random_state=seed % 2**31)
    assert_same(build_features(replace(cohort, segments=pieces.reset_index(drop=True))).values, features)


def joined(first: Cohort, second: Cohort, random: np.random.Generator) -> Cohort:
    """Two cohorts as one, in any order; each platform keeps the scale recorded for it."""
    parts = []
    for number, part in enumerate((first, second)):
        assays = part.assays.assign(
            platform=part.assays["platform"].where(part.assays["assay"] != "copy_number", number)
        )
        parts.append(replace(part, assays=assays.astype({"platform": "str"})))
    tables = {}
    for name in (*TABLES, *MATRICES):
        found = [table for part in parts if (table := getattr(part, name)) is not None]
        if found and name in MATRICES:
            tables[name] = pd.concat(found, axis=1)
            tables[name] = tables[name].iloc[random.permutation(len(tables[name]))]
        elif found:
            table = pd.concat(found).drop_duplicates() if name == "panels" else pd.concat(found)
            tables[name] = table.iloc[random.permutation(len(table))].reset_index(drop=True)
    scales = {str(number): part.metadata["platforms"]["unknown"] for number, part in enumerate((first, second))}
    return Cohort("both", metadata={**first.metadata, "platforms": scales}, **tables)


@few
@given(seed=SEEDS)
def test_adding_another_cohort(cohort: Cohort, other: Cohort, features: pd.DataFrame, seed: int) -> None:
    both = build_features(joined(cohort, other, np.random.default_rng(seed))).values
    assert len(both) == 2 * PATIENTS
    assert_same(both, features)


@few
@given(numbers=st.sets(st.integers(0, PATIENTS - 1), min_size=1, max_size=3))
def test_patients_on_their_own(cohort: Cohort, numbers: set[int]) -> None:
    """Scored a few at a time, as new patients are, with the recorded scale of the platform."""
    unknown = replace(cohort, samples=cohort.samples.assign(purity=np.nan))
    patients = cohort.patients.iloc[sorted(numbers)].reset_index(drop=True)
    found = build_features(replace(unknown, patients=patients)).values
    assert_same(found, build_features(unknown).values.iloc[sorted(numbers)])


@pytest.mark.parametrize("number", [0, 1])
def test_a_patient_of_known_purity_alone(cohort: Cohort, features: pd.DataFrame, number: int) -> None:
    patients = cohort.patients.iloc[[number]].reset_index(drop=True)
    assert_same(build_features(replace(cohort, patients=patients)).values, features.iloc[[number]])


def test_more_patients_do_not_choose_between_the_rows_of_a_gene(
    tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    """A gene that is there twice: what counts of it for A must not depend on B."""
    rows = {"TERT": [("1", "90"), ("9", "1")], "MYCN": [("4", "4")], "ALK": [("3", "3")], "CD8A": [("2", "2")]}
    tables = {}
    for patients in (["A"], ["A", "B"]):
        lines = [["Hugo_Symbol", *patients]]
        lines += [[gene, *values[: len(patients)]] for gene, repeats in rows.items() for values in repeats]
        text = "\n".join(" ".join(line) for line in lines)
        folder = write_study(tmp_path / "-".join(patients), {"data_mrna_seq_tpm.txt": text}, patients)
        tables[len(patients)] = build_features(import_cbioportal(folder)).values
    assert_same(tables[2], tables[1])


@pytest.mark.parametrize(
    "order",
    [
        ["MYCN 0", "NMYC 2"],
        ["NMYC 2", "MYCN 0"],
    ],
)
def test_a_former_name_beside_the_current_one(
    order: list[str], tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    """In any order of the rows the current name counts, as it does in expression."""
    text = "\n".join(["Hugo_Symbol A", *order])
    folder = write_study(tmp_path / "study", {"data_cna.txt": text}, ["A"])
    assert build_features(import_cbioportal(folder)).values.loc["A", "mycn__amplified_copy_number"] == 0


PLACES = ["MYCN", "ALK", "TERT", "CDKN2A", "MDM2", "CDK4", "CCND1", "MYC", "ATRX", "PTPRD", "TENM3", "PHOX2B", "RAF1"]
ARMS = [f"{chromosome}{side}" for chromosome in ("1", "2", "3", "4", "6", "7", "11", "14", "17") for side in "pq"]
HOTSPOTS = {
    "ALK": {"chromosome": "2", "hg19": 29443695, "hg38": 29220829},
    "NRAS": {"chromosome": "1", "hg19": 115256529, "hg38": 114713908},
    "BRAF": {"chromosome": "7", "hg19": 140453136, "hg38": 140753336},
    "TERT": {"chromosome": "5", "hg19": 1295228, "hg38": 1295113},
}
LEVELS = {"loss": -0.4, "gain": 0.3, "deep": -1.2, "amplified": 1.5}
SCALE = {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.01}

# Away from the thresholds: an arm that is a base shorter in one build must not lie on a cut. No gene of PLACES lies
# where its arm may break.
shares = st.tuples(st.sampled_from(["loss", "gain"]), st.floats(0.35, 0.6))
arm_events = st.dictionaries(st.sampled_from(ARMS), shares, max_size=8)
focal_events = st.dictionaries(
    st.sampled_from(PLACES), st.sampled_from(["loss", "deep", "gain", "amplified"]), max_size=4
)
breaks = st.tuples(st.sampled_from(PLACES), st.floats(-2, 3), st.sampled_from(PLACES), st.floats(-2, 3))
joins = st.lists(st.tuples(breaks, st.sampled_from(["DELETION", "TRANSLOCATION", "INVERSION"])), max_size=4)
tumours = st.tuples(arm_events, focal_events, joins, st.sets(st.sampled_from([*HOTSPOTS])))


def inside(build: str, gene: str, place: float) -> tuple[str, int]:
    """A position in units of the gene's length from its first base, or as many bases of 10 kb outside of it."""
    chromosome, first, last = _GENE_SPANS[build][gene]
    length = min(last - first for _, first, last in (_GENE_SPANS[name][gene] for name in _GENE_SPANS))
    if place < 0:
        return chromosome, first + int(place * 10_000)
    return chromosome, first + int(place * length) if place <= 1 else last + int((place - 1) * 10_000)


def segments_of(build: str, arm_changes: dict, focal_changes: dict) -> list[tuple[str, int, int, float]]:
    """Segments of one tumour: arms are changed from their telomere, or else genes with 1 Mb on both sides."""
    arms = chromosome_arms(build)
    rows = []
    for chromosome in [*map(str, range(1, 23)), "X"]:
        centromere, length = (int(value) for value in arms.loc[chromosome, ["centromere", "length"]])
        levels = {1: 0.0}
        if f"{chromosome}p" in arm_changes:
            change, share = arm_changes[f"{chromosome}p"]
            levels |= {1: LEVELS[change], int(share * centromere): 0.0}
        if f"{chromosome}q" in arm_changes:
            change, share = arm_changes[f"{chromosome}q"]
            levels[length - int(share * (length - centromere))] = LEVELS[change]
        if len(levels) == 1:
            for gene, change in focal_changes.items():
                name, first, last = _GENE_SPANS[build][gene]
                if name == chromosome:
                    levels |= {first - 1_000_000: LEVELS[change], last + 1_000_000: 0.0}
        starts = [*sorted(levels), length]
        rows += [(chromosome, start, end, levels[start]) for start, end in pairwise(starts)]
    return rows


def written(build: str, drawn: list[tuple]) -> Cohort:
    """The tumours as a cohort in one build."""
    ids = [f"p{number}" for number in range(len(drawn))]
    segments, mutations, rearrangements = [], [], []
    for sample, (arm_changes, focal_changes, joined_places, hotspots) in zip(ids, drawn, strict=True):
        segments += [(sample, *row) for row in segments_of(build, arm_changes, focal_changes)]
        for (gene1, place1, gene2, place2), kind in joined_places:
            rearrangements.append((sample, *inside(build, gene1, place1), *inside(build, gene2, place2), kind))
        for gene in sorted(hotspots):
            kind = "5'Flank" if gene == "TERT" else "Missense_Mutation"
            spot = HOTSPOTS[gene]
            mutations.append((sample, gene, spot["chromosome"], float(spot[build]), kind, "G", "A"))
    assays = [(sample, assay) for assay in ("mutations", "copy_number", "rearrangements") for sample in ids]
    sites = ["site1_chromosome", "site1_position", "site2_chromosome", "site2_position"]
    calls = ["Hugo_Symbol", "Chromosome", "Start_Position", "Variant_Classification"]
    calls += ["Reference_Allele", "Tumor_Seq_Allele2"]
    return Cohort(
        "drawn",
        pd.DataFrame({"patient_id": ids, "sex": ["female", "male"] * (len(ids) // 2) + ["female"] * (len(ids) % 2)}),
        pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": "diagnosis"}),
        pd.DataFrame(assays, columns=["sample_id", "assay"]).assign(genome_build=build, platform="P"),
        mutations=pd.DataFrame(mutations, columns=["sample_id", *calls]),
        segments=pd.DataFrame(segments, columns=["sample_id", "chromosome", "start", "end", "log2_ratio"]),
        rearrangements=pd.DataFrame(rearrangements, columns=["sample_id", *sites, "class"]),
        metadata={"platforms": {"P": SCALE}},
    )


@settings(max_examples=4, deadline=None, phases=PHASES)
@given(drawn=st.lists(tumours, min_size=8, max_size=12))
def test_the_same_events_in_both_builds(drawn: list[tuple]) -> None:
    names = [name for name, feature in MECHANISMS.features.items() if feature.kind in ("binary", "count")]
    tables = [build_features(written(build, drawn)).values.filter(names) for build in ("hg19", "hg38")]
    assert_same(tables[0], tables[1])
