"""Cohorts whose true mechanisms are known, written as the raw files of a study."""

from nbrelapse.cohort.simulation.read_truth import read_truth
from nbrelapse.cohort.simulation.simulate_cohort import simulate_cohort
from nbrelapse.cohort.simulation.write_raw_files import write_raw_files

__all__ = ["read_truth", "simulate_cohort", "write_raw_files"]
