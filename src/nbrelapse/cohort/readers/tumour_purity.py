"""Tumour purity from the percentages that clinical files give."""

from __future__ import annotations

import pandas as pd

from nbrelapse.cohort.vocabulary import as_text


def purity_from_percent(percent: pd.Series, repairs: list[str]) -> pd.Series:
    """Return purity as a fraction.

    Parameters
    ----------
    percent : Series
        Percentages; what is no single number ("60-70", ">90") is left out.
    repairs : list of str
        How many were left out is appended.

    Returns
    -------
    Series of float64
        0 to 1; NaN where it is unknown, unread or outside 0 to 100.

    Examples
    --------
    >>> import pandas as pd
    >>> repairs = []
    >>> purity_from_percent(pd.Series(["80", ">90", "Unknown"]), repairs).tolist(), repairs
    ([0.8, nan, nan], ['samples.purity: 1 percentages that are no numbers left out'])
    """
    text = as_text(percent)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    unread = int((text.notna() & numbers.isna()).sum())
    if unread:
        repairs.append(f"samples.purity: {unread} percentages that are no numbers left out")
    return (numbers / 100).where(numbers.between(0, 100))
