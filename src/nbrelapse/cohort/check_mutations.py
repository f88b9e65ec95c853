"""Mutations that cannot lie where their file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.genome_builds import genome_landmarks
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

CODON = 3


def check_mutations(mutations: pd.DataFrame, build: str | None, file: str | Path) -> None:
    """Refuse positions beyond their chromosome, and hotspots that lie where the other build has them.

    Parameters
    ----------
    mutations : DataFrame
        The ``mutations`` table.
    build : str or None
        What the assay says; nothing is checked where it is not known.
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


def _check_hotspots(mutations: pd.DataFrame, build: str, other: str, file: str | Path) -> None:
    for hotspot in genome_landmarks()["hotspots"]:
        rows = mutations[mutations["Hugo_Symbol"] == hotspot["gene"]]
        there = rows["Start_Position"].between(hotspot[other], hotspot[other] + CODON - 1)
        said = rows["HGVSp_Short"].str.startswith(f"p.{hotspot['residue']}")
        missense = (rows["Variant_Classification"] == "Missense_Mutation") & rows["HGVSp_Short"].isna()
        wrong = there & (said.fillna(False).astype(bool) | missense)
        if wrong.any():
            raise InputError(
                f"the file says {build}, but {hotspot['gene']} {hotspot['residue']} lies where {other} has it",
                file=file,
                column="Start_Position",
                rows=row_numbers(rows.index, wrong),
                expected=f"positions in {build}",
                mend=f"correct the genome build, or lift the positions over to {build}",
            )
