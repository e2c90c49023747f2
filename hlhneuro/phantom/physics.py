"""What a tissue looks like in a given acquisition: relaxation times in, signal of one unit volume out."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np

__all__ = ["LESION_STATES", "SEQUENCES", "TISSUES", "Sequence", "Tissue", "signal", "tissue"]

TISSUES = ("gm", "wm", "csf", "bone", "marrow", "fat", "muscle", "blood", "air")
LESION_STATES = ("inflamed", "restricted", "necrotic", "scar")

# Gadolinium chelates in plasma at 37 °C: r1 about 4 per mM per s at 1.5 and 3 T (Rohrer 2005, Invest Radiol 40:715).
R1_RELAXIVITY_PER_MM_S = 4.0


@dataclass(frozen=True)
class Tissue:
    """Magnetic properties of one tissue at one field strength.

    Parameters
    ----------
    t1_s, t2_s : float
        Relaxation times in seconds.
    water : float
        Visible water content relative to pure water.
    adc_um2_per_ms : float
        Apparent diffusion coefficient; 1 um²/ms is 1e-3 mm²/s.
    gadolinium_mm : float
        Contrast agent after injection, in millimole per litre.
    """

    t1_s: float
    t2_s: float
    water: float
    adc_um2_per_ms: float
    gadolinium_mm: float

    def enhanced(self) -> Tissue:
        """Return the tissue some minutes after gadolinium: a shorter T1."""
        return replace(self, t1_s=1.0 / (1.0 / self.t1_s + R1_RELAXIVITY_PER_MM_S * self.gadolinium_mm))


@dataclass(frozen=True)
class Sequence:
    """One imaging sequence.

    Parameters
    ----------
    kind : str
        ``gre`` (spoiled gradient echo), ``se`` (spin echo) or ``ir`` (inversion recovery spin echo).
    repetition_time_s, echo_time_s : float
    flip_angle_deg : float
        Used by ``gre``.
    inversion_time_s : float
        Used by ``ir``.
    b_value_s_per_mm2 : float
        Diffusion weighting.
    fat_suppressed : bool
    """

    kind: str
    repetition_time_s: float
    echo_time_s: float
    flip_angle_deg: float = 90.0
    inversion_time_s: float = 0.0
    b_value_s_per_mm2: float = 0.0
    fat_suppressed: bool = False


# Protocols: expert-set, of the kind that clinical scanners run. FLAIR inversion times null cerebrospinal fluid.
SEQUENCES: dict[tuple[str, float], Sequence] = {
    ("T1w", 1.5): Sequence("gre", 0.025, 0.0046, flip_angle_deg=30.0),
    ("T1w", 3.0): Sequence("gre", 0.022, 0.0030, flip_angle_deg=25.0),
    ("T2w", 1.5): Sequence("se", 4.5, 0.100),
    ("T2w", 3.0): Sequence("se", 5.0, 0.095),
    ("FLAIR", 1.5): Sequence("ir", 9.0, 0.120, inversion_time_s=2.489),
    ("FLAIR", 3.0): Sequence("ir", 9.0, 0.125, inversion_time_s=2.489),
    ("DWI", 1.5): Sequence("se", 4.5, 0.090, fat_suppressed=True),
    ("DWI", 3.0): Sequence("se", 5.0, 0.075, fat_suppressed=True),
}


@cache
def _table() -> dict[tuple[str, float], Tissue]:
    text = resources.files(__package__).joinpath("tissues.tsv").read_text(encoding="utf-8")
    numbers = ("t1_s", "t2_s", "water", "adc_um2_per_ms", "gadolinium_mm")
    return {
        (row["tissue"], float(row["field_t"])): Tissue(*(float(row[name]) for name in numbers))
        for row in csv.DictReader(text.splitlines(), delimiter="\t")
    }


def tissue(name: str, field_t: float) -> Tissue:
    """Return the properties of a tissue at 1.5 or 3 tesla (table with sources: ``tissues.tsv``).

    Raises
    ------
    KeyError
        If the table holds no such tissue or field strength.
    """
    return _table()[name, field_t]


def signal(of: Tissue, sequence: Sequence) -> float:
    """Return the signal of one unit volume, relative to pure water without relaxation.

    Inversion recovery keeps its sign, so that mixtures cancel in a voxel as they do in the scanner; the magnitude is
    taken after mixing.

    Parameters
    ----------
    of : Tissue
    sequence : Sequence

    Returns
    -------
    float

    References
    ----------
    Bernstein, King, Zhou (2004). Handbook of MRI Pulse Sequences, chapters 14.1 to 14.3 and 17.2.
    """
    e1 = np.exp(-sequence.repetition_time_s / of.t1_s)
    decay = np.exp(-sequence.echo_time_s / of.t2_s)
    if sequence.kind == "gre":
        angle = np.deg2rad(sequence.flip_angle_deg)
        longitudinal = np.sin(angle) * (1.0 - e1) / (1.0 - np.cos(angle) * e1)
    elif sequence.kind == "se":
        longitudinal = 1.0 - e1
    elif sequence.kind == "ir":
        longitudinal = 1.0 - 2.0 * np.exp(-sequence.inversion_time_s / of.t1_s) + e1
    else:
        raise ValueError(f"unknown kind of sequence: {sequence.kind!r}")
    diffusion = np.exp(-sequence.b_value_s_per_mm2 * of.adc_um2_per_ms * 1e-3)
    return float(of.water * longitudinal * decay * diffusion)
