"""The signs of lesions in the few words that fit into a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Answer
from hlhneuro.lesions.signs import LesionSigns, Sign
from hlhneuro.report.words import join_words, number

__all__ = ["signs_text", "signs_unknown"]

# How a sign that is present is put, and the name by which it is listed where it is not known.
WORDS = {
    "contrast_enhancement": ("{kind} enhancement {fraction}", "enhancement"),
    "restricted_diffusion": ("ADC low {fraction}", "diffusion"),
    "raised_diffusion": ("ADC high {fraction}", "diffusion"),
    "t1_hypointensity": ("dark on T1w {fraction}", "T1 signal"),
    "susceptibility": ("dark on T2* {fraction}", "blood and calcium"),
    "mass_effect": ("ventricle narrowed {fraction}", "mass effect"),
    "volume_loss": ("fluid in former site {fraction}", "loss of volume"),
}


def signs_text(signs: LesionSigns | None, session: str, lesion: int) -> str:
    """Return the signs of a lesion that are present, each with the part of the lesion that shows it."""
    found = signs.of(session, lesion=lesion) if signs else ()
    return ", ".join(_put(sign) for sign in found if sign.answer is Answer.PRESENT and sign.sign in WORDS)


def _put(sign: Sign) -> str:
    fraction = f"{number(100 * sign.measures[0].value, 0)}\u00a0%" if sign.measures else ""
    return WORDS[sign.sign][0].format(kind=sign.kind, fraction=fraction).strip()


def signs_unknown(signs: LesionSigns | None, sessions: Sequence[str]) -> list[str]:
    """Return a line for each session that says which signs could be told of none of its lesions."""
    if signs is None:
        return ["they were not measured"]
    lines = []
    for session in sessions:
        names: dict[str, None] = {}
        for sign, (_, name) in WORDS.items():
            found = [one for one in signs.of(session, sign) if one.lesion]
            if found and all(one.answer is Answer.NOT_ASSESSABLE for one in found):
                names[name] = None
        if names:
            lines.append(f"ses-{session}: {join_words(names)}")
    return lines
