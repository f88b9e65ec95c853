"""The parsers by themselves: a value or an InputError and nothing else; what is written is read; work in proportion."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from parsers import PARSERS, attempt

from nbrelapse.cohort import (
    canonical_symbols,
    levels,
    normalise_chromosomes,
    normalise_numbers,
    parse_text_table,
    read_levels,
)
from nbrelapse.errors import InputError, printable
from nbrelapse.mechanisms.builders._mutation_rules import ONE_LETTER, short_protein_changes

ALL = os.environ.get("NBRELAPSE_TORTURE") == "1"
few = settings(max_examples=300 if ALL else 12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
HOSTILE = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\x0c",
    b"\t",
    b",",
    b'"',
    b"#",
    b"##",
    b"=",
    b"[",
    b"]",
    b"{",
    b"}",
    b"'",
    b"1e999",
    b"nan",
    b"inf",
    b"-0",
    b"-1",
    b"1_000",
    "１２".encode(),
    b"9" * 30,
    b"9" * 5000,
    b"=cmd|' /C calc'!A0",
    b"../../x",
    b"\x1b[2J",
    "\u202e".encode(),
    "\u0130".encode(),
    b"1979-05-27T07:32:00",
    b"0001-01-01",
    b"a.b.c",
    b'"""',
    b"(" * 200,
    b"\\",
    b"NA",
    b"",
    b" ",
    b"chr",
]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[str]) -> bytes:
    """A good text with some of its bytes replaced by what has caused trouble elsewhere."""
    text = draw(st.sampled_from(seeds)).encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 40, 10_000])))
        put = draw(st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=6), st.text(max_size=4).map(_encoded)))
        text = text[:start] + put + text[end:]
    return text


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_gives_a_value_or_says_what_is_wrong(name: str) -> None:
    @few
    @given(damaged(PARSERS[name][1]))
    def check(content: bytes) -> None:
        attempt(name, content)

    check()


@pytest.mark.parametrize("name", PARSERS)
def test_the_examples_of_a_parser_are_read(name: str) -> None:
    if name in ("numbers", "chromosomes", "keyring", "build"):
        pytest.skip("its examples are such as are refused")
    assert not isinstance(attempt(name, PARSERS[name][1][0].encode()), str)


cell = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters='"#\ufeff'), min_size=1, max_size=8)


@few
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_table_of_text_is_read_as_it_was_written(rows: list[tuple[str, str]], end: str) -> None:
    text = end.join(["one\ttwo", *("\t".join(row) for row in rows), ""])
    read = parse_text_table(text.encode(), "a.tsv", comment=True)
    assert read.to_numpy().tolist() == [list(row) for row in rows]


@few
@given(st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=6))
def test_numbers_are_read_as_they_were_written(numbers: list[float]) -> None:
    assert normalise_numbers(pd.Series([repr(number) for number in numbers])).tolist() == numbers


@pytest.mark.parametrize(
    "word", ["1e999", "-1e999", "inf", "1,5", "1_000", "１２", "0x1F", "١٢", "1e400", "1.2.3", "--1"]
)
def test_what_looks_like_a_number_is_not_guessed(word: str) -> None:
    with pytest.raises(InputError):
        normalise_numbers(pd.Series(["1", word], name="age_days"), file="a.tsv")


@few
@given(st.sampled_from([*map(str, range(1, 23)), "X", "Y", "MT"]), st.sampled_from(["", "chr", "Chr", "CHR"]))
def test_chromosomes_go_by_their_bare_name(name: str, prefix: str) -> None:
    assert normalise_chromosomes(pd.Series([prefix + name])).tolist() == [name]


@few
@given(st.sampled_from(sorted(ONE_LETTER)), st.integers(1, 9999), st.sampled_from(sorted(ONE_LETTER)))
def test_protein_changes_are_one_in_all_notations(before: str, place: int, after: str) -> None:
    short = f"{ONE_LETTER[before]}{place}{ONE_LETTER[after]}"
    forms = [f"p.{before}{place}{after}", f"NP_004295.2:p.({before}{place}{after})", f"p.{short}", short]
    read = short_protein_changes(pd.Series(forms))
    assert read.isna().all() or read.tolist() == [short] * len(forms)


@few
@given(st.sampled_from(["MYCN", "ALK", "TP53", "TERT", "ATRX", "PHOX2B"]))
def test_a_current_symbol_is_its_own(symbol: str) -> None:
    assert canonical_symbols(pd.Index([symbol])).tolist() == [symbol]


@pytest.mark.parametrize("name", ["sex", "inss_stage", "risk_group", "event", "timepoint", "mycn_status"])
def test_levels_are_read_as_themselves_whatever_their_case(name: str) -> None:
    own = levels(name)
    assert read_levels(pd.Series([level.upper() for level in own]), name).tolist() == list(own)


@few
@given(st.text())
def test_what_is_shown_has_no_controls(text: str) -> None:
    assert all(sign.isprintable() or sign.isspace() or ord(sign) > 127 for sign in printable(text))
    assert not set(printable(text)) & set("\x1b\r\n\t\0\x9b\u202e\u2066\ufeff")


def test_what_is_printable_stays() -> None:
    assert printable("Größe – 5 µm") == "Größe – 5 µm"
    assert len(printable("x" * 10**7)) < 2100


