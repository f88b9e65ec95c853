"""What somebody might write into a file: names, numbers, keys and paths that do harm where they are believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from damages import Damage

IDENTIFIERS = {
    "formula": "=cmd|' /C calc'!A0",
    "formula with @": "@SUM(1)",
    "escape sequence": "P\x1b[2J\x1b]0;x\x07",
    "zero byte": "P\x0001",
    "backspace": "P01\b\b",
    "C1 control": "P\x9b31m",
    "right to left": "P\u202e10",
    "isolate": "\u2066P01",
    "300 characters": "P" * 300,
    "100,000 characters": "P" * 100_000,
}
"""Of patients and samples: all are refused."""
NUMBERS = {
    "infinite": "1e999",
    "negative infinite": "-inf",
    "digits of another width": "１２",
    "Arabic digits": "١٢",
    "underscore": "1_000",
    "decimal comma": "1,5",
    "hexadecimal": "0x1F",
    "beyond 64 bits": "99999999999999999999999",
    "thousands of digits": "9" * 5000,
    "a date far away": "9999-12-31",
    "NaN with a sign": "-nan(0x1)",
    "a formula": "=1+1",
    "negative": "-7",
}
"""Where a time or a position is expected: none is a number that a patient or a chromosome can have."""


@dataclass(frozen=True)
class Hostile:
    """A change of the subject of this kind; ``harmless`` and ``plausible`` as of a :class:`Damage`."""

    kind: str
    target: str
    damage: Damage


def _text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        file.write_bytes(change(file.read_bytes().decode()).encode("utf-8", "surrogatepass"))

    return make


def _put(old: str, new: str) -> Callable[[Path], None]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return _text(change)


def _cells(change: Callable[[list[list[str]]], list[list[str]]], separator: str = "\t") -> Callable[[Path], None]:
    """Change the cells of header and rows; remarks above them stay."""

    def of_text(text: str) -> str:
        lines = text.splitlines()
        top = next(
            n for n, line in enumerate(lines) if not line.startswith("#") or line.startswith(("#CHROM", "#chrom"))
        )
        cells = change([line.split(separator) for line in lines[top:]])
        return "\n".join([*lines[:top], *(separator.join(row) for row in cells), ""])

    return _text(of_text)


def _in_last_row(column: str, value: str, separator: str = "\t") -> Callable[[Path], None]:
    def change(cells: list[list[str]]) -> list[list[str]]:
        place = cells[0].index(column)
        return [*cells[:-1], [*cells[-1][:place], value, *cells[-1][place + 1 :]]]

    return _cells(change, separator)


TABLES = {
    # kind and file: separator, the column of identifiers, the column of numbers, a column without which nothing is read
    ("cbioportal data_clinical_patient.txt", "data_clinical_patient.txt"): ("\t", "PATIENT_ID", "EFS_TIME", "PATIENT_ID"),  # noqa: E501
    ("cbioportal data_clinical_sample.txt", "data_clinical_sample.txt"): ("\t", "SAMPLE_ID", "", "SAMPLE_ID"),
    ("cbioportal data_hg19.seg", "data_hg19.seg"): ("\t", "ID", "loc.end", "chrom"),
    ("tables patients.csv", "clinical.csv"): (",", "PATIENT_ID", "AGE_IN_DAYS", "PATIENT_ID"),
    ("tables vcf", "sv.vcf"): ("\t", "", "POS", "ALT"),
    ("tables bedpe", "a.bedpe"): ("\t", "sample_id", "end2", "end2"),
    ("tables gistic", "all_thresholded.by_genes.txt"): ("\t", "", "S1", "Locus ID"),
    ("layer", "l.tsv"): ("\t", "", "S1", "S1"),
    ("table of samples", "list.tsv"): ("\t", "sample_id", "", "file"),
}  # fmt: skip


def _of_tables() -> Iterator[Hostile]:
    for (kind, target), (separator, identifier, number, needed) in TABLES.items():
        made: list[Damage] = []
        if identifier:
            made += [
                Damage(f"identifier: {name}", _in_last_row(identifier, value, separator))
                for name, value in IDENTIFIERS.items()
                if separator not in value
            ]
        if number:
            made += [
                Damage(
                    f"number: {name}",
                    _in_last_row(number, value, separator),
                    plausible=name in ("negative", "NaN with a sign"),
                )
                for name, value in NUMBERS.items()
                if separator not in value
            ]

        def without(cells: list[list[str]], column: str = needed) -> list[list[str]]:
            place = cells[0].index(column)
            return [row[:place] + row[place + 1 :] for row in cells]

        def renamed(cells: list[list[str]], column: str = needed) -> list[list[str]]:
            return [[f"{name}\x1b[31m" if name == column else name for name in cells[0]], *cells[1:]]

        def twice(cells: list[list[str]], column: str = needed) -> list[list[str]]:
            place = cells[0].index(column)
            return [[*row, row[place]] for row in cells]

        def wide(cells: list[list[str]]) -> list[list[str]]:
            return [[*cells[0], *(f"c{n}" for n in range(500))], *([*row, *["1"] * 500] for row in cells[1:])]

        made += [
            Damage("column missing", _cells(without, separator)),
            Damage("column renamed", _cells(renamed, separator)),
            Damage("column twice", _cells(twice, separator), harmless=True),
            Damage("500 columns more", _cells(wide, separator), plausible=True),
        ]
        yield from (Hostile(kind, target, damage) for damage in made)


LONG = "x" * 300
EXPERIMENTS = {
    "seed infinite": ("seed = 3", "seed = 1e999"),
    "seed negative": ("seed = 3", "seed = -1"),
    "seed beyond 32 bits": ("seed = 3", f"seed = {2**70}"),
    "seed of thousands of digits": ("seed = 3", f"seed = {'9' * 5000}"),
    "seed a date": ("seed = 3", "seed = 1979-05-27"),
    "landmark NaN": ("landmark_days = 30", "landmark_days = nan"),
    "landmark infinite": ("landmark_days = 30", "landmark_days = inf"),
    "landmark negative": ("landmark_days = 30", "landmark_days = -5"),
    "landmark a text": ("landmark_days = 30", 'landmark_days = "30 days"'),
    "name an escape": ('name = "tiny"', 'name = "a\\u001b[2J"'),
    "name two lines": ('name = "tiny"', 'name = "a\\nb"'),
    "name of dots": ('name = "tiny"', 'name = ".."'),
    "name empty": ('name = "tiny"', 'name = ""'),
    "name a path": ('name = "tiny"', 'name = "../../x"'),
    "name too long": ('name = "tiny"', f'name = "{LONG}"'),
    "path with a zero byte": ('path = "cohort"', 'path = "a\\u0000b"'),
    "path too long": ('path = "cohort"', f'path = "{LONG}/{LONG}"'),
    "path to itself": ('path = "cohort"', 'path = "tiny.toml"'),
    "paths with one": ('path = "cohort"', 'paths = ["cohort"]'),
    "two sources": ('path = "cohort"', 'path = "cohort"\nsimulate = {}'),
    "condition runs": ('path = "cohort"', "path = \"cohort\"\nwhere = \"__import__('os').system('x')\""),
    "condition nested": ('path = "cohort"', f'path = "cohort"\nwhere = "{"(" * 5000}"'),
    "condition of nots": ('path = "cohort"', f'path = "cohort"\nwhere = "{"not " * 20_000}sex"'),
    "models twice": ('["cox", "boosted"]', '["cox", "cox"]'),
    "models unknown": ('["cox", "boosted"]', '["cox\\u202e"]'),
    "folds one": ("folds = 3", "folds = 1"),
    "folds infinite": ("folds = 3", "folds = inf"),
    "key twice": ("seed = 3", "seed = 3\nseed = 4"),
    "unknown key": ("seed = 3", "sead = 3"),
    "key with an escape": ("seed = 3", '"\\u001b[2J" = 3'),
    "keys nested": ("seed = 3", f"{'a.' * 20_000}a = 3"),
    "extends itself": ("seed = 3", 'extends = "tiny.toml"'),
}
MAPPINGS = {
    "file outside": ('file = "clinical.csv"', 'file = "/etc/passwd"'),
    "file with a zero byte": ('file = "clinical.csv"', 'file = "a\\u0000"'),
    "file too long": ('file = "clinical.csv"', f'file = "{LONG}"'),
    "file a device": ('file = "clinical.csv"', 'file = "/dev/zero"'),
    "file a list": ('file = "clinical.csv"', "file = []"),
    "column a number": ('"AGE_IN_DAYS"', "3"),
    "column elsewhere": ('"AGE_IN_DAYS"', '"AGE\\u001b[2J"'),
    "column twice": ('"AGE_IN_DAYS"', '"PATIENT_ID"'),
    "unit of parsecs": ('"AGE_IN_DAYS"', '{ column = "AGE_IN_DAYS", unit = "parsecs" }'),
    "separator too long": ('file = "clinical.csv"', 'file = "clinical.csv"\nseparator = "::"'),
    "separator empty": ('file = "clinical.csv"', 'file = "clinical.csv"\nseparator = ""'),
    "separator a line end": ('file = "clinical.csv"', 'file = "clinical.csv"\nseparator = "\\n"'),
    "separator a letter with marks": ('file = "clinical.csv"', 'file = "clinical.csv"\nseparator = "é"'),
    "separator a quote": ('file = "clinical.csv"', 'file = "clinical.csv"\nseparator = \'"\''),
    "name an escape": ('name = "demo"', 'name = "a\\u001b[2J"'),
    "name of blanks": ('name = "demo"', 'name = "  "'),
    "sheet of a text": ('file = "clinical.csv"', 'file = "clinical.csv"\nsheet = "x"'),
}
CATALOGUES = {
    "builder of code": ('builder = "copy_number"', 'builder = "os.system"'),
    "builder unknown": ('builder = "copy_number"', 'builder = "x\\u001b[2J"'),
    "measure unknown": ('measure = "gene"', 'measure = "x"'),
    "gene a list": ('gene = "ALK"', "gene = [1]"),
    "direction infinite": ("direction = +1", "direction = inf"),
    "direction two": ("direction = +1", "direction = 2"),
    "name with a path": ("copies = {", '"../x" = {'),
    "name with an escape": ("copies = {", '"\\u001b[2J" = {'),
    "version a date": ('version = "own-1"', "version = 1979-05-27"),
    "version an escape": ('version = "own-1"', 'version = "\\u001b[2J"'),
    "title an escape": ('"Copies of ALK"', '"\\u001b[2J\\u202e"'),
    "extends a text": ('version = "own-1"', 'extends = "yes"'),
    "remove all": ('version = "own-1"', 'version = "1"\n[mycn]\nremove = true'),
}
COHORTS = {
    "name an escape": ('name = "', 'name = "\\u001b[2J'),
    "tables elsewhere": ('"patients"', '"../../patients"'),
    "tables of numbers": ('"patients"', "3"),
    "tables twice": ('"patients"', '"patients", "patients"'),
    "layers elsewhere": ('"isoforms"', '"../../x"'),
    "format of later": ("format = 1", "format = 99"),
    "metadata a text": ("[metadata]", 'metadata = "x"\n[other]'),
    "repairs a text": ("[metadata]", '[metadata]\nrepairs = "x"\n[metadata.x]'),
}


def all_hostile() -> list[Hostile]:
    """Return every hostile content, by the kind of its file."""
    found = list(_of_tables())
    for kind, target, edits in (
        ("experiment", "tiny.toml", EXPERIMENTS),
        ("mapping", "map.toml", MAPPINGS),
        ("catalogue", "own.toml", CATALOGUES),
        ("cohort", "cohort/cohort.toml", COHORTS),
    ):
        found += [
            Hostile(kind, target, Damage(name, _put(old, new), plausible=True)) for name, (old, new) in edits.items()
        ]
    return found
