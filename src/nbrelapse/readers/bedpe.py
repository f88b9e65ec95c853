"""Structural variants as pairs of intervals (BEDPE)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import refuse_rows, require_columns
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.genome import normalise_chromosomes
from nbrelapse.cohort.mutations import rearrangement_class
from nbrelapse.cohort.schema import REARRANGEMENTS, as_text, normalise_numbers
from nbrelapse.cohort.text import parse_text_table
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import header_build

_STANDARD = ["chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2"]
_OTHER_NAMES = {
    "chrom1": ("chrom_a", "chr1"),
    "start1": ("start_a",),
    "end1": ("end_a",),
    "chrom2": ("chrom_b", "chr2"),
    "start2": ("start_b",),
    "end2": ("end_b",),
    "strand1": ("strand_a",),
    "strand2": ("strand_b",),
    "class": ("svclass", "svtype", "type"),
    "sample_id": ("sample", "tumor_sample_barcode"),
    "site1_gene": ("gene1",),
    "site2_gene": ("gene2",),
}
"""Names of columns that svtools, PCAWG, MAF-like and other tables use, in lower case."""


def _read_bedpe(
    file: str | Path, sample_id: str | None = None, *, passed_only: bool = True, repairs: Repairs | None = None
) -> tuple[pd.DataFrame, str | None]:
    r"""Read a BEDPE of structural variants: one sample a file, as PCAWG has them, or with a column of samples.

    Parameters
    ----------
    file : path
        Plain or gzip, with or without header; a header may start with ``#``.
    sample_id : str, optional
        Whose the file is; where it has a column of samples, the one to read.
    passed_only : bool
        Keep only the rows that passed all filters, where there is a column ``filter``.
    repairs : Repairs, optional
        What was left out is added.

    Returns
    -------
    rearrangements : DataFrame
        Columns of the table ``rearrangements``. Intervals are 0-based and half open; a position is the middle of its
        interval, 1-based (``start + 1`` where it has one base); missing where the chromosome is ``.``. The class is the
        table's own, else what the strands say (``+-`` DELETION, ``-+`` DUPLICATION, ``++`` and ``--`` INVERSION, as in
        PCAWG; tables of BRASS, which count the second strand the other way, need their column ``svclass``).
    genome_build : {"hg19", "hg38"} or None
        As the ``##`` lines tell it.

    Raises
    ------
    InputError
        The file is damaged, has fewer than six columns or other separators than tabulators, a position is no number, an
        interval ends before it starts, or nothing says whose the file is.

    References
    ----------
    Strands and classes: 10.1038/s41586-019-1913-9.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "NB01.bedpe"
    ...     _ = file.write_text("2\t99\t100\t2\t499\t520\tsv1\t12\t-\t+\n")
    ...     table, _ = _read_bedpe(file, sample_id="NB01")
    >>> table[["sample_id", "site1_position", "site2_position", "class"]].values.tolist()
    [['NB01', 100.0, 510.0, 'DUPLICATION']]
    """
    table, comments = _table(file)
    notes = Repairs() if repairs is None else repairs
    if passed_only and "filter" in table:
        passed = table["filter"].isna() | table["filter"].isin(["PASS", "."])
        notes.add_count(Path(file).name, (~passed).sum(), "rows that did not pass their filters left out")
        table = table[passed]
    table = table.assign(sample_id=_samples(table, sample_id, file))
    if sample_id is not None:
        table = table[table["sample_id"] == sample_id]
    calls = table.reindex(columns=list(REARRANGEMENTS.columns)).astype({"class": "str"})
    for number in (1, 2):
        chromosome = normalise_chromosomes(table[f"chrom{number}"], file=file)
        calls[f"site{number}_chromosome"] = chromosome
        calls[f"site{number}_position"] = _position(table, number, file).where(chromosome.notna())
    calls["class"] = rearrangement_class(calls, _strands(table))
    return calls.reset_index(drop=True), header_build(comments)


def _table(file: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with our names, and the ``##`` lines."""
    lines = decode(read_bytes(file), file).splitlines()
    comments = [line for line in lines if line.startswith("##")]
    used = [line for line in lines if line.strip() and not line.startswith("##")]
    names = _header(used[0]) if used else None
    body = used if names is None else used[1:]
    if names is None:
        width = body[0].count("\t") + 1 if body else len(_STANDARD)
        names = [*_STANDARD[:width], *(f"column {number}" for number in range(len(_STANDARD) + 1, width + 1))]
    require_columns(
        names,
        _STANDARD[:6],
        file,
        expected="tabulators between " + ", ".join(_STANDARD[:6]),
        fix="save it as a BEDPE with these columns",
    )
    text = "\n".join(["\t".join(names), *body, ""])
    return parse_text_table(text.encode(), file, comment=True), comments


def _header(line: str) -> list[str] | None:
    """Return the names of a header line in our spelling; None for a line of data."""
    ours = {other: name for name, others in _OTHER_NAMES.items() for other in others}
    names = [cell.strip().lower() for cell in line.lstrip("#").split("\t")]
    if not line.startswith("#") and ours.get(names[0], names[0]) != "chrom1":
        return None
    if not line.startswith("#") and len(names) > 1 and names[1].isdigit():
        return None
    return [ours.get(name, name) for name in names]


def _samples(table: pd.DataFrame, sample_id: str | None, file: str | Path) -> pd.Series:
    if "sample_id" in table:
        samples = as_text(table["sample_id"])
        if sample_id is not None and not (samples == sample_id).any():
            raise InputError("the sample is not in the file", file=file, column="sample_id")
        return samples
    if sample_id is None:
        raise InputError(
            "nothing says whose the file is", file=file, expected="a column sample_id", fix="say it (sample_id)"
        )
    return pd.Series(sample_id, index=table.index, dtype="str")


_WIDEST = 1_000_000
"""Of what a breakpoint is known to lie in; callers are uncertain by hundreds of bases."""


def _position(table: pd.DataFrame, number: int, file: str | Path) -> pd.Series:
    start, end = (normalise_numbers(table[f"{name}{number}"], file=file) for name in ("start", "end"))
    # -1 is a position that is not known, see the format at bedtools.
    unknown = (start == -1) & (end == -1)
    for wrong, problem in (
        (end < start, "an interval ends before it starts"),
        (((start < 0) | (end < 0)) & ~unknown, "a negative position"),
        (end - start > _WIDEST, "an interval of more than a million bases"),
    ):
        expected = "0-based start, end after it; -1 for both where not known"
        refuse_rows(table.index, wrong, problem, file=file, column=f"end{number}", expected=expected)
    return np.floor((start + 1 + end) / 2).mask(unknown)


def _strands(table: pd.DataFrame) -> pd.Series | None:
    if "strand1" not in table or "strand2" not in table:
        return None
    return table["strand1"].astype("str") + table["strand2"].astype("str")
