"""From a cohort's tables to features tied to mechanisms."""

from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism, load_catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable, read_features, write_features
from nbrelapse.mechanisms.therapies import Therapy, load_therapies

__all__ = [
    "Catalogue",
    "FeatureDefinition",
    "FeatureTable",
    "Mechanism",
    "Therapy",
    "build_features",
    "load_catalogue",
    "load_therapies",
    "read_features",
    "write_features",
]
