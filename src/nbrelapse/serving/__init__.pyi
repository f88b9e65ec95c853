from .app import make_app as make_app
from .limits import Limits as Limits
from .server import Address as Address
from .server import check_address as check_address
from .server import serve as serve
