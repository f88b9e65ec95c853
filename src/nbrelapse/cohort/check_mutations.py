"""Mutations that cannot lie where their file says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.genome_builds import genome_landmarks
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

CODON = 3
READ = [
    "Hugo_Symbol",
    "Chromosome",
    "Start_Position",
    "End_Position",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Variant_Classification",
    "HGVSp_Short",
]


def check_mutations(mutations: pd.DataFrame, build: str | None, file: str | Path) -> None:
    """Refuse impossible positions: intervals that end before they start or count from 0, places beyond the chromosome.

    Hotspots that lie where the other build has them are refused as well.

    Parameters
    ----------
    mutations : DataFrame
        The ``mutations`` table.
    build : str or None
        What the assay says; only intervals are checked where it is not known.
    file : path
        For the error message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> mutations = pd.DataFrame({"Hugo_Symbol": ["ALK"], "Chromosome": ["2"], "Start_Position": [29220829.0],
    ...     "End_Position": [29220829.0], "HGVSp_Short": ["p.F1174L"], "Variant_Classification": ["Missense_Mutation"]})
    >>> check_mutations(mutations, "hg38", "data_mutations.txt")
    >>> check_mutations(mutations, "hg19", "data_mutations.txt")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: the file says hg19, but ALK F1174 lies where hg38 has it
      file: data_mutations.txt
      column: Start_Position
      rows: 1
      expected: positions in hg19
      mend: correct the genome build, or lift the positions over to hg19
    """
    mutations = mutations.reindex(columns=READ)
    _check_intervals(mutations, file)
    lengths = genome_landmarks()["lengths"]
    if build is None or build not in lengths:
        return
    for other in sorted(set(lengths) - {build}):
        _check_hotspots(mutations, build, other, file)
    limit = mutations["Chromosome"].map(lengths[build]).to_numpy(dtype=np.float64)
    last = np.fmax(mutations["Start_Position"].to_numpy(), mutations["End_Position"].to_numpy())
    beyond = last > limit
    if beyond.any():
        raise InputError(
            f"a position is beyond the end of its chromosome in {build}",
            file=file,
            column="Start_Position, End_Position",
            rows=row_numbers(mutations.index, beyond),
            expected=f"positions in {build}",
            mend="correct the genome build or the positions",
        )


def _check_intervals(mutations: pd.DataFrame, file: str | Path) -> None:
    length = (mutations["End_Position"] - mutations["Start_Position"]).to_numpy(dtype=np.float64)
    backward = length < 0
    single = [mutations[name].isin(list("ACGT")).to_numpy() for name in ("Reference_Allele", "Tumor_Seq_Allele2")]
    from_zero = single[0] & single[1] & (length == 1)
    for wrong, problem, expected, mend in (
        (backward, "a mutation ends before it starts", "Start_Position <= End_Position", "correct the positions"),
        (
            from_zero,
            "a substitution of one base spans two, as in files that count from 0",
            "Start_Position = End_Position for substitutions, counted from 1",
            "add 1 to Start_Position",
        ),
    ):
        if wrong.any():
            rows = row_numbers(mutations.index, wrong)
            column = "Start_Position, End_Position"
            raise InputError(problem, file=file, column=column, rows=rows, expected=expected, mend=mend)


def _check_hotspots(mutations: pd.DataFrame, build: str, other: str, file: str | Path) -> None:
    for hotspot in genome_landmarks()["hotspots"]:
        rows = mutations[mutations["Hugo_Symbol"] == hotspot["gene"]]
        there = rows["Start_Position"].between(hotspot[other], hotspot[other] + hotspot.get("bases", CODON) - 1)
        wrong = there & _is_hotspot(rows, hotspot)
        if wrong.any():
            raise InputError(
                f"the file says {build}, but {hotspot['gene']} {hotspot['residue']} lies where {other} has it",
                file=file,
                column="Start_Position",
                rows=row_numbers(rows.index, wrong),
                expected=f"positions in {build}",
                mend=f"correct the genome build, or lift the positions over to {build}",
            )


def _is_hotspot(rows: pd.DataFrame, hotspot: Mapping[str, Any]) -> pd.Series:
    """Whether the change is the hotspot's, wherever it lies."""
    if "change" in hotspot:
        change = rows["Reference_Allele"].astype("str") + ">" + rows["Tumor_Seq_Allele2"].astype("str")
        return change == hotspot["change"]
    said = rows["HGVSp_Short"].astype("str").str.startswith(f"p.{hotspot['residue']}").fillna(False).astype(bool)
    return said | ((rows["Variant_Classification"] == "Missense_Mutation") & rows["HGVSp_Short"].isna())
