from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort.read_table import read_table
from nbrelapse.errors import InputError

ROWS = [["a", "1"], ["b", None]]


def check(table: pd.DataFrame) -> None:
    assert table.columns.tolist() == ["name", "value"]
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == ROWS


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.tsv", "\t"), ("t.txt", "\t")])
def test_text(tmp_path: Path, name: str, separator: str) -> None:
    text = f"name{separator}value\r\na{separator}1\r\nb{separator}\r\n"
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    check(read_table(tmp_path / name))
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    check(read_table(tmp_path / f"{name}.gz"))


def test_parquet_and_xlsx(tmp_path: Path) -> None:
    table = pd.DataFrame(ROWS, columns=["name", "value"], dtype="str")
    table.to_parquet(tmp_path / "t.parquet")
    table.to_excel(tmp_path / "t.xlsx", sheet_name="S1", index=False)
    check(read_table(tmp_path / "t.parquet"))
    check(read_table(tmp_path / "t.xlsx"))
    with pytest.raises(InputError, match="no such sheet"):
        read_table(tmp_path / "t.xlsx", sheet="S2")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"", "the file is empty"),
        (b"a\tb\n1\t2\t3\t4\n", "cannot be parsed"),
        (b"a\ta\n1\t2\n", "a column is named twice"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"\x1f\x8bbroken", "gzip file is damaged"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_table(tmp_path / "t.tsv")
    assert str(caught.value.file).endswith("t.tsv")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_table(tmp_path / "t.tsv")
    with pytest.raises(InputError, match="this is a folder"):
        read_table(tmp_path)


def test_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("a,b")
    with pytest.raises(InputError, match="not a readable xlsx"):
        read_table(tmp_path / "t.xlsx")