def _lines(text: str) -> bytes:
    return text.encode()


STRINGS = {
    "text": [lambda n: "a\tb\n" + "x\ty\n" * n, lambda n: "a\tb\n" + "\t" * n, lambda n: '"' * n, lambda n: "\n" * n],
    "csv": [lambda n: "a,b\n" + '"' * n, lambda n: "a,b\n" + '"x,' * n],
    "remarks": [lambda n: "#\n" * n, lambda n: "a\tb\n" + "# x\n" * n],
    "vcf": [
        lambda n: "##x\n" * n,
        lambda n: "##contig=" + "ID=a," * n,
        lambda n: _vcf("[" + ":1" * n + "["),
        lambda n: _vcf("<" + "A" * n),
        lambda n: _vcf("<DEL>", "SVTYPE=DEL;" + "END=" * n),
        lambda n: _vcf("N", ";SOMATIC" * n),
    ],
    "bedpe": [lambda n: "##contig=" + "ID=a," * n + "\n", lambda n: "2\t99\t100\t2\t499\t520\n" * n],
    "build": [
        lambda n: "##contig=<" + "ID=a," * n,
        lambda n: "##contig=<ID=a," + "length=" * n,
        lambda n: "##reference=" + "hg" * n,
    ],
    "series": [lambda n: "!Sample_title\tS1" + " " * n + "x\n", lambda n: "!Sample_title\tS1" + " [1" * n + "\n"],
    "gene": [
        lambda n: "a" + " " * n + "b",
        lambda n: "(" * n,
        lambda n: "1|" * n,
        lambda n: "ENSG" * n,
        lambda n: "0" * n,
        lambda n: ".0" * n,
        lambda n: "gene_" * n,
        lambda n: "MYCN\n" * n,
    ],
    "protein change": [
        lambda n: "p." * n,
        lambda n: "A1" * n,
        lambda n: ":" * n,
        lambda n: "Phe" * n,
        lambda n: "x." * n,
    ],
    "levels": [lambda n: "stage " * n, lambda n: " " * n + "x", lambda n: "1" * n, lambda n: '"' * n],
    "numbers": [lambda n: "1" * n, lambda n: "x" * n, lambda n: "a1" * n, lambda n: "1e" * n],
    "chromosomes": [lambda n: "chr" * n, lambda n: "1" * n, lambda n: "chrUn_" * n],
    "class": [lambda n: "DEL" * n, lambda n: "translocation" * n],
    "gene sets": [lambda n: "A\tb\t" + "MYCN\t" * n, lambda n: "A\tb\tc\n" * n, lambda n: "\t" * n],
    "gistic": [lambda n: "Gene Symbol\tLocus ID\tCytoband\tS1\n" + "|" * n + "\t1\t1p\t1\n"],
    "mapping": [
        lambda n: "a." * n + "a = 1",
        lambda n: "a = [" + "1," * n + "]",
        lambda n: 'name = "' + "\\\\" * n + '"',
        lambda n: "#" * n,
    ],
    "experiment": [lambda n: "a = " + "{a = " * n, lambda n: 'name = "' + "x" * n + '"', lambda n: "a = " + "1" * n],
    "catalogue": [lambda n: "[[a]]\n" * n, lambda n: "[alk." + "x" * n + "]\n"],
    "condition": [
        lambda n: "sex == 'f' and " * n + "sex == 'f'",
        lambda n: "(" * n,
        lambda n: "not " * n + "sex",
        lambda n: "'" + "x" * n,
    ],
    "keyring": [lambda n: "ssh-ed25519 " + "A" * n, lambda n: " " * n, lambda n: "#\n" * n],
}
"""Strings that make an expression or a loop go back again and again, by their length."""


def _vcf(alt: str, info: str = "SVTYPE=BND") -> str:
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    return f"{head}5\t1290000\ta\tN\t{alt}\t.\tPASS\t{info}\n"


LEAST = 0.05
"""Seconds of processor time below which nothing can be told."""


def _seconds(name: str, content: bytes) -> float:
    gc.disable()  # looking for garbage takes as long as all that other tests have left is large
    try:
        before = resource.getrusage(resource.RUSAGE_SELF)
        attempt(name, content)
        return resource.getrusage(resource.RUSAGE_SELF).ru_utime - before.ru_utime
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "which"), [(name, which) for name, made in STRINGS.items() for which in range(len(made))]
)
def test_work_grows_no_faster_than_the_text(name: str, which: int) -> None:
    """Four times the text is four times the work: a parser that goes back takes sixteen times as long, or more."""
    make, n = STRINGS[name][which], 1000
    attempt(name, make(10).encode())
    while (seconds := _seconds(name, make(n).encode())) < LEAST and n < 400_000:
        n *= 4
    if seconds < LEAST:
        return
    shorter = min(seconds, _seconds(name, make(n).encode()))
    ratio = min(_seconds(name, make(4 * n).encode()) for _ in range(2)) / shorter
    assert ratio < 10, f"{n} and {4 * n} characters: {ratio:.1f} times as long"


@pytest.mark.skipif(not ALL, reason="NBRELAPSE_TORTURE=1 makes all tests of damaged files")
def test_fuzzing_for_a_moment() -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "--seconds", "2", "numbers"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
