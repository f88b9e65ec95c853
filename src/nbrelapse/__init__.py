"""Relapse and refractoriness risk in neuroblastoma, from its molecular mechanisms.

The public names are imported on first use, so that ``import nbrelapse`` stays light.
"""

import lazy_loader as _lazy

__version__ = "0.4.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__all__ += ["__version__"]
