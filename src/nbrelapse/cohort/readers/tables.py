r"""Tables of any study, through a mapping file that says which column is what.

A mapping file is TOML::

    name = "my_study"                       # of the cohort
    source = "doi or where it comes from"   # optional, kept in cohort.toml
    timepoint = "diagnosis"                 # of the samples, where no [samples] table says it (this is the default)
    units_checked = false                   # true: the times are days although they look like months

    [patients]                              # required
    file = "clinical.csv"                   # CSV, TSV, xlsx, Parquet, text also gzip; below the --source folder
    separator = ";"                         # optional, of a text file
    sheet = "Table S1"                      # optional, of an xlsx file

    [patients.columns]                      # schema column = where it comes from
    patient_id = "Name"                                              # a column of the file
    age_days = { column = "Age", unit = "months" }                   # days, weeks, months or years
    event = { column = "EFS", values = { 0 = "none", 1 = "unspecified" } }
    risk_group = { constant = "high" }                               # the same for all rows

``samples``, ``assays``, ``panels``, ``mutations``, ``segments`` and ``rearrangements`` are described in the same way; a
table that comes from several files is a list of such sections (``[[assays]]``). The last three may be of many files,
one a sample::

    [segments]
    file = "segments/*.seg.txt"             # a pattern; all files that match, one under the other
    sample_pattern = '(.+)\.seg'             # the sample in the name of a file: a regular expression with one group
                                            # or: sample_id = "NB01" (all files), or columns.sample_id
    [segments.columns]
    chromosome = "Chromosome"
    start = "Start"
    end = "End"
    log2_ratio = "Segment_Mean"

    [rearrangements]
    format = "vcf"                          # or "bedpe"; needs no columns
    file = "sv/*.vcf.gz"
    sample_pattern = '(.+)\.vcf'             # optional: without it the files' own sample names count

A file without rows says that its sample was looked at and nothing was found: such samples are assayed. Files that
cannot say whose they are without rows, VCF and BEDPE among them, need ``sample_pattern`` or ``sample_id``. The genome
build that a VCF or BEDPE names in its header, or a MAF in ``NCBI_Build``, need not be in ``assays``; where it is, both
must agree. ``gene_copy_number`` and ``expression`` are gene by sample files::

    [expression]
    file = "expression.tsv.gz"
    gene_column = "Hugo_Symbol"
    ignored_columns = ["Entrez_Gene_Id"]

    [gene_copy_number]
    format = "gistic"                       # all_thresholded.by_genes.txt, as it is
    file = "all_thresholded.by_genes.txt"

or GDC STAR counts, one file a sample::

    [expression]
    format = "star_counts"
    file = "rna/*.augmented_star_gene_counts.tsv"
    sample_pattern = '^([^.]+)'
    gene_types = ["protein_coding"]         # optional (this is the default); [] reads all genes

The columns are those of :mod:`nbrelapse.cohort.schema`. Without ``samples`` each patient is one sample of that name.
Values are spelled as in ``vocabulary.toml``, also after ``values`` has been applied. Units: a week is 7 days, a month
30.4375 and a year 365.25 (the mean of the Julian calendar).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.readers.assay_rows import add_assay_rows
from nbrelapse.cohort.readers.mapped_table import (
    read_mapped_expression,
    read_mapped_matrix,
    read_mapped_table,
    read_sample_tables,
)
from nbrelapse.cohort.readers.table_mapping import TableMapping, read_mapping
from nbrelapse.cohort.schema import TABLES
from nbrelapse.cohort.vocabulary import as_text
from nbrelapse.errors import InputError

SAMPLE_TABLES = ("mutations", "segments", "rearrangements")


def read_tables(mapping: str | Path, source: str | Path | None = None) -> Cohort:
    """Read a cohort through a mapping file.

    Parameters
    ----------
    mapping : path
        The mapping file, see the module's text.
    source : path, optional
        The folder that the files are in; the mapping file's folder by default.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The mapping has an unknown key, a file or column that it names is missing, or the content is not valid.
    """
    settings = read_mapping(mapping)
    folder = Path(mapping).parent if source is None else Path(source)
    if not folder.is_dir():
        raise InputError("the source folder does not exist", file=folder, mend="check --source")
    files = _named(settings, folder)
    repairs: list[str] = []
    tables = _read_tables(settings, folder, files, repairs)
    metadata: dict[str, Any] = {
        "source": {"reader": "tables", "mapping": Path(mapping).name, "reference": settings.source},
        "units_checked": settings.units_checked,
        "repairs": repairs,
    }
    if settings.gene_copy_number is not None:
        matrix, about = read_mapped_matrix(settings.gene_copy_number, folder, repairs)
        tables["gene_copy_number"], metadata["gene_copy_number"] = matrix, about
    if settings.expression is not None:
        matrix, about = read_mapped_expression(settings.expression, folder, repairs)
        tables["expression"], metadata["expression"] = matrix, about
    if "samples" not in tables and "patient_id" in tables["patients"]:
        ids = as_text(tables["patients"]["patient_id"])
        tables["samples"] = pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": settings.timepoint})
    return assemble_cohort(settings.name, tables, metadata=metadata, files=files)


def _read_tables(
    settings: TableMapping, folder: Path, files: dict[str, str | Path], repairs: list[str]
) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    looked_at: list[pd.DataFrame] = []
    for name in TABLES:
        parts = getattr(settings, name)
        if parts and name in SAMPLE_TABLES:
            read = [read_sample_tables(name, part, folder, repairs) for part in parts]
            tables[name] = pd.concat([table for table, _ in read], ignore_index=True)
            looked_at += [rows for _, rows in read]
        elif parts:
            tables[name] = pd.concat([read_mapped_table(part, folder) for part in parts], ignore_index=True)
    if looked_at:
        found = pd.concat(looked_at, ignore_index=True)
        tables["assays"] = add_assay_rows(tables.get("assays"), found, files.get("assays", "assays"))
    return tables


def _named(settings: TableMapping, folder: Path) -> dict[str, str | Path]:
    """Return what error messages call the files of a table."""
    long = {name: [part.file for part in getattr(settings, name)] for name in TABLES}
    matrices = {name: getattr(settings, name) for name in ("gene_copy_number", "expression")}
    wide = {name: [source.file] for name, source in matrices.items() if source is not None}
    return {name: " + ".join(str(folder / file) for file in named) for name, named in (long | wide).items() if named}
