"""How models are judged without seeing their patients: splits, nested cross-validation, tuning, guards."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
