"""Columns whose names are written in several ways, the genome build in a header, the scale of expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.genome import genome_landmarks
from nbrelapse.errors import InputError


def match_columns(
    found: Sequence[str],
    wanted: Mapping[str, str],
    required: Sequence[str],
    file: str | Path,
    repairs: Repairs,
) -> dict[str, str]:
    """Find the wanted columns; only their names' case, quotes and known variants may differ.

    Parameters
    ----------
    found : sequence of str
        The header.
    wanted : dict of str to str
        Column of the format to column of the cohort. Of several names of a column the first that is there counts.
    required : sequence of str
        Cohort columns that must be found.
    file : path
        For the error message.
    repairs : Repairs
        Names that are written in another way are added.

    Returns
    -------
    dict of str to str
        Column of the file to column of the cohort.

    Raises
    ------
    InputError
        A required column is missing.

    Examples
    --------
    >>> repairs = Repairs()
    >>> match_columns(["Start_position", "Gene"], {"Start_Position": "start"}, ["start"], "a.maf", repairs)
    {'Start_position': 'start'}
    >>> list(repairs)
    ["a.maf: column 'Start_position' read as 'Start_Position'"]
    """
    by_bare: dict[str, list[str]] = {}
    for name in found:
        by_bare.setdefault(_bare(name), []).append(name)
    matched: dict[str, str] = {}
    for name, column in wanted.items():
        if column in matched.values():
            continue
        candidates = [name] if name in found else by_bare.get(_bare(name), [])
        if len(candidates) == 1:
            matched[candidates[0]] = column
            if candidates[0] != name:
                repairs.add(Path(file).name, f"column '{candidates[0]}' read as '{name}'")
    absent = [name for name, column in wanted.items() if column in required and column not in matched.values()]
    if absent:
        raise _missing(found, wanted, absent, bool(matched), file)
    return matched


def _bare(name: str) -> str:
    return name.strip("'\"").lower()


def _missing(
    found: Sequence[str], wanted: Mapping[str, str], absent: list[str], any_found: bool, file: str | Path
) -> InputError:
    first_names = {wanted[name]: name for name in reversed(absent)}
    problem = "a column is missing" if any_found else "the file has no header line, or it is another kind of file"
    shown = f"columns found: {', '.join(found[:15])}" if any_found else "add the header line above the first row"
    return InputError(problem, file=file, column=", ".join(sorted(first_names.values(), key=absent.index)), fix=shown)


NAMES = {"hg19": r"hg[-_]?19|grch[-_]?37|hs37|(?:b|_v)37", "hg38": r"hg[-_]?38|grch[-_]?38|hs38|b38"}


def header_build(lines: Iterable[str]) -> str | None:
    """Return the genome build of a file.

    Parameters
    ----------
    lines : iterable of str
        Its ``##`` lines.

    Returns
    -------
    {"hg19", "hg38"} or None
        By the lengths of the chromosomes; without them by the names in ``##reference`` and ``assembly=``. None where
        there is neither, or where both builds are named.

    Examples
    --------
    >>> header_build(["##contig=<ID=chr1,length=248956422>"])
    'hg38'
    >>> header_build(["##reference=file:///ref/human_g1k_v37.fasta", "##contig=<ID=1>"])
    'hg19'
    """
    told = [line for line in lines if re.match(r"##(?:reference|contig|assembly)\b", line, re.IGNORECASE)]
    lengths = genome_landmarks()["lengths"]
    contigs = [contig for line in told if (contig := _contig_of(line)) is not None]
    builds = {build for build, known in lengths.items() for name, length in contigs if known.get(name, 0) == length}
    if not builds:
        text = "\n".join(told)
        builds = {build for build, pattern in NAMES.items() if re.search(pattern, text, re.IGNORECASE)}
    return builds.pop() if len(builds) == 1 else None


def _contig_of(line: str) -> tuple[str, int] | None:
    """Return name and length of a contig."""
    # Two searches, each from where the other ended: one expression for both goes back for every ID.
    name = re.search(r"\bID=(?:chr)?(\w+),", line)
    length = name and re.compile(r"\blength=(\d{1,12})(?!\d)").search(line, name.end())
    return (name[1], int(length[1])) if name and length else None


LARGEST_LOG2 = 50.0
CENTRED = 0.25
"""Spread of the genes' levels, in units of a gene's own spread, below which every gene has been centred. Where genes
keep their own levels it is above 2; centred genes have it at 0, and z-scores against a reference cohort near it."""
OWN_LEVELS = 2.0
"""Above this the genes have kept their own levels. Any 2 to 15 samples of GSE49711 (10.1186/s13059-015-0694-1) have it
at 2.2 to 10."""
ENOUGH_GENES, ENOUGH_SAMPLES, ENOUGH_VALUES = 20, 10, 20
ENOUGH_FOR_UNIT = 100
"""Genes among which at least one exceeds 50 in linear units: in a tumour, one in ten does."""
FEW_NEGATIVE = 0.1
"""Of centred values about half are negative; where fewer than these are, or all but these, nothing was centred."""


def to_log2(
    expression: pd.DataFrame, file: str | Path = "expression", repairs: Repairs | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return expression in log2 and how it got there.

    No log2 expression value comes near 50 (2^50 copies), whereas linear counts, TPM, RPKM or intensities of a whole
    tumour always exceed it; that decides. Linear values become ``log2(x + 1)``.

    Parameters
    ----------
    expression : DataFrame
        Gene by sample, float64.
    file : path, optional
        For messages.
    repairs : Repairs, optional
        What could not be told is added, and how many negative linear values were raised to 0.

    Returns
    -------
    expression : DataFrame
    about : dict of str to str
        ``unit``: ``"log2"`` or ``"log2(x + 1) of linear values"``. ``not_told``, where the values do not show it:
        ``"unit"`` (no value above 50 among fewer than 100 genes), ``"centring"`` (too few values, or as many negative
        ones as centred values have in too few samples to compare genes), or both. Such values are read as log2, and
        as not centred.

    Raises
    ------
    InputError
        A value is below -50, as the log2 of the smallest number that a computer has (-1022) where log2 of 0 was meant;
        or the values are z-scores or otherwise centred gene by gene: at least 20 genes in 2 samples, negative values,
        and levels that differ between genes by less than a quarter of what a gene differs between samples. Which of
        two genes is expressed more cannot be told then, and the signatures compare genes within a sample.

    Examples
    --------
    >>> import pandas as pd
    >>> to_log2(pd.DataFrame({"a": [3.0, 1023.0]}))[0]["a"].tolist()
    [2.0, 10.0]
    >>> to_log2(pd.DataFrame({"a": [3.0, 12.5]}))[1]
    {'unit': 'log2', 'not_told': 'unit, centring'}
    """
    values, notes = expression.to_numpy(), Repairs() if repairs is None else repairs
    name = Path(file).name
    if not values.size or np.all(np.isnan(values)):
        return expression, {"unit": "log2"}
    if np.nanmin(values) < -LARGEST_LOG2 and np.nanmax(values) <= LARGEST_LOG2:
        raise InputError(
            "the expression values hold the log2 of 0, or are no expression",
            file=file,
            rows=(np.flatnonzero((values < -LARGEST_LOG2).any(axis=1)) + 1).tolist(),
            expected=f"log2 values above {-LARGEST_LOG2:g}, or linear values",
            fix="give log2(x + 1), or leave the cell empty where nothing was measured",
        )
    centred = _is_centred(values)
    if centred:
        raise InputError(
            "the expression values are z-scores, or centred gene by gene",
            file=file,
            expected="values that compare the genes of a sample: TPM, RPKM, counts, log2 intensities",
            fix="use the file without z-scores",
        )
    linear = bool(np.nanmax(values) > LARGEST_LOG2)
    log2_told = linear or bool(np.nanmin(values) < 0) or (~np.isnan(values)).any(axis=1).sum() >= ENOUGH_FOR_UNIT
    # Values far above 0, and none below it, are centred on nothing.
    centred_told = centred is not None or (linear and not bool(np.nanmin(values) < 0))
    not_told = [what for what, told in (("unit", log2_told), ("centring", centred_told)) if not told]
    if "unit" in not_told:
        notes.add(name, "too few genes to tell the unit, read as log2")
    if "centring" in not_told:
        notes.add(name, "whether the values were centred gene by gene cannot be told, read as if they were not")
    about = {"not_told": ", ".join(not_told)} if not_told else {}
    if not linear:
        return expression, {"unit": "log2", **about}
    notes.add_count(name, (values < 0).sum(), "negative linear values read as 0")
    logged = np.log2(np.clip(values, 0.0, None) + 1.0)
    frame = pd.DataFrame(logged, index=expression.index, columns=expression.columns)
    return frame, {"unit": "log2(x + 1) of linear values", **about}


