"""Saved models: the bundle, its loader, scoring a cohort."""

from nbrelapse.scoring.bundle import Bundle, make_bundle
from nbrelapse.scoring.load_model import load_model
from nbrelapse.scoring.score import score
from nbrelapse.scoring.write_bundle import write_bundle

__all__ = ["Bundle", "load_model", "make_bundle", "score", "write_bundle"]
