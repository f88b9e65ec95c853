"""Reports as HTML pages, their figures, and the sentences and tables in them."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