def _is_centred(values: np.ndarray) -> bool | None:
    """Tell whether the genes have lost their own levels; None where it cannot be told."""
    count = np.count_nonzero(~np.isnan(values))
    negative = np.count_nonzero(values < 0) / count
    enough = count >= ENOUGH_VALUES
    ratio = _levels_to_spread(values)
    # A single negative value is enough for genes that are exactly centred.
    if negative > 0 and ratio < CENTRED:
        return True
    if enough and not FEW_NEGATIVE <= negative <= 1 - FEW_NEGATIVE:
        return False
    # In few samples that resemble each other, genes differ in level after centring too.
    return False if values.shape[1] >= ENOUGH_SAMPLES and ratio > OWN_LEVELS else None


def _levels_to_spread(values: np.ndarray) -> float:
    """Spread of the levels of genes, in units of the spread of a gene; NaN with too few genes or samples."""
    counts = (~np.isnan(values)).sum(axis=1)
    measured = values[counts >= min(ENOUGH_SAMPLES, max(2, values.shape[1]))]
    if len(measured) < ENOUGH_GENES:
        return float("nan")
    own = float(np.median(np.nanvar(measured, axis=1, ddof=1)))
    quartiles = np.quantile(np.nanmean(measured, axis=1), [0.25, 0.75])
    # 1.349 standard deviations of a normal distribution lie between its quartiles. The means of few samples differ by
    # chance, which is no level.
    levels = float((quartiles[1] - quartiles[0]) / 1.349) ** 2 - own / np.median(counts)
    return float(np.sqrt(max(levels, 0.0) / own)) if own > 0 else float("nan")
