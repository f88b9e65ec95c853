"""How the synthetic study's files are written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv

COLUMNS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("synthetic_columns.toml").read_text(encoding="utf-8"))
PLAIN = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")


def append_rows(stream: BinaryIO, table: pa.Table) -> None:
    """Write a table's rows, tab-separated and unquoted."""
    csv.write_csv(table, stream, PLAIN)


def write_lines(file: Path, fields: Mapping[str, str]) -> None:
    """Write ``key: value`` lines."""
    file.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")
