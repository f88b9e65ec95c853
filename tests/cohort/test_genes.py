from __future__ import annotations

from importlib import resources

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbrelapse.cohort.genes import _excel_gene, _is_mangled, canonical_symbols
from nbrelapse.mechanisms import load_catalogue


def table() -> pd.DataFrame:
    file = resources.files("nbrelapse.cohort").joinpath("gene_symbols.tsv")
    with file.open(encoding="utf-8") as lines:
        return pd.read_csv(lines, sep="\t", comment="#", dtype="str", keep_default_na=False)


def former_names() -> pd.Series:
    rows = table()
    names = pd.concat([rows.set_index("symbol")[column].str.split("|").explode() for column in ("previous", "aliases")])
    return names[names.ne("")]


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("ODZ3", "TENM3"),
        ("C11orf95", "ZFTA"),
        ("C11ORF95", "ZFTA"),
        ("MLL", "KMT2A"),
        ("MLL2", "KMT2D"),
        ("FAM64A", "PIMREG"),
        ("PHB", "PHB1"),
        ("WHSC1", "NSD2"),
        ("H2AFX", "H2AX"),
        ("TRKA", "NTRK1"),
        ("p14ARF", "CDKN2A"),
        ("p16", "CDKN2A"),
        ("NMYC", "MYCN"),
        ("N-MYC", "MYCN"),
        ("MARCH1", "MARCHF1"),
        ("MARC1", "MTARC1"),
        ("SEPT9", "SEPTIN9"),
        ("DEC1", "DELEC1"),
        ("EPRS", "EPRS1"),
        ("QARS", "QARS1"),
        ("SKIV2L2", "MTREX"),
        ("KIAA1524", "CIP2A"),
        ("HIST1H4C", "H4C3"),
        ("CENPJ", "CPAP"),
        ("LOC81691", "REXO5"),
    ],
)
def test_former_symbols_become_current(former: str, current: str) -> None:
    assert canonical_symbols(pd.Index([former])).tolist() == [current]


@pytest.mark.parametrize("symbol", ["FEV", "MYCN", "TENM3", "BHLHE40", "C18orf54", "not a gene", "MLL4", "COX2", ""])
def test_current_unknown_and_ambiguous_symbols_are_unchanged(symbol: str) -> None:
    assert canonical_symbols(pd.Index([symbol])).tolist() == [symbol]


def test_series_keep_index_name_order_and_missing_values() -> None:
    symbols = pd.Series(["NMYC", None, "ALK", "NMYC"], index=[7, 3, 3, 1], name="Hugo_Symbol", dtype="str")
    expected = pd.Series(["MYCN", None, "ALK", "MYCN"], index=[7, 3, 3, 1], name="Hugo_Symbol", dtype="str")
    pd.testing.assert_series_equal(canonical_symbols(symbols), expected)


@pytest.mark.parametrize("dtype", ["str", "category", "object"])
def test_any_text_type_is_read(dtype: str) -> None:
    assert canonical_symbols(pd.Series(["MLL", "ALK"], dtype=dtype)).tolist() == ["KMT2A", "ALK"]


def test_index_keeps_its_name() -> None:
    assert canonical_symbols(pd.Index(["MLL", "ALK"], name="gene")).equals(pd.Index(["KMT2A", "ALK"]))
    assert canonical_symbols(pd.Index(["MLL"], name="gene")).name == "gene"


@pytest.mark.parametrize("symbols", [pd.Series([], dtype="str"), pd.Series([None, None], dtype="str")])
def test_nothing_to_read_is_returned_as_it_is(symbols: pd.Series) -> None:
    pd.testing.assert_series_equal(canonical_symbols(symbols), symbols)


def test_the_table_gives_every_name_one_gene_and_no_chains() -> None:
    names = former_names()
    assert not names.str.upper().duplicated().any()
    assert table()["symbol"].is_unique
    assert not set(names.str.upper()) & set(table()["symbol"].str.upper())
    assert not _is_mangled(names.reset_index(drop=True)).any()


@given(st.sampled_from(sorted(former_names())))
def test_canonical_is_idempotent(former: str) -> None:
    once = canonical_symbols(pd.Index([former]))
    assert once.tolist() != [former]
    assert canonical_symbols(once).equals(once)


def test_signatures_of_the_catalogue_lose_no_gene_to_another() -> None:
    for definition in load_catalogue().features.values():
        genes = pd.Index(definition.parameters.get("genes", []), dtype="str")
        assert canonical_symbols(genes).is_unique, definition.name


@pytest.mark.parametrize(
    ("mangled", "gene"),
    [
        ("2-Sep", "SEPTIN2"),
        ("9-SEP", "SEPTIN9"),
        ("09-Sep", "SEPTIN9"),
        ("Sep-11", "SEPTIN11"),
        ("13-Sep", "SEPTIN7P2"),
        ("15-Sep", "SELENOF"),
        ("1-Dec", "DELEC1"),
        ("Dec-01", "DELEC1"),
        ("3-Mar", "MARCHF3"),
        ("11-Mar", "MARCHF11"),
        ("5-Mar-16", "MARCHF5"),
        ("2018-03-05 00:00:00", "MARCHF5"),
        ("2016-09-01", "SEPTIN1"),
    ],
)
def test_a_date_that_means_one_gene_is_that_gene(mangled: str, gene: str) -> None:
    assert _is_mangled(pd.Series([mangled])).tolist() == [True]
    assert _excel_gene(pd.Series([mangled])).tolist() == [gene]


@pytest.mark.parametrize(
    "mangled", ["1-Mar", "Mar-02", "2002-03-01", "2009-09-01", "16-Sep", "2-Dec", "7-Jul", "4-Oct"]
)
def test_a_date_that_means_two_genes_or_none_is_missing(mangled: str) -> None:
    assert _is_mangled(pd.Series([mangled])).tolist() == [True]
    assert _excel_gene(pd.Series([mangled])).isna().tolist() == [True]


@pytest.mark.parametrize(
    "symbol", ["MYCN", "MARCH1", "SEPT9", "APR-1", "1-Xyz", "2016-13-01", "43160", "HLA-A", "ODZ3"]
)
def test_what_is_no_date_is_unchanged(symbol: str) -> None:
    assert _is_mangled(pd.Series([symbol])).tolist() == [False]
    assert _excel_gene(pd.Series([symbol])).tolist() == [symbol]


def test_missing_symbols_are_not_mangled_and_stay_missing() -> None:
    symbols = pd.Series(["1-Dec", None, "ALK"], index=[5, 4, 4], name="gene", dtype="str")
    expected = pd.Series(["DELEC1", None, "ALK"], index=[5, 4, 4], name="gene", dtype="str")
    pd.testing.assert_series_equal(_is_mangled(symbols), pd.Series([True, False, False], index=[5, 4, 4], name="gene"))
    pd.testing.assert_series_equal(_excel_gene(symbols), expected)
