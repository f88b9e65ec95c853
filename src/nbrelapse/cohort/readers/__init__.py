"""Readers: from the files of a study to a cohort."""

from nbrelapse.cohort.readers.cbioportal import read_cbioportal
from nbrelapse.cohort.readers.gdc import read_gdc
from nbrelapse.cohort.readers.geo import read_geo
from nbrelapse.cohort.readers.tables import read_tables

__all__ = ["read_cbioportal", "read_gdc", "read_geo", "read_tables"]
