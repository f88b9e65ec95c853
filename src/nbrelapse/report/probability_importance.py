"""What the mechanisms contribute to the predicted probability, in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nbrelapse.validation.horizons import YEAR


@dataclass(frozen=True)
class ProbabilityImportance:
    """Mean absolute contributions to the probability of the event.

    Parameters
    ----------
    mechanisms : dict of str to (float or None)
        By mechanism; None where nobody has a probability.
    horizon_days : float or None
        Days by which the event is to happen; None for a binary endpoint.

    Examples
    --------
    >>> found = ProbabilityImportance({"mycn": 0.0421, "alk": None}, 1826.25)
    >>> found.points("mycn"), found.points("alk"), found.title
    ('4.2', '–', '% points by 5 years')
    """

    mechanisms: Mapping[str, float | None]
    horizon_days: float | None

    @property
    def title(self) -> str:
        """The head of its column."""
        if self.horizon_days is None:
            return "% points"
        years = f"{self.horizon_days / YEAR:.3g}"
        return f"% points by {years} year{'' if years == '1' else 's'}"

    def points(self, mechanism: str) -> str:
        """Write the figure of a mechanism."""
        value = self.mechanisms.get(mechanism)
        return "–" if value is None else f"{100 * value:.1f}"
