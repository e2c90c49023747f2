"""The stages, in order: for one subject, for a study, for a cohort.

Loaded when asked for: a fit of one spectrum starts without what lesions and cohorts need.
"""

import lazy_loader

# What the package offers stands in `__init__.pyi`; each name is loaded when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
