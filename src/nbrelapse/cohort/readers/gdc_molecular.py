"""Molecular files of the GDC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.parse_text_table import parse_text_table
from nbrelapse.cohort.read_table import read_table
from nbrelapse.cohort.readers.assay_rows import assay_rows, single_build
from nbrelapse.cohort.readers.cbioportal_molecular import genome_build
from nbrelapse.cohort.readers.gdc_sample_sheet import tumour_of_file
from nbrelapse.cohort.readers.gistic import read_gistic
from nbrelapse.cohort.readers.star_counts import read_star_counts
from nbrelapse.cohort.readers.target_barcodes import target_samples, target_timepoints
from nbrelapse.cohort.schema import MUTATIONS
from nbrelapse.cohort.text_header import TextHeader, read_header
from nbrelapse.errors import InputError

BARCODES = "#tumor.aliquots.submitter_id"
SEGMENT_BUILD = "hg38"


@dataclass(frozen=True)
class MolecularTables:
    """What the molecular files hold: ``tables`` by name, rows of ``assays``, and what ``cohort.toml`` keeps."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    assays: list[pd.DataFrame] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def read_molecular(
    files: Mapping[str, Sequence[Path]], sheet: pd.DataFrame, keys: Mapping[str, Any]
) -> MolecularTables:
    """Read the mutation, segment, GISTIC and expression files, those that there are.

    Parameters
    ----------
    files : dict of str to sequence of Path
        By kind.
    sheet : DataFrame
        Of ``read_sample_sheets``.
    keys : dict
        ``gdc_keys.toml``.

    Returns
    -------
    MolecularTables
        Of tumour samples only.

    Raises
    ------
    InputError
        A file has another format, or does not say whose it is.
    """
    read = MolecularTables()
    if files["mutations"]:
        _add_mutations(read, files["mutations"], sheet)
    if files["segments"]:
        _add_segments(read, files["segments"], sheet, keys["segments"]["columns"])
    if files["gene_copy_number"]:
        _add_gene_copy_number(read, files["gene_copy_number"], sheet)
    if files["expression"]:
        of_file = tumour_of_file(files["expression"], sheet, "expression")
        if len(of_file):
            matrix, about = read_star_counts(list(of_file.index), of_file.to_list())
            read.tables["expression"] = matrix
            read.metadata["expression"] = about
            read.assays.append(assay_rows(matrix.columns, "expression", platform=about["platform"]))
    return read


def _add_mutations(read: MolecularTables, files: Sequence[Path], sheet: pd.DataFrame) -> None:
    parts: list[pd.DataFrame] = []
    samples: list[str] = []
    builds: dict[Path, str | None] = {}
    for file in files:
        table, listed, builds[file] = _read_maf(file, sheet)
        if not set(samples).isdisjoint(listed):
            raise InputError(
                "two MAF files hold the same sample",
                file=file,
                expected="one MAF a sample",
                mend="leave all but one out of the sources (one aliquot, one variant caller, masked or not)",
            )
        parts.append(table)
        samples += listed
    read.tables["mutations"] = pd.concat(parts, ignore_index=True)
    read.assays.append(assay_rows(samples, "mutations", single_build(builds, "MAF")))


def _read_maf(file: Path, sheet: pd.DataFrame) -> tuple[pd.DataFrame, list[str], str | None]:
    """Mutations, samples that were looked at, and genome build of one MAF."""
    header = read_header(file, file, comment=True)
    absent = [name for name in ("Hugo_Symbol", "Tumor_Sample_Barcode") if name not in header.names]
    if absent:
        found = ", ".join(header.names[:15])
        raise InputError("a column is missing", file=file, column=", ".join(absent), mend=f"columns found: {found}")
    columns = [column for column in map(str, MUTATIONS.columns) if column in header.names]
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


def _add_segments(
    read: MolecularTables, files: Sequence[Path], sheet: pd.DataFrame, columns: Mapping[str, str]
) -> None:
    of_file = tumour_of_file(files, sheet, "segment")
    parts = []
    for file, sample in zip(of_file.index, of_file, strict=True):
        table = read_table(file)
        absent = [column for column in columns if column not in table]
        if absent:
            raise InputError(
                "a column is missing",
                file=file,
                column=", ".join(absent),
                expected=", ".join(columns),
                mend="download files of the type `Copy Number Segment` or `Masked Copy Number Segment`",
            )
        parts.append(table[list(columns)].rename(columns=columns).assign(sample_id=sample))
    if parts:
        read.tables["segments"] = pd.concat(parts, ignore_index=True)
        read.assays.append(assay_rows(of_file, "copy_number", _segment_build(list(of_file.index))))


def _segment_build(files: Sequence[Path]) -> str | None:
    # The GDC's active files are all of hg38; those of its legacy archive have the older build in their names.
    return single_build({file: "hg19" if "hg19" in file.name.lower() else SEGMENT_BUILD for file in files}, "segment")


def _add_gene_copy_number(read: MolecularTables, files: Sequence[Path], sheet: pd.DataFrame) -> None:
    if len(files) > 1:
        raise InputError("several GISTIC files", file=files[1], expected="one", mend="leave the others out")
    calls = read_gistic(files[0])
    ids = target_samples(pd.Series(calls.columns, dtype="str"))
    if ids.isna().any():
        raise InputError(
            f"{int(ids.isna().sum())} sample columns without a TARGET barcode",
            file=files[0],
            expected="TARGET barcodes as sample names",
            mend="name the samples by barcode when GISTIC is run",
        )
    ids = _with_vial(ids, sheet)
    tumour = (target_timepoints(ids) != "normal").to_numpy()
    twice = ids[tumour].duplicated()
    if twice.any():
        raise InputError(f"{int(twice.sum())} samples are there twice", file=files[0], expected="one column a sample")
    read.tables["gene_copy_number"] = calls.set_axis(ids.to_list(), axis=1).loc[:, tumour]
    read.metadata["gene_copy_number"] = {"unit": "gistic", "file": files[0].name}
    read.assays.append(assay_rows(ids[tumour], "copy_number"))


def _with_vial(ids: pd.Series, sheet: pd.DataFrame) -> pd.Series:
    """Complete sample ids without vial (``-01``) from the sample sheet (``-01A``), where it knows a single one."""
    known = pd.Series(sheet["sample_id"].unique(), dtype="str")
    stems = known.str.replace(r"[A-Z]$", "", regex=True)
    single = ~stems.duplicated(keep=False)
    return ids.map(pd.Series(known[single].to_numpy(), stems[single].to_numpy(), dtype="str")).fillna(ids)
