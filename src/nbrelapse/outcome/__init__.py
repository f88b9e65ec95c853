"""Endpoints and their rules."""

from nbrelapse.outcome.make_outcome import make_outcome
from nbrelapse.outcome.outcome import Outcome

__all__ = ["Outcome", "make_outcome"]
