r"""Tables of any study, through a mapping file in TOML that says which column is what.

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
                                            # or: sample_table = "sv_samples.csv", a table of which sample is where

A ``sample_table`` has the columns ``file`` (as in its folder), ``sample_id`` and, for VCF files of several samples,
``column``: a row a sample. Columns of a VCF that it does not name are not read, but for the normals.

A file without rows says that its sample was looked at and nothing was found: such samples are assayed. Files that
cannot say whose they are without rows, VCF and BEDPE among them, need ``sample_pattern`` or ``sample_id``. The genome
build that a VCF or BEDPE names in its header, or a MAF in ``NCBI_Build``, need not be in ``assays``; where it is, both
must agree. Of a MAF ``Mutation_Status``, ``Validation_Status`` and ``Entrez_Gene_Id`` are read where it has them, of
structural variants ``SV_Status``: germline rows, and those that say that there is no mutation, are left out.
``gene_copy_number`` and ``expression`` are gene by sample files::

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

Further matrices of the same samples are layers, as many as there are::

    [layers.transcripts]                    # lower-case letters, digits, single underscores
    file = "transcripts.tsv.gz"             # a row a feature, its name in the first column; a column a sample
    unit = "log2"                           # log2, counts, tpm, fpkm, linear, or any other word, such as score
    mechanism = "gene"                      # how a row finds a mechanism: by the gene that its name begins with
                                            # (MYCN.aAug10); "coordinates" (chr2:16080686-16087129), "gene_set"
                                            # (HALLMARK_P53_PATHWAY), "none", or a file of two columns: row, mechanism
    genome_build = "hg19"                   # of coordinates
    platform = "GPL17553"                   # optional
    row_column = "Transcript"               # optional; also separator, sheet and ignored_columns

The columns are those of :mod:`nbrelapse.cohort.schema`. Without ``samples`` each patient is one sample of that name.
Values are spelled as in ``vocabulary.toml``, also after ``values`` has been applied. Units: a week is 7 days, a month
30.4375 and a year 365.25 (the mean of the Julian calendar).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import assay_rows, normalise_matrix
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.columns import refuse_rows, require_columns
from nbrelapse.cohort.schema import ASSAY_OF, TABLES, as_text, normalise_numbers
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError
from nbrelapse.readers._assays import add_assay_rows, single_build
from nbrelapse.readers._cbioportal_molecular import (
    LEVELS,
    MAF_NOTES,
    as_levels,
    genome_build,
    tidy_maf,
    tidy_rearrangements,
)
from nbrelapse.readers._columns import to_log2
from nbrelapse.readers._files import RawCohort, matching_files, samples_of_files
from nbrelapse.readers._gdc_molecular import read_star_counts
from nbrelapse.readers._layers import describe_layer, read_layer_file
from nbrelapse.readers._mapping import (
    ColumnSource,
    GisticSource,
    LayerSource,
    MatrixSource,
    SampleTableSource,
    StarCountsSource,
    TableMapping,
    TableSource,
    VariantSource,
    read_mapping,
)
from nbrelapse.readers.bedpe import _read_bedpe
from nbrelapse.readers.gistic import _read_gistic
from nbrelapse.readers.vcf import _read_vcf

_SAMPLE_TABLES = ("mutations", "segments", "rearrangements")


def import_tables(mapping: str | Path, source: str | Path | None = None, *, name: str | None = None) -> Cohort:
    """Read a cohort through a mapping file.

    Parameters
    ----------
    mapping : path
        The mapping file, see the module's text.
    source : path, optional
        The folder that the files are in; the mapping file's folder by default.
    name : str, optional
        Of the cohort; the mapping's by default.

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
        raise InputError("the source folder does not exist", file=folder, fix="check --source")
    study = _MappedStudy(folder=folder, files=_named(settings, folder))
    study.metadata = {
        "source": {"reader": "tables", "mapping": Path(mapping).name, "reference": settings.source},
        "units_checked": settings.units_checked,
    }
    _read_tables(settings, study)
    if settings.gene_copy_number is not None:
        matrix, about = _read_mapped_matrix(settings.gene_copy_number, study)
        if "unit" not in about:
            matrix, about = _with_unit(matrix, about, study)
        study.tables["gene_copy_number"], study.metadata["gene_copy_number"] = matrix, about
    if settings.expression is not None:
        matrix, about = _read_mapped_expression(settings.expression, study)
        study.tables["expression"], study.metadata["expression"] = matrix, about
    _read_layers(settings.layers, study)
    if "samples" not in study.tables and "patient_id" in study.tables["patients"]:
        ids = as_text(study.tables["patients"]["patient_id"])
        study.tables["samples"] = pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": settings.timepoint})
    try:
        return study.assemble(name or settings.name)
    except InputError as error:
        raise _with_the_files_own_column(error, settings, folder) from error


