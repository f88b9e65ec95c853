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
from nbrelapse.cohort.schema import _variant_classes, coded_text
from nbrelapse.errors import InputError

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
    starts = mutations["Start_Position"].to_numpy(dtype=np.float64)
    for hotspot in genome_landmarks()["hotspots"]:
        there = (starts >= hotspot[other]) & (starts < hotspot[other] + hotspot.get("bases", _CODON))
        if not there.any():
            continue
        rows = mutations[there & (mutations["Hugo_Symbol"] == hotspot["gene"]).to_numpy(dtype=bool)]
        refuse_rows(
            rows.index,
            _is_hotspot(rows, hotspot),
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


_NO_MUTATION = {
    "Mutation_Status": ("none", "loh", "wildtype", "wild type", "post-transcriptional modification"),
    "Validation_Status": ("invalid", "wildtype", "redacted"),
}
"""By column, in lower case: rows that say that there is no mutation, https://docs.cbioportal.org/file-formats/ and
https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format/."""
_GERMLINE = {"Mutation_Status": ("germline",), "SV_Status": ("germline",)}


def without_germline(calls: pd.DataFrame, file: str | Path, repairs: Repairs) -> pd.DataFrame:
    """Leave out the rows of a MAF or of structural variants that are germline, or say that there is no mutation.

    Features are of the tumour's own events, whichever file they stand in.

    Parameters
    ----------
    calls : DataFrame
        ``Mutation_Status``, ``Validation_Status`` and ``SV_Status`` count where they are there; a status that is empty
        or any other word stays.
    file : path
        For the error message and the repairs.
    repairs : Repairs
        How many rows were left out is added.

    Returns
    -------
    DataFrame
        The same columns; the index still tells the rows of the file.

    Raises
    ------
    InputError
        No row is left.

    Examples
    --------
    >>> repairs = Repairs()
    >>> calls = pd.DataFrame({"Hugo_Symbol": ["TP53", "ALK", "ALK"], "Mutation_Status": ["LOH", "Germline", "Somatic"]})
    >>> len(without_germline(calls, "a.maf", repairs)), list(repairs)
    (1, ['a.maf: 1 germline rows left out', 'a.maf: 1 rows that say that there is no mutation left out'])
    """
    germline, none = (_says(calls, words) for words in (_GERMLINE, _NO_MUTATION))
    name = Path(str(file)).name
    repairs.add_count(name, germline.sum(), "germline rows left out")
    repairs.add_count(name, (none & ~germline).sum(), "rows that say that there is no mutation left out")
    left_out = germline | none
    if len(calls) and left_out.all():
        raise InputError(
            "no row is a somatic event",
            file=file,
            column=", ".join(column for column in (*_NO_MUTATION, "SV_Status") if column in calls),
            expected="rows whose status is somatic, empty or unknown",
            fix="give the file of the somatic events, or leave this one out",
        )
    return calls[~left_out] if left_out.any() else calls


def _says(calls: pd.DataFrame, words: Mapping[str, tuple[str, ...]]) -> np.ndarray:
    said = np.zeros(len(calls), dtype=bool)
    for column, listed in words.items():
        if column in calls:
            codes, distinct = encode(coded_text(calls[column]))
            said |= np.append(distinct.str.lower().isin(listed).to_numpy(dtype=bool), False)[codes]
    return said


_POSITIONS = 2**32


def _repair_mutations(mutations: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Remove mutations that are there twice and spell ``Variant_Classification`` as the MAF format does.

    Rows repeat each other where all columns agree and the position is known. Rows that differ in their read counts only
    are one variant of two callers, and the one with most reads stays. Classes that the format does not have stay as
    they are.

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
    shared = _sharing_place(mutations)
    if not shared.any():
        return mutations
    rows = mutations[shared]
    whole = rows.duplicated()
    repairs.add_count("mutations", int(whole.sum()), "rows that repeat another removed")
    counts = [name for name in _COUNTS if name in mutations]
    depth = rows[counts].sum(axis=1, min_count=1) if counts else pd.Series(np.nan, rows.index)
    deepest = rows[~whole].assign(depth=depth[~whole]).sort_values("depth", ascending=False, kind="stable")
    called = deepest.duplicated([name for name in mutations.columns if name not in counts])
    repairs.add_count("mutations", int(called.sum()), "rows of the same variant with other read counts removed")
    removed = rows.index[whole].union(deepest.index[called])
    return mutations.drop(index=removed) if len(removed) else mutations


_COUNTS = ("t_alt_count", "t_ref_count")


def _sharing_place(mutations: pd.DataFrame) -> np.ndarray:
    """Tell the rows that share sample and position with another; only those need to be compared in full."""
    position = mutations["Start_Position"].to_numpy(dtype=np.float64, na_value=np.nan)
    place = encode(mutations["sample_id"])[0].astype(np.int64) * _POSITIONS + np.nan_to_num(position).clip(
        0, _POSITIONS - 1
    )
    return pd.Series(place).duplicated(keep=False).to_numpy() & ~np.isnan(position)


def variant_numbers(mutations: pd.DataFrame) -> np.ndarray:
    """Return a number of each variant, which rows of one sample, place and change share, whatever gene they name.

    Parameters
    ----------
    mutations : DataFrame
        The ``mutations`` table; columns that it lacks are missing values.

    Returns
    -------
    ndarray of int, shape (n,)
        A row that does not say sample, chromosome, position and alleles is a variant of its own.

    Examples
    --------
    >>> mutations = pd.DataFrame({"sample_id": "s", "Chromosome": "17", "Start_Position": [7.0, 7.0, 9.0],
    ...     "Reference_Allele": "CC", "Tumor_Seq_Allele2": "TT", "HGVSp_Short": ["p.R1W", "p.P2L", "p.A3V"]})
    >>> variant_numbers(mutations).tolist()
    [0, 0, 2]
    """
    numbers = np.arange(len(mutations))
    if not {*_PLACE} <= set(mutations.columns):
        return numbers
    shared = _sharing_place(mutations)
    rows = mutations.loc[shared, [*_PLACE]]
    whole = rows.notna().all(axis=1).to_numpy()
    same = rows[whole].groupby([*_PLACE], observed=True, sort=False)
    places = np.flatnonzero(shared)[whole]
    if len(places):
        numbers[places] = pd.Series(places).groupby(same.ngroup().to_numpy()).transform("first").to_numpy()
    return numbers


_PLACE = ("sample_id", "Chromosome", "Start_Position", "Reference_Allele", "Tumor_Seq_Allele2")


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


def _repair_rearrangements(rearrangements: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Remove structural variants that are there twice: all columns agree, and a position is known."""
    twice = rearrangements.duplicated() & rearrangements[["site1_position", "site2_position"]].notna().any(axis=1)
    repairs.add_count("rearrangements", int(twice.sum()), "rows that repeat another removed")
    return rearrangements[~twice]


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
