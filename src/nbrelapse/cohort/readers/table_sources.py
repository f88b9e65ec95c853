"""Sections of the ``tables`` reader's mapping file that name a source of data."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

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


class MatrixSource(Section):
    """A gene by sample file."""

    format: Literal["table"] = "table"
    file: str
    separator: str | None = None
    sheet: str | None = None
    gene_column: str = "Hugo_Symbol"
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
