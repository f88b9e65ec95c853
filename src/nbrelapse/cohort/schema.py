"""The tables of a cohort: columns, types, legal values, and the spellings that sources use for them."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from nbrelapse.cohort.columns import _map_distinct, encode, row_numbers
from nbrelapse.errors import InputError

_MAX_SHOWN = 30

LAYER = "layer:"
"""In front of the name of a layer, in the name of the assay that its samples were looked at with."""
_LAYER_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_LAYER_ASSAY = re.compile(LAYER + _LAYER_NAME.pattern)


@cache
def _document() -> dict[str, Any]:
    text = resources.files("nbrelapse.cohort").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def levels(name: str) -> tuple[str, ...]:
    """Legal levels of a coded column, for instance ``levels("inss_stage")``."""
    return tuple(_document()["levels"][name])


def coded_columns() -> frozenset[str]:
    """Names that have levels."""
    return frozenset(_document()["levels"])


def _contig_patterns() -> tuple[str, ...]:
    """Regular expressions for sequences of a reference genome that are no chromosome, in lower case without ``chr``."""
    return tuple(_document()["contigs"]["patterns"])


def _variant_classes() -> tuple[str, ...]:
    """Values of ``Variant_Classification`` in a MAF."""
    return tuple(_document()["variant_classes"]["legal"])


@cache
def _missing_words() -> frozenset[str]:
    """Words for "not known" as files write them, for parsers that distinguish capitals; "" is one."""
    words = ["", *_document()["missing"]]
    return frozenset(form for word in words for form in (word, word.upper(), word.capitalize(), word.title()))


@cache
def _spellings(name: str) -> dict[str, str]:
    table = _document()["levels"][name]
    own = {level.lower(): level for level in table}
    return own | {word: level for level, words in table.items() for word in words}


@cache
def _prefix(name: str) -> re.Pattern[str] | None:
    words = _document()["prefixes"].get(name)
    if words is None:
        return None
    return re.compile(r"^(?:" + "|".join(re.escape(word) for word in words) + r"|\s)+")


def as_text(values: pd.Series) -> pd.Series:
    """Text without surrounding quotes and blanks or doubled blanks; words for "not known" become missing.

    Parameters
    ----------
    values : Series
        Of any type; whole numbers are written without a decimal point.

    Returns
    -------
    Series of str
        NaN where the value is missing or unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> as_text(pd.Series([" Stage  4 ", "Not Reported", "", None])).tolist()
    ['Stage 4', nan, nan, nan]
    >>> as_text(pd.Series([4.0, float("nan")])).tolist()
    ['4', nan]
    """
    return coded_text(values).astype("str")


def coded_text(values: pd.Series) -> pd.Series:
    """Return text as :func:`as_text` does, categorical where the values are.

    Parameters
    ----------
    values : Series
        Of any type.

    Returns
    -------
    Series of str, or categorical

    Examples
    --------
    >>> import pandas as pd
    >>> coded_text(pd.Series([" a", "NA", "a"], dtype="category")).cat.codes.tolist()
    [0, -1, 0]
    """
    return _map_distinct(values, _plain_text)


def _plain_text(values: pd.Series) -> pd.Series:
    text = values.astype("str")
    if not isinstance(values.dtype, pd.StringDtype):
        text = text.str.removesuffix(".0")
    text = text.str.strip()
    runs = text.str.contains("  |\t|\n|\r|\xa0", regex=True, na=False)
    if runs.any():
        text = text.mask(runs, text[runs].str.replace(r"\s+", " ", regex=True))
    enclosed = text.str.fullmatch('"[^"]*"', na=False)
    if enclosed.any():
        text = text.mask(enclosed, text[enclosed].str.slice(1, -1).str.strip())
    unknown = text.str.lower().isin([*_document()["missing"], ""])
    return text.mask(unknown | values.isna())


_UNSEEN = "[\\x00-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
_IDS = ("patient_id", "sample_id")
_LONGEST_ID = 200


def _checked_text(raw: pd.Series, column: str, file: str | Path) -> pd.Series:
    """Return text as :func:`coded_text` does; refuse what cannot be shown, and identifiers that are formulas."""

    def checked(values: pd.Series) -> pd.Series:
        text = _plain_text(values)
        if text.str.contains(_UNSEEN, regex=True, na=False).any():
            raise InputError(
                "a cell holds control characters, or marks that turn the direction of text",
                file=file,
                column=column,
                fix="remove these characters",
            )
        if column in _IDS and text.str.match("[=+@-]", na=False).any():
            raise InputError(
                "an identifier begins with a sign that makes a spreadsheet compute it",
                file=file,
                column=column,
                expected="identifiers that do not begin with =, +, - or @",
                fix="rename it in all files of the study",
            )
        if column in _IDS and (text.str.len() > _LONGEST_ID).any():
            expected = f"at most {_LONGEST_ID} characters"
            raise InputError("an identifier is too long", file=file, column=column, expected=expected, fix="shorten it")
        return text

    return _map_distinct(raw, checked)


def normalise_levels(values: pd.Series, name: str, *, file: str | Path | None = None) -> pd.Series:
    """Write coded values as the schema spells them.

    Parameters
    ----------
    values : Series
        Codes as a source writes them.
    name : str
        The coded column, a key of ``[levels]`` in ``vocabulary.toml``.
    file : path, optional
        For the error message.

    Returns
    -------
    Series of str
        Legal levels; NaN where the value is missing or unknown.

    Raises
    ------
    InputError
        A value is neither a level, nor another way to write one, nor a word for "not known".

    Examples
    --------
    >>> import pandas as pd
    >>> normalise_levels(pd.Series(["Stage 4s", "st4", "INSS, Stage 2a", "Unknown"]), "inss_stage").tolist()
    ['4S', '4', '2A', nan]
    """
    codes, distinct = encode(coded_text(values))
    spelled = [_spell_level(value, name) for value in distinct]
    foreign = [number for number, level in enumerate(spelled) if level is None]
    if foreign:
        raise InputError(
            f"unknown code {_shown_cells(distinct[foreign])}".rstrip(),
            file=file,
            column=str(values.name or name),
            rows=row_numbers(values.index, np.isin(codes, foreign)),
            expected=", ".join(levels(name)[:_MAX_SHOWN]),
            fix="correct the value, or leave the cell empty where it is not known",
        )
    ready = pd.array(spelled, dtype="str").take(codes, allow_fill=True)
    return pd.Series(ready, index=values.index, name=values.name)


def read_levels(values: pd.Series, name: str) -> pd.Series:
    """Levels of what can be read, missing for anything else; for columns that may hold something foreign.

    Parameters
    ----------
    values : Series
        Codes as a source writes them.
    name : str
        The coded column, a key of ``[levels]`` in ``vocabulary.toml``.

    Returns
    -------
    Series of str

    Examples
    --------
    >>> import pandas as pd
    >>> read_levels(pd.Series(["amp", "gain", "Unknown"]), "mycn_status").tolist()
    ['amplified', nan, nan]
    """
    codes, distinct = encode(coded_text(values))
    ready = pd.array([_spell_level(value, name) for value in distinct], dtype="str").take(codes, allow_fill=True)
    return pd.Series(ready, index=values.index, name=values.name)


_LIKE_AN_ID = re.compile(r"\d.*[^\d\s.,].*\d|[^\W\d_]\S*\d{2}|^[^\W\d_]+\d$|\d{3}[-_]?[^\W\d_]|\d{5}|^P[A-Z]{5}$")
"""Two numbers with something between them, letters and a number, a long number, or as TARGET's."""


