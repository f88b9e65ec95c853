"""Saved models: the bundle, its loader, scoring a cohort."""

from nbrelapse.scoring.bundle import Bundle, make_bundle
from nbrelapse.scoring.scores import score
from nbrelapse.scoring.storage import load_model, write_bundle

__all__ = ["Bundle", "load_model", "make_bundle", "score", "write_bundle"]
