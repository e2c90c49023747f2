"""Which contrast an image is, from its name and how it was acquired; where the two do not agree, nothing is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CONTRASTS", "ContrastGuess", "ImageFacts", "guess_contrast"]

# What an image can be called: its data type, and the ending of its name.
CONTRASTS: Mapping[str, tuple[str, str]] = {
    "T1w": ("anat", "T1w"),
    "ce-gadolinium_T1w": ("anat", "ce-gadolinium_T1w"),
    "T2w": ("anat", "T2w"),
    "FLAIR": ("anat", "FLAIR"),
    "ce-gadolinium_FLAIR": ("anat", "ce-gadolinium_FLAIR"),
    "PDw": ("anat", "PDw"),
    "T2starw": ("anat", "T2starw"),
    "dwi": ("dwi", "dwi"),
    "ADC": ("dwi", "ADC"),
    "trace": ("dwi", "trace"),
    "FA": ("dwi", "FA"),
    "SWI": ("swi", "swi"),
    "minIP": ("swi", "minIP"),
}
_UNUSED = (  # image of a kind that nothing here reads: (pattern of the name, what it is)
    (r"\b(locali[sz]er|loc|scout|survey|3 ?plane|aahead|smartbrain)\b", "a localizer"),
    (r"\b(calib\w*|asset|shim|b1 ?map|field ?map\w*|gre field|ref ?scan|coil sens\w*)\b", "a calibration"),
    (r"\b(tof|mra|angio\w*|inhance|pcmra|venogra\w*)\b", "an angiogram"),
    (r"\b(perf\w*|pwi|asl|pcasl|dsc|dce|cbf|cbv|mtt|ttp)\b", "perfusion"),
    (r"\b(bold|fmri|resting|rsfmri)\b", "functional imaging"),
    (r"\b(mpr|mip|reformat\w*|recon)\b", "a reformatted image"),
    (r"\b(sub|subtr\w*)\b", "a subtraction"),
    (r"\b(eadc|exp ?adc|exponential)\b", "an exponential ADC map"),
    (r"\b(colfa|tensor)\b", "a tensor map"),
    (r"\b(phase|pha)\b", "a phase image"),
    (r"\b(t1|t2|t2\*|r2|r2\*|pd) ?map\w*|\bt1rho\b", "a quantitative map"),
)
_UNUSED_TYPES = {
    **{"PHASE": "a phase image", "P": "a phase image", "REAL": "one part of a complex image"},
    **{"IMAGINARY": "one part of a complex image", "MPR": "a reformatted image", "LOCALIZER": "a localizer"},
    **{"PROJECTION IMAGE": "a projection", "MIP": "a projection", "SUBTRACTION": "a subtraction"},
    **{"EXP": "an exponential ADC map", "TENSOR": "a tensor map", "OTHER": "no image of the scanner"},
}
# The first pattern that is found in the name decides: a FLAIR is often called T2 as well.
_NAMES = (
    (r"\b(adc|apparent)\b", "ADC"),
    (r"\btracew?\b", "trace"),
    (r"\b(fa|fractional)\b", "FA"),
    (r"\b(dwi|diff\w*|dti|isodwi|ddwi)\b", "dwi"),
    (r"\b(min ?ip|mnip)\b", "minIP"),
    (r"\b(swi\w*|swan|swip|ven ?bold|susc\w*)\b", "SWI"),
    (r"t1\w*\b.*\bflair\b|\bflair\b.*t1", "T1w"),
    (r"flair|dark ?fl(uid)?\b|\bda ?fl\b", "FLAIR"),
    (r"\bt2 ?(star|\*)|\bt2star\w*|\b(gre|fl2d|ffe)\b.*\bhem\w*|\bhemo\w*|\bs?t2w? (gre|ffe|fl2d)\b", "T2starw"),
    (r"\b(mprage|mp rage|spgr|fspgr|bravo|vibe|tfl3d)\b|\b(s|[23]d)?t1\w*", "T1w"),
    (r"\bpd\w*\b.*\bt2\w*\b|\bt2\w*\b.*\bpd\w*\b", "PDw or T2w"),
    (r"\b(s|[23]d)?t2\w*", "T2w"),
    (r"\b(pd|pdw|proton density)\b", "PDw"),
)
_AFTER = r"\+ ?(c|gd|km)\b|\bc ?\+|\b(gd|gad\w*|km|ce|post(gd|gad|km|ce|contrast)?(?! ?op)|contrast|dotarem)\b"
_BEFORE = r"\b(pre(gd|gad|km|ce|contrast)?|nativ\w*|(without|ohne|wo|w o|non?)( ?(contrast|gd|gad|km|c))?|unenhanced)\b"


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one converted image.

    Parameters
    ----------
    text : str
        Series description.
    sidecar : mapping
        Of dcm2niix: times in seconds.
    volumes : int
    agent : bool
        Whether the header names a contrast agent.
    diffusion : bool
        Whether b values came with it.
    """

    text: str
    sidecar: Mapping[str, Any]
    volumes: int = 1
    agent: bool = False
    diffusion: bool = False


@dataclass(frozen=True)
class ContrastGuess:
    """The contrast, or None; why; and whether the image is of a kind that is left out on purpose."""

    contrast: str | None
    why: str
    unused: bool = False


