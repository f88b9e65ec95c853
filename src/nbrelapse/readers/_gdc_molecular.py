"""Molecular files of the GDC, the samples they belong to, and STAR counts of expression."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import assay_rows
from nbrelapse.cohort.columns import refuse_rows, require_columns
from nbrelapse.cohort.schema import MUTATIONS, as_text, normalise_numbers
from nbrelapse.cohort.text import TextHeader, parse_text_table, read_header, read_table
from nbrelapse.errors import InputError
from nbrelapse.readers._assays import single_build, target_samples, target_timepoints
from nbrelapse.readers._cbioportal_molecular import MAF_NOTES, genome_build, tidy_maf
from nbrelapse.readers._files import RawCohort, files_below
from nbrelapse.readers.gistic import _read_gistic

BARCODES = "#tumor.aliquots.submitter_id"
SEGMENT_BUILD = "hg38"


def read_molecular(study: GdcStudy) -> None:
    """Read the mutation, segment, GISTIC and expression files, those that there are, of tumour samples.

    Parameters
    ----------
    study : GdcStudy
        Its ``sheet`` says whose the files are; ``tables``, ``assays`` and ``metadata`` are added to.

    Raises
    ------
    InputError
        A file has another format, or does not say whose it is.
    """
    if study.sources["mutations"]:
        _add_mutations(study)
    if study.sources["segments"]:
        _add_segments(study)
    if study.sources["gene_copy_number"]:
        _add_gene_copy_number(study)
    if study.sources["expression"]:
        of_file = tumour_of_file(study.sources["expression"], study.sheet, "expression")
        if len(of_file):
            matrix, about = read_star_counts(list(of_file.index), of_file.to_list())
            study.tables["expression"] = matrix
            study.metadata["expression"] = about
            study.assays.append(assay_rows(matrix.columns, "expression", platform=about["platform"]))


def _add_mutations(study: GdcStudy) -> None:
    parts: list[pd.DataFrame] = []
    samples: list[str] = []
    builds: dict[Path, str | None] = {}
    for file in study.sources["mutations"]:
        table, listed, builds[file] = _read_maf(file, study.sheet)
        if not set(samples).isdisjoint(listed):
            raise InputError(
                "two MAF files hold the same sample",
                file=file,
                expected="one MAF a sample",
                fix="leave all but one out of the sources (one aliquot, one variant caller, masked or not)",
            )
        parts.append(table)
        samples += listed
    files = study.sources["mutations"]
    study.tables["mutations"] = tidy_maf(pd.concat(parts, ignore_index=True), files[0], study.repairs)
    study.assays.append(assay_rows(samples, "mutations", single_build(builds, "MAF")))


def _read_maf(file: Path, sheet: pd.DataFrame) -> tuple[pd.DataFrame, list[str], str | None]:
    """Mutations, samples that were looked at, and genome build of one MAF."""
    header = read_header(file, file, comment=True)
    found = ", ".join(header.names[:15])
    require_columns(header.names, ("Hugo_Symbol", "Tumor_Sample_Barcode"), file, fix=f"columns found: {found}")
    columns = [column for column in (*map(str, MUTATIONS.columns), *MAF_NOTES) if column in header.names]
    wanted = [*columns, "Tumor_Sample_Barcode", "NCBI_Build"]
    raw = parse_text_table(file, file, comment=True, columns=wanted, header=header).astype("str")
    of_file = sheet[(sheet["file"] == file.name.removesuffix(".gz")) & (sheet["timepoint"] != "normal")]
    if len(of_file) == 1:
        listed = of_file["sample_id"].to_list()
        sample_ids = pd.Series(listed[0], raw.index, dtype="str")
    else:
        sample_ids = target_samples(raw["Tumor_Sample_Barcode"])
        listed = pd.concat([_named_in(header), sample_ids.dropna()]).unique().tolist()
    unread = sample_ids.isna()
    if unread.any() or not listed:
        raise InputError(
            "a MAF that does not say whose it is",
            file=file,
            column="Tumor_Sample_Barcode",
            rows=(unread.to_numpy().nonzero()[0] + 1).tolist(),
            expected="TARGET barcodes, or a row of the file in the GDC sample sheet",
        )
    return raw[columns].assign(sample_id=sample_ids), listed, genome_build(raw, file)


def _named_in(header: TextHeader) -> pd.Series:
    """Return the samples in the comments of a MAF, those that were looked at."""
    lines = [line.removeprefix(BARCODES) for line in header.comments if line.startswith(BARCODES)]
    barcodes = " ".join(lines).replace(",", " ").split()
    return target_samples(pd.Series(barcodes, dtype="str")).dropna()


def _add_segments(study: GdcStudy) -> None:
    columns = study.keys["segments"]["columns"]
    of_file = tumour_of_file(study.sources["segments"], study.sheet, "segment")
    parts = []
    for file, sample in zip(of_file.index, of_file, strict=True):
        table = read_table(file)
        require_columns(
            table.columns,
            columns,
            file,
            expected=", ".join(columns),
            fix="download files of the type `Copy Number Segment` or `Masked Copy Number Segment`",
        )
        parts.append(table[list(columns)].rename(columns=columns).assign(sample_id=sample))
    if parts:
        study.tables["segments"] = pd.concat(parts, ignore_index=True)
        study.assays.append(assay_rows(of_file, "copy_number", _segment_build(list(of_file.index))))


def _segment_build(files: Sequence[Path]) -> str | None:
    # The GDC's active files are all of hg38; those of its legacy archive have the older build in their names.
    return single_build({file: "hg19" if "hg19" in file.name.lower() else SEGMENT_BUILD for file in files}, "segment")


def _add_gene_copy_number(study: GdcStudy) -> None:
    files = study.sources["gene_copy_number"]
    if len(files) > 1:
        raise InputError("several GISTIC files", file=files[1], expected="one", fix="leave the others out")
    calls = _read_gistic(files[0])
    ids = target_samples(pd.Series(calls.columns, dtype="str"))
    if ids.isna().any():
        raise InputError(
            f"{int(ids.isna().sum())} sample columns without a TARGET barcode",
            file=files[0],
            expected="TARGET barcodes as sample names",
            fix="name the samples by barcode when GISTIC is run",
        )
    ids = _with_vial(ids, study.sheet)
    tumour = (target_timepoints(ids) != "normal").to_numpy()
    twice = ids[tumour].duplicated()
    if twice.any():
        raise InputError(f"{int(twice.sum())} samples are there twice", file=files[0], expected="one column a sample")
    study.tables["gene_copy_number"] = calls.set_axis(ids.to_list(), axis=1).loc[:, tumour]
    study.metadata["gene_copy_number"] = {"unit": "gistic", "file": files[0].name}
    study.assays.append(assay_rows(ids[tumour], "copy_number"))


def _with_vial(ids: pd.Series, sheet: pd.DataFrame) -> pd.Series:
    """Complete sample ids without vial (``-01``) from the sample sheet (``-01A``), where it knows a single one."""
    known = pd.Series(sheet["sample_id"].unique(), dtype="str")
    stems = known.str.replace(r"[A-Z]$", "", regex=True)
    single = ~stems.duplicated(keep=False)
    return ids.map(pd.Series(known[single].to_numpy(), stems[single].to_numpy(), dtype="str")).astype("str").fillna(ids)


Patterns = Mapping[str, Sequence[str]]


@dataclass(kw_only=True)
class GdcStudy(RawCohort):
    """What the GDC's files hold.

    Parameters
    ----------
    sources : dict of str to list of Path
        Of :func:`find_gdc_files`.
    keys : dict
        ``gdc_keys.toml``.
    sheet : DataFrame
        Of :func:`nbrelapse.readers._gdc_molecular.read_sample_sheets`.
    assays : list of DataFrame
        Rows of ``assays`` for what the molecular files show.
    """

    sources: Mapping[str, list[Path]]
    keys: Mapping[str, Any]
    sheet: pd.DataFrame = field(default_factory=pd.DataFrame)
    assays: list[pd.DataFrame] = field(default_factory=list)


def find_gdc_files(sources: Sequence[str | Path], patterns: Patterns) -> dict[str, list[Path]]:
    """Sort files by kind, after their names.

    Parameters
    ----------
    sources : sequence of path
        Files, and folders that are searched with all their subfolders (the GDC client makes one a file).
    patterns : dict of str to sequence of str
        File name patterns of each kind, in lower case.

    Returns
    -------
    dict of str to list of Path
        The files of each kind in order of path; a kind without files has an empty list.

    Raises
    ------
    InputError
        A source does not exist, or a file that is named itself is of no known kind.
    """
    found: dict[str, set[Path]] = {kind: set() for kind in patterns}
    for source in map(Path, sources):
        if not source.exists():
            raise InputError("the source does not exist", file=source, fix="check the path")
        files = [source] if source.is_file() else files_below(source)
        for file in files:
            kind = _kind(file.name.lower(), patterns)
            if kind is not None:
                found[kind].add(file.resolve())
            elif source.is_file():
                raise InputError(
                    "a file of unknown kind",
                    file=source,
                    expected=", ".join(pattern for names in patterns.values() for pattern in names),
                    fix="keep the names that the files were downloaded with, or leave this file out",
                )
    return {kind: sorted(files) for kind, files in found.items()}


def _kind(name: str, patterns: Patterns) -> str | None:
    # Hidden files, and the locks that Excel leaves beside an open workbook.
    if name.startswith((".", "~$")):
        return None
    return next((kind for kind, names in patterns.items() if any(fnmatch(name, one) for one in names)), None)


SAMPLE_SHEET_COLUMNS = ["file", "project", "patient_id", "sample_id", "timepoint"]
MEND = "on the GDC portal's cart page choose `Sample Sheet`, and name gdc_sample_sheet.*.tsv among the sources"


def read_sample_sheets(files: Sequence[Path], keys: Mapping[str, Any]) -> pd.DataFrame:
    """Read sample sheets.

    Parameters
    ----------
    files : sequence of Path
        May be empty.
    keys : dict
        ``gdc_keys.toml``.

    Returns
    -------
    DataFrame of str
        A row a file and sample: ``file`` (name without ``.gz``), ``project``, ``patient_id``, ``sample_id`` and
        ``timepoint``, which is ``normal`` for what is no tumour. A file that compares a tumour with a normal sample has
        a row for each.

    Raises
    ------
    InputError
        A sheet lacks a column.
    """
    parts = [_read_sample_sheet(file, keys) for file in files]
    if not parts:
        return pd.DataFrame({column: [] for column in SAMPLE_SHEET_COLUMNS}).astype("str")
    return pd.concat(parts, ignore_index=True).drop_duplicates(["file", "sample_id"], ignore_index=True)


def tumour_of_file(files: Sequence[Path], sheet: pd.DataFrame, what: str) -> pd.Series:
    """Return the tumour sample of each file that is of one.

    Parameters
    ----------
    files : sequence of Path
    sheet : DataFrame
        Of :func:`read_sample_sheets`.
    what : str
        The kind of the files, for error messages.

    Returns
    -------
    Series of str
        Sample ids by file; the files of normal samples are left out.

    Raises
    ------
    InputError
        There is no sample sheet, it does not list a file, a file is of several tumours, or two files are of one.
    """
    if sheet.empty:
        raise InputError(
            f"{what} files do not say whose they are", file=files[0].parent, expected="a GDC sample sheet", fix=MEND
        )
    names = pd.Series([file.name.removesuffix(".gz") for file in files], index=list(files), dtype="str")
    absent = ~names.isin(sheet["file"])
    if absent.any():
        raise InputError(
            f"{int(absent.sum())} {what} files are not in the sample sheet",
            file=names.index[absent][0],
            expected="a row of each file in gdc_sample_sheet.*.tsv",
            fix=MEND,
        )
    tumours = sheet[sheet["timepoint"] != "normal"]
    unnamed = names.isin(tumours.loc[tumours["sample_id"].isna(), "file"])
    if unnamed.any():
        raise InputError(
            f"{int(unnamed.sum())} {what} files have no sample in the sample sheet",
            file=names.index[unnamed][0],
            column="Sample ID",
            expected="the sample of each file in gdc_sample_sheet.*.tsv",
            fix=MEND,
        )
    count = names.map(tumours["file"].value_counts()).fillna(0)
    if (count > 1).any():
        raise InputError(
            f"a {what} file of several tumours", file=count.index[count > 1][0], expected="one tumour a file"
        )
    samples = names.map(tumours.set_index("file").loc[lambda t: ~t.index.duplicated(), "sample_id"]).dropna()
    twice = samples.duplicated()
    if twice.any():
        raise InputError(
            f"two {what} files are of the same sample",
            file=samples.index[twice][0],
            expected="one file a sample",
            fix="leave all but one file of each sample out of the sources (masked or not, one aliquot, one workflow)",
        )
    return samples


def _read_sample_sheet(file: Path, keys: Mapping[str, Any]) -> pd.DataFrame:
    columns = keys["sample_sheet"]["columns"]
    table = read_table(file)
    required = [name for name, column in columns.items() if column != "sample_type"]
    require_columns(table.columns, required, file, expected=", ".join(columns), fix=MEND)
    table = table.rename(columns=columns).reindex(columns=list(columns.values())).astype("str")
    # Files of a tumour and its normal name both in each cell, separated by a comma.
    samples = _listed(table["sample_id"])
    listed = samples.join(_listed(table["patient_id"])).join(_listed(table["sample_type"]))
    whole = table[["file", "project"]].loc[listed.index.get_level_values("row")].reset_index(drop=True)
    whole["file"] = whole["file"].str.strip().str.removesuffix(".gz")
    listed = listed.reset_index(drop=True)
    # A cell that names a patient once means all samples of the file.
    first = table["patient_id"].str.split(",").str[0].str.strip()
    patients = listed["patient_id"].fillna(pd.Series(first.loc[samples.index.get_level_values("row")].to_numpy()))
    said = listed["sample_type"].astype("str").str.lower().map(keys["sample_types"]).astype("str")
    return whole.assign(
        patient_id=patients,
        sample_id=as_text(listed["sample_id"]),
        timepoint=said.fillna(target_timepoints(listed["sample_id"])),
    )[SAMPLE_SHEET_COLUMNS]


def _listed(cells: pd.Series) -> pd.DataFrame:
    """Comma-separated cells as rows, indexed by row and position."""
    items = cells.str.split(",").explode().astype("str").str.strip().rename_axis("row")
    position = items.groupby(level="row").cumcount().rename("position")
    return items.to_frame().set_index(position, append=True)


STAR_COLUMNS = ("gene_id", "gene_name", "gene_type", "tpm_unstranded")
PROTEIN_CODING = ("protein_coding",)
UNIT = "log2(TPM + 1)"


def read_star_counts(
    files: Sequence[str | Path], sample_ids: Sequence[str], gene_types: Collection[str] = PROTEIN_CODING
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read ``*.rna_seq.augmented_star_gene_counts.tsv[.gz]`` files.

    ``tpm_unstranded`` becomes log2(TPM + 1). The TPM of gene ids with the same name (``_PAR_Y``, and the few that
    GENCODE lists twice) are added before the logarithm. Only protein-coding genes are read by default: features are
    ranks within a sample, and 40,000 mostly silent non-coding genes would move every rank away from other platforms'.

    Parameters
    ----------
    files : sequence of path
    sample_ids : sequence of str
        The sample of each file.
    gene_types : collection of str
        Values of ``gene_type`` to read; all genes where it is empty.

    Returns
    -------
    expression : DataFrame of float64, shape (n_genes, n_samples)
        Index ``Hugo_Symbol`` in order of the files' first genes.
    metadata : dict of str to str
        ``unit``, ``platform``, ``genes`` and the ``gene_model`` that the files name.

    Raises
    ------
    InputError
        A file has another format or gene model, a negative TPM, or two files are of the same sample.
    """
    paths = [Path(file) for file in files]
    _check_distinct(paths, sample_ids)
    genes, model = pd.DataFrame(), ""
    columns: list[np.ndarray] = []
    for path in paths:
        table, named = _read_star_counts(path)
        if not columns:
            genes, model = table[["gene_id", "gene_name", "gene_type"]], named
        elif not table["gene_id"].equals(genes["gene_id"]):
            raise InputError(
                "the genes differ from those of the other files",
                file=path,
                column="gene_id",
                expected=f"the {len(genes)} genes of {paths[0].name}" + (f" ({model})" if model else ""),
                fix="download all files from the same GDC data release",
            )
        columns.append(table["tpm"].to_numpy())
    chosen = genes["gene_type"].isin(gene_types) if gene_types else genes["gene_id"].notna()
    if not chosen.any():
        found = ", ".join(sorted(genes["gene_type"].dropna().unique())[:10])
        raise InputError("no gene of these types", file=paths[0], column="gene_type", expected=f"one of {found}")
    tpm = np.column_stack(columns)[chosen.to_numpy()]
    summed = pd.DataFrame(tpm, columns=list(sample_ids)).groupby(genes.loc[chosen, "gene_name"].to_numpy(), sort=False)
    total = summed.sum().rename_axis("Hugo_Symbol")
    expression = pd.DataFrame(np.log2(total.to_numpy() + 1.0), index=total.index, columns=total.columns)
    kept = ", ".join(gene_types) if gene_types else "all"
    metadata = {"unit": UNIT, "platform": "gdc_star_counts", "genes": kept, "gene_model": model or "not named"}
    return expression, metadata


