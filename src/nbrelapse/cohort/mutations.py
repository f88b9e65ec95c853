"""Tables of mutations and rearrangements: checks, certain repairs, and the class of a structural variant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import _map_distinct, encode, refuse_rows
from nbrelapse.cohort.genome import _check_positions, genome_landmarks
from nbrelapse.cohort.schema import _variant_classes

_CODON = 3
_INTERVAL = ["Start_Position", "End_Position"]
_READ = [
    "Hugo_Symbol",
    "Chromosome",
    *_INTERVAL,
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Variant_Classification",
    "HGVSp_Short",
]


def _check_mutations(mutations: pd.DataFrame, build: str | None, file: str | Path) -> None:
    """Refuse impossible positions: intervals that end before they start or count from 0, places beyond the chromosome.

    Hotspots that lie where the other build has them are refused as well.

    Parameters
    ----------
    mutations : DataFrame
        The ``mutations`` table.
    build : str or None
        What the assay says; hotspots are not checked where it is not known.
    file : path
        For the error message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> mutations = pd.DataFrame({"Hugo_Symbol": ["ALK"], "Chromosome": ["2"], "Start_Position": [29220829.0],
    ...     "End_Position": [29220829.0], "HGVSp_Short": ["p.F1174L"], "Variant_Classification": ["Missense_Mutation"]})
    >>> _check_mutations(mutations, "hg38", "data_mutations.txt")
    >>> _check_mutations(mutations, "hg19", "data_mutations.txt")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: the file says hg19, but ALK F1174 lies where hg38 has it
      file: data_mutations.txt
      column: Start_Position
      rows: 1
      expected: positions in hg19
      fix: correct the genome build, or lift the positions over to hg19
    """
    mutations = mutations.reindex(columns=_READ)
    _check_intervals(mutations, file)
    lengths = genome_landmarks()["lengths"]
    if build is not None and build in lengths:
        for other in sorted(set(lengths) - {build}):
            _check_hotspots(mutations, build, other, file)
    _check_positions(mutations, "Chromosome", _INTERVAL, build, file, slack=0)


def _check_intervals(mutations: pd.DataFrame, file: str | Path) -> None:
    length = (mutations["End_Position"] - mutations["Start_Position"]).to_numpy(dtype=np.float64)
    backward = length < 0
    single = [mutations[name].isin(list("ACGT")).to_numpy() for name in ("Reference_Allele", "Tumor_Seq_Allele2")]
    from_zero = single[0] & single[1] & (length == 1)
    for wrong, problem, expected, fix in (
        (backward, "a mutation ends before it starts", "Start_Position <= End_Position", "correct the positions"),
        (
            from_zero,
            "a substitution of one base spans two, as in files that count from 0",
            "Start_Position = End_Position for substitutions, counted from 1",
            "add 1 to Start_Position",
        ),
    ):
        refuse_rows(mutations.index, wrong, problem, file=file, column=", ".join(_INTERVAL), expected=expected, fix=fix)


def _check_hotspots(mutations: pd.DataFrame, build: str, other: str, file: str | Path) -> None:
    for hotspot in genome_landmarks()["hotspots"]:
        rows = mutations[mutations["Hugo_Symbol"] == hotspot["gene"]]
        there = rows["Start_Position"].between(hotspot[other], hotspot[other] + hotspot.get("bases", _CODON) - 1)
        refuse_rows(
            rows.index,
            there & _is_hotspot(rows, hotspot),
            f"the file says {build}, but {hotspot['gene']} {hotspot['residue']} lies where {other} has it",
            file=file,
            column="Start_Position",
            expected=f"positions in {build}",
            fix=f"correct the genome build, or lift the positions over to {build}",
        )


def _is_hotspot(rows: pd.DataFrame, hotspot: Mapping[str, Any]) -> pd.Series:
    """Whether the change is the hotspot's, wherever it lies."""
    if "change" in hotspot:
        change = rows["Reference_Allele"].astype("str") + ">" + rows["Tumor_Seq_Allele2"].astype("str")
        return change == hotspot["change"]
    said = rows["HGVSp_Short"].astype("str").str.startswith(f"p.{hotspot['residue']}").fillna(False).astype(bool)
    return said | ((rows["Variant_Classification"] == "Missense_Mutation") & rows["HGVSp_Short"].isna())


_POSITIONS = 2**32


