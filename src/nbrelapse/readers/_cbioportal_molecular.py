"""Molecular files of a cBioPortal study, and the samples that were profiled for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pandera.pandas as pa

from nbrelapse.cohort.assemble import assay_rows, normalise_matrix
from nbrelapse.cohort.columns import refuse_rows, row_numbers
from nbrelapse.cohort.schema import MUTATIONS, SEGMENTS, as_text, levels, normalise_levels
from nbrelapse.cohort.text import TextHeader
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import match_columns, to_log2
from nbrelapse.readers._files import StudyFiles

NO_SAMPLES = ("Entrez_Gene_Id", "Cytoband", "Gene_Symbol", "Locus ID")
MAF_COLUMNS = {
    "Tumor_Sample_Barcode": "sample_id",
    **{str(column): str(column) for column in MUTATIONS.columns if column != "sample_id"},
    "NCBI_Build": "NCBI_Build",
    "Matched_Norm_Sample_Barcode": "normal_id",
}


@dataclass(frozen=True)
class Mutations:
    """What a MAF holds.

    Parameters
    ----------
    table : DataFrame
        With the schema's column names.
    genome_build : str or None
    sequenced : list of str
        Samples that the ``#sequenced_samples:`` line lists.
    normals : list of str
        Matched normal samples.
    """

    table: pd.DataFrame
    genome_build: str | None
    sequenced: list[str]
    normals: list[str]


def read_mutations(study: StudyFiles, name: str) -> Mutations:
    """Read a MAF; old spellings of its columns (``Start_position``) are recorded in the study's repairs.

    Raises
    ------
    InputError
        A required column is missing, a row has one sample as tumour and as normal, or the rows are of more than one
        genome build.
    """
    file, header = study.where(name), study.header(name)
    raw = _read(study, name, header, MAF_COLUMNS, ["sample_id", "Hugo_Symbol"], MUTATIONS)
    listed = [line for line in header.comments if line.startswith("#sequenced_samples")]
    normals = _normals(raw, file)
    build = genome_build(raw, file)
    table = raw.drop(columns=["NCBI_Build", "normal_id"], errors="ignore")
    return Mutations(table, build, listed[0].partition(":")[2].split() if listed else [], normals)


def _normals(raw: pd.DataFrame, file: Path) -> list[str]:
    """Return the matched normal samples, which no row may have as its tumour."""
    if "normal_id" not in raw:
        return []
    tumour, normal = as_text(raw["sample_id"]), as_text(raw["normal_id"])
    refuse_rows(
        raw.index,
        tumour == normal,
        "the tumour sample is the matched normal sample",
        file=file,
        column="Tumor_Sample_Barcode, Matched_Norm_Sample_Barcode",
        expected="the tumour's barcode, and the normal sample's or an empty cell",
        fix="correct the barcodes",
    )
    return normal.dropna().unique().tolist()


def read_rearrangements(study: StudyFiles, name: str) -> tuple[pd.DataFrame, str | None]:
    """Read a structural variant file; germline events are left out."""
    wanted = {**study.keys["rearrangement_columns"], "SV_Status": "SV_Status", "NCBI_Build": "NCBI_Build"}
    raw = _read(study, name, study.header(name), wanted, ["sample_id"])
    if "SV_Status" in raw:
        raw = raw[as_text(raw["SV_Status"]).str.upper() != "GERMLINE"]
    return raw.drop(columns=["SV_Status", "NCBI_Build"], errors="ignore"), genome_build(raw, study.where(name))


def read_segments(study: StudyFiles, name: str) -> tuple[pd.DataFrame, str | None]:
    """Read a segmented copy-number file; the build is its meta file's or in its name."""
    columns = study.keys["segment_columns"]
    raw = _read(study, name, study.header(name), columns, list(columns.values()), SEGMENTS)
    return raw, _segment_build(study, name)


def _read(
    study: StudyFiles,
    name: str,
    header: TextHeader,
    wanted: Mapping[str, str],
    required: list[str],
    schema: pa.DataFrameSchema | None = None,
) -> pd.DataFrame:
    """Wanted columns under the cohort's names; those that are numbers in the schema are parsed as such."""
    found = match_columns(header.names, wanted, required, study.where(name), study.repairs)
    typed = {} if schema is None else schema.columns
    numbers = [own for own, column in found.items() if column in typed and str(typed[column].dtype) == "float64"]
    return study.table(name, columns=found, numbers=numbers, header=header).rename(columns=found)


