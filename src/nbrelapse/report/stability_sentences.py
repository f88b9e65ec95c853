"""What is said of how an explanation holds over refits."""

from __future__ import annotations

import pandas as pd

from nbrelapse.explanation.stability import Stability


def stability_sentences(stability: Stability | None) -> list[str]:
    """Say under a table of mechanisms what its intervals hold and what they do not; nothing without refits.

    Parameters
    ----------
    stability : Stability or None

    Returns
    -------
    list of str
    """
    if stability is None:
        return []
    kendall = stability.rank_agreement["kendall"]
    ranks = f"Two refits order the mechanisms with a median Kendall's tau of {kendall['refits']:.2f}"
    if "folds" in kendall.index:
        ranks += f", two of {stability.n_folds} refits without a fold with {kendall['folds']:.2f}"
    tau = "" if pd.isna(kendall["refits"]) else f"{ranks}; 1 is the same order, 0 is chance."
    first = (
        f"Intervals hold 95% of {stability.n_refits} bootstrap refits, which explained {stability.n_patients} patients "
        "with the tuned parameters kept. A mean of absolute contributions is never 0 and rises with noise, so its "
        "interval does not say whether a mechanism has an effect. The column Effect does: established where at least "
        "95% of the refits differ from the model by less than the mechanism's own spread over patients, suggested from "
        "80%, undecided below, where it cannot be told from noise."
    )
    given = (
        "Refits of a model that starts from the literature, or is held to its directions, share what they were given: "
        "that they agree with it, and with each other, is then no finding of these patients."
    )
    return [first, *([tau] if tau else []), given]


def established_sentence(features: pd.DataFrame) -> str:
    """Say how many signs are established, with the catalogue and against it.

    Parameters
    ----------
    features : DataFrame
        Rows of :attr:`nbrelapse.explanation.Stability.features` that agree or disagree with the catalogue.

    Returns
    -------
    str
        Begins with a space.

    Examples
    --------
    >>> table = pd.DataFrame({"agrees": [True, False], "status": ["established", "undecided"]})
    >>> established_sentence(table)[:70]
    ' Established (the same sign in at least 95% of the refits) are 1 of th'
    """
    sure = features["status"] == "established"
    agrees = features["agrees"].astype(bool)
    return (
        f" Established (the same sign in at least 95% of the refits) are {int((sure & agrees).sum())} of those that "
        f"agree and {int((sure & ~agrees).sum())} of those that do not; of features without any effect about one in "
        "ten would be."
    )
