from __future__ import annotations

from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.gene_sets import read_gene_sets


def test_table(tmp_path: Path) -> None:
    file = tmp_path / "sets.tsv"
    file.write_text(
        "# a paper\ngene_set\tHugo_Symbol\tsource\nMES\tPRRX1\tx\nADRN\tPHOX2B\tx\nMES\tFOSL1\tx\nMES\tPRRX1\ty\n"
    )
    assert read_gene_sets(file) == {"MES": ["PRRX1", "FOSL1"], "ADRN": ["PHOX2B"]}


def test_gmt(tmp_path: Path) -> None:
    file = tmp_path / "sets.gmt"
    file.write_text("MES\thttps://example.org\tPRRX1\tFOSL1\t\n\nADRN\t\tPHOX2B\tPHOX2B\r\n")
    assert read_gene_sets(file) == {"MES": ["PRRX1", "FOSL1"], "ADRN": ["PHOX2B"]}


def test_symbols_stay_as_published(tmp_path: Path) -> None:
    file = tmp_path / "sets.gmt"
    file.write_text("ADRN\tsource\tC11orf95\tODZ3\tTENM3\n")
    assert read_gene_sets(file) == {"ADRN": ["C11orf95", "ODZ3", "TENM3"]}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("sets.gmt", "MES\tonly a description\n", "rows: 1"),
        ("sets.tsv", "set\tgene\nMES\tPRRX1\n", "gene_set, Hugo_Symbol"),
        ("sets.tsv", "gene_set\tHugo_Symbol\nMES\tPRRX1\nMES\n", "rows: 2"),
        ("sets.tsv", "gene_set\tHugo_Symbol\n", "no genes"),
        ("sets.tsv", "", "gene_set, Hugo_Symbol"),
        ("sets.tsv", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_gene_sets(file)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_gene_sets(tmp_path / "none.gmt")
    (tmp_path / "sets.gmt").write_bytes(b"\x1f\x8b\xff")
    with pytest.raises(InputError, match="not plain text"):
        read_gene_sets(tmp_path / "sets.gmt")
