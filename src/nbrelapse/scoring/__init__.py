"""Saved models: the bundle, its loader, scoring a cohort."""

from nbrelapse.scoring.bundle import Bundle, TrainingSummary, make_bundle
from nbrelapse.scoring.scores import score
from nbrelapse.scoring.storage import load_model, save_model, write_bundle

__all__ = ["Bundle", "TrainingSummary", "load_model", "make_bundle", "save_model", "score", "write_bundle"]
