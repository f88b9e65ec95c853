"""Protein changes in one spelling."""

from __future__ import annotations

import pandas as pd

ONE_LETTER = {
    **{"Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H"},
    **{"Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W"},
    **{"Tyr": "Y", "Val": "V", "Sec": "U", "Ter": "*"},
}
"""Amino acids and the stop, 10.1351/pac198456050595."""


def short_protein_changes(changes: pd.Series) -> pd.Series:
    """Write protein changes in one-letter code, without ``p.``, parentheses and the protein's accession.

    A final ``X``, as older programs write it, is a stop.

    Parameters
    ----------
    changes : Series of str
        HGVS, short or long.

    Returns
    -------
    Series of str
        Missing where nothing or ``?`` is said.

    Examples
    --------
    >>> raw = pd.Series(["p.F1174L", "R1275Q", "NP_004295.2:p.(Phe1174Leu)", "p.Arg1534Ter", "R1534X", "p.?"])
    >>> short_protein_changes(raw).tolist()
    ['F1174L', 'R1275Q', 'F1174L', 'R1534*', 'R1534*', nan]
    """
    codes, distinct = pd.factorize(changes)
    text = pd.Series(distinct, dtype="str").str.strip().str.replace(r"^.*:", "", regex=True)
    text = text.str.removeprefix("p.").str.replace(r"[()]", "", regex=True)
    text = text.str.replace("|".join(ONE_LETTER), lambda found: ONE_LETTER[found.group()], regex=True)
    text = text.str.replace(r"^([A-Z]\d+)X$", r"\1*", regex=True)
    text = text.mask(text.isin(["", "?", ".", "-"]))
    return pd.Series(text.array.take(codes, allow_fill=True), index=changes.index, name=changes.name)
