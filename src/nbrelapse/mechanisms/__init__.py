"""The catalogue of mechanisms, and from a cohort's tables to features tied to them."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
