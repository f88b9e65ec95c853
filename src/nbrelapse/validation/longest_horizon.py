"""The horizon that a model is spoken of at."""

from __future__ import annotations

from nbrelapse.validation.horizons import HORIZON_YEARS, YEAR


def longest_horizon(followed_days: float | None) -> float | None:
    """Return the longest of 1, 2, 3 and 5 years that a follow-up reaches, in days; its end where it reaches none.

    Parameters
    ----------
    followed_days : float or None
        None for a binary endpoint, which knows no time.

    Returns
    -------
    float or None

    Examples
    --------
    >>> longest_horizon(1400.0), longest_horizon(200.0), longest_horizon(None)
    (1095.75, 200.0, None)
    """
    reached = (
        [] if followed_days is None else [years * YEAR for years in HORIZON_YEARS if years * YEAR <= followed_days]
    )
    return max(reached, default=followed_days)
