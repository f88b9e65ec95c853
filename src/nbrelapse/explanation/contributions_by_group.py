"""What the mechanisms contribute in groups of patients."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

LEAST_PATIENTS = 10
"""Groups of fewer are left out: a mean of so few says little of the group, and much of single patients. A choice."""


@dataclass(frozen=True)
class GroupContributions:
    """Mean contributions in groups of patients.

    Parameters
    ----------
    mean : DataFrame of shape (n_mechanisms, n_groups)
        Mean signed contribution. Mechanisms as in the explanation, groups in their order.
    n : Series
        Patients of each group that is shown.
    left_out : tuple of str
        Groups of fewer patients than asked for.
    unknown : int
        Patients of no known group.
    """

    mean: pd.DataFrame
    n: pd.Series
    left_out: tuple[str, ...]
    unknown: int


def contributions_by_group(
    mechanisms: pd.DataFrame, group: pd.Series, least: int = LEAST_PATIENTS
) -> GroupContributions:
    """Average the contributions of the mechanisms within groups of patients.

    Parameters
    ----------
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        See :class:`nbrelapse.explanation.Explanation`.
    group : Series
        Categorical, by patient; NaN or no entry where it is unknown. The order of its categories is kept.
    least : int
        Patients that a group needs.

    Returns
    -------
    GroupContributions

    Examples
    --------
    >>> mechanisms = pd.DataFrame({"mycn": [0.5, 0.25, -1.0, 3.0]}, index=["a", "b", "c", "d"])
    >>> group = pd.Series(["high", "high", "low", None], index=["a", "b", "c", "d"], dtype="category")
    >>> found = contributions_by_group(mechanisms, group, least=2)
    >>> found.mean.loc["mycn"].to_dict(), found.n.to_dict(), found.left_out, found.unknown
    ({'high': 0.375}, {'high': 2}, ('low',), 1)
    """
    own = group.reindex(mechanisms.index)
    counts = own.value_counts(sort=False)
    shown = counts[counts >= least]
    mean = mechanisms.groupby(own, observed=False).mean().loc[list(shown.index)].T
    few = counts[(counts > 0) & (counts < least)]
    return GroupContributions(
        mean=mean.rename_axis(index="mechanism", columns="group"),
        n=shown.rename_axis("group"),
        left_out=tuple(str(name) for name in few.index),
        unknown=int(own.isna().sum()),
    )
