"""The mapping file of the ``tables`` reader: its sections, their keys and legal values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.cohort.schema import TABLES
from nbrelapse.errors import InputError, illegal_key

Unit = Literal["days", "weeks", "months", "years"]


class Section(BaseModel):
    """A section of a mapping file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSource(Section):
    """Where a schema column comes from: a column of the file, or one value for all rows."""

    column: str | None = None
    constant: str | int | float | bool | None = None
    codes: dict[str, str | int | float | bool] = Field(default={}, alias="values")
    unit: Unit = "days"

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnSource:
        if (self.column is None) == (self.constant is None):
            raise ValueError("either `column` or `constant`")
        return self


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class TableSource(Section):
    """A file and the schema columns that are read from it."""

    format: Literal["table"] = "table"
    file: str
    separator: str | None = None
    sheet: str | None = None
    columns: Annotated[dict[str, Annotated[ColumnSource, BeforeValidator(_as_column)]], Field(min_length=1)]


class SampleNames(Section):
    """Files whose names tell the sample, or that are of one."""

    sample_pattern: str | None = None
    sample_id: str | None = None

    @field_validator("sample_pattern")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"a regular expression ({error})") from None
        if groups != 1:
            raise ValueError("a regular expression with one group, the sample id, such as '(.+)\\.vcf'")
        return value


class SampleTableSource(TableSource, SampleNames):
    """Tables of samples: one file, or one a sample where ``file`` is a pattern."""


class VariantSource(SampleNames):
    """Rearrangements in a standard format, which needs no columns."""

    format: Literal["vcf", "bedpe"]
    file: str
    sample_table: str | None = None


class MatrixSource(Section):
    """A gene by sample file."""

    format: Literal["table"] = "table"
    file: str
    separator: str | None = None
    sheet: str | None = None
    gene_column: str = "Hugo_Symbol"
    ignored_columns: list[str] = []


class LayerSource(Section):
    """A feature by sample file, and how its rows find a mechanism."""

    file: str
    mechanism: str = "none"
    unit: str | None = None
    platform: str | None = None
    genome_build: str | None = None
    separator: str | None = None
    sheet: str | None = None
    row_column: str | None = None
    ignored_columns: list[str] = []


class GisticSource(Section):
    """GISTIC's ``all_thresholded.by_genes.txt``."""

    format: Literal["gistic"]
    file: str


class StarCountsSource(SampleNames):
    """GDC STAR counts, one file a sample."""

    format: Literal["star_counts"]
    file: str
    gene_types: list[str] = ["protein_coding"]

    @model_validator(mode="after")
    def _names_samples(self) -> StarCountsSource:
        if (self.sample_pattern is None) == (self.sample_id is None):
            raise ValueError("either `sample_pattern` or `sample_id`")
        return self


def _format(value: Any) -> Any:
    return value.get("format", "table") if isinstance(value, dict) else value.format


Tables = Annotated[list[TableSource], BeforeValidator(_as_list)]
SampleTables = Annotated[list[SampleTableSource], BeforeValidator(_as_list)]
Rearrangements = Annotated[
    list[
        Annotated[
            Annotated[SampleTableSource, Tag("table")]
            | Annotated[VariantSource, Tag("vcf")]
            | Annotated[VariantSource, Tag("bedpe")],
            Discriminator(_format),
        ]
    ],
    BeforeValidator(_as_list),
]
GeneCopyNumber = Annotated[
    Annotated[MatrixSource, Tag("table")] | Annotated[GisticSource, Tag("gistic")], Discriminator(_format)
]
Expression = Annotated[
    Annotated[MatrixSource, Tag("table")] | Annotated[StarCountsSource, Tag("star_counts")], Discriminator(_format)
]


FORMATS = ("table", "vcf", "bedpe", "gistic", "star_counts")


def _printable(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError("a name that can be seen, without line ends and control characters")
    return name


class TableMapping(BaseModel):
    """A mapping file; its keys are explained in :mod:`nbrelapse.readers.tables`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    source: str = ""
    timepoint: Literal["diagnosis", "refractory", "relapse", "other"] = "diagnosis"
    units_checked: bool = False
    patients: Annotated[Tables, Field(min_length=1)]
    samples: Tables = []
    assays: Tables = []
    panels: Tables = []
    mutations: SampleTables = []
    segments: SampleTables = []
    rearrangements: Rearrangements = []
    gene_copy_number: GeneCopyNumber | None = None
    expression: Expression | None = None
    layers: dict[str, LayerSource] = {}


def read_mapping(file: str | Path) -> TableMapping:
    """Read a mapping file.

    Parameters
    ----------
    file : path
        TOML.

    Returns
    -------
    TableMapping

    Raises
    ------
    InputError
        The file is missing or no TOML, or a key is unknown, missing or has an illegal value.
    """
    path = Path(file)
    document = parse_toml(read_bytes(path), path, "the mapping file")
    try:
        mapping = TableMapping.model_validate(document)
    except ValidationError as error:
        raise _as_input_error(error, path) from None
    for name, schema in TABLES.items():
        for source in getattr(mapping, name):
            if isinstance(source, TableSource):
                _check_columns(name, source, [str(column) for column in schema.columns], path)
            if isinstance(source, SampleNames):
                _check_sample(name, source, path)
    return mapping


def _check_columns(name: str, table: TableSource, legal: Iterable[str], file: Path) -> None:
    for column, source in table.columns.items():
        where = f"{name}.columns.{column}"
        if column not in legal:
            raise InputError(
                "unknown key", file=file, column=where, expected=", ".join(legal), fix="correct or remove the key"
            )
        if source.unit != "days" and not column.endswith("_days"):
            raise InputError("a unit for a column that is no time", file=file, column=where, fix="remove `unit`")


def _check_sample(name: str, source: SampleNames, file: Path) -> None:
    keys = ("sample_pattern", "sample_id", "sample_table")
    told = [key for key in keys if getattr(source, key, None) is not None]
    if isinstance(source, TableSource) and "sample_id" in source.columns:
        told.append("columns.sample_id")
    if len(told) > 1 or (isinstance(source, TableSource) and not told):
        raise InputError(
            "the sample is told twice" if told else "nothing tells the sample",
            file=file,
            column=", ".join(f"{name}.{key}" for key in told) or name,
            expected="one of `sample_pattern`, `sample_id`, `columns.sample_id` and, of VCF and BEDPE, `sample_table`",
        )


def _as_input_error(error: ValidationError, file: Path) -> InputError:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if not isinstance(part, int)]
    where = ".".join(part for number, part in enumerate(parts) if number != 1 or part not in FORMATS)
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        legal = context["expected_tags"].replace("'", "")
        return InputError(f"illegal value {context['tag']!r}", file=file, column=f"{where}.format", expected=legal)
    return illegal_key(first, file=file, column=where)
