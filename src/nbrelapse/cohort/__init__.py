"""What is known about the patients: tables, schema, readers, simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbrelapse.cohort.assemble import assemble_cohort
from nbrelapse.cohort.check import CohortReport, check_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.storage import read_cohort, write_cohort
from nbrelapse.cohort.validate import validate_cohort

if TYPE_CHECKING:
    from nbrelapse.simulation.simulate import simulate_cohort

__all__ = [
    "Cohort",
    "CohortReport",
    "assemble_cohort",
    "check_cohort",
    "read_cohort",
    "simulate_cohort",
    "validate_cohort",
    "write_cohort",
]


def __getattr__(name: str) -> Any:
    # The simulator loads SciPy and bioframe, which double the import time of everything that needs a cohort.
    if name == "simulate_cohort":
        from nbrelapse.simulation.simulate import simulate_cohort

        return simulate_cohort
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