_LONGEST_SHOWN = 60


def _shown_cells(distinct: pd.Series) -> str:
    """Return the first cells for a message, as far as they cannot be identifiers of patients or samples.

    A column that was taken for another, or a table whose cells have moved by one, holds identifiers where codes or
    numbers are expected.

    Examples
    --------
    >>> _shown_cells(pd.Series(["Mucinous", "5x"])), _shown_cells(pd.Series(["TARGET-30-PAXXXX-01", "NB017"]))
    ("'Mucinous', '5x'", '')
    """
    cells = (str(cell).removeprefix("chr") for cell in distinct[:5])
    # What is long is text about a patient, and the expression takes long to search it.
    fit = [len(cell) <= _LONGEST_SHOWN and not _LIKE_AN_ID.search(cell) for cell in cells]
    return ", ".join(repr(cell) for cell, shown in zip(distinct[:5], fit, strict=True) if shown)


def _spell_level(value: str, name: str) -> str | None:
    """One value as the schema spells it; None where it is unknown."""
    word = value.lower()
    if name == "assay" and _LAYER_ASSAY.fullmatch(word):
        return word
    spellings = _spellings(name)
    prefix = _prefix(name)
    if word not in spellings and prefix is not None:
        word = prefix.sub("", word)
    return spellings.get(word)


