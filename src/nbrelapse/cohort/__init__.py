"""What is known about the patients: tables, schema, readers, simulator."""

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.storage import read_cohort, write_cohort

__all__ = ["Cohort", "read_cohort", "write_cohort"]
