"""Molecular files of a cBioPortal study, and the samples that were profiled for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from nbrelapse.cohort.assemble import assay_rows, normalise_matrix
from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import encode, refuse_rows, require_columns, row_numbers
from nbrelapse.cohort.genes import ENTREZ, fill_symbols
from nbrelapse.cohort.mutations import without_germline
from nbrelapse.cohort.schema import (
    MUTATIONS,
    SEGMENTS,
    as_text,
    coded_text,
    levels,
    normalise_levels,
    normalise_numbers,
)
from nbrelapse.cohort.text import TextHeader
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import match_columns, to_log2
from nbrelapse.readers._files import StudyFiles

NO_SAMPLES = ("Entrez_Gene_Id", "Cytoband", "Gene_Symbol", "Locus ID", "Gene ID")
MAF_COLUMNS = {
    "Tumor_Sample_Barcode": "sample_id",
    **{str(column): str(column) for column in MUTATIONS.columns if column != "sample_id"},
    "NCBI_Build": "NCBI_Build",
    "Matched_Norm_Sample_Barcode": "normal_id",
}
"""Columns of a MAF besides those that :func:`tidy_maf` asks for."""
MAF_NOTES = ("Entrez_Gene_Id", "Mutation_Status", "Validation_Status")
LEVELS = (-2.0, -1.5, -1.0, 0.0, 1.0, 2.0)
"""Discrete copy number; cBioPortal's importer reads -1.5, a partial deletion, as -2."""
ENOUGH_VALUES = 20


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
    named : list of str
        Samples of any row, also of those that are no somatic mutation.
    """

    table: pd.DataFrame
    genome_build: str | None
    sequenced: list[str]
    normals: list[str]
    named: list[str]


def read_mutations(study: StudyFiles, name: str) -> Mutations:
    """Read a MAF; old spellings of its columns (``Start_position``) are recorded in the study's repairs.

    Raises
    ------
    InputError
        A required column is missing, a row has one sample as tumour and as normal, or the rows are of more than one
        genome build.
    """
    file, header = study.where(name), study.header(name)
    wanted = MAF_COLUMNS | {column: column for column in MAF_NOTES}
    raw = _read(study, name, header, wanted, ["sample_id"], MUTATIONS)
    listed = [line for line in header.comments if line.startswith("#sequenced_samples")]
    normals = _normals(raw, file)
    build = genome_build(raw, file)
    named = as_text(pd.Series(raw["sample_id"].unique(), dtype="str")).dropna().tolist()
    table = tidy_maf(raw.drop(columns=["NCBI_Build", "normal_id"], errors="ignore"), file, study.repairs)
    return Mutations(table, build, listed[0].partition(":")[2].split() if listed else [], normals, named)


def tidy_maf(raw: pd.DataFrame, file: Path, repairs: Repairs) -> pd.DataFrame:
    """Return the somatic mutations of a MAF with a symbol for each gene; one rule for all readers.

    Parameters
    ----------
    raw : DataFrame
        The schema's columns, and where the file has them ``Entrez_Gene_Id``, ``Mutation_Status`` and
        ``Validation_Status``.
    file : path
        For messages.
    repairs : Repairs
        What was left out is added.

    Returns
    -------
    DataFrame
        Without the additional columns.

    Raises
    ------
    InputError
        There is neither a symbol nor an Entrez id, or no row is a somatic mutation.
    """
    kept = without_germline(raw, file, repairs)
    if "Entrez_Gene_Id" in kept:
        symbols = kept["Hugo_Symbol"] if "Hugo_Symbol" in kept else pd.Series(np.nan, kept.index, dtype="str")
        genes = fill_symbols(symbols, kept["Entrez_Gene_Id"], f"{file.name}.Hugo_Symbol", repairs)
        kept = kept.assign(Hugo_Symbol=genes)
    require_columns(kept.columns, ["Hugo_Symbol"], file, fix=f"columns found: {', '.join(map(str, raw.columns[:15]))}")
    return kept.drop(columns=[*MAF_NOTES], errors="ignore")


def _normals(raw: pd.DataFrame, file: Path) -> list[str]:
    """Return the matched normal samples, which no row may have as its tumour."""
    if "normal_id" not in raw:
        return []
    (tumours, of_tumour), (normals, of_normal) = (encode(coded_text(raw[name])) for name in ("sample_id", "normal_id"))
    same = np.append(pd.Index(of_tumour).get_indexer(pd.Index(of_normal)), -1)[normals]
    refuse_rows(
        raw.index,
        (same == tumours) & (same >= 0),
        "the tumour sample is the matched normal sample",
        file=file,
        column="Tumor_Sample_Barcode, Matched_Norm_Sample_Barcode",
        expected="the tumour's barcode, and the normal sample's or an empty cell",
        fix="correct the barcodes",
    )
    return of_normal.tolist()


def read_rearrangements(study: StudyFiles, name: str) -> tuple[pd.DataFrame, str | None]:
    """Read a structural variant file; germline events are left out."""
    file = study.where(name)
    wanted = {**study.keys["rearrangement_columns"], "SV_Status": "SV_Status", "NCBI_Build": "NCBI_Build"}
    raw = _read(study, name, study.header(name), wanted, ["sample_id"])
    return tidy_rearrangements(raw, file, study.repairs), genome_build(raw, file)


def tidy_rearrangements(raw: pd.DataFrame, file: Path, repairs: Repairs) -> pd.DataFrame:
    """Return the somatic events with the symbols of their genes; as :func:`tidy_maf`."""
    kept = without_germline(raw, file, repairs)
    for site in ("site1", "site2"):
        if f"{site}_entrez" in kept:
            symbols = kept[f"{site}_gene"] if f"{site}_gene" in kept else pd.Series(np.nan, kept.index, dtype="str")
            genes = fill_symbols(symbols, kept[f"{site}_entrez"], f"{file.name}.{site}_gene", repairs)
            kept = kept.assign(**{f"{site}_gene": genes})
    return kept.drop(columns=["SV_Status", "NCBI_Build", "site1_entrez", "site2_entrez"], errors="ignore")


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
    """Read a gene by sample file; the index is ``Hugo_Symbol``, filled from ``Entrez_Gene_Id`` where it is empty."""
    header = study.header(name, matrix=True)
    genes = [column for column in ("Hugo_Symbol", "Entrez_Gene_Id") if column in header.names]
    if not genes:
        raise InputError(
            "a column is missing",
            file=study.where(name),
            column="Hugo_Symbol",
            expected="Hugo_Symbol or Entrez_Gene_Id, then a column a sample",
            fix="add the gene symbols",
        )
    samples = [column for column in header.names if column not in (*NO_SAMPLES, "Hugo_Symbol")]
    raw = study.table(name, columns=[*genes, *samples], numbers=samples, header=header)
    return raw.drop(columns=genes).set_index(_symbols(raw, study.where(name), study.repairs))


def _symbols(raw: pd.DataFrame, file: Path, repairs: Repairs) -> pd.Index:
    symbols = raw["Hugo_Symbol"] if "Hugo_Symbol" in raw else pd.Series(np.nan, raw.index, dtype="str")
    if "Entrez_Gene_Id" in raw:
        symbols = fill_symbols(symbols, raw["Entrez_Gene_Id"], f"{file.name}.Hugo_Symbol", repairs)
        # A row that may be any gene is of no use in a matrix.
        symbols = symbols.mask(symbols.str.startswith(ENTREZ).fillna(False).astype(bool))
    return pd.Index(symbols.astype("str"), name="Hugo_Symbol")


def read_gene_copy_number(study: StudyFiles, name: str, *, discrete: bool) -> pd.DataFrame:
    """Read copy number by gene, in the wide or the long format.

    Parameters
    ----------
    study : StudyFiles
    name : str
    discrete : bool
        The study says that these are levels, -2 to 2; else log2 ratios.

    Returns
    -------
    DataFrame
        Gene by sample; NaN = not measured, as a pair of gene and sample is that the long format does not list.

    Raises
    ------
    InputError
        The values are of the other kind.
    """
    header = study.header(name, matrix=True)
    by_lower = {column.lower(): column for column in header.names}
    long = {"sample_id", "value"} <= set(by_lower)
    matrix = _read_long(study, name, header, by_lower) if long else read_gene_matrix(study, name)
    file = study.where(name)
    matrix = normalise_matrix(matrix, file, study.repairs, calls=True)
    if discrete:
        return as_levels(matrix, file, study.repairs)
    values = matrix.to_numpy()
    values = values[~np.isnan(values)]
    if len(values) >= ENOUGH_VALUES and np.isin(values, LEVELS).all():
        raise InputError(
            "levels of copy number, -2 to 2, where log2 ratios are expected",
            file=file,
            expected="log2 ratios, which are no whole numbers",
            fix="let the meta file say `datatype: DISCRETE`, or name the file data_cna.txt",
        )
    return matrix


def as_levels(matrix: pd.DataFrame, file: Path, repairs: Repairs) -> pd.DataFrame:
    """Return levels of copy number, -1.5 as -2; refuse what is none.

    Raises
    ------
    InputError
        A value is none of -2, -1.5, -1, 0, 1, 2.

    Examples
    --------
    >>> matrix = pd.DataFrame({"a": [-1.5, 2.0]}, index=["CDKN2A", "MYCN"])
    >>> as_levels(matrix, Path("data_cna.txt"), Repairs())["a"].tolist()
    [-2.0, 2.0]
    """
    values = matrix.to_numpy(dtype=np.float64)
    wrong = ~np.isnan(values) & ~np.isin(values, LEVELS)
    if wrong.any():
        raise InputError(
            "values that are no levels of copy number, such as log2 ratios",
            file=file,
            column=f"{int(wrong.any(axis=0).sum())} of {wrong.shape[1]} sample columns",
            rows=(wrong.any(axis=1).nonzero()[0] + 1).tolist(),
            expected="-2, -1.5, -1, 0, 1 or 2",
            fix="where they are log2 ratios, let the meta file say `datatype: LOG2-VALUE`, "
            "or name the file data_log2_cna.txt",
        )
    partial = values == -1.5
    repairs.add_count(file.name, partial.sum(), "values of -1.5 (partial deletion) read as -2, as cBioPortal does")
    return matrix.mask(partial, -2.0)


def _read_long(study: StudyFiles, name: str, header: TextHeader, by_lower: Mapping[str, str]) -> pd.DataFrame:
    """Pivot rows of gene, sample and value."""
    file = study.where(name)
    wanted = {
        own: by_lower[own.lower()]
        for own in ("Hugo_Symbol", "Entrez_Gene_Id", "sample_id", "value")
        if own.lower() in by_lower
    }
    require_columns(wanted, ["Hugo_Symbol"] if "Entrez_Gene_Id" not in wanted else [], file)
    raw = study.table(name, columns=list(wanted.values()), header=header)
    raw = raw.rename(columns={column: own for own, column in wanted.items()})
    values = normalise_numbers(raw["value"].rename("Value"), file=file)
    samples = as_text(raw["sample_id"])
    refuse_rows(raw.index, samples.isna(), "empty cell", file=file, column="Sample_Id", fix="fill it or remove the row")
    long = pd.DataFrame({"gene": _symbols(raw, file, study.repairs), "sample": samples, "value": values})
    if len(long) and not (long["value"] == 0).any():
        study.repairs.add(file.name, "lists altered genes only: a gene that it does not list is not known, not neutral")
    # The strongest change of a gene that a sample has twice, as in the wide format.
    order = long["value"].abs().sort_values(ascending=False, na_position="last", kind="stable").index
    first = long.loc[order].drop_duplicates(["gene", "sample"]).sort_index()
    study.repairs.add_count(file.name, len(long) - len(first), "repeated genes removed, the strongest change kept")
    wide = first.dropna(subset=["gene"]).pivot(index="gene", columns="sample", values="value")
    return wide.rename_axis(index="Hugo_Symbol", columns=None)


def is_z_scores(name: str) -> bool:
    """Whether the name of an expression file says that it holds z-scores."""
    return "zscore" in name.lower().replace("_", "").replace("-", "")


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
    for meta in study.metas:
        if meta.data == name and meta.build:
            build = pd.Series([meta.build], name="reference_genome_id")
            return str(normalise_levels(build, "genome_build", file=study.where(meta.name)).iloc[0])
    return next((build for build in levels("genome_build") if build in name.lower()), None)


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
    name = study.file_of("panel_matrix")
    if name is None:
        return pd.DataFrame({"sample_id": [], "assay": [], "panel": []}).astype("str")
    columns, whole = study.keys["panel_columns"], study.keys["panel_words"]["whole"]
    matrix = study.table(name)
    matrix.columns = pd.Index(
        ["SAMPLE_ID" if c.upper() == "SAMPLE_ID" else c.lower() for c in map(str, matrix.columns)]
    )
    if "SAMPLE_ID" not in matrix:
        raise InputError(
            "a column is missing",
            file=study.where(name),
            column="SAMPLE_ID",
            fix="download the file again, or take it out of the folder",
        )
    if matrix.empty:
        raise InputError("the file has no rows", file=study.where(name), fix="get it again, or leave it out")
    # A sample that loses its panel would count as looked at in all genes.
    unnamed = as_text(matrix["SAMPLE_ID"]).isna()
    fix = "fill it or remove the row"
    refuse_rows(matrix.index, unnamed, "empty cell", file=study.where(name), column="SAMPLE_ID", fix=fix)
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
        file=study.where(name),
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
