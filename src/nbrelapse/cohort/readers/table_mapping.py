"""The mapping file of the ``tables`` reader."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbrelapse.cohort.read_table import decode, read_bytes
from nbrelapse.cohort.readers.table_sources import (
    Expression,
    GeneCopyNumber,
    Rearrangements,
    SampleNames,
    SampleTables,
    Tables,
    TableSource,
)
from nbrelapse.cohort.schema import TABLES
from nbrelapse.errors import InputError, illegal_key

FORMATS = ("table", "vcf", "bedpe", "gistic", "star_counts")


class TableMapping(BaseModel):
    """A mapping file; its keys are explained in :mod:`nbrelapse.cohort.readers.tables`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
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
    try:
        document = tomllib.loads(decode(read_bytes(path), path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the mapping file is not valid TOML: {error}", file=path) from None
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
                "unknown key", file=file, column=where, expected=", ".join(legal), mend="correct or remove the key"
            )
        if source.unit != "days" and not column.endswith("_days"):
            raise InputError("a unit for a column that is no time", file=file, column=where, mend="remove `unit`")


def _check_sample(name: str, source: SampleNames, file: Path) -> None:
    told = [key for key in ("sample_pattern", "sample_id") if getattr(source, key) is not None]
    if isinstance(source, TableSource) and "sample_id" in source.columns:
        told.append("columns.sample_id")
    if len(told) > 1 or (isinstance(source, TableSource) and not told):
        raise InputError(
            "the sample is told twice" if told else "nothing tells the sample",
            file=file,
            column=", ".join(f"{name}.{key}" for key in told) or name,
            expected="one of `sample_pattern`, `sample_id` and `columns.sample_id`",
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
