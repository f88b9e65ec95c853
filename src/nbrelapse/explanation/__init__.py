"""Contributions of features and mechanisms to predictions (SHAP), and how far they can be trusted."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
