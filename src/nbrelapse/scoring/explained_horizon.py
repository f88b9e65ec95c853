"""The time at which probabilities are explained."""

from __future__ import annotations

from nbrelapse.errors import InputError
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.longest_horizon import longest_horizon


def explained_horizon(bundle: Bundle, years: float | None) -> float | None:
    """Return the days of the explained probability.

    Parameters
    ----------
    bundle : Bundle
    years : float or None
        None: the longest of 1, 2, 3 and 5 years that the follow-up in training reaches, its end where it reaches none.

    Returns
    -------
    float or None
        None for a binary endpoint. Of a model with a landmark it counts from that day.

    Raises
    ------
    InputError
        The years are not positive, beyond the follow-up, or given for a binary endpoint.
    """
    followed = bundle.followed_days
    if years is None:
        return longest_horizon(followed)
    if followed is None:
        raise InputError("a binary endpoint knows no time", column="--horizon", mend="leave it out")
    if not 0 < years * YEAR <= followed:
        most = f"above 0, at most {followed / YEAR:.2f} years, the follow-up in training"
        raise InputError(f"illegal horizon {years:g}", column="--horizon", expected=most)
    return years * YEAR
