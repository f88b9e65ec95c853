"""Good inputs of every reader, damaged one at a time: what the import makes of each is counted and judged.

A damage knows what its cell or file still means: the same, another value that it says, nothing that is known, or
nothing that can be read. The import may refuse it, read what it means, or leave it out and say so. Anything else is
silent: a child would be scored with a value that nobody wrote. The run ends with the counts, of a part of the damages
that differs from file to file; ``NBRELAPSE_ALL_DAMAGES=1`` tries all of them.
"""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import NbRelapseError
from nbrelapse.readers import import_cbioportal, import_gdc, import_geo, import_tables

SAME, NOT_KNOWN, UNREADABLE, GONE = "same", "not known", "unreadable", "gone"
"""Meanings of a damage besides a value that it now says: as before; not known, which needs no note; nothing that can be
read, which does; a row that is to be left out, with a note."""

Cells = list[list[str]]


@dataclass(frozen=True)
class Damage:
    """One damaged text, what it means, and the column whose cell in the last row was changed."""

    name: str
    content: bytes
    meaning: str
    column: str = ""


@dataclass(frozen=True)
class Base:
    """A good input and the file of it that is damaged.

    ``columns`` are the columns that the reader reads, and their kind: a key of `KINDS`, with the values that a damaged
    cell means behind it where they are the base's own.
    """

    reader: str
    what: str
    table: str
    target: str
    columns: dict[str, str]
    files: dict[str, str]
    run: Callable[[Path], Cohort]
    separator: str = "\t"
    rows_repeat: str = SAME
    layout: str = "table"
    also: Callable[[Base], list[Damage]] = field(default=lambda base: [])

    @property
    def text(self) -> str:
        return self.files[self.target]

    def cells(self) -> tuple[list[str], Cells]:
        """Return the lines above the header, and header and rows as cells."""
        lines = self.text.splitlines()
        top = next(
            n for n, line in enumerate(lines) if not line.startswith("#") or line.startswith(("#CHROM", "#chrom"))
        )
        return lines[:top], [line.split(self.separator) for line in lines[top:]]

    def join(self, top: Sequence[str], cells: Cells) -> str:
        return "\n".join([*top, *(self.separator.join(row) for row in cells), ""])


# What cells may be damaged to, by the kind of their column: text, {} being the cell itself, and what it means then.
UNKNOWN = ["", "NA", "N.D.", "n/a", "-", ".", "unknown", "#N/A", "#REF!"]
PADDED = ["  {} ", "{}\xa0", "\u2009{}", '"{}"']
NOT_A_NUMBER = [
    "1e308",
    "-1e308",
    "inf",
    "-inf",
    "1,5",
    "1.234,5",
    "1,234",
    "1 234",
    "2-Mar",
    "12x",
    "0x1F",
    "1_000",
    "TRUE",
]
NUMBER = {
    "{}.0": SAME,
    "{}e0": SAME,
    **dict.fromkeys(["nan", "NaN"], NOT_KNOWN),
    **dict.fromkeys(NOT_A_NUMBER, UNREADABLE),
}
POSITIVE = {**NUMBER, **dict.fromkeys(["-5", "-1022"], UNREADABLE)}
POSITION = {
    **POSITIVE,
    **dict.fromkeys(["{}.5", "999999999", "-7"], UNREADABLE),
    "{}e0": SAME,
}
CHROMOSOME = {
    **dict.fromkeys(["chr{}", "Chr{}", "CHR{}", "0{}", "{}.0", "chromosome {}", "chr0{}"], SAME),
    **{"23": "X", "24": "Y", "x": "X", "chrX": "X", "GL000192.1": GONE, "chrUn_gl000220": GONE, "MT": UNREADABLE},
    **dict.fromkeys(["0", "26", "2p", "2p24", "chr", "hello", "2-Mar", "1e0", "-1"], UNREADABLE),
}
LEVEL = dict.fromkeys(["2-Mar", "xx", "7", "-1", "99", "1,5"], UNREADABLE)
KINDS: dict[str, dict[str, str]] = {
    "number": POSITIVE,
    "year": POSITIVE,
    "log2": {**NUMBER, "-1022": NOT_KNOWN, "-1e308": UNREADABLE, "-inf": NOT_KNOWN, "99": UNREADABLE},
    "position": POSITION,
    "chromosome": CHROMOSOME,
    "sex": {**LEVEL, "MALE": SAME, "m": SAME, "1": UNREADABLE, "W": UNREADABLE},
    "stage": {
        **LEVEL,
        "Stage 4": SAME,
        "IV": SAME,
        "INSS 4": SAME,
        "5": UNREADABLE,
        "L2": UNREADABLE,
        "4a": UNREADABLE,
    },
    "mycn": {**LEVEL, "AMPLIFIED": SAME, "amp": SAME, "MNA": SAME, **dict.fromkeys(["gain", "2", "het"], UNREADABLE)},
    "risk": {**LEVEL, "HIGH RISK": SAME, "hr": SAME, "very high": UNREADABLE, "4": UNREADABLE},
    "event": {**LEVEL, "RELAPSE": SAME, "recurrence": SAME, "2": UNREADABLE, "maybe": UNREADABLE},
    "status": {**LEVEL, "1:Deceased": SAME, "dead": SAME, "2": UNREADABLE, "lost": UNREADABLE, "2:LOST": UNREADABLE},
    "level": LEVEL,
    "timepoint": {**LEVEL, "PRIMARY": SAME, "Tumor": UNREADABLE},
    "purity": {**POSITIVE, "{}%": SAME, "0": UNREADABLE, "800": UNREADABLE, ">90": UNREADABLE, "60-70": UNREADABLE},
    "call": {**NUMBER, **dict.fromkeys(["3", "-5", "0.37", "1.7", "-1022", "amp"], UNREADABLE)},
    "linear": NUMBER,
    "gene": {"1-Mar": UNREADABLE, "2020-03-01": UNREADABLE, "#NAME?": GONE},
    "build": {"37": SAME, "hg19": SAME, **dict.fromkeys(["GRCh38", "hg38", "hg17", "xx"], UNREADABLE)},
    "mutation_status": {
        **dict.fromkeys(["SOMATIC", "xx", "Unknown"], SAME),
        **dict.fromkeys(["Germline", "GERMLINE ", "loh", " Wildtype", "None", "\xa0LOH"], GONE),
    },
    "sv_status": {"SOMATIC": SAME, "germline": GONE, " GERMLINE ": GONE, "\xa0GERMLINE": GONE},
    "text": {},
    "key": {},
    "id": {"x{}": UNREADABLE, "{}x": UNREADABLE, "lower": UNREADABLE, "TARGET-30-PAZZZZ-01": UNREADABLE},
}
NO_WORDS = {
    "mutation_status": SAME,
    "sv_status": SAME,
    "build": SAME,
    "id": UNREADABLE,
    "key": UNREADABLE,
    "gene": GONE,
    "chromosome": NOT_KNOWN,
}
"""What a word for "not known" means in columns where it is not simply a missing value."""


