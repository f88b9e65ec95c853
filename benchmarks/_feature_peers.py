"""Features as a user would write them: pandas groupby/apply by sample, and bioframe overlaps by sample or at once.

All read the study's files with ``pandas.read_csv``, call copy numbers with the single-copy levels that they are given,
and know no other assay truth than "in the file". They build the 18 features of ``COMPARED`` and check no input.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import bioframe
import numpy as np
import pandas as pd

from nbrelapse.mechanisms.genome import _AUTOSOMES, _GENE_SPANS, chromosome_arms

TRUNCATING = ["Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site"]
ALTERING = [*TRUNCATING, "Missense_Mutation", "In_Frame_Del", "In_Frame_Ins"]
MUTATIONS = {
    "alk__hotspot_mutation": (["ALK"], ALTERING, r"p\.(?:F1174|R1275|F1245)"),
    "p53__tp53_mutation": (["TP53"], ALTERING, ""),
    "ras_mapk__nf1_truncating": (["NF1"], TRUNCATING, ""),
    "telomere__atrx_daxx_truncating": (["ATRX", "DAXX"], TRUNCATING, ""),
}
ARMS = {
    "instability__loss_1p": ("1p", -1),
    "instability__loss_3p": ("3p", -1),
    "instability__loss_4p": ("4p", -1),
    "instability__loss_11q": ("11q", -1),
    "instability__gain_1q": ("1q", 1),
    "instability__gain_2p": ("2p", 1),
    "instability__gain_17q": ("17q", 1),
}
GENES = {
    "mycn__amplified_copy_number": "MYCN",
    "alk__amplified": "ALK",
    "p53__mdm2_amplification": "MDM2",
    "p53__cdk4_amplification": "CDK4",
}
COUNTS = ["instability__mutation_count", "instability__segmental_count", "instability__fraction_altered"]
COMPARED = [*MUTATIONS, *ARMS, *GENES, *COUNTS]
MIN_ALTERED, NUMERICAL, AMPLIFIED, FOCAL = 3_000_000, 0.9, 2.26, 10_000_000


def read_files(study: Path, scale: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mutations, and the autosomal segments with their level in copies."""
    mutations = pd.read_csv(study / "data_mutations.txt", sep="\t", comment="#", low_memory=False)
    segments = pd.read_csv(study / "data_cna_hg19.seg", sep="\t", dtype={"chrom": str})
    segments = segments[segments["chrom"].isin(_AUTOSOMES)]
    segments = segments.rename(columns={"loc.start": "start", "loc.end": "end"})
    level = segments["seg.mean"] - scale["centre"]
    copies = np.where(level > 0, level / scale["gain"], level / -scale["loss"])
    return mutations, segments.assign(copies=copies, length=segments["end"] - segments["start"])


def arm_table() -> pd.DataFrame:
    arms = chromosome_arms("hg19").loc[list(_AUTOSOMES)]
    p = pd.DataFrame({"chrom": arms.index, "start": 0, "end": arms["centromere"], "arm": arms.index + "p"})
    q = pd.DataFrame({"chrom": arms.index, "start": arms["centromere"], "end": arms["length"], "arm": arms.index + "q"})
    return pd.concat([p, q], ignore_index=True)


def by_groupby(study: Path, scale: Mapping[str, float]) -> tuple[pd.DataFrame, float, float]:
    """Return the features of functions applied to each sample's rows, and the seconds of reading and of building."""
    start = time.perf_counter()
    mutations, segments = read_files(study, scale)
    read = time.perf_counter()
    arms = arm_table().set_index("arm")
    hits = mutations.groupby("Tumor_Sample_Barcode").apply(_mutations_of_sample)
    calls = segments.groupby("ID").apply(_copy_number_of_sample, arms=arms)
    table = calls.join(hits).fillna(0.0)
    return table, read - start, time.perf_counter() - read


def _mutations_of_sample(rows: pd.DataFrame) -> pd.Series:
    found = {}
    for name, (genes, classes, protein) in MUTATIONS.items():
        candidates = rows[rows["Hugo_Symbol"].isin(genes) & rows["Variant_Classification"].isin(classes)]
        found[name] = float(candidates["HGVSp_Short"].str.match(protein).any())
    altering = rows["Variant_Classification"].isin(ALTERING)
    return pd.Series({**found, "instability__mutation_count": np.log1p(altering.sum())})