def _check_distinct(paths: Sequence[Path], sample_ids: Sequence[str]) -> None:
    repeated = pd.Series(list(sample_ids), dtype="str").duplicated()
    if repeated.any():
        raise InputError(
            "two expression files are of the same sample",
            file=paths[int(repeated.argmax())],
            expected="one file a sample",
            fix="leave all but one file of each sample out of the sources",
        )


def _read_star_counts(path: Path) -> tuple[pd.DataFrame, str]:
    """Genes of one file with their TPM, and the gene model that its first line names."""
    header = read_header(path, path, comment=True)
    require_columns(
        header.names,
        STAR_COLUMNS,
        path,
        "not a file of GDC STAR counts: a column is missing",
        expected="gene_id, gene_name, gene_type, unstranded, ..., tpm_unstranded, ...",
        fix="download `Gene Expression Quantification` files of the workflow `STAR - Counts`",
    )
    table = parse_text_table(path, path, comment=True, columns=STAR_COLUMNS, numbers=STAR_COLUMNS[-1:], header=header)
    text = {name: table[name].astype("str") for name in STAR_COLUMNS[:-1]}
    table = pd.DataFrame(text | {"tpm": normalise_numbers(table["tpm_unstranded"], file=path)})
    # The first rows count reads without a gene: N_unmapped, N_multimapping, N_noFeature, N_ambiguous.
    of_gene = ~table["gene_id"].str.startswith("N_")
    wrong = of_gene & ~(table["tpm"] >= 0)
    if wrong.any():
        rows = (wrong.to_numpy().nonzero()[0] + 1).tolist()
        raise InputError("missing or negative TPM", file=path, column="tpm_unstranded", rows=rows, expected=">= 0")
    # The TPM of a name's gene ids are added, so that a row that is there twice would count double.
    twice = table["gene_id"].duplicated() & of_gene
    refuse_rows(table.index, twice, "a gene is there twice", file=path, column="gene_id", fix="download it again")
    models = [line.partition(":")[2].strip() for line in header.comments if "gene-model" in line]
    return table[of_gene].reset_index(drop=True), models[0] if models else ""