def damaged_cells(base: Base, step: int = 1) -> Iterator[Damage]:
    """Change the cell of the last row in each column; with a step each column has other ones of all damages."""
    top, cells = base.cells()
    for column, kind in base.columns.items():
        place = cells[0].index(column)
        own = cells[-1][place]
        given = dict.fromkeys(PADDED, SAME) | dict.fromkeys(UNKNOWN, NO_WORDS.get(kind, NOT_KNOWN)) | KINDS[kind]
        for form, meaning in list(given.items())[(place + len(base.what)) % step :: step]:
            cell = own.lower() if form == "lower" else form.format(own)
            if kind == "chromosome" and meaning == GONE and base.table == "rearrangements":
                meaning = cell
            if (
                cell == own
                or (kind == "text" and cell == "-")
                or (base.separator in cell)
                or ("." in own and form == "{}.0")
            ):
                continue
            changed = [*cells[:-1], [*cells[-1][:place], cell, *cells[-1][place + 1 :]]]
            yield Damage(f"{column} = {cell!r}", base.join(top, changed).encode(), meaning, column)


def damaged_texts(base: Base, step: int = 1) -> Iterator[Damage]:
    """Change the whole file; with a step each file in another way of all."""
    text, separator = base.text, base.separator
    top, cells = base.cells()
    width = len(cells[0])
    quoted = [[f'"{cell}"' for cell in row] for row in cells]
    texts: dict[str, tuple[str | bytes, str]] = {
        "CRLF": (text.replace("\n", "\r\n"), SAME),
        "CR": (text.replace("\n", "\r"), SAME),
        "byte order mark": ("\ufeff" + text, SAME),
        "UTF-16": (text.encode("utf-16"), SAME),
        "gzip": (gzip.compress(text.encode()), SAME),
        "gzip cut off": (gzip.compress(text.encode() * 200)[:-30], UNREADABLE),
        "blank lines": (text.replace("\n", "\n\n"), SAME),
        "no line end at the end": (text[:-1], SAME),
        "empty": ("", UNREADABLE),
        "cut off": (base.join(top, [*cells[:-1], cells[-1][: width // 2]])[:-2], UNREADABLE),
        "zero bytes": (text.encode() + b"\0" * 64, UNREADABLE),
    }
    if base.layout == "table":
        texts |= {
            "separator after each row": (text.replace("\n", separator + "\n"), SAME),
            "separator after the header": (base.join(top, [[*cells[0], ""], *cells[1:]]), SAME),
            "blank cells after each row": (base.join(top, [cells[0], *([*row, " "] for row in cells[1:])]), UNREADABLE),
            "remarks between the rows": (base.join([*top], [cells[0], ["# a remark"], *cells[1:]]), SAME),
            "quoted": (base.join(top, quoted), SAME),
            "row names of R": (
                base.join(top, [quoted[0], *([f'"{n}"', *row] for n, row in enumerate(quoted[1:], 1))]),
                SAME,
            ),
            "unquoted row names": (
                base.join(top, [cells[0], *([f"{n}", *row] for n, row in enumerate(cells[1:], 1))]),
                SAME,
            ),
            "header only": (base.join(top, cells[:1]), UNREADABLE),
            "no header": (base.join(top, cells[1:]), UNREADABLE),
            "a column named twice": (
                base.join(top, [[*cells[0], cells[0][-1]], *([*r, r[-1]] for r in cells[1:])]),
                SAME,
            ),
            "header in lower case": (base.join(top, [[c.lower() for c in cells[0]], *cells[1:]]), SAME),
            "header in upper case": (base.join(top, [[c.upper() for c in cells[0]], *cells[1:]]), SAME),
            "header padded": (base.join(top, [[f" {c} " for c in cells[0]], *cells[1:]]), SAME),
            "last row twice": (base.join(top, [*cells, cells[-1]]), base.rows_repeat),
            "columns in another order": (base.join(top, [[row[0], *row[:0:-1]] for row in cells]), SAME),
            "one column more": (base.join(top, [[*cells[0], "REMARKS"], *([*r, "abc"] for r in cells[1:])]), SAME),
            "a latin-1 byte": (
                base.join(top, [[*cells[0], "REMARKS"], *([*r, "M\xfcller"] for r in cells[1:])]).encode("latin-1"),
                SAME,
            ),
            "other separator": (text.replace(separator, ";"), SAME),
            "cells moved by one": (base.join(top, [*cells[:-1], ["", *cells[-1][:-1]]]), UNREADABLE),
        }
    if base.layout == "cells":
        texts = {}
    for name, (content, meaning) in list(texts.items())[len(base.what) % step :: step]:
        yield Damage(name, content.encode() if isinstance(content, str) else content, meaning)
    yield from base.also(base)[:: 2 * step - 1]


State = dict[tuple[str, str, str], Any]
MATRICES = ("gene_copy_number", "expression")


def state_of(cohort: Cohort) -> tuple[State, list[str]]:
    """Return each known cell of a cohort by table, row and column, and all that the import said."""
    values: State = {}
    keys = {"patients": ["patient_id"], "samples": ["sample_id"], "assays": ["sample_id", "assay"]}
    for name in ("patients", "samples", "assays", "panels", "mutations", "rearrangements", "segments"):
        table = getattr(cohort, name)
        if table is None:
            continue
        parts = [table[column].astype("str") for column in keys.get(name, [table.columns[0]])]
        parts += [] if name in keys else [table.groupby(table.columns[0]).cumcount().astype("str")]
        key = [" ".join(part) for part in zip(*parts, strict=True)]
        for column in table.columns:
            for row, value in zip(key, table[column], strict=True):
                if pd.notna(value):
                    values[name, row, str(column)] = value
    for name in MATRICES:
        matrix = getattr(cohort, name)
        if matrix is not None:
            for gene, sample_values in matrix.iterrows():
                values |= {(name, str(gene), str(s)): round(v, 9) for s, v in sample_values.items() if pd.notna(v)}
    source = cohort.metadata.get("source", {})
    said = [
        *cohort.metadata["repairs"],
        *(f"{key}: {line}" for key in source for line in source[key] if "unread" in key),
    ]
    return values, [
        *said,
        *(f"expression: {v}" for k, v in cohort.metadata.get("expression", {}).items() if k == "not_told"),
    ]


def judge(base: Base, damage: Damage, folder: Path, good: tuple[State, list[str]]) -> tuple[str, str]:
    """Import a damaged input; return "refused", "same", "repaired" or "silent", and why."""
    (folder / base.target).write_bytes(damage.content)
    try:
        cohort = base.run(folder)
    except NbRelapseError as error:
        message, name = str(error), Path(base.target).stem
        ids = re.findall(r"\bP0?\d\b|\bS[1-9]\b|TARGET-30-[A-Z]{6}", message.replace(str(folder), ""))
        if ids or name not in message:
            return "silent", f"refused without file or with an identifier: {message}"
        return "refused", message
    except Exception as error:
        return "silent", f"{type(error).__name__}: {error}"
    return compare(base, damage, good, state_of(cohort))


def compare(
    base: Base, damage: Damage, good: tuple[State, list[str]], found: tuple[State, list[str]]
) -> tuple[str, str]:
    """Judge a damaged input that was imported, against the good one."""
    (before, notes), (values, said) = good, found
    lost = {place for place in before if place not in values}
    changed = {place for place in values if place in before and values[place] != before[place]}
    added = {place for place in values if place not in before}
    new = "\n".join(line for line in said if line not in notes)
    if not (lost or changed or added):
        return ("same", "") if damage.meaning in (SAME, NOT_KNOWN, UNREADABLE) else ("silent", "read as before")
    if changed and {str(values[place]) for place in changed} == {damage.meaning} and not (lost or added):
        return "repaired", new
    if new:
        # A patient whose sample is left out, or has lost its time point, keeps MYCN and has a sample for it.
        added = {place for place in added if place[0] != "samples" and not place[1].endswith(" fish")}
    if changed or added:
        shown = sorted(f"{place}: {before.get(place)!r} -> {values[place]!r}" for place in changed | added)
        return "silent", "; ".join(shown[:3])
    words = {base.table, Path(base.target).name, damage.column or base.table, *(place[0] for place in lost)}
    rows = {place[:2] for place in lost}
    emptied = damage.meaning == NOT_KNOWN and damage.column and len({row for row in rows if row[0] == base.table}) <= 1
    whole = {place for place in before if place[:2] in rows} <= lost and base.table not in MATRICES
    if any(word in new for word in words) or (emptied and not whole):
        return "repaired", new
    return "silent", f"lost without a note: {sorted(lost)[:3]}"


def tsv(*rows: Sequence[object], separator: str = "\t") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


N = 24
PATIENTS = [f"P{n:02d}" for n in range(1, N + 1)]
SAMPLES = [f"S{n}" for n in range(1, 4)]
PATIENT_COLUMNS = {
    "PATIENT_ID": "key",
    "AGE_IN_DAYS": "number",
    "SEX": "sex",
    "YEAR_OF_DIAGNOSIS": "year",
    "INSS_STAGE": "stage",
    "RISK_GROUP": "risk",
    "TUMOR_SAMPLE_HISTOLOGY": "level",
    "FIRST_EVENT": "event",
    "EFS_TIME": "number",
    "OS_STATUS": "status",
    "OS_DAYS": "number",
    "PERCENTAGE_TUMOR_PURITY": "purity",
}


def patient_rows(separator: str = "\t", unit: float = 1.0) -> str:
    """24 patients; half of them relapse, the last one is the one that is damaged."""
    rows = [
        [
            name,
            300 + 50 * n,
            "Male" if n % 2 else "Female",
            2000 + n % 10,
            "4" if n % 2 else "1",
            "High" if n % 2 else "Low",
            "Unfavorable" if n % 2 else "Favorable",
            "Relapse" if n % 2 else "Censored",
            f"{(400 + 10 * n) / unit:g}",
            "1:DECEASED" if n % 2 else "0:LIVING",
            f"{(900 + 10 * n) / unit:g}",
            60 + n,
        ]
        for n, name in enumerate(PATIENTS)
    ]
    return tsv(list(PATIENT_COLUMNS), *rows, separator=separator)


def in_months(base: Base) -> list[Damage]:
    return [Damage("times in months", patient_rows(base.separator, 30.4375).encode(), UNREADABLE)]


SAMPLE_COLUMNS = {
    "PATIENT_ID": "id",
    "SAMPLE_ID": "key",
    "SAMPLE_TYPE": "timepoint",
    "MYCN": "mycn",
    "PLOIDY": "level",
    "GRADE": "level",
    "MKI": "level",
}
SAMPLE_ROWS = tsv(
    list(SAMPLE_COLUMNS),
    *(
        [p, s, "Primary", "Not Amplified", "Diploid", "Differentiating", "Low"]
        for p, s in zip(PATIENTS[:2], SAMPLES[:2], strict=True)
    ),
    ["P03", "S3", "Primary", "Amplified", "Hyperdiploid", "Undifferentiated", "High"],
)
MAF_COLUMNS = {
    "Hugo_Symbol": "gene",
    "NCBI_Build": "build",
    "Chromosome": "chromosome",
    "Start_Position": "position",
    "End_Position": "position",
    "Variant_Classification": "text",
    "Reference_Allele": "text",
    "Tumor_Seq_Allele2": "text",
    "Tumor_Sample_Barcode": "id",
    "HGVSp_Short": "text",
    "Mutation_Status": "mutation_status",
    "t_alt_count": "number",
    "t_ref_count": "number",
}
MAF_ROWS = [
    ["TP53", "GRCh37", "17", 7577538, 7577538, "Missense_Mutation", "C", "T", "S1", "p.R248Q", "Somatic", 20, 70],
    ["ALK", "GRCh37", "2", 29443695, 29443695, "Missense_Mutation", "G", "T", "S2", "p.F1174L", "Somatic", 30, 60],
]
SV_COLUMNS = {
    "Sample_Id": "id",
    "SV_Status": "sv_status",
    "Site1_Hugo_Symbol": "text",
    "Site1_Chromosome": "chromosome",
    "Site1_Position": "position",
    "Site2_Hugo_Symbol": "text",
    "Site2_Chromosome": "chromosome",
    "Site2_Position": "position",
    "NCBI_Build": "build",
    "Class": "text",
}
SV_ROWS = [
    ["S1", "SOMATIC", "TERT", "5", 1290000, "NBAS", "7", 1000000, "GRCh37", "TRANSLOCATION"],
    ["S2", "SOMATIC", "ALK", "2", 29450000, "ALK", "2", 29440000, "GRCh37", "DELETION"],
]
SEGMENT_COLUMNS = {
    "ID": "id",
    "chrom": "chromosome",
    "loc.start": "position",
    "loc.end": "position",
    "num.mark": "number",
    "seg.mean": "log2",
}
SEGMENT_ROWS = [
    ["S1", "1", 1, 30000000, 500, -0.62],
    ["S1", "17", 40000000, 80000000, 700, 0.41],
    ["S2", "11", 70000000, 130000000, 600, -0.53],
    ["S2", "2", 15000001, 17000000, 40, 3.25],
]
GENES = ["MYCN", "ALK", "TERT", "ATRX", "TP53", "CDKN2A"]


def matrix(values: Callable[[int, int], object], separator: str = "\t", head: Sequence[str] = ("Hugo_Symbol",)) -> str:
    rest = [""] * (len(head) - 1)
    return tsv(
        [*head, "S1", "S2"],
        *([gene, *rest, values(n, 1), values(n, 2)] for n, gene in enumerate(GENES)),
        separator=separator,
    )


LEVELS = matrix(lambda n, s: [2, 0, -1, 1, 0, -2][n] if s == 1 else 1)
LOG2 = matrix(lambda n, s: round(0.31 * s - 0.17 * n, 3))
LINEAR = matrix(lambda n, s: 10 * (n + 1) * s + 77)
MATRIX = {"Hugo_Symbol": "gene", "S2": "call"}

META = "genetic_alteration_type: {}\ndatatype: {}\ndata_filename: {}\n"
STUDY = {
    "meta_study.txt": "cancer_study_identifier: demo\n",
    "data_clinical_patient.txt": tsv(["#x"] * len(PATIENT_COLUMNS)) * 4 + patient_rows(),
    "data_clinical_sample.txt": tsv(["#x"] * len(SAMPLE_COLUMNS)) * 4 + SAMPLE_ROWS,
}
LISTS = {
    f"case_lists/cases_{name}.txt": "cancer_study_identifier: demo\n"
    f"stable_id: demo_{name}\ncase_list_ids: S1\tS2\tS3\n"
    for name in ("sequenced", "sv")
}


def cbioportal(target: str, table: str, columns: dict[str, str], text: str = "", **more: Any) -> Base:
    files = {**STUDY, **LISTS, **({target: text} if text else {}), **more.pop("files", {})}
    return Base("cbioportal", target, table, target, columns, files, import_cbioportal, **more)


CBIOPORTAL = [
    cbioportal("data_clinical_patient.txt", "patients", PATIENT_COLUMNS, rows_repeat=UNREADABLE, also=in_months),
    cbioportal("data_clinical_sample.txt", "samples", SAMPLE_COLUMNS, rows_repeat=UNREADABLE),
    cbioportal("data_mutations.txt", "mutations", MAF_COLUMNS, tsv(list(MAF_COLUMNS), *MAF_ROWS)),
    cbioportal("data_sv.txt", "rearrangements", SV_COLUMNS, tsv(list(SV_COLUMNS), *SV_ROWS)),
    cbioportal("data_hg19.seg", "segments", SEGMENT_COLUMNS, tsv(list(SEGMENT_COLUMNS), *SEGMENT_ROWS)),
    cbioportal("data_cna.txt", "gene_copy_number", MATRIX, LEVELS),
    cbioportal("data_log2_cna.txt", "gene_copy_number", {**MATRIX, "S2": "log2"}, LOG2),
    cbioportal("data_mrna_seq_tpm.txt", "expression", {**MATRIX, "S2": "linear"}, LINEAR),
    cbioportal(
        "data_gene_panel_matrix.txt",
        "assays",
        {"SAMPLE_ID": "id"},
        tsv(["SAMPLE_ID", "mutations"], ["S1", "WGS"], ["S2", "PANEL7"]),
        files={
            "data_mutations.txt": tsv(list(MAF_COLUMNS), *MAF_ROWS),
            "data_gene_panel_7.txt": "stable_id: PANEL7\ngene_list: ALK\tTP53\n",
        },
    ),
]

MAPPING = """name = "demo"
[patients]
file = "clinical.csv"
[patients.columns]
patient_id = "PATIENT_ID"
"""
CLINICAL = "".join(
    f'{own} = "{name}"\n'
    for own, name in {
        "age_days": "AGE_IN_DAYS",
        "sex": "SEX",
        "diagnosis_year": "YEAR_OF_DIAGNOSIS",
        "inss_stage": "INSS_STAGE",
        "risk_group": "RISK_GROUP",
        "histology": "TUMOR_SAMPLE_HISTOLOGY",
        "event": "FIRST_EVENT",
        "event_days": "EFS_TIME",
        "death": "OS_STATUS",
        "followup_days": "OS_DAYS",
    }.items()
)
FEW = tsv(["PATIENT_ID"], ["S1"], ["S2"], ["S3"])


def tables(what: str, table: str, target: str, columns: dict[str, str], text: str, mapping: str, **more: Any) -> Base:
    files = {"clinical.csv": FEW, target: text, "map.toml": MAPPING + mapping, **more.pop("files", {})}
    return Base(
        "tables", what, table, target, columns, files, lambda folder: import_tables(folder / "map.toml"), **more
    )


def section(name: str, file: str, columns: dict[str, str]) -> str:
    return f'[{name}]\nfile = "{file}"\n[{name}.columns]\n' + "".join(f'{own} = "{c}"\n' for own, c in columns.items())


MAF_MAP = {"sample_id": "Tumor_Sample_Barcode"} | {
    name: name for name in MAF_COLUMNS if name not in ("Tumor_Sample_Barcode", "NCBI_Build", "Mutation_Status")
}
SV_MAP = {
    "sample_id": "Sample_Id",
    "class": "Class",
    **{
        f"site{n}_{own}": f"Site{n}_{c}"
        for n in (1, 2)
        for own, c in {"gene": "Hugo_Symbol", "chromosome": "Chromosome", "position": "Position"}.items()
    },
}
SEGMENT_MAP = dict(
    zip(("sample_id", "chromosome", "start", "end", "n_probes", "log2_ratio"), SEGMENT_COLUMNS, strict=True)
)
MATRIX_MAP = '[{}]\nfile = "{}"\ngene_column = "Hugo_Symbol"\n'
GISTIC_HEAD = ["Gene Symbol", "Locus ID", "Cytoband"]
VCF = "##fileformat=VCFv4.2\n##reference=GRCh37\n" + tsv(
    ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"],
    ["5", 1290000, "a", "N", "<DEL>", ".", "PASS", "SVTYPE=DEL;END=1300000"],
    ["5", 1390000, "b", "N", "<DUP>", ".", "PASS", "SVTYPE=DUP;END=1400000"],
    ["2", 29440000, "c", "N", "<DEL>", ".", "PASS", "SVTYPE=DEL;END=29450000"],
)
BEDPE = tsv(
    ["#chrom1", "start1", "end1", "chrom2", "start2", "end2", "sample_id", "svclass"],
    ["5", 1290000, 1290001, "7", 1000000, 1000001, "S1", "TRA"],
    ["2", 29440000, 29440001, "2", 29450000, 29450001, "S2", "DEL"],
)
BEDPE_COLUMNS = {
    "#chrom1": "chromosome", "start1": "position", "end1": "position", "chrom2": "chromosome", "start2": "position",
    "end2": "position", "sample_id": "id",
}  # fmt: skip
STAR_HEAD = ["gene_id", "gene_name", "gene_type", "tpm_unstranded"]
STAR = "# gene-model: GENCODE v36\n" + tsv(
    STAR_HEAD,
    ["N_unmapped", "", "", ""],
    *([f"ENSG0000013432{n}.1", gene, "protein_coding", 10 * n + 60] for n, gene in enumerate(GENES)),
)
STAR_MAP = '[expression]\nformat = "star_counts"\nfile = "star.tsv"\nsample_id = "S1"\n'
TABLES = [
    tables("patients.csv", "patients", "clinical.csv", {k: v for k, v in PATIENT_COLUMNS.items() if v != "purity"},
           patient_rows(","), CLINICAL, separator=",", rows_repeat=UNREADABLE, also=in_months),
    tables("samples", "samples", "samples.tsv", {"PATIENT_ID": "id", "SAMPLE_ID": "key", "SAMPLE_TYPE": "timepoint"},
           SAMPLE_ROWS, section("samples", "samples.tsv", {"patient_id": "PATIENT_ID", "sample_id": "SAMPLE_ID",
           "timepoint": "SAMPLE_TYPE"}), rows_repeat=UNREADABLE, files={"clinical.csv": patient_rows(",")}),
    tables("maf", "mutations", "a.maf", MAF_COLUMNS, tsv(list(MAF_COLUMNS), *MAF_ROWS),
           section("mutations", "a.maf", MAF_MAP)),
    tables("sv.csv", "rearrangements", "sv.csv", SV_COLUMNS, tsv(list(SV_COLUMNS), *SV_ROWS, separator=","),
           section("rearrangements", "sv.csv", SV_MAP), separator=","),
    tables("segments", "segments", "seg.txt", SEGMENT_COLUMNS, tsv(list(SEGMENT_COLUMNS), *SEGMENT_ROWS),
           section("segments", "seg.txt", SEGMENT_MAP)),
    tables("copy number", "gene_copy_number", "cn.tsv", {**MATRIX, "S2": "log2"}, LOG2,
           MATRIX_MAP.format("gene_copy_number", "cn.tsv")),
    tables("expression.csv", "expression", "e.csv", {**MATRIX, "S2": "linear"}, LINEAR.replace("\t", ","),
           MATRIX_MAP.format("expression", "e.csv"), separator=","),
    tables("gistic", "gene_copy_number", "all_thresholded.by_genes.txt", {"Gene Symbol": "gene", "S2": "call"},
           matrix(lambda n, s: n % 5 - 2, head=GISTIC_HEAD),
           '[gene_copy_number]\nformat = "gistic"\nfile = "all_thresholded.by_genes.txt"\n'),
    tables("vcf", "rearrangements", "sv.vcf", {"#CHROM": "chromosome", "POS": "position"}, VCF,
           '[rearrangements]\nformat = "vcf"\nfile = "sv.vcf"\nsample_id = "S1"\n'),
    tables("bedpe", "rearrangements", "a.bedpe", BEDPE_COLUMNS, BEDPE,
           '[rearrangements]\nformat = "bedpe"\nfile = "a.bedpe"\n'),
    tables("star counts", "expression", "star.tsv", {"gene_name": "gene", "tpm_unstranded": "linear"}, STAR, STAR_MAP),
]  # fmt: skip


def series(values: dict[str, Sequence[object]]) -> str:
    """A series matrix: samples are its columns, so that damages are of the last characteristic's last sample."""
    lines = [
        ["!Series_geo_accession", '"GSE1"'],
        ["!Sample_title", *(f'"S{n}"' for n in range(1, 4))],
        ["!Sample_geo_accession", *(f'"GSM{n}"' for n in range(1, 4))],
        *(["!Sample_characteristics_ch1", *(f'"{key}: {v}"' for v in row)] for key, row in values.items()),
        ["!series_matrix_table_begin"],
        ["!series_matrix_table_end"],
    ]
    return tsv(*lines)


CHARACTERISTICS: dict[str, tuple[str, Sequence[object]]] = {
    "sex": ("sex", ["F", "F", "Male"]),
    "age at diagnosis (days)": ("number", [400, 900, 1200]),
    "inss stage": ("stage", ["1", "2A", "4"]),
    "mycn status": ("mycn", ["0", "0", "Amplified"]),
}


def damaged_characteristics(base: Base) -> list[Damage]:
    found = []
    good = {key: list(row) for key, (_, row) in CHARACTERISTICS.items()}
    for key, (kind, row) in CHARACTERISTICS.items():
        given = dict.fromkeys(PADDED[:3], SAME) | dict.fromkeys(UNKNOWN, NOT_KNOWN) | KINDS[kind]
        for form, meaning in given.items():
            cell = form.format(row[-1])
            text = series({**good, key: [*row[:-1], cell]})
            found.append(Damage(f"{key} = {cell!r}", text.encode(), meaning, key))
    return found


def geo(target: str, table: str, columns: dict[str, str], **more: Any) -> Base:
    text = series({key: row for key, (_, row) in CHARACTERISTICS.items()})
    files = {"GSE1_series_matrix.txt": text, "e.tsv": LINEAR}

    def run(folder: Path) -> Cohort:
        return import_geo([folder / "GSE1_series_matrix.txt"], expression=folder / "e.tsv", timepoint="diagnosis")

    return Base("geo", target, table, target, columns, files, run, **more)


GEO = [
    geo("GSE1_series_matrix.txt", "patients", {}, layout="lines", also=damaged_characteristics),
    geo("e.tsv", "expression", {**MATRIX, "S2": "linear"}),
]

USI = ["TARGET-30-PAAAAA", "TARGET-30-PBBBBB"]
GDC_CLINICAL = {
    "TARGET USI": ("key", USI),
    "Gender": ("sex", ["Female", "Male"]),
    "Age at Diagnosis in Days": ("number", ["400", "1200"]),
    "First Event": ("event", ["Censored", "Relapse"]),
    "Event Free Survival Time in Days": ("number", ["2000", "400"]),
    "Vital Status": ("status", ["Alive", "Dead"]),
    "Overall Survival Time in Days": ("number", ["2000", "900"]),
    "INSS Stage": ("stage", ["Stage 1", "Stage 4"]),
    "MYCN status": ("mycn", ["Not Amplified", "Amplified"]),
    "COG Risk Group": ("risk", ["Low", "High"]),
    "Percent Tumor": ("purity", ["70", "80"]),
}
WORKBOOK = "TARGET_NBL_ClinicalData.csv"
SHEET_HEAD = ["File Name", "Project ID", "Case ID", "Sample ID", "Sample Type"]
STAR_FILE, SEG_FILE, MAF_FILE = "a.rna_seq.augmented_star_gene_counts.tsv", "a.nocnv_grch38.seg.v2.txt", "a.maf"
GDC_FILES = {
    WORKBOOK: tsv(list(GDC_CLINICAL), *zip(*(row for _, row in GDC_CLINICAL.values()), strict=True)),
    "gdc_sample_sheet.tsv": tsv(
        SHEET_HEAD,
        *([name, "TARGET-NBL", USI[1], f"{USI[1]}-01A", "Primary Tumor"] for name in (SEG_FILE, STAR_FILE)),
    ),
}
GDC_MAF = [
    [*row[:8], f"{usi}-01A-01D", *row[9:]]
    for usi, row in zip(USI, [["TP53", "GRCh38", "chr17", 7674220, 7674220, *MAF_ROWS[0][5:]],
                              ["ALK", "GRCh38", "chr2", 29220829, 29220829, *MAF_ROWS[1][5:]]], strict=True)
]  # fmt: skip
GDC_SEGMENTS = {
    "Chromosome": "chromosome", "Start": "position", "End": "position", "Num_Probes": "number", "Segment_Mean": "log2",
}  # fmt: skip


def run_gdc(folder: Path) -> Cohort:
    """Write the workbook from the text that stands for it, and import the folder."""
    table = pd.read_csv(folder / WORKBOOK, sep="\t", dtype="str", keep_default_na=False)
    table.to_excel(folder / WORKBOOK.replace(".csv", ".xlsx"), index=False)
    return import_gdc([folder])


def gdc(target: str, table: str, columns: dict[str, str], text: str = "", **more: Any) -> Base:
    used = GDC_FILES if text or target in GDC_FILES else {}
    sheet = "gdc_sample_sheet.tsv"
    files = {**used, **({target: text} if text else {}), **more.pop("files", {})}
    if target in (MAF_FILE, "all_thresholded.by_genes.txt", WORKBOOK):
        files.pop(sheet)
    elif target != sheet:
        files[sheet] = tsv(
            *(line.split("\t") for line in files[sheet].splitlines() if "TARGET" not in line or target in line)
        )
    return Base("gdc", target, table, target, columns, files, run_gdc, **more)


GDC = [
    gdc(WORKBOOK, "patients", {name: kind for name, (kind, _) in GDC_CLINICAL.items()}, layout="cells"),
    gdc(MAF_FILE, "mutations", {**MAF_COLUMNS, "NCBI_Build": "text"}, tsv(list(MAF_COLUMNS), *GDC_MAF)),
    gdc(SEG_FILE, "segments", GDC_SEGMENTS, tsv(list(GDC_SEGMENTS), *(row[1:] for row in SEGMENT_ROWS))),
    gdc(STAR_FILE, "expression", {"gene_name": "gene", "tpm_unstranded": "linear"}, STAR),
    gdc("all_thresholded.by_genes.txt", "gene_copy_number", {"Gene Symbol": "gene", f"{USI[1]}-01A": "call"},
        matrix(lambda n, s: n % 5 - 2, head=GISTIC_HEAD).replace("S1\tS2", "\t".join(f"{u}-01A" for u in USI))),
    gdc("gdc_sample_sheet.tsv", "samples", {"Case ID": "id", "Sample ID": "key"},
        files={SEG_FILE: tsv(list(GDC_SEGMENTS), *(row[1:] for row in SEGMENT_ROWS)), STAR_FILE: STAR}),
]  # fmt: skip
BASES = [*CBIOPORTAL, *TABLES, *GEO, *GDC]


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.reader} {base.what}")
def test_nothing_is_silently_accepted(
    base: Base, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    for name, text in base.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    good = state_of(base.run(tmp_path))
    steps = (1, 1) if os.environ.get("NBRELAPSE_ALL_DAMAGES") else (5, 6)
    damages = [*damaged_texts(base, steps[0]), *damaged_cells(base, steps[1])]
    found = [(damage, *judge(base, damage, tmp_path, good)) for damage in damages]
    record_property("damaged", (base.reader, dict(Counter(verdict for _, verdict, _ in found))))
    silent = [f"{damage.name} ({damage.meaning}): {why}" for damage, verdict, why in found if verdict == "silent"]
    assert not silent, f"{len(silent)} of {len(found)}\n" + "\n".join(silent)
