"""Readers: from the files of a study to a cohort."""

from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.readers.gdc import import_gdc
from nbrelapse.readers.geo import import_geo
from nbrelapse.readers.tables import import_tables

__all__ = ["import_cbioportal", "import_gdc", "import_geo", "import_tables"]
