"""The mapping file of the ``tables`` reader."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from nbrelapse.cohort.read_table import decode, read_bytes
from nbrelapse.cohort.schema import TABLES
from nbrelapse.errors import InputError

Unit = Literal["days", "weeks", "months", "years"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSource(_Section):
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


class TableSource(_Section):
    """A file and the schema columns that are read from it."""

    file: str
    separator: str | None = None
    sheet: str | None = None
    columns: Annotated[dict[str, Annotated[ColumnSource, BeforeValidator(_as_column)]], Field(min_length=1)]


class MatrixSource(_Section):
    """A gene by sample file."""

    file: str
    separator: str | None = None
    sheet: str | None = None
    gene_column: str = "Hugo_Symbol"
    ignored_columns: list[str] = []


Tables = Annotated[list[TableSource], BeforeValidator(_as_list)]


class TableMapping(_Section):
    """A mapping file; its keys are explained in :mod:`nbrelapse.cohort.readers.tables`."""

    name: Annotated[str, Field(min_length=1)]
    source: str = ""
    timepoint: Literal["diagnosis", "refractory", "relapse", "other"] = "diagnosis"
    units_checked: bool = False
    patients: Annotated[Tables, Field(min_length=1)]
    samples: Tables = []
    assays: Tables = []
    panels: Tables = []
    mutations: Tables = []
    segments: Tables = []
    rearrangements: Tables = []
    gene_copy_number: MatrixSource | None = None
    expression: MatrixSource | None = None


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
        for table in getattr(mapping, name):
            _check_columns(name, table, [str(column) for column in schema.columns], path)
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


def _as_input_error(error: ValidationError, file: Path) -> InputError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    if first["type"] == "extra_forbidden":
        return InputError("unknown key", file=file, column=where, mend="correct or remove the key")
    if first["type"] == "missing":
        return InputError("a required key is missing", file=file, column=where)
    message = first["msg"].removeprefix("Value error, ")
    return InputError(f"illegal value {first.get('input')!r}", file=file, column=where, expected=message)
