"""From results to words and pictures: findings, tables, figures and pages."""

import lazy_loader

# What the package offers stands in `__init__.pyi`; each name is loaded when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
