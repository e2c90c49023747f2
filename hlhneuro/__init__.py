"""hlhneuro: follow HLH in the brain over serial MRI and MR spectroscopy. Research software, not a diagnosis.

The public verbs, each a function that a notebook can call alone. They are imported when first used, so that
``import hlhneuro`` is quick.
"""

import lazy_loader

__version__ = "0.1.0"
# What the package offers stands in `__init__.pyi`; each name is loaded when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
