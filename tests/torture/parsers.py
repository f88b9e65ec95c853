"""Every parser of what comes from others, as a function of bytes: it gives a value or raises NbRelapseError."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from subjects import CATALOGUE, EXPERIMENT, ISOFORMS, PRIVATE_TEXT, SETS
from test_damaged_inputs import (
    BEDPE,
    CLINICAL,
    LEVELS,
    LINEAR,
    MAF_COLUMNS,
    MAF_ROWS,
    MAPPING,
    VCF,
    patient_rows,
    tsv,
)

from nbrelapse.cohort import (
    Repairs,
    coded_columns,
    normalise_chromosomes,
    normalise_numbers,
    parse_text_table,
    read_header,
    read_levels,
    require_columns,
)
from nbrelapse.cohort.assemble import normalise_matrix
from nbrelapse.cohort.genes import _read_identifiers, _repair_symbols
from nbrelapse.cohort.layer_rows import normalise_layer
from nbrelapse.cohort.mutations import class_of_word
from nbrelapse.cohort.select import condition_columns
from nbrelapse.errors import NbRelapseError
from nbrelapse.experiment.config import read_config
from nbrelapse.mechanisms import load_catalogue, read_gene_sets
from nbrelapse.mechanisms.builders._mutation_rules import short_protein_changes
from nbrelapse.readers._columns import header_build
from nbrelapse.readers._mapping import read_mapping
from nbrelapse.readers.bedpe import _read_bedpe
from nbrelapse.readers.geo import _read_geo_series
from nbrelapse.readers.gistic import _read_gistic
from nbrelapse.readers.vcf import _read_vcf
from nbrelapse.scoring.signature import _private_key, _read_keyring

Parser = Callable[[bytes], object]


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="nbrelapse-torture-")


def _of_file(name: str, read: Callable[[Path], object]) -> Parser:
    """Return a parser of bytes from one that takes a file."""

    def parse(content: bytes) -> object:
        file = Path(_scratch().name) / name
        file.write_bytes(content)
        return read(file)

    return parse


def _of_cells(read: Callable[[pd.Series], object]) -> Parser:
    """Return a parser of bytes from one of a column: a line a cell."""
    return lambda content: read(pd.Series(content.decode("utf-8", "replace").split("\n"), dtype="str"))


def _matrix(content: bytes) -> object:
    table = parse_text_table(content, "a.tsv", matrix=True)
    require_columns(table.columns, ["Hugo_Symbol"], "a.tsv")
    return normalise_matrix(table.set_index("Hugo_Symbol"), "a.tsv", Repairs())


def _layer(content: bytes) -> object:
    table = parse_text_table(content, "l.tsv", matrix=True)
    return normalise_layer(table.set_index(table.columns[0]), "l.tsv", Repairs())


def _levels(values: pd.Series) -> object:
    return [read_levels(values, name).tolist() for name in sorted(coded_columns())]


def _genes(values: pd.Series) -> object:
    return _read_identifiers(_repair_symbols(values, "a", "a.tsv", Repairs()), "a", Repairs(), leave_out=False)


def _large(content: bytes) -> object:
    names = [name for name in read_header(content, "a.maf", comment=True).names if name in MAF_COLUMNS]
    numbers = [name for name in names if name.endswith("Position")]
    return parse_text_table(content, "a.maf", comment=True, columns=names, numbers=numbers)


MAF = "#version 2.4\n" + tsv(list(MAF_COLUMNS), *MAF_ROWS)
GISTIC = "Gene Symbol\tLocus ID\tCytoband\tS1\tS2\nMYCN\t4613\t2p24.3\t2\t0\nALK\t238\t2p23.2\t0\t-1\n"
SERIES = '!Sample_title\t"S1"\t"S2"\n!Sample_characteristics_ch1\t"sex: F"\t"sex: M"\n'
CONTIGS = "##contig=<ID=chr1,length=248956422>\n##reference=file:///ref/human_g1k_v37.fasta\n##assembly=hg19\n"
CHANGES = "p.F1174L\nNP_004295.2:p.(Phe1174Leu)\np.Arg1534Ter\nR1534X\np.?\nMUTATED\nc.3824G>A\n"
DATES = "MYCN\n1-Mar\n2020-03-01\n43891\nDEC-01\n"
SYMBOLS = "MYCN\nENSG00000134323.12\nMYCN|4613\n4613|MYCN\nMYCN (4613)\nGeneID:4613\n"
WORDS = "Stage 4\nMALE\n1:DECEASED\nINSS 4S\nNot Amplified\nHigh Risk\n>90\nunknown\n"
NUMBERS = "12\n3.5\n1e999\nnan\n-0\n1_000\n1,5\n\uff11\uff12\n0x1F\n>90\n"
CHROMOSOMES = "chr1\nX\n23\nchrUn_gl000220\nMT\n01\n2.0\n"
WHERE = "risk_group == 'high' and (age_days > 547 or not mycn_status == 'amplified') and has('expression')"
PARSERS: dict[str, tuple[Parser, list[str]]] = {
    "text": (lambda content: parse_text_table(content, "a.txt"), [patient_rows(), MAF, LINEAR]),
    "csv": (lambda content: parse_text_table(content, "a.csv", separator=","), [patient_rows(",")]),
    "remarks": (lambda content: parse_text_table(content, "a.maf", comment=True), [MAF]),
    "large": (_large, [MAF]),
    "matrix": (_matrix, [LINEAR, LEVELS]),
    "layer": (_layer, [ISOFORMS]),
    "vcf": (_of_file("a.vcf", lambda file: _read_vcf(file, sample_id="S1")), [VCF]),
    "bedpe": (_of_file("a.bedpe", lambda file: _read_bedpe(file)), [BEDPE]),
    "gistic": (_of_file("a.txt", _read_gistic), [GISTIC]),
    "series": (_of_file("a_series_matrix.txt", _read_geo_series), [SERIES]),
    "build": (lambda content: header_build(content.decode("utf-8", "replace").split("\n")), [CONTIGS]),
    "protein change": (_of_cells(short_protein_changes), [CHANGES]),
    "gene": (_of_cells(_genes), [SYMBOLS, DATES]),
    "levels": (_of_cells(_levels), [WORDS]),
    "numbers": (_of_cells(normalise_numbers), [NUMBERS]),
    "chromosomes": (_of_cells(normalise_chromosomes), [CHROMOSOMES]),
    "class": (_of_cells(class_of_word), ["DEL\nDUP:TANDEM\nBND\ninversion\n"]),
    "mapping": (_of_file("map.toml", read_mapping), [MAPPING + CLINICAL]),
    "experiment": (_of_file("tiny.toml", read_config), [EXPERIMENT]),
    "catalogue": (_of_file("own.toml", load_catalogue), [CATALOGUE]),
    "gene sets": (_of_file("sets.gmt", read_gene_sets), [SETS]),
    "condition": (lambda content: condition_columns(content.decode("utf-8", "replace")), [WHERE]),
    "keyring": (_of_file("ring", _read_keyring), ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA Ada\n"]),
    "private key": (_of_file("key", _private_key), [PRIVATE_TEXT]),
}


def attempt(name: str, content: bytes) -> object:
    """Parse; what is refused is the error's text, which must be fit to be shown. Anything else is a defect."""
    try:
        return PARSERS[name][0](content)
    except NbRelapseError as error:
        text = str(error)
        assert text.strip()
        assert len(text) < 50_000
        assert all(sign == "\n" or ord(sign) >= 32 for sign in text), repr(text[:300])
        return text