def _with_the_files_own_column(error: InputError, settings: TableMapping, folder: Path) -> InputError:
    """Name the column as the file does, and show where in the mapping an unknown code is given its meaning."""
    own = None
    for part in (part for name in TABLES for part in getattr(settings, name)):
        if isinstance(part, TableSource) and str(folder / part.file) == error.file and error.column in part.columns:
            own = own or part.columns[error.column].column
    if own is None:
        return error
    fix = error.fix
    if error.problem.startswith("unknown code"):
        codes = ", ".join(f"{code} = ..." for code in re.findall(r"'[^']*'", error.problem)[:3]) or "..."
        example = f'{error.column} = {{ column = "{own}", values = {{ {codes} }} }}'
        fix = f"say in the mapping what it means: {example}; or {error.fix}"
    column = error.column if own == error.column else f"{own}, which the mapping makes {error.column}"
    return InputError(error.problem, file=error.file, column=column, rows=error.rows, expected=error.expected, fix=fix)


def _read_tables(settings: TableMapping, study: _MappedStudy) -> None:
    looked_at: list[pd.DataFrame] = []
    for name in TABLES:
        parts = getattr(settings, name)
        if parts and name in _SAMPLE_TABLES:
            read = [_read_sample_tables(name, part, study) for part in parts]
            study.tables[name] = pd.concat([table for table, _ in read], ignore_index=True)
            looked_at += [rows for _, rows in read]
        elif parts:
            study.tables[name] = pd.concat(
                [_read_mapped_table(part, study.folder) for part in parts], ignore_index=True
            )
    if looked_at:
        found = pd.concat(looked_at, ignore_index=True)
        assays = add_assay_rows(study.tables.get("assays"), found, study.files.get("assays", "assays"))
        study.tables["assays"] = assays


def _named(settings: TableMapping, folder: Path) -> dict[str, str | Path]:
    """Return what error messages call the files of a table."""
    long = {name: [part.file for part in getattr(settings, name)] for name in TABLES}
    matrices = {name: getattr(settings, name) for name in ("gene_copy_number", "expression")}
    wide = {name: [source.file] for name, source in matrices.items() if source is not None}
    return {name: " + ".join(str(folder / file) for file in named) for name, named in (long | wide).items() if named}


_DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}
_NOTES = {"mutations": MAF_NOTES, "rearrangements": ("SV_Status",)}
_TIDY = {"mutations": tidy_maf, "rearrangements": tidy_rearrangements}


@dataclass(kw_only=True)
class _MappedStudy(RawCohort):
    """What the files of a mapping hold; ``folder`` is where they are."""

    folder: Path


def _read_mapped_table(part: TableSource, folder: Path) -> pd.DataFrame:
    """Read the columns that a section names from its file.

    Raises
    ------
    InputError
        The file, or a column that the section names, is missing.
    """
    return _columns(part, folder / part.file)[0]


