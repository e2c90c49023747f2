"""The signs of lesions in the few words that fit into a cell of a table, each with the part that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Answer
from hlhneuro.lesions.signs import LesionSigns, Sign
from hlhneuro.report.sections.section import Row

__all__ = ["signs_by_lesion", "signs_unknown"]

# How a sign that is present is put, and the name by which it is listed where it is not known.
WORDS = {
    "contrast_enhancement": ("enhancement", "enhancement"),
    "restricted_diffusion": ("ADC low", "diffusion"),
    "raised_diffusion": ("ADC high", "diffusion"),
    "t1_hypointensity": ("dark on T1w", "T1 signal"),
    "susceptibility": ("dark on T2*", "blood and calcium"),
    "mass_effect": ("ventricle narrowed", "mass effect"),
    "volume_loss": ("fluid in former site", "loss of volume"),
}


def signs_by_lesion(signs: LesionSigns | None) -> dict[tuple[str, int], list[Row]]:
    """Return the signs that are present, by session and lesion, each with the part of the lesion that shows it."""
    found: dict[tuple[str, int], list[Row]] = {}
    for sign in signs.signs if signs else ():
        if sign.answer is Answer.PRESENT and sign.lesion and sign.sign in WORDS:
            found.setdefault((sign.session, sign.lesion), []).append(_put(sign))
    return found


def _put(sign: Sign) -> Row:
    return {
        "sign": sign.sign,
        "words": f"{sign.kind} {WORDS[sign.sign][0]}" if sign.sign == "contrast_enhancement" else WORDS[sign.sign][0],
        "part_percent": 100 * sign.measures[0].value if sign.measures else None,
    }


def signs_unknown(signs: LesionSigns | None, sessions: Sequence[str]) -> list[Row]:
    """Return for each session which signs could be told of none of its lesions."""
    rows: list[Row] = []
    for session in sessions if signs else ():
        names: dict[str, None] = {}
        for sign, (_, name) in WORDS.items():
            found = [one for one in signs.of(session, sign) if one.lesion] if signs else []
            if found and all(one.answer is Answer.NOT_ASSESSABLE for one in found):
                names[name] = None
        if names:
            rows.append({"session": session, "signs": list(names)})
    return rows
