from .cbioportal import read_cbioportal as read_cbioportal
from .gdc import read_gdc as read_gdc
from .geo import read_geo as read_geo
from .tables import read_tables as read_tables