def _read_sample_tables(
    name: str, part: SampleTableSource | VariantSource, study: _MappedStudy
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the files of a section of ``mutations``, ``segments`` or ``rearrangements``.

    Parameters
    ----------
    name : str
        The table.
    part : SampleTableSource or VariantSource
    study : MappedStudy
        Its repairs say what was left out.

    Returns
    -------
    table : DataFrame
        All files.
    looked_at : DataFrame
        Rows of ``assays``: the samples of the table, and those that the names of the files tell, also where a file is
        empty; with the genome build that the files name.

    Raises
    ------
    InputError
        A file is missing or of another format, does not say whose it is, or the files are of several genome builds.
    """
    files = matching_files(study.folder, part.file)
    samples = samples_of_files(files, part.sample_pattern, part.sample_id)
    columns: list[str | None] = [None] * len(files)
    if isinstance(part, VariantSource) and part.sample_table is not None:
        files, samples, columns = _listed(part, study.folder / part.sample_table, files)
    tables: list[pd.DataFrame] = []
    builds: dict[Path, str | None] = {}
    notes = Repairs()
    for number, file in enumerate(files):
        sample = None if samples is None else samples[number]
        if isinstance(part, VariantSource) and part.format == "vcf":
            table, builds[file] = _read_vcf(file, sample_id=sample, column=columns[number], repairs=notes)
        elif isinstance(part, VariantSource):
            table, builds[file] = _read_bedpe(file, sample_id=sample, repairs=notes)
        else:
            table, builds[file] = _columns(part, file, _NOTES.get(name, ()))
            if sample is not None:
                table = table.assign(sample_id=pd.Series(sample, table.index, dtype="str"))
        if table.empty and sample is None and (len(files) > 1 or isinstance(part, VariantSource)):
            raise InputError(
                "a file without rows does not say whose it is",
                file=file,
                fix="add `sample_pattern` or `sample_id` to the mapping",
            )
        tables.append(table)
    # A line stands for all files, and none shows a file's name.
    for what, count in notes.totals().items():
        study.repairs.add_count(name, count, what)
    joined = pd.concat(tables, ignore_index=True)
    found = [*(samples or []), *as_text(joined["sample_id"]).dropna().unique()]
    if name in _TIDY:
        joined = _TIDY[name](joined, study.folder / part.file, study.repairs)
    return joined, assay_rows(found, ASSAY_OF[name], single_build(builds, name))


def _listed(
    part: VariantSource, file: Path, found: list[Path]
) -> tuple[list[Path], list[str] | None, list[str | None]]:
    """Return the file, the sample and the sample column of each row of a ``sample_table``.

    Raises
    ------
    InputError
        A cell is empty, a sample or a column is there twice, a file of the table does not exist, or one that exists is
        not in the table.
    """
    table = read_table(file)
    require_columns(table.columns, ("file", "sample_id"), file, expected="file, sample_id and, for VCF files, column")
    names, samples = as_text(table["file"]), as_text(table["sample_id"])
    columns = as_text(table["column"]) if "column" in table else pd.Series(None, index=table.index, dtype="str")
    by_name = {path.name: path for path in found}
    for wrong, column, problem in (
        (names.isna() | samples.isna(), "file, sample_id", "an empty cell"),
        (samples.duplicated(keep=False), "sample_id", "a sample is there twice"),
        (
            pd.DataFrame([names, columns]).T.duplicated(keep=False),
            "file, column",
            "one column of a file for two samples",
        ),
        (~names.isin(list(by_name)), "file", "a file that `file` of the mapping does not match"),
        (columns.notna() & (part.format != "vcf"), "column", "a column of a file that is no VCF"),
    ):
        fix = "correct or remove these rows"
        refuse_rows(table.index, wrong, problem, file=file, column=column, expected="a row a sample", fix=fix)
    absent = sorted(set(by_name) - set(names))
    if absent:
        raise InputError(
            f"{len(absent)} of {len(by_name)} files are not in the table of samples",
            file=file,
            column="file",
            expected="each file that `file` of the mapping matches",
        )
    said = [None if missing else name for name, missing in zip(columns, columns.isna(), strict=True)]
    return [by_name[name] for name in names], samples.tolist(), said


def _read_mapped_matrix(
    source: MatrixSource | GisticSource | StarCountsSource, study: _MappedStudy
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a gene by sample table, and what ``cohort.toml`` keeps of it.

    Raises
    ------
    InputError
        A file or column is missing, or of another format.
    """
    if isinstance(source, GisticSource):
        return _read_gistic(study.folder / source.file), {"unit": "gistic", "file": Path(source.file).name}
    if isinstance(source, StarCountsSource):
        files = matching_files(study.folder, source.file)
        samples = samples_of_files(files, source.sample_pattern, source.sample_id) or []
        return read_star_counts(files, samples, source.gene_types)
    file = study.folder / source.file
    table = read_table(file, separator=source.separator, sheet=source.sheet, matrix=True)
    expected = f"{table.columns[0]}, the first column, or another one that names genes"
    require_columns(table.columns, (source.gene_column, *source.ignored_columns), file, expected=expected)
    matrix = table.drop(columns=source.ignored_columns).set_index(source.gene_column)
    return normalise_matrix(matrix, file, study.repairs), {"file": file.name}


def _with_unit(matrix: pd.DataFrame, about: dict[str, Any], study: _MappedStudy) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Tell levels of copy number, -2 to 2, from log2 ratios by their values."""
    values = matrix.to_numpy()
    if np.isin(values[~np.isnan(values)], LEVELS).all():
        return as_levels(matrix, Path(about["file"]), study.repairs), {"unit": "gistic", **about}
    return matrix, {"unit": "log2", **about}


def _read_mapped_expression(
    source: MatrixSource | StarCountsSource, study: _MappedStudy
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read expression in log2, and what ``cohort.toml`` keeps of it; raises as :func:`_read_mapped_matrix`."""
    matrix, about = _read_mapped_matrix(source, study)
    if isinstance(source, StarCountsSource):
        return matrix, about
    matrix, scale = to_log2(matrix, study.folder / source.file, study.repairs)
    return matrix, {**scale, **about}


def _read_layers(layers: Mapping[str, LayerSource], study: _MappedStudy) -> None:
    """Read the layers, and what ``cohort.toml`` keeps of them."""
    about = {}
    for name, source in layers.items():
        study.files[name] = study.folder / source.file
        matrix = read_layer_file(source, study.folder)
        study.layers[name], about[name] = describe_layer(name, matrix, source, study.folder, study.repairs)
    study.metadata |= {"layers": about} if about else {}


def _columns(part: TableSource, file: Path, notes: Sequence[str] = ()) -> tuple[pd.DataFrame, str | None]:
    """Columns of one file, those of the mapping and `notes` where it has them, and the build in ``NCBI_Build``."""
    table = read_table(file, separator=part.separator, sheet=part.sheet)
    wanted = [source.column for source in part.columns.values() if source.column]
    # Where none is there the first line may be no header, and its cells identifiers.
    found = f"one of {', '.join(map(str, table.columns[:30]))}" if set(wanted) & set(table.columns) else "a header line"
    require_columns(
        table.columns,
        wanted,
        file,
        "a column that the mapping names is missing",
        expected=found,
        fix="correct the mapping file, or `separator` in it",
    )
    columns = {name: _column(source, table, file) for name, source in part.columns.items()}
    columns |= {name: table[name] for name in notes if name in table}
    return pd.DataFrame(columns), genome_build(table, file)


def _column(source: ColumnSource, table: pd.DataFrame, file: Path) -> pd.Series:
    if source.column is None:
        return pd.Series(str(source.constant), index=table.index, dtype="str")
    values = table[source.column]
    if source.codes:
        text = as_text(values)
        # A column of codes that lacks some is written with decimals by spreadsheets and pandas: 1.0 is the code 1.
        whole = text.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)
        text = text.where(text.isin(source.codes) | ~whole.isin(source.codes), whole)
        values = text.replace({key: str(value) for key, value in source.codes.items()})
    return values if source.unit == "days" else normalise_numbers(values, file=file) * _DAYS[source.unit]
