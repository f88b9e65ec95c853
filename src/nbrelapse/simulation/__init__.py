"""Cohorts whose true mechanisms are known, written as the raw files of a study."""

from nbrelapse.simulation.files import read_truth, write_raw_files
from nbrelapse.simulation.simulate import simulate_cohort

__all__ = ["read_truth", "simulate_cohort", "write_raw_files"]
