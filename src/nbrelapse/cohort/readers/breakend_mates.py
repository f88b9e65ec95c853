"""One row for the two records of a junction."""

from __future__ import annotations

import pandas as pd

from nbrelapse.cohort.vocabulary import levels

SITES = ("chromosome", "position")


def without_mates(calls: pd.DataFrame) -> pd.DataFrame:
    """Keep one of two mates, whether they name each other or are only each other's mirror image.

    Parameters
    ----------
    calls : DataFrame
        ``sample_id``, the columns of both sites, ``strands`` (missing for what is no breakend) and ``pair``, the same
        text for both mates.

    Returns
    -------
    DataFrame
        In the order of `calls`, numbered anew; breakends have the lower site first. Of mates that differ, because
        bases at the junction fit both sides, the one with the lower sites stays.

    Examples
    --------
    >>> calls = pd.DataFrame({"sample_id": "a", "site1_chromosome": ["17", "2"], "site1_position": [9.0, 4.0],
    ...     "site2_chromosome": ["2", "17"], "site2_position": [4.0, 9.0], "strands": ["-+", "+-"], "pair": None})
    >>> without_mates(calls)[["site1_chromosome", "site2_chromosome", "strands"]].values.tolist()
    [['2', '17', '+-']]
    """
    ordered = _lower_site_first(calls.reset_index(drop=True))
    sites = [f"site{number}_{name}" for number in (1, 2) for name in SITES]
    by_site = ordered.sort_values([*sites, "strands"], kind="stable")
    named = by_site["pair"].notna() & by_site.duplicated(["sample_id", "pair"])
    mirrored = by_site["strands"].notna() & by_site.duplicated(["sample_id", *sites, "strands"])
    return by_site[~(named | mirrored)].sort_index().reset_index(drop=True)


def _lower_site_first(calls: pd.DataFrame) -> pd.DataFrame:
    rank = {name: place for place, name in enumerate(levels("chromosome"))}
    first, second = (calls[f"site{number}_chromosome"] for number in (1, 2))
    # Contigs come after the chromosomes, in order of name.
    first_rank, second_rank = (names.map(rank).fillna(len(rank)) for names in (first, second))
    same = first == second
    higher = (first_rank > second_rank) | ((first_rank == second_rank) & ~same & (first > second))
    higher |= same & (calls["site1_position"] > calls["site2_position"])
    swap = (calls["strands"].notna() & higher).astype(bool)
    columns = {}
    for name in SITES:
        columns[f"site1_{name}"] = calls[f"site1_{name}"].mask(swap, calls[f"site2_{name}"])
        columns[f"site2_{name}"] = calls[f"site2_{name}"].mask(swap, calls[f"site1_{name}"])
    strands = calls["strands"].astype("str")
    return calls.assign(**columns, strands=strands.mask(swap, strands.str[1:2] + strands.str[0:1]))
