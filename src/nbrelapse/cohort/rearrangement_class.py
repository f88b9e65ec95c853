"""The class of a structural variant."""

from __future__ import annotations

import re

import pandas as pd

from nbrelapse.cohort.distinct_values import map_distinct

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
    return map_distinct(words.astype("str"), lambda distinct: pd.Series(map(_class_of, distinct), dtype="str"))


def _class_of(word: str) -> str | None:
    upper = word.strip().upper()
    return next((name for pattern, name in _WORDS.items() if re.match(pattern, upper)), None)
