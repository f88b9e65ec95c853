"""Endpoints: the outcome of a cohort's patients, as times to an event or as yes and no."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
