from ._mapping import LayerSource as LayerSource
from .cbioportal import import_cbioportal as import_cbioportal
from .gdc import import_gdc as import_gdc
from .geo import import_geo as import_geo
from .tables import import_tables as import_tables