def normalise_numbers(values: pd.Series, *, file: str | Path | None = None) -> pd.Series:
    """Numbers as float64; NaN where the value is missing or unknown.

    Raises
    ------
    InputError
        A value is neither a number, up to 1e15, nor a word for "not known".

    Examples
    --------
    >>> import pandas as pd
    >>> normalise_numbers(pd.Series(["12", "Not Reported", "3.5"], name="ldh")).tolist()
    [12.0, nan, 3.5]
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.astype("float64")
        unread = np.zeros(len(values), dtype=bool)
    else:
        text = coded_text(values)
        numbers = _map_distinct(text, lambda words: pd.to_numeric(words, errors="coerce").astype("float64"))
        unread = (numbers.isna() & text.notna()).to_numpy()
    if unread.any() or _largest(numbers.to_numpy()) > LARGEST_NUMBER:
        wrong = unread | (np.abs(numbers.to_numpy()) > LARGEST_NUMBER)
        raise InputError(
            f"not a number: {_shown_cells(values[wrong].head(1))}".removesuffix(": "),
            file=file,
            column=str(values.name),
            rows=row_numbers(values.index, wrong),
            expected="a number, or an empty cell where it is not known",
            fix="correct the value",
        )
    return numbers


def _largest(values: np.ndarray) -> float:
    """Return the largest absolute value; 0 where there is none that is known."""
    low, high = (float(end.reduce(values, axis=None, initial=0.0)) for end in (np.fmin, np.fmax))
    return max(-low, high)


LARGEST_NUMBER = 1e15
"""Nothing that is measured or counted here is larger; software writes 1e308 and the like for what it does not know."""

_NON_NEGATIVE = pa.Check.ge(0, error="non_negative")
_FRACTION = pa.Check.in_range(0, 1, error="fraction")
_POSITIVE = pa.Check.gt(0, error="positive")


def _kind(rule: pa.Column) -> str:
    """Return what a column holds: ``float64``, ``boolean`` or ``str``."""
    dtype = str(rule.dtype)
    return dtype if dtype in ("boolean", "float64") else "str"


def _key(text: str, unique: bool = False) -> pa.Column:
    return pa.Column("str", nullable=False, unique=unique, description=text)


def _text(text: str) -> pa.Column:
    return pa.Column("str", nullable=True, description=text)


def _coded(name: str, text: str, nullable: bool = True) -> pa.Column:
    return pa.Column("str", pa.Check.isin(levels(name), error="level"), nullable=nullable, description=text)


def _number(text: str, check: pa.Check | None = None, nullable: bool = True) -> pa.Column:
    return pa.Column("float64", check, nullable=nullable, description=text)


def _is_assay(values: pd.Series) -> pd.Series:
    """Tell the legal assays: those of the vocabulary, and a layer's."""
    return _map_distinct(values, lambda names: names.isin(levels("assay")) | names.str.fullmatch(_LAYER_ASSAY))


PATIENTS = pa.DataFrameSchema(
    {
        "patient_id": _key("Of the patient within this cohort; a pseudonym.", unique=True),
        "age_days": _number("Age at diagnosis in days.", _NON_NEGATIVE),
        "sex": _coded("sex", "Sex."),
        "diagnosis_year": _number("Year of diagnosis.", pa.Check.in_range(1900, 2100, error="year")),
        "inss_stage": _coded("inss_stage", "Stage by the International Neuroblastoma Staging System."),
        "inrgss_stage": _coded("inrgss_stage", "Stage by the International Neuroblastoma Risk Group Staging System."),
        "risk_group": _coded("risk_group", "Risk group that the study assigned."),
        "high_risk": pa.Column(
            "boolean",
            nullable=True,
            description="High-risk or not, where the risk group is not known: many studies record only that.",
        ),
        "histology": _coded("histology", "Histology by the International Neuroblastoma Pathology Classification."),
        "grade": _coded("grade", "Grade of differentiation."),
        "mki": _coded("mki", "Mitosis-karyorrhexis index."),
        "mycn_status": _coded("mycn_status", "MYCN by FISH or the study's own method."),
        "dna_index": _number("DNA index.", _POSITIVE),
        "ploidy": _coded("ploidy", "Ploidy of the tumour."),
        "ldh": _number("Lactate dehydrogenase in U/L.", _NON_NEGATIVE),
        "ferritin": _number("Ferritin in ng/mL.", _NON_NEGATIVE),
        "c_circle": _coded("c_circle", "C-circle assay, a test for alternative lengthening of telomeres."),
        "apb": _coded("apb", "ALT-associated PML bodies, a test for alternative lengthening of telomeres."),
        "primary_site": _text("Site of the primary tumour."),
        "induction_response": _coded("induction_response", "Best response at the end of induction."),
        "event": _coded("event", "The first event; `none` is censored at `event_days`, `unspecified` of unknown kind."),
        "event_days": _number(
            "Days from diagnosis to the first event, or to the last visit without one.", _NON_NEGATIVE
        ),
        "death": pa.Column(
            "float64",
            pa.Check.isin([0.0, 1.0], error="zero_or_one"),
            nullable=True,
            description="1 if the patient died, 0 if alive at `followup_days`.",
        ),
        "followup_days": _number("Days from diagnosis to death or the last visit.", _NON_NEGATIVE),
        "study": _text("The cooperative group or sub-cohort."),
        "split": _text("A published division, such as training and validation."),
    },
    strict=True,
    name="patients",
)
"""A row a patient; times in days from diagnosis."""