def read_gene_matrix(study: StudyFiles, name: str) -> pd.DataFrame:
    """Read a gene by sample file; the index is ``Hugo_Symbol``."""
    header = study.header(name, matrix=True)
    if "Hugo_Symbol" not in header.names:
        raise InputError(
            "a column is missing",
            file=study.where(name),
            column="Hugo_Symbol",
            expected="Hugo_Symbol, then a column a sample",
            fix="add the gene symbols",
        )
    samples = [column for column in header.names if column not in (*NO_SAMPLES, "Hugo_Symbol")]
    raw = study.table(name, columns=["Hugo_Symbol", *samples], numbers=samples, header=header)
    return raw.set_index("Hugo_Symbol")


def read_expression(study: StudyFiles, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read expression and bring it to log2; the second value is what ``cohort.toml`` keeps."""
    file = study.where(name)
    matrix = normalise_matrix(read_gene_matrix(study, name), file, study.repairs)
    matrix, about = to_log2(matrix, file, study.repairs)
    return matrix, {**about, "platform": Path(name).stem.removeprefix("data_"), "file": name}


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
            rows=row_numbers(raw.index, (builds != found.index[0]) & builds.notna()),
            expected="one build in all rows",
            fix="lift all coordinates over to one build",
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


GENE_PANEL_MATRIX = "data_gene_panel_matrix.txt"


def listed_samples(study: StudyFiles) -> pd.DataFrame:
    """Return the samples of the case lists that say who was profiled for mutations or rearrangements.

    A sample of a list was looked at even where nothing was found. Copy number and expression need no list: the data
    name every profiled sample.

    Returns
    -------
    DataFrame
        Rows of ``assays``.
    """
    parts = [assay_rows([], "mutations")]
    for name in study.names:
        if PurePosixPath(name).parent.name != "case_lists":
            continue
        fields = study.fields(name)
        ending = fields.get("stable_id", "").removeprefix(fields.get("cancer_study_identifier", "") + "_")
        ids = fields.get("case_list_ids", "").split()
        parts += [assay_rows(ids, assay) for assay in study.keys["case_lists"].get(ending, [])]
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)


def panel_samples(study: StudyFiles) -> pd.DataFrame:
    """Return samples and their gene panels, from the gene panel matrix.

    Returns
    -------
    DataFrame
        ``sample_id``, ``assay``, ``panel``; NaN for the whole exome or genome. ``NA`` in the matrix does not tell a
        sample without panel from one that was not profiled, so such samples are left to the case lists.

    Raises
    ------
    InputError
        The matrix lacks ``SAMPLE_ID``, or gives a sample two panels for one assay.
    """
    if study.first([GENE_PANEL_MATRIX]) is None:
        return pd.DataFrame({"sample_id": [], "assay": [], "panel": []}).astype("str")
    columns, whole = study.keys["panel_columns"], study.keys["panel_words"]["whole"]
    matrix = study.table(GENE_PANEL_MATRIX)
    if "SAMPLE_ID" not in matrix:
        raise InputError("a column is missing", file=study.where(GENE_PANEL_MATRIX), column="SAMPLE_ID")
    chosen = {column: columns[column] for column in matrix.columns if column in columns}
    long = matrix.melt("SAMPLE_ID", list(chosen), var_name="assay", value_name="panel")
    long = pd.DataFrame(
        {
            "sample_id": as_text(long["SAMPLE_ID"]),
            "assay": long["assay"].map(chosen).astype("str"),
            "panel": as_text(long["panel"]),
        }
    ).dropna()
    long["panel"] = long["panel"].mask(long["panel"].str.lower().isin(whole))
    long = long.drop_duplicates()
    twice = long.duplicated(["sample_id", "assay"])
    refuse_rows(
        matrix.index,
        as_text(matrix["SAMPLE_ID"]).isin(long.loc[twice, "sample_id"]),
        "a sample has two gene panels for one assay",
        file=study.where(GENE_PANEL_MATRIX),
        column="SAMPLE_ID",
        expected="one row a sample",
        fix="keep the panel that it was looked at with",
    )
    return long.reset_index(drop=True)


def read_panels(study: StudyFiles) -> pd.DataFrame:
    """Return the genes of the panels whose ``data_gene_panel_*.txt`` or ``gene_panel_*.txt`` the study has.

    Returns
    -------
    DataFrame
        ``panel``, ``gene``.
    """
    names = [
        name
        for name in study.names
        if PurePosixPath(name).name.startswith(("data_gene_panel_", "gene_panel_")) and "matrix" not in name
    ]
    fields: list[dict[str, Any]] = [study.fields(name) for name in names]
    parts = [
        pd.DataFrame({"panel": one.get("stable_id", ""), "gene": one.get("gene_list", "").split()}) for one in fields
    ]
    if not parts:
        return pd.DataFrame({"panel": [], "gene": []}).astype("str")
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True).astype("str")
