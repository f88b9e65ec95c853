"""What is known about the patients: tables, their schema, and how they are kept."""

from __future__ import annotations

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.check import CohortReport, check_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.storage import read_cohort, write_cohort
from nbrelapse.cohort.validate import validate_cohort

__all__ = [
    "Cohort",
    "CohortReport",
    "assemble_cohort",
    "check_cohort",
    "read_cohort",
    "validate_cohort",
    "write_cohort",
]