SAMPLES = pa.DataFrameSchema(
    {
        "sample_id": _key("Of the sample.", unique=True),
        "patient_id": _key("Whose it is."),
        "timepoint": _coded("timepoint", "When it was taken; models read samples at diagnosis."),
        "purity": _number("Share of tumour cells; a hint, see decision 037.", _FRACTION),
    },
    strict=True,
    name="samples",
)
"""A row a tumour sample."""

_ASSAYS = pa.DataFrameSchema(
    {
        "sample_id": _key("Of the sample."),
        "assay": pa.Column(
            "str",
            pa.Check(_is_assay, error="level"),
            nullable=False,
            description="What it was looked at with; `layer:NAME` for a layer.",
        ),
        "genome_build": _coded("genome_build", "Of the positions."),
        "panel": _text("The panel that was sequenced; without one, the whole exome or genome."),
        "covered_mb": _number(
            "Size of the coding sequence that mutations were looked for in, in megabases.", _POSITIVE
        ),
        "platform": _text("The array or sequencer; each platform has a scale of log2 ratios of its own."),
    },
    strict=True,
    unique=["sample_id", "assay"],
    name="assays",
)
"""Which samples were looked at, and how. A sample without a row of an assay was not assayed: missing, not negative."""

_PANELS = pa.DataFrameSchema(
    {"panel": _key("Of the panel."), "gene": _key("A gene that it covers.")},
    strict=True,
    unique=["panel", "gene"],
    name="panels",
)
"""A row a gene of a panel; genes outside a sample's panel are missing, not negative."""

MUTATIONS = pa.DataFrameSchema(
    {
        "sample_id": _key("Of the sample."),
        "Hugo_Symbol": _key("The gene."),
        "Chromosome": _text("Where the variant is."),
        "Start_Position": _number("First position.", _POSITIVE),
        "End_Position": _number("Last position.", _POSITIVE),
        "Variant_Classification": _text("As in a MAF."),
        "Reference_Allele": _text("Allele of the reference."),
        "Tumor_Seq_Allele2": _text("Allele of the tumour."),
        "HGVSp_Short": _text("Change of the protein."),
        "t_alt_count": _number("Reads with the variant; they tell clonal from subclonal.", _NON_NEGATIVE),
        "t_ref_count": _number("Reads without it.", _NON_NEGATIVE),
    },
    strict=True,
    name="mutations",
)
"""A row a somatic variant, with the columns of a MAF."""

SEGMENTS = pa.DataFrameSchema(
    {
        "sample_id": _key("Of the sample."),
        "chromosome": _coded("chromosome", "`1` to `22`, `X`, `Y`, `MT`, without `chr`.", nullable=False),
        "start": _number("First position.", _NON_NEGATIVE, nullable=False),
        "end": _number("Last position.", _POSITIVE, nullable=False),
        "n_probes": _number("Probes or bins of the segment.", _NON_NEGATIVE),
        "log2_ratio": _number("log2 of tumour over reference.", nullable=False),
    },
    checks=pa.Check(lambda table: table["end"] >= table["start"], error="end_after_start"),
    strict=True,
    name="segments",
)
"""A row a copy-number segment."""

REARRANGEMENTS = pa.DataFrameSchema(
    {
        "sample_id": _key("Of the sample."),
        "site1_gene": _text("Gene at the first breakpoint."),
        "site1_chromosome": _text("Chromosome of the first breakpoint."),
        "site1_position": _number("Position of the first breakpoint.", _NON_NEGATIVE),
        "site2_gene": _text("Gene at the second breakpoint."),
        "site2_chromosome": _text("Chromosome of the second breakpoint."),
        "site2_position": _number("Position of the second breakpoint.", _NON_NEGATIVE),
        "class": _text("Deletion, duplication, inversion, insertion or translocation."),
    },
    strict=True,
    name="rearrangements",
)
"""A row a structural variant."""

TABLES: dict[str, pa.DataFrameSchema] = {
    str(schema.name): schema for schema in (PATIENTS, SAMPLES, _ASSAYS, _PANELS, MUTATIONS, SEGMENTS, REARRANGEMENTS)
}
"""The long tables by name."""

MATRICES = ("gene_copy_number", "expression")
"""The gene by sample tables: index ``Hugo_Symbol``, float64 columns named by ``sample_id``, NaN = not measured."""

ASSAY_OF = {
    "mutations": "mutations",
    "segments": "copy_number",
    "gene_copy_number": "copy_number",
    "rearrangements": "rearrangements",
    "expression": "expression",
}
"""The assay that a molecular table's samples were looked at with."""