def guess_contrast(facts: ImageFacts) -> ContrastGuess:
    """Return what an image is, where its name and its timing say the same and leave no doubt."""
    words = " ".join(re.sub(r"[^a-z0-9+*]+", " ", facts.text.lower()).split())
    types = {str(part).upper() for part in facts.sidecar.get("ImageType", ())}
    by_type = _by_type(types, facts.diffusion)
    if unused := _unused("" if by_type else words, types):
        return ContrastGuess(None, unused, unused=True)
    named = by_type or next((name for pattern, name in _NAMES if re.search(pattern, words)), None)
    timing = _Timing(facts.sidecar)
    if named in ("ADC", "trace", "FA", "dwi", "SWI", "minIP"):
        return ContrastGuess(named, "by the type of image" if by_type else "by its name")
    if "mp2rage" in words:
        return ContrastGuess(None, "one of the images of an MP2RAGE")
    if facts.volumes > 1:
        return ContrastGuess(None, f"it has {facts.volumes} volumes and is no diffusion series")
    possible = timing.possible()
    if named == "PDw or T2w":
        named = next(iter(possible)) if len(possible) == 1 else None
    if named is None:
        if timing.inversion is None:  # not recorded, or none: without a name it is no sign of a FLAIR
            possible.discard("FLAIR")
        if timing.gradient and timing.inversion is None:  # localizers, field maps and angiograms are acquired like that
            possible.clear()
        if len(possible) != 1 or not timing.complete:
            return ContrastGuess(None, "neither its name nor its timing tells what it is")
        contrast, why = next(iter(possible)), f"by its timing ({timing})"
    elif named in possible:
        contrast, why = named, "by its name"
    else:
        return ContrastGuess(None, f"its name says {named}, its timing ({timing}) does not")
    return _with_agent(contrast, why, words, facts.agent)


def _unused(words: str, types: set[str]) -> str:
    """Return what kind of unused image it is; empty if it is none."""
    by_type = next((meaning for name, meaning in _UNUSED_TYPES.items() if name in types), "")
    return by_type or next((meaning for pattern, meaning in _UNUSED if re.search(pattern, words)), "")


def _by_type(types: set[str], diffusion: bool) -> str | None:
    for names, contrast in (
        ({"ADC", "ADC_UNSPECIFIED"}, "ADC"),
        ({"TRACEW", "TRACE", "TRACE_UNSPECIFIED"}, "trace"),
        ({"FA"}, "FA"),
        ({"MNIP", "MINIP", "MIN IP"}, "minIP"),
        ({"SWI"}, "SWI"),
    ):
        if names & types:
            return contrast
    return "dwi" if diffusion or "DIFFUSION" in types else None


class _Timing:
    """Echo, repetition and inversion time in milliseconds; None where unknown."""

    def __init__(self, sidecar: Mapping[str, Any]) -> None:
        def milliseconds(name: str) -> float | None:
            value = sidecar.get(name)
            return 1000.0 * value if isinstance(value, int | float) and value > 0 else None

        self.echo, self.repetition = milliseconds("EchoTime"), milliseconds("RepetitionTime")
        self.inversion = milliseconds("InversionTime")
        kinds = set(re.split(r"\W+", str(sidecar.get("ScanningSequence", "")).upper()))
        pulse = str(sidecar.get("PulseSequenceType", "")).lower()
        self.gradient = "GR" in kinds or "gradient" in pulse
        self.spin = "SE" in kinds or "spin" in pulse

    @property
    def complete(self) -> bool:
        """Whether echo and repetition time and the kind of echo are known."""
        return self.echo is not None and self.repetition is not None and (self.gradient or self.spin)

    def possible(self) -> set[str]:
        """Return the contrasts that these times can give; what is unknown forbids nothing.

        Expert-set, wide: T1 weighting has an echo below 35 ms with a short repetition time or an inversion near the
        null of nothing but grey matter; FLAIR inverts where water is null (1.5 to 3.2 s); T2 echoes come after 60 ms.
        """
        echo, repetition, inversion = self.echo, self.repetition, self.inversion

        def within(value: float | None, low: float, high: float) -> bool:
            return value is None or low <= value <= high

        found = set()
        short = within(repetition, 0, 1300) or (inversion is not None and 300 <= inversion < 1500)
        if within(echo, 0, 35) and within(inversion, 200, 1500) and (short or (self.gradient and repetition is None)):
            found.add("T1w")
        if within(echo, 60, 700) and within(repetition, 4000, 20000) and within(inversion, 1500, 3200):
            found.add("FLAIR")
        if within(echo, 60, 700) and within(repetition, 1500, 20000) and inversion is None and not self.gradient:
            found.add("T2w")
        if within(echo, 0, 60) and within(repetition, 1500, 20000) and inversion is None and not self.gradient:
            found.add("PDw")
        if self.gradient:
            found.discard("FLAIR")
        if within(echo, 12, 80) and inversion is None and not self.spin:
            found.add("T2starw")
        if self.gradient and echo is not None and echo >= 12:
            found.discard("T1w")
        return found

    def __str__(self) -> str:
        parts = (("TE", self.echo), ("TR", self.repetition), ("TI", self.inversion))
        return ", ".join(f"{name} {value:.0f} ms" for name, value in parts if value is not None) or "unknown"


def _with_agent(contrast: str, why: str, words: str, agent: bool) -> ContrastGuess:
    """Add the contrast agent. Of a FLAIR only its name counts: headers name the agent for a whole examination."""
    after = re.search(_AFTER, re.sub(_BEFORE, " ", words)) is not None
    before = re.search(_BEFORE, words) is not None
    if contrast == "T1w":
        if before and (after or agent):
            return ContrastGuess(None, "its name says before contrast agent, its name or header says after")
        if after or agent:
            source = "its name" if after else "the header, which names a contrast agent"
            return ContrastGuess("ce-gadolinium_T1w", f"{why}; after contrast agent by {source}")
    if contrast == "FLAIR" and after and not before:
        return ContrastGuess("ce-gadolinium_FLAIR", f"{why}; after contrast agent by its name")
    return ContrastGuess(contrast, why)
