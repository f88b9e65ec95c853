from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort import Repairs, normalise_matrix
from nbrelapse.cohort.genes import (
    _excel_gene,
    _gene_table,
    _is_mangled,
    _read_identifiers,
    canonical_symbols,
    symbols_of_entrez,
)
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue


def table() -> pd.DataFrame:
    return pd.DataFrame(_gene_table())


def names_of(*columns: str) -> pd.Series:
    rows = table().set_index("symbol")
    names = pd.concat([rows[column].str.split("|").explode() for column in columns])
    return names[names.ne("")]


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("C11orf95", "ZFTA"),
        ("C11ORF95", "ZFTA"),
        ("C1ORF112", "FIRRM"),
        ("SLC9A3R1", "NHERF1"),
        ("A20", "TNFAIP3"),
        ("MLL", "KMT2A"),
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
        ("EPRS", "EPRS1"),
        ("SKIV2L2", "MTREX"),
        ("KIAA1524", "CIP2A"),
        ("HIST1H4C", "H4C3"),
        ("CENPJ", "CPAP"),
        ("LOC81691", "REXO5"),
    ],
)
def test_former_symbols_become_current(former: str, current: str) -> None:
    assert canonical_symbols(pd.Index([former])).tolist() == [current]


@pytest.mark.parametrize(
    "symbol",
    ["FEV", "MYCN", "TENM3", "BHLHE40", "C18orf54", "not a gene", "MLL2", "ODZ3", "DEC1", "TAZ", "COX2", "HLA-H", ""],
)
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


def test_every_symbol_of_the_table_is_one_genes_and_current() -> None:
    symbols = table()["symbol"]
    assert not symbols.str.upper().duplicated().any()
    assert canonical_symbols(symbols).equals(symbols)
    assert not _is_mangled(symbols).any()


def test_a_name_that_two_genes_share_or_that_is_a_current_symbol_is_never_read() -> None:
    names = names_of("previous", "aliases").str.upper().rename("name").reset_index().drop_duplicates()
    shared = names.loc[names["name"].duplicated(keep=False), "name"]
    current = table()["symbol"]
    never = pd.Index(pd.concat([shared, names.loc[names["name"].isin(current), "name"]]).unique())
    assert len(never) > 1000
    assert canonical_symbols(never).equals(never)
    others = names[~names["name"].isin(shared) & ~names["name"].isin(current.str.upper())]
    assert canonical_symbols(others["name"]).tolist() == others["symbol"].tolist()


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


@pytest.mark.parametrize(
    "name",
    [
        "ENSG00000134323",
        "ENSG00000134323.12",
        "ENSG00000134323.12_PAR_Y",
        "ENSG00000134323_at",
        "ENSG00000134323.12|MYCN",
        "MYCN_ENSG00000134323",
        "NMYC|ENSG00000134323.12",
        "ENST00000281043.4|ENSG00000134323.12|MYCN",
        "MYCN|4613",
        "NMYC|4613",
        "?|4613",
        "MYCN|4613_calculated",
        "MYCN (4613)",
        "4613|MYCN",
        "GeneID:4613",
        "entrez:4613",
        "MYCN|999999999",
        "ENSG99999999999|NMYC",
    ],
)
def test_an_identifier_is_read_in_every_form(name: str) -> None:
    repairs = Repairs()
    assert _read_identifiers(pd.Series([name, "ALK"]), "e", repairs, leave_out=True).tolist() == ["MYCN", "ALK"]
    assert list(repairs) == [
        "e: 1 rows named by identifiers: 1 read as gene symbols; 0 ambiguous, 0 of no known gene, left out"
    ]


