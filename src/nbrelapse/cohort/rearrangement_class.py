"""The class of a structural variant."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
    found = found.mask(found.isna() & (first != second) & first.notna() & second.notna(), TRANSLOCATION)
    if strands is None:
        return found
    swapped = calls["site1_position"] > calls["site2_position"]
    ordered = strands.astype("str").where(~swapped, strands.str[1:2] + strands.str[0:1])
    return found.mask(found.isna() & (first == second), ordered.map(_STRANDS).astype("str"))


def class_of_word(words: pd.Series) -> pd.Series:
    """Return the class that each word names, missing where it names none.

    Examples
    --------
    >>> class_of_word(pd.Series(["Deletion", "DUP:TANDEM", "BND", None])).tolist()
    ['DELETION', 'DUPLICATION', nan, nan]
    """
    codes, distinct = pd.factorize(words.astype("str"))
    upper = pd.Series(distinct, dtype="str").str.strip().str.upper()
    classes = pd.Series(np.nan, index=range(len(distinct)), dtype="str")
    for pattern, name in _WORDS.items():
        classes = classes.mask(upper.str.match(pattern), name)
    return pd.Series(classes.reindex(codes).to_numpy(), index=words.index, name=words.name, dtype="str")
