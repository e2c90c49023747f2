"""hlhneuro: follow HLH in the brain over serial MRI and MR spectroscopy. Research software, not a diagnosis."""

__version__ = "0.1.0"