def _repair_mutations(mutations: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Remove mutations that are there twice and spell ``Variant_Classification`` as the MAF format does.

    Rows repeat each other where all columns agree and the position is known. Classes that the format does not have stay
    as they are.

    Parameters
    ----------
    mutations : DataFrame
        Normalised.
    repairs : Repairs
        What was changed, and the unknown classes, are added.

    Returns
    -------
    DataFrame
        The same columns; the index still tells the rows of the file.

    Examples
    --------
    >>> repairs = Repairs()
    >>> mutations = pd.DataFrame({"sample_id": "s", "Start_Position": [7577538.0, 7577538.0],
    ...     "Variant_Classification": ["missense_mutation", "Missense_Mutation"]})
    >>> len(_repair_mutations(mutations, repairs)), list(repairs)[1]
    (1, 'mutations: 1 rows that repeat another removed')
    """
    mutations = mutations.assign(Variant_Classification=_spell_classes(mutations["Variant_Classification"], repairs))
    twice = _repeated(mutations)
    if twice.any():
        repairs.add_count("mutations", twice.sum(), "rows that repeat another removed")
        mutations = mutations[~twice]
    return mutations


def _repeated(mutations: pd.DataFrame) -> np.ndarray:
    position = mutations["Start_Position"].to_numpy()
    place = encode(mutations["sample_id"])[0].astype(np.int64) * _POSITIONS + np.nan_to_num(position).clip(
        0, _POSITIONS - 1
    )
    # Few rows share sample and position; only those are compared in full.
    shared = pd.Series(place).duplicated(keep=False).to_numpy() & ~np.isnan(position)
    repeated = np.zeros(len(mutations), dtype=bool)
    repeated[shared] = mutations[shared].duplicated().to_numpy()
    return repeated


def _spell_classes(classes: pd.Series, repairs: Repairs) -> pd.Series:
    own, where = {name.lower(): name for name in _variant_classes()}, "mutations.Variant_Classification"
    ready = _map_distinct(classes, lambda words: words.str.lower().map(own).astype("str").fillna(words))
    codes, distinct = encode(classes)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    for number, word in enumerate(distinct):
        right = own.get(word.lower())
        if right is None:
            repairs.add(where, f"'{word}' is no class of the MAF format ({counts[number]})")
        elif right != word:
            repairs.add(where, f"'{word}' read as '{right}' ({counts[number]})")
    if any(word.lower() not in own for word in distinct):
        repairs.add(where, "legal are " + ", ".join(_variant_classes()))
    return ready


DELETION, DUPLICATION, INVERSION, TRANSLOCATION, INSERTION = CLASSES = (
    "DELETION",
    "DUPLICATION",
    "INVERSION",
    "TRANSLOCATION",
    "INSERTION",
)

_WORDS = {
    r"DEL": DELETION,
    r"DUP|TANDEM": DUPLICATION,
    r"(?:[HT]2[HT])?INV": INVERSION,
    r"INS": INSERTION,
    r"T$|T\(|TRA$|TRANS$|CTX$|.*TRANSLOC": TRANSLOCATION,
}
_STRANDS = {"+-": DELETION, "-+": DUPLICATION, "++": INVERSION, "--": INVERSION}


def rearrangement_class(calls: pd.DataFrame, strands: pd.Series | None = None) -> pd.Series:
    """Tell deletions, duplications, inversions, translocations and insertions apart.

    Parameters
    ----------
    calls : DataFrame
        ``class``, as a caller or a study wrote it (``DEL``, ``tandem-duplication``, ``h2hINV``, ``t(2;5)``, ``BND``),
        ``site1_chromosome``, ``site1_position``, ``site2_chromosome``, ``site2_position``.
    strands : Series of str, optional
        The sides that are joined, site 1 first: ``+`` is the sequence that ends at the position, ``-`` the one that
        starts there (PCAWG, 10.1038/s41586-019-1913-9).

    Returns
    -------
    Series of str
        The class that the word names; where it names none, TRANSLOCATION between two chromosomes, and within one what
        the strands say (``+-`` DELETION, ``-+`` DUPLICATION, ``++`` and ``--`` INVERSION, lower position first).
        Missing where nothing tells.

    Examples
    --------
    >>> calls = pd.DataFrame({"class": ["del", "BND", "BND", "FUSION"], "site1_chromosome": ["1", "1", "1", "1"],
    ...     "site1_position": [900, 5, 900, 5], "site2_chromosome": ["1", "2", "1", None],
    ...     "site2_position": [950, 7, 20, None]})
    >>> rearrangement_class(calls, pd.Series(["", "", "+-", ""])).tolist()
    ['DELETION', 'TRANSLOCATION', 'DUPLICATION', nan]
    """
    found = class_of_word(calls["class"])
    first, second = (calls[f"site{number}_chromosome"].astype("str") for number in (1, 2))
    between = (first != second) & first.notna() & second.notna()
    found = found.where(found.notna(), between.map({True: TRANSLOCATION}).astype("str"))
    if strands is None:
        return found
    swapped = calls["site1_position"] > calls["site2_position"]
    ordered = strands.astype("str").where(~swapped, strands.str[1:2] + strands.str[0:1])
    said = ordered.map(_STRANDS).astype("str").where(first == second)
    return found.combine_first(said)


def class_of_word(words: pd.Series) -> pd.Series:
    """Return the class that each word names, missing where it names none.

    Examples
    --------
    >>> class_of_word(pd.Series(["Deletion", "DUP:TANDEM", "BND", None])).tolist()
    ['DELETION', 'DUPLICATION', nan, nan]
    """
    return _map_distinct(words.astype("str"), lambda distinct: pd.Series(map(_class_of, distinct), dtype="str"))


def _class_of(word: str) -> str | None:
    upper = word.strip().upper()
    return next((name for pattern, name in _WORDS.items() if re.match(pattern, upper)), None)
