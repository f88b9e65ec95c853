"""Where the records of a VCF break the genome, and what they join."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.chromosomes import normalise_chromosomes
from nbrelapse.cohort.rearrangement_class import INSERTION, TRANSLOCATION, class_of_word, rearrangement_class
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.cohort.vocabulary import normalise_numbers
from nbrelapse.errors import InputError

BREAKEND = (
    r"^(?P<before>[A-Za-z.*]*)(?P<open>[\[\]])(?P<chromosome>.+):(?P<position>\d+)(?P<close>[\[\]])"
    r"(?P<after>[A-Za-z.*]*)$"
)
SINGLE = r"\.[A-Za-z]+|[A-Za-z]+\."
SYMBOL = r"^<([\w:.-]+)>$"
COPY_NUMBER = r"CNV?\d*"


def structural_variants(records: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Read the places and classes of the structural variants among the records of a VCF.

    Parameters
    ----------
    records : DataFrame of str
        ``CHROM``, ``POS``, ``ID``, ``REF``, ``ALT``, ``INFO``.
    file : path
        For error messages.

    Returns
    -------
    DataFrame
        A row a structural variant, indexed as `records`: ``site1_chromosome``, ``site1_position``,
        ``site2_chromosome``, ``site2_position`` (missing for insertions and single breakends), ``class``; ``strands``
        of breakends and ``pair``, the same text for both mates. Small variants, which have no ``SVTYPE``, and
        copy-number records are not there.

    Raises
    ------
    InputError
        An ALT is of no known form or names several alleles, a position is no number, or an end lies before its start.

    Examples
    --------
    >>> records = pd.DataFrame({"CHROM": ["1", "1"], "POS": ["500", "9"], "ID": ["a", "b"], "REF": ["G", "C"],
    ...     "ALT": ["<DEL>", "C."], "INFO": ["SVTYPE=DEL;SVLEN=-90", "SVTYPE=BND"]})
    >>> structural_variants(records, "a.vcf")[["site2_chromosome", "site2_position", "class"]].values.tolist()
    [['1', 590.0, 'DELETION'], [nan, nan, nan]]
    """
    alt = records["ALT"].astype("str")
    symbol = alt.str.extract(SYMBOL, expand=False).astype("str")
    joined = alt.str.extract(BREAKEND).astype("str")
    kept = _check_forms(alt, symbol, joined, _info(records, "SVTYPE"), file)
    records, symbol, joined = records[kept], symbol[kept], joined[kept]
    told = class_of_word(symbol).notna()
    sites = {
        "site1_chromosome": normalise_chromosomes(records["CHROM"], file=file),
        "site1_position": normalise_numbers(records["POS"], file=file),
        "site2_chromosome": _second_chromosome(records, joined, file),
        "site2_position": _second_position(records, joined, file),
        "class": symbol.where(told, _info(records, "SVTYPE")),
    }
    variants = pd.DataFrame(sites, index=records.index)
    strands = _strands(joined)
    variants["class"] = rearrangement_class(variants, strands)
    one_site = (variants["class"] == INSERTION) | records["ALT"].str.fullmatch(SINGLE).fillna(False).astype(bool)
    for column in ("site2_chromosome", "site2_position"):
        variants[column] = variants[column].mask(one_site)
    _check_order(variants, joined, file)
    return variants.assign(strands=strands, pair=_pair(records).where(strands.notna()))


def _check_forms(
    alt: pd.Series, symbol: pd.Series, joined: pd.DataFrame, kind: pd.Series, file: str | Path
) -> pd.Series:
    """Return which records are structural variants; refuse those that are of no known form."""
    several = alt.str.contains(",", regex=False).fillna(False).astype(bool)
    if several.any():
        mend = "split them first: bcftools norm -m -any"
        raise InputError(
            "records with several ALT alleles", file=file, column="ALT", rows=row_numbers(alt.index, several), mend=mend
        )
    copies = symbol.str.fullmatch(COPY_NUMBER).fillna(False).astype(bool)
    named = (class_of_word(symbol).notna() | (symbol == "BND")).astype(bool)
    breakend = ((joined["open"] == joined["close"]) & ((joined["before"] == "") != (joined["after"] == ""))).astype(
        bool
    )
    single = alt.str.fullmatch(SINGLE).fillna(False).astype(bool)
    bases = alt.str.fullmatch("[A-Za-z]+").fillna(False).astype(bool)
    no_allele = alt.isna() | alt.isin([".", "*"])
    unknown = ~(copies | named | breakend | single | bases | no_allele)
    if unknown.any():
        raise InputError(
            f"unknown form of ALT {alt[unknown].iloc[0]!r}",
            file=file,
            column="ALT",
            rows=row_numbers(alt.index, unknown),
            expected="bases, <DEL>, <DUP>, <INV>, <INS>, <TRA>, <BND>, or a breakend such as G]17:198982]",
        )
    return named | breakend | single | (bases & kind.notna())


def _info(records: pd.DataFrame, key: str) -> pd.Series:
    """Value of an INFO key, missing where it is not there or ``.``."""
    found = records["INFO"].astype("str").str.extract(rf"(?:^|;){key}=([^;,]*)", expand=False).astype("str")
    return found.mask(found.isin([".", ""])).rename(key)


def _second_chromosome(records: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> pd.Series:
    named = joined["chromosome"].fillna(_info(records, "CHR2")).fillna(records["CHROM"].astype("str"))
    return normalise_chromosomes(named.rename("CHR2"), file=file)


def _second_position(records: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> pd.Series:
    """Position of the mate; else POS2, END, POS + SVLEN, or the end of the bases in REF."""
    ways = [joined["position"], _info(records, "POS2"), _info(records, "END")]
    position = pd.Series(np.nan, index=records.index)
    for way in ways:
        position = position.fillna(normalise_numbers(way, file=file))
    start = normalise_numbers(records["POS"], file=file)
    position = position.fillna(start + normalise_numbers(_info(records, "SVLEN"), file=file).abs())
    bases = records["ALT"].str.fullmatch("[A-Za-z]+").fillna(False).astype(bool)
    return position.fillna((start + records["REF"].str.len() - 1).where(bases).astype("float64"))


def _strands(joined: pd.DataFrame) -> pd.Series:
    first = joined["before"].ne("").map({True: "+", False: "-"}).astype("str")
    second = joined["open"].map({"[": "-", "]": "+"}).astype("str")
    return first + second


def _pair(records: pd.DataFrame) -> pd.Series:
    """Both IDs of two mates in one order; missing where there is no mate."""
    mate = _info(records, "MATEID").fillna(_info(records, "PARID"))
    own = records["ID"].astype("str")
    lower = own <= mate
    return (own.where(lower, mate) + " " + mate.where(lower, own)).where(mate.notna())


def _check_order(variants: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> None:
    within = (variants["site1_chromosome"] == variants["site2_chromosome"]) & (variants["class"] != TRANSLOCATION)
    wrong = within & joined["open"].isna() & (variants["site2_position"] < variants["site1_position"])
    if wrong.any():
        raise InputError(
            "a variant ends before it starts",
            file=file,
            column="END",
            rows=row_numbers(variants.index, wrong),
            expected="END at or after POS",
            mend="correct END, or CHR2 where it is on another chromosome",
        )