@pytest.mark.parametrize(
    ("name", "ambiguous"),
    [
        ("ENSG00000134323|ALK", 1),  # the identifier of MYCN
        ("ALK|4613", 1),
        ("ENSG00000134323,ENSG00000171094", 1),
        ("?|8209", 1),  # GATD3A and GATD3B
        ("?|999999999", 0),
        ("ENSG99999999999", 0),
        ("LINC99999|999999999", 0),
    ],
)
def test_an_identifier_that_does_not_tell_the_gene_is_left_out(name: str, ambiguous: int) -> None:
    repairs = Repairs()
    read = _read_identifiers(pd.Series([name, name, "ALK"]), "e", repairs, leave_out=True)
    assert read.isna().tolist() == [True, True, False]
    counts = f"{2 * ambiguous} ambiguous, {2 - 2 * ambiguous} of no known gene"
    assert list(repairs) == [f"e: 2 rows named by identifiers: 0 read as gene symbols; {counts}, left out"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("ALK|4613", "entrez:ALK|4613"),
        ("?|8209", "entrez:?|8209"),
        ("entrez:999999999", "entrez:999999999"),
        ("ENSG99999999999.1", "ENSG99999999999.1"),
        ("LINC99999|999999999", "LINC99999"),
        ("NMYC|4613", "MYCN"),
    ],
)
def test_a_call_in_a_gene_that_is_not_known_stays(name: str, kept: str) -> None:
    assert _read_identifiers(pd.Series([name]), "e", Repairs(), leave_out=False).tolist() == [kept]


@pytest.mark.parametrize("name", ["MYCN", "H2AC25", "C11orf95", "HLA-A", "5S_rRNA", "7SK", "MYCN.1", "RP11-34P13.7"])
def test_a_symbol_is_no_identifier(name: str) -> None:
    repairs = Repairs()
    assert _read_identifiers(pd.Series([name, "ALK"]), "e", repairs, leave_out=True).tolist() == [name, "ALK"]
    assert not len(repairs)


def test_numbers_are_entrez_identifiers_where_most_names_are_numbers() -> None:
    numbers = pd.Series(["4613", "238.0", "7157", None, "TERT"])
    assert _read_identifiers(numbers, "e", Repairs(), leave_out=True).fillna("").tolist() == [
        *("MYCN", "ALK", "TP53", "", "TERT")
    ]
    few = pd.Series(["4613", "ALK", "TP53", "TERT"])
    assert _read_identifiers(few, "e", Repairs(), leave_out=True).tolist() == few.tolist()


def test_entrez_identifiers_of_no_gene_or_of_two_are_missing() -> None:
    assert symbols_of_entrez(pd.Series(["238", "8209", "0", "-1", None, "x"])).fillna("").tolist() == [
        *("ALK", "", "", "", "", "")
    ]


def test_rows_of_one_gene_keep_the_largest_value_of_each_sample() -> None:
    names = ["ENSG00000134323.12", "ENSG00000134323.12_PAR_Y", "ENSG00000171094.19", "ENSG00000270141"]
    matrix = pd.DataFrame({"a": [8.0, 0.0, 1.0, 2.0], "b": [1.0, 3.0, 1.0, 2.0]}, index=names)
    read = normalise_matrix(matrix, "e.tsv", repairs := Repairs())
    assert read.to_dict("index")["MYCN"] == {"a": 8.0, "b": 3.0}
    assert read.index.tolist() == ["MYCN", "ALK", "TERC"]
    assert "repeated genes removed" in list(repairs)[1]


@pytest.mark.parametrize(
    "names",
    [
        ["1007_s_at", "1053_at", "117_at"],
        ["ILMN_1762337", "ILMN_2055271"],
        ["A_23_P100001", "A_24_P935819"],
        ["ENST00000281043.4", "ENST00000389048.8"],
        ["ENSMUSG00000037169", "ENSMUSG00000055471"],
        ["Mycn", "Alk", "Trp53"],
        ["mycn", "alk"],
        ["NM_005378", "NM_004304.5"],
        ["MYCN.aAug10", "ALK.bAug10"],
        ["chr2:16080686-16087129"],
        ["HALLMARK_MYC_TARGETS_V1"],
        ["patient 1", "patient 2"],
    ],
)
def test_rows_that_are_no_genes_are_refused(names: list[str]) -> None:
    matrix = pd.DataFrame({"a": range(len(names))}, index=names, dtype="float64")
    for calls in (False, True):
        with pytest.raises(InputError, match="no genes") as caught:
            normalise_matrix(matrix, "e.tsv", Repairs(), calls=calls)
        assert names[0] not in str(caught.value)
