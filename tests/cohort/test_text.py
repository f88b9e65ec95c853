from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import text as module
from nbrelapse.cohort.content import decode
from nbrelapse.cohort.text import parse_text_table, read_table
from nbrelapse.errors import InputError

TEXT = b"#version 2.4\nHugo_Symbol\tStart\tNote\nALK\t 10 \tNA\n#by hand\nTP53\t\t\n\n#\t1\tx\nMYCN\t1e3\t-\n"


@pytest.mark.parametrize(
    "change", [bytes, gzip.compress, lambda text: gzip.compress(text[:40]) + gzip.compress(text[40:])]
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_chosen_columns(change: object, ending: bytes) -> None:
    content = change(b"\xef\xbb\xbf" + TEXT.replace(b"\n", ending))  # type: ignore[operator]
    table = parse_text_table(content, "a.maf", comment=True, columns=["Start", "Note"], numbers=["Start"])
    assert table.columns.tolist() == ["Start", "Note"]
    assert table["Start"].fillna(-1).tolist() == [10.0, -1.0, 1000.0]
    assert table["Note"].tolist() == ["NA", "", "-"]
    assert isinstance(table["Note"].dtype, pd.CategoricalDtype)


def test_all_columns_are_text_and_empty_cells_missing() -> None:
    table = parse_text_table(TEXT, "a.maf", comment=True)
    assert table["Start"].tolist()[0] == " 10 "
    assert table["Note"].isna().tolist() == [False, True, False]
    assert set(map(str, table.dtypes)) == {"str"}


def test_what_is_no_number_stays_text_for_the_message() -> None:
    table = parse_text_table(b"a\tb\n1\tx\n2\t3\n", "t", columns=["a", "b"], numbers=["a", "b"])
    assert table.astype("str").to_numpy().tolist() == [["1", "x"], ["2", "3"]]


def test_a_matrix_has_numbers_where_it_can() -> None:
    table = parse_text_table(b"gene\ts1\ts2\nALK\t1\tNA\nMYCN\t2.5\t-3\n", "t", matrix=True)
    assert table["s1"].tolist() == [1.0, 2.5]
    assert table["s2"].isna().tolist() == [True, False]


def test_quotes_hold_separators_and_line_ends() -> None:
    table = parse_text_table(b'"Age\n(days)",note\n5,"a, b\nc"\n', "t.csv", separator=",")
    assert table.columns.tolist() == ["Age\n(days)", "note"]
    assert table.to_numpy().tolist() == [["5", "a, b\nc"]]


def test_a_remark_above_the_header_and_a_header_with_a_hash() -> None:
    assert parse_text_table(b"#version 2.4\na\tb\n1\t2\n", "t").columns.tolist() == ["a", "b"]
    assert parse_text_table(b"#a\tb\n1\t2\n", "t").columns.tolist() == ["#a", "b"]


def test_only_a_header() -> None:
    table = parse_text_table(b"a\tb\n", "t", columns=["a"], numbers=["a"])
    assert table.shape == (0, 1)


@pytest.mark.parametrize(
    ("content", "problem", "rows"),
    [
        (b"#c\na\tb\n1\t2\n#r\n3\n4\t5\t6\n", "row 2 has 1 cells, the header has 2", [2, 3]),
        (b"a,b\n1,2\n", "separated by commas, not by tabulators", None),
        (b"a b c\n1 2 3\n", "separated by blanks, not by tabulators", None),
        (b"a\tb\n1\t2\nx\xff\t3\n", "not UTF-8 text .byte 9.", None),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer", None),
        (gzip.compress(b"a\tb\n" + b"1\t2\n" * 99, mtime=0)[:-3], "gzip file is damaged", None),
    ],
)
def test_what_cannot_be_parsed(content: bytes, problem: str, rows: list[int] | None) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        parse_text_table(content, "t.txt", comment=True)
    assert (caught.value.file, caught.value.rows) == ("t.txt", rows)


def test_a_large_file_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALLEST_BLOCK", 64)
    monkeypatch.setattr(module, "_OF_COLUMN", 1)
    rows = [f"S{number % 7}\t{number}" for number in range(500)]
    rows.insert(250, "# between the blocks")
    content = ("id\tstart\n" + "\n".join(rows)).encode()
    table = parse_text_table(content, "a.seg", comment=True, columns=["id", "start"], numbers=["start"])
    assert table["id"].tolist() == [f"S{number % 7}" for number in range(500)]
    assert table["start"].tolist() == list(range(500))


@pytest.mark.parametrize("comment", [False, True])
def test_a_row_may_be_longer_than_a_block(monkeypatch: pytest.MonkeyPatch, comment: bool) -> None:
    monkeypatch.setattr(module, "_SMALLEST_BLOCK", 64)
    monkeypatch.setattr(module, "_OF_COLUMN", 1)
    content = "id\tnote\n" + "".join(f"S{number}\t{'x' * 40 * number}\n" for number in range(20))
    table = parse_text_table(content.encode(), "a.txt", comment=comment)
    assert table["note"].fillna("").str.len().tolist() == [40 * number for number in range(20)]


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


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("comment", [True, False])
def test_returns_alone_end_lines_too(comment: bool, pack: object) -> None:
    text = b"#version 2.4\nid\tstage\tage\nA\t4\t10\nB\t2\t\n".replace(b"\n", b"\r")
    for content in (text, text.removesuffix(b"\r"), text.replace(b"A\t4\t10\r", b"A\t4\t10\r\n")):
        table = parse_text_table(pack(content), "t.txt", comment=comment)  # type: ignore[operator]
        assert table.columns.tolist() == ["id", "stage", "age"]
        assert table.fillna("").to_numpy().tolist() == [["A", "4", "10"], ["B", "2", ""]]
    assert decode(text, "t.txt").split("\n")[1:3] == ["id\tstage\tage", "A\t4\t10"]


def test_returns_at_the_end_of_a_long_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for peeked in range(1, 9):
        monkeypatch.setattr(module, "_PEEKED", peeked)
        for ending in (b"\r", b"\n", b"\r\n"):
            table = parse_text_table(b"gene\ts1" + ending + b"ALK\t1" + ending, "t", matrix=True)
            assert table.to_numpy().tolist() == [["ALK", 1.0]]


def test_a_header_of_another_line_end_than_its_comments() -> None:
    with pytest.raises(InputError, match="cannot be parsed") as caught:
        parse_text_table(b"#c\nid,stage\rNB01,4\rNB02,3\r", "t.csv", separator=",")
    assert "NB0" not in str(caught.value)


def test_separators_at_the_end_of_lines() -> None:
    for text in ("a\tb\t\n1\t2\t\n3\t4\t\n", "a\tb\t\t\n1\t2\n3\t4\n", "a\tb\t\t\n1\t2\t\t\n3\t4\t\t\n"):
        for comment in (True, False):
            table = parse_text_table(text.encode(), "t", comment=comment)
            assert table.columns.tolist() == ["a", "b"]
            assert table.to_numpy().tolist() == [["1", "2"], ["3", "4"]]
    matrix = parse_text_table(b"gene\ts1\t\nALK\t1\t\nTP53\t2\t\n", "t", matrix=True)
    assert matrix.columns.tolist() == ["gene", "s1"]
    chosen = parse_text_table(b"gene\ts1\t\nALK\t1\t\n", "t", columns=["gene", "s1", "Unnamed: 2"], numbers=["s1"])
    assert chosen.columns.tolist() == ["gene", "s1"]


def test_a_column_without_name_that_has_values_stays() -> None:
    assert parse_text_table(b"a\tb\t\n1\t2\tx\n", "t").columns.tolist() == ["a", "b", "Unnamed: 2"]


def test_row_names_as_r_writes_them() -> None:
    numbered = parse_text_table(b"id\tstage\n1\tA\t4\n2\tB\t3\n", "t", comment=True)
    assert numbered[["id", "stage"]].to_numpy().tolist() == [["A", "4"], ["B", "3"]]
    quoted = parse_text_table(b'"id"\t"stage"\n"7"\t"A"\t4\n"9"\t"B"\t3\n', "t")
    assert quoted[["id", "stage"]].to_numpy().tolist() == [["A", "4"], ["B", "3"]]
    genes = parse_text_table(b"s1\ts2\nALK\t1\t2\nTP53\t3\tNA\n", "t", matrix=True)
    assert genes.iloc[:, 0].tolist() == ["ALK", "TP53"]
    assert genes["s1"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "text",
    [
        # Row names or a column without a name? A separator at the end or row names and an empty column?
        "id\tstage\nA\t4\tx\nB\t3\ty\n",
        "id\tstage\nA\t4\t\nB\t3\t\n",
        "id\tstage\n1\tA\t\n2\tB\t\n",
        "id\tstage\nA\t4\t\nB\t3\n",
    ],
)
def test_rows_of_another_width_that_may_mean_two_things(text: str) -> None:
    with pytest.raises(InputError, match="row 1 has 3 cells, the header has 2") as caught:
        parse_text_table(text.encode(), "t", comment=True)
    assert "end no line with a separator" in str(caught.value.fix)
