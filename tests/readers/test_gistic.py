from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers.gistic import _read_gistic

HEADER = "Gene Symbol\tLocus ID\tCytoband\ta\tb\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "all_thresholded.by_genes.txt"


def test_symbols_lose_their_chromosome_and_blank_cells_are_not_measured(file: Path) -> None:
    file.write_text(HEADER + "MYCN\t4613\t2p24.3\t2\t-2\nSHOX|chrX\t6473\tXp22.33\t0\t\n")
    calls = _read_gistic(file)
    expected = pd.DataFrame({"a": [2.0, 0.0], "b": [-2.0, None]}, index=pd.Index(["MYCN", "SHOX"], name="Hugo_Symbol"))
    pd.testing.assert_frame_equal(calls, expected.astype("float64"))


@pytest.mark.parametrize(
    ("text", "problem", "rows"),
    [
        (HEADER + "MYCN\t4613\t2p24.3\t2\t-2\nALK\t238\t2p23.2\t0.41\t0\n", "a value that is no GISTIC level", [2]),
        (HEADER + "MYCN\t4613\t2p24.3\tgain\t-2\n", "a value that is no GISTIC level", [1]),
        (HEADER + "MYCN\t4613\t2p24.3\t3\t0\n", "a value that is no GISTIC level", [1]),
        ("Hugo_Symbol\ta\tb\nMYCN\t2\t0\n", "a column is missing", None),
        ("Gene Symbol\tLocus ID\tCytoband\nMYCN\t4613\t2p24.3\n", "the file has no samples", None),
    ],
)
def test_files_of_another_kind(file: Path, text: str, problem: str, rows: list[int] | None) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        _read_gistic(file)
    assert caught.value.rows == rows