def _copy_number_of_sample(rows: pd.DataFrame, arms: pd.DataFrame) -> pd.Series:
    found = {}
    for name, (arm, sign) in ARMS.items():
        chrom, first, last = arm[:-1], int(arms["start"][arm]), int(arms["end"][arm])
        on = rows[rows["chrom"] == chrom]
        changed = on[(on["copies"] * sign > 0.5) & ~_amplicon(on)]
        inside = (changed["end"].clip(upper=last) - changed["start"].clip(lower=first)).clip(lower=0).sum()
        whole = changed["length"].sum() >= NUMERICAL * on["length"].sum()
        found[name] = float(inside >= MIN_ALTERED and not whole)
    for name, gene in GENES.items():
        chrom, first, last = _GENE_SPANS["hg19"][gene]
        at = rows[(rows["chrom"] == chrom) & (rows["start"] <= last) & (rows["end"] >= first)]
        found[name] = float(at["copies"].max() >= AMPLIFIED)
    found["instability__segmental_count"] = sum(found[name] for name in ARMS)
    altered = rows.loc[rows["copies"].abs() > 0.5, "length"].sum()
    return pd.Series({**found, "instability__fraction_altered": altered / rows["length"].sum()})


def _amplicon(rows: pd.DataFrame) -> pd.Series:
    return (rows["copies"] >= AMPLIFIED) & (rows["length"] <= FOCAL)


def by_overlap_of_samples(study: Path, scale: Mapping[str, float]) -> tuple[pd.DataFrame, float, float]:
    """Return the features of overlaps made for one sample after another, and the seconds of reading and of building."""
    start = time.perf_counter()
    mutations, segments = read_files(study, scale)
    read = time.perf_counter()
    calls = pd.concat([_copy_number_by_overlap(rows) for _, rows in segments.groupby("ID")])
    return _with_mutations(calls, mutations), read - start, time.perf_counter() - read


def by_overlap_of_cohort(study: Path, scale: Mapping[str, float]) -> tuple[pd.DataFrame, float, float]:
    """Return the features of one overlap of all samples, and the seconds of reading and of building."""
    start = time.perf_counter()
    mutations, segments = read_files(study, scale)
    read = time.perf_counter()
    return _with_mutations(_copy_number_by_overlap(segments), mutations), read - start, time.perf_counter() - read


def _copy_number_by_overlap(segments: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(index=pd.Index(segments["ID"].unique(), name="ID"))
    _add_arms(table, segments)
    spans = {gene: _GENE_SPANS["hg19"][gene] for gene in GENES.values()}
    genes = pd.DataFrame.from_dict(spans, orient="index", columns=["chrom", "start", "end"]).reset_index(names="gene")
    hits = bioframe.overlap(segments, genes, how="inner", suffixes=("", "_"))
    highest = hits.groupby(["ID", "gene_"])["copies"].max().unstack()
    for name, gene in GENES.items():
        table[name] = highest[gene].reindex(table.index) >= AMPLIFIED
    altered = segments["length"].where(segments["copies"].abs() > 0.5, 0).groupby(segments["ID"]).sum()
    table["instability__fraction_altered"] = altered / segments.groupby("ID")["length"].sum()
    return table.astype(float)


def _add_arms(table: pd.DataFrame, segments: pd.DataFrame) -> None:
    changed = segments.assign(sign=np.sign(segments["copies"]).astype(int))[segments["copies"].abs() > 0.5]
    changed = changed[~_amplicon(changed)]
    total = segments.groupby(["ID", "chrom"])["length"].sum()
    changed_length = changed.groupby(["ID", "chrom", "sign"])["length"].sum()
    share = (changed_length / total).unstack(["chrom", "sign"])
    cut = bioframe.overlap(changed, arm_table(), how="inner", suffixes=("", "_"))
    inside = np.minimum(cut["end"], cut["end_"]) - np.maximum(cut["start"], cut["start_"])
    lengths = inside.groupby([cut["ID"], cut["arm_"], cut["sign"]]).sum().unstack(["arm_", "sign"])
    for name, (arm, sign) in ARMS.items():
        long_enough = _column(lengths, (arm, sign), table.index) >= MIN_ALTERED
        table[name] = long_enough & ~(_column(share, (arm[:-1], sign), table.index) >= NUMERICAL)
    table["instability__segmental_count"] = table[list(ARMS)].sum(axis=1)


def _column(table: pd.DataFrame, name: tuple[str, int], index: pd.Index) -> pd.Series:
    return table[name].reindex(index) if name in table else pd.Series(np.nan, index)


def _with_mutations(table: pd.DataFrame, mutations: pd.DataFrame) -> pd.DataFrame:
    altering = mutations[mutations["Variant_Classification"].isin(ALTERING)]
    for name, (genes, classes, protein) in MUTATIONS.items():
        rows = altering[altering["Hugo_Symbol"].isin(genes) & altering["Variant_Classification"].isin(classes)]
        carriers = rows.loc[rows["HGVSp_Short"].str.match(protein), "Tumor_Sample_Barcode"]
        table[name] = table.index.isin(carriers).astype(float)
    count = altering["Tumor_Sample_Barcode"].value_counts().reindex(table.index, fill_value=0)
    return table.assign(instability__mutation_count=np.log1p(count))
