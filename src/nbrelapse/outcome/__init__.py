"""Endpoints and their rules."""

from nbrelapse.outcome.make_outcome import make_outcome
from nbrelapse.outcome.outcome import Outcome
from nbrelapse.outcome.summarize_outcome import summarize_outcome

__all__ = ["Outcome", "make_outcome", "summarize_outcome"]
