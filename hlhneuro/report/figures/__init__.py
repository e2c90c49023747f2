"""Every figure: a function that takes results and returns a matplotlib Figure, without global state.

Pages and notebooks call the same functions. A figure that cannot be drawn raises `hlhneuro.errors.NotAssessable`.
"""

import lazy_loader

# What the package offers stands in `__init__.pyi`; each name is loaded when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
