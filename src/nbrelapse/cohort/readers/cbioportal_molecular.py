"""Molecular files of a cBioPortal study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.readers.expression_scale import to_log2
from nbrelapse.cohort.readers.study_files import StudyFiles
from nbrelapse.cohort.schema import MUTATIONS
from nbrelapse.cohort.vocabulary import as_text, levels, normalise_levels
from nbrelapse.errors import InputError

NO_SAMPLES = ("Entrez_Gene_Id", "Cytoband", "Gene_Symbol", "Locus ID")


def read_mutations(study: StudyFiles, name: str) -> tuple[pd.DataFrame, str | None, list[str]]:
    """Read a MAF.

    Returns
    -------
    mutations : DataFrame
    genome_build : str or None
    sequenced : list of str
        Samples that the ``#sequenced_samples:`` line lists.

    Raises
    ------
    InputError
        A required column is missing, or the rows are of more than one genome build.
    """
    raw = study.table(name)
    _require(raw, ["Hugo_Symbol", "Tumor_Sample_Barcode"], study.where(name))
    columns = [column for column in map(str, MUTATIONS.columns) if column in raw]
    mutations = raw[columns].assign(sample_id=raw["Tumor_Sample_Barcode"])
    head = [line for line in study.text(name).split("\n", 5)[:5] if line.startswith("#sequenced_samples")]
    sequenced = head[0].partition(":")[2].split() if head else []
    return mutations, genome_build(raw, study.where(name)), sequenced


def read_rearrangements(study: StudyFiles, name: str, columns: Mapping[str, str]) -> tuple[pd.DataFrame, str | None]:
    """Read a structural variant file; germline events are left out."""
    raw = study.table(name)
    _require(raw, ["Sample_Id"], study.where(name))
    if "SV_Status" in raw:
        raw = raw[as_text(raw["SV_Status"]).str.upper() != "GERMLINE"]
    chosen = [column for column in columns if column in raw]
    return raw[chosen].rename(columns=dict(columns)), genome_build(raw, study.where(name))


def read_segments(study: StudyFiles, name: str, columns: Mapping[str, str]) -> tuple[pd.DataFrame, str | None]:
    """Read a segmented copy-number file; the build is its meta file's or in its name."""
    raw = study.table(name)
    _require(raw, list(columns), study.where(name))
    return raw[list(columns)].rename(columns=dict(columns)), _segment_build(study, name)


def read_gene_matrix(study: StudyFiles, name: str) -> pd.DataFrame:
    """Read a gene by sample file; the index is ``Hugo_Symbol``."""
    raw = study.table(name, matrix=True)
    _require(raw, ["Hugo_Symbol"], study.where(name))
    return raw.drop(columns=[column for column in NO_SAMPLES if column in raw]).set_index("Hugo_Symbol")


def read_expression(study: StudyFiles, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read expression and bring it to log2; the second value is what ``cohort.toml`` keeps."""
    matrix = read_gene_matrix(study, name)
    numeric = matrix.select_dtypes("number")
    platform = Path(name).stem.removeprefix("data_")
    if numeric.shape[1] == matrix.shape[1]:
        matrix, unit = to_log2(matrix.astype("float64"))
        return matrix, {"unit": unit, "platform": platform, "file": name}
    return matrix, {"unit": "log2", "platform": platform, "file": name}


def genome_build(raw: pd.DataFrame, file: Path) -> str | None:
    """Return the build that the ``NCBI_Build`` column names; raises InputError where it names several."""
    if "NCBI_Build" not in raw:
        return None
    builds = normalise_levels(raw["NCBI_Build"], "genome_build", file=file)
    found = builds.value_counts()
    if len(found) > 1:
        raise InputError(
            f"mixed genome builds: {', '.join(sorted(map(str, found.index)))}",
            file=file,
            column="NCBI_Build",
            rows=((builds != found.index[0]) & builds.notna()).to_numpy().nonzero()[0] + 1,
            expected="one build in all rows",
            mend="lift all coordinates over to one build",
        )
    return None if found.empty else str(found.index[0])


def _segment_build(study: StudyFiles, name: str) -> str | None:
    metas = [meta for meta in study.names if "meta_" in meta and meta.endswith(".txt") and "seg" in meta]
    for meta in metas:
        fields = study.fields(meta)
        if fields.get("data_filename") == name and "reference_genome_id" in fields:
            build = pd.Series([fields["reference_genome_id"]], name="reference_genome_id")
            return str(normalise_levels(build, "genome_build", file=study.where(meta)).iloc[0])
    return next((build for build in levels("genome_build") if build in name.lower()), None)


def _require(table: pd.DataFrame, columns: list[str], file: Path) -> None:
    absent = [column for column in columns if column not in table]
    if absent:
        found = ", ".join(map(str, table.columns[:15]))
        raise InputError("a column is missing", file=file, column=", ".join(absent), mend=f"columns found: {found}")
