from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbrelapse.cohort.genome import normalise_chromosomes
from nbrelapse.cohort.schema import as_text, coded_columns, levels, normalise_levels, normalise_numbers
from nbrelapse.errors import InputError


@pytest.mark.parametrize(
    ("column", "spelling", "level"),
    [
        ("inss_stage", "Stage 4s", "4S"),
        ("inss_stage", "st4", "4"),
        ("inss_stage", "IVS", "4S"),
        ("inss_stage", "2a", "2A"),
        ("inss_stage", "INSS, Stage 3", "3"),
        ("inss_stage", 4, "4"),
        ("inss_stage", 1.0, "1"),
        ("inrgss_stage", "INRGSS, Stage Ms", "MS"),
        ("sex", "M", "male"),
        ("sex", "Female", "female"),
        ("event", "Censored", "none"),
        ("event", "Event", "unspecified"),
        ("event", "Second Malignant Neoplasm", "second_malignancy"),
        ("death", "1:DECEASED", "1"),
        ("death", "0:LIVING", "0"),
        ("ploidy", "Hyperdiploid (DI>1)", "hyperdiploid"),
        ("grade", "Undifferentiated or Poorly Differentiated", "undifferentiated"),
        ("mycn_status", "Not Amplified", "not_amplified"),
        ("histology", "Unfavourable", "unfavorable"),
        ("risk_group", "High Risk", "high"),
        ("genome_build", "GRCh37", "hg19"),
        ("chromosome", "chr23", "X"),
        ("chromosome", "chrx", "X"),
        ("chromosome", 7, "7"),
    ],
)
def test_spellings(column: str, spelling: object, level: str) -> None:
    assert normalise_levels(pd.Series([spelling]), column).tolist() == [level]


@pytest.mark.parametrize(
    "word", ["", " ", "Unknown", "Not Reported", "N/A", "NA", "--", "'--", "[Not Available]", None]
)
def test_words_for_not_known_are_missing_everywhere(word: str | None) -> None:
    assert all(normalise_levels(pd.Series([word]), column).isna().all() for column in coded_columns())
    assert normalise_numbers(pd.Series([word], dtype="str")).isna().all()
    assert as_text(pd.Series([word], dtype="str")).isna().all()


@given(st.sampled_from(sorted(coded_columns())), st.data())
def test_levels_are_their_own_spelling(column: str, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(levels(column)), min_size=1))
    assert normalise_levels(pd.Series(chosen), column).tolist() == chosen


def test_unknown_stage_names_rows_and_legal_codes() -> None:
    with pytest.raises(InputError) as caught:
        normalise_levels(pd.Series(["4", "5", "Unknown", "5"], name="Stage"), "inss_stage", file="clinical.csv")
    error = caught.value
    assert error.problem == "unknown code '5'"
    assert (error.file, error.column, error.rows) == ("clinical.csv", "Stage", [2, 4])
    assert error.expected == "1, 2, 2A, 2B, 3, 4, 4S"


@pytest.mark.parametrize("value", ["12 months", "inf", "1,5"])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="not a number") as caught:
        normalise_numbers(pd.Series(["3", value], name="ldh"))
    assert caught.value.rows == [2]


def test_booleans_are_read_as_levels() -> None:
    assert normalise_levels(pd.Series([True, False]), "high_risk").tolist() == ["true", "false"]


@pytest.mark.parametrize(
    "cell", ["TARGET-30-PAXXXX-01", "NB01", "SEQC_NB123", "PAXXXX", "2012-05-03", "160734", "30-012"]
)
def test_what_may_be_an_identifier_is_in_no_message(cell: str) -> None:
    for read in (lambda cells: normalise_levels(cells, "sex"), normalise_numbers, normalise_chromosomes):
        if read is normalise_numbers and cell.isdigit():
            continue
        with pytest.raises(InputError) as caught:
            read(pd.Series(["", cell], name="x"))
        assert cell not in str(caught.value)
        assert (caught.value.column, caught.value.rows) == ("x", [2])


@pytest.mark.parametrize("cell", ["5x", "chr27", "Mucinous", "12,5 days", ">100"])
def test_what_is_none_is_shown(cell: str) -> None:
    for read in (lambda cells: normalise_levels(cells, "sex"), normalise_numbers, normalise_chromosomes):
        with pytest.raises(InputError, match=repr(cell)):
            read(pd.Series(["", cell], name="x"))


@pytest.mark.parametrize("word", ["N.D.", "n.d.", "n. a.", "N/D", "Not tested", "#DIV/0!", "NOT SPECIFIED"])
def test_ways_to_say_not_known(word: str) -> None:
    assert normalise_levels(pd.Series([word, "f"]), "sex").isna().tolist() == [True, False]
    assert normalise_numbers(pd.Series([word, "3"])).isna().tolist() == [True, False]
