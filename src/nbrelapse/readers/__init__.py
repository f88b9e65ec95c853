"""Readers: from the files of a study to a cohort."""

from nbrelapse.readers.cbioportal import read_cbioportal
from nbrelapse.readers.gdc import read_gdc
from nbrelapse.readers.geo import read_geo
from nbrelapse.readers.tables import read_tables

__all__ = ["read_cbioportal", "read_gdc", "read_geo", "read_tables"]
