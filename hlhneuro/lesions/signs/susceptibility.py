"""Susceptibility: voxels of a lesion that are as dark on SWI or T2*w as blood and calcium make them."""

from __future__ import annotations

from collections.abc import Mapping

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSession
from hlhneuro.lesions.signs.chance import Part, Voxels, measure_parts
from hlhneuro.lesions.signs.reference import Reference, covered, flattened, normal_of, scored
from hlhneuro.lesions.signs.table import Sign, unanswered
from hlhneuro.settings import SignSettings

__all__ = ["susceptibility_signs"]

SIGN = "susceptibility"
CONTRASTS = ("SWI", "T2starw")  # the more sensitive first


def susceptibility_signs(
    session: AlignedSession, regions: Mapping[int, Voxels], reference: Reference, settings: SignSettings
) -> list[Sign]:
    """Answer, of every lesion, whether it holds voxels as dark as blood products or calcium make them.

    Veins are dark as well; how often normal tissue of the same shape shows as much is what they make by chance. The
    magnitude cannot tell blood from calcium.
    """
    contrast = next((name for name in CONTRASTS if name in session.volumes), "")
    if not contrast:
        why = "no T2starw or SWI image; acquiring one would show blood and calcium"
        return unanswered(regions, session.label, SIGN, why)
    there = covered(session, contrast)
    image = session.volumes[contrast].data
    normal = normal_of(image, there, reference, settings)
    if not isinstance(normal, str):
        image = flattened(image, there, normal, reference, settings)
        normal = normal_of(image, there, reference, settings)
    if isinstance(normal, str):
        return unanswered(regions, session.label, SIGN, normal)
    seen = there & ~reference.beside_fluid
    z = -scored(image, there, normal, reference)
    parts = measure_parts(regions, z, seen, reference, settings, settings.dark_fraction)
    return [_sign(session.label, part, contrast) for part in parts]


def _sign(label: str, part: Part, contrast: str) -> Sign:
    if part.refusal:
        why = f"{part.refusal}; a {contrast} image of the whole brain would supply it"
        return Sign(part.lesion, label, SIGN, Answer.NOT_ASSESSABLE, why)
    told = f"{contrast}: darker than normal tissue in {part.fraction:.0%} (by chance {part.chance:.0%})"
    if part.present:
        told += (
            ", consistent with blood products or calcium; the magnitude does not tell which: a phase image, a "
            "susceptibility map or CT would"
        )
    return Sign(part.lesion, label, SIGN, part.answer, told, "", part.measures("dark"))
