"""A saved model as a web service on one machine: JSON in, scores and explanations out, and a page for one patient."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
