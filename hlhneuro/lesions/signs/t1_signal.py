"""Lesions on T1w: how dark they are against normal-appearing tissue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSession
from hlhneuro.lesions.signs.chance import Part, Voxels, measure_parts
from hlhneuro.lesions.signs.reference import Reference, calm, covered, flattened, median_of, normal_of, scored
from hlhneuro.lesions.signs.table import Measure, Sign, unanswered
from hlhneuro.settings import SignSettings

__all__ = ["t1_signs"]

SIGN, CONTRAST = "t1_hypointensity", "T1w"


def t1_signs(
    session: AlignedSession,
    regions: Mapping[int, Voxels],
    reference: Reference,
    age_years: float | None,
    settings: SignSettings,
) -> list[Sign]:
    """Answer, of every lesion, whether it is darker on T1w than normal-appearing tissue of its kind.

    Not before myelin is mature: until then normal white matter is itself dark. Where the age is unknown, the image's
    own contrast between grey and white matter tells.
    """
    if CONTRAST not in session.volumes:
        return unanswered(regions, session.label, SIGN, "no T1w image without contrast medium; one would supply it")
    if age_years is not None and age_years < settings.immature_years:
        why = (
            f"at {age_years:.1f} years myelin is immature and normal white matter dark on T1w; "
            f"a T1w image after {settings.immature_years:g} years of age would supply it"
        )
        return unanswered(regions, session.label, SIGN, why)
    there = covered(session, CONTRAST)
    image = calm(session.volumes[CONTRAST].data, there, reference, settings)
    normal = normal_of(image, there, reference, settings)
    if not isinstance(normal, str):
        image = flattened(image, there, normal, reference, settings)
        normal = normal_of(image, there, reference, settings)
    if isinstance(normal, str):
        return unanswered(regions, session.label, SIGN, normal)
    if len(normal.shares) < 2 or normal.centre[-1] - normal.centre[0] < max(normal.spread[0], normal.spread[-1]):
        why = (
            "normal white matter is not brighter than grey on this T1w image (immature myelin, or another weighting); "
            "a T1w image with mature contrast would supply it"
        )
        return unanswered(regions, session.label, SIGN, why)
    white, grey = float(normal.level(1.0)), float(normal.level(0.0))
    seen = there & ~reference.beside_fluid
    z = -scored(image, there, normal, reference)
    signs = []
    for part in measure_parts(regions, z, seen, reference, settings, settings.hypointense_fraction):
        voxels = regions[part.lesion]
        values = image[tuple(voxels[seen[tuple(voxels.T)]].T)]
        ratio = median_of(values / white, session, CONTRAST, reference, settings) if len(values) else (np.nan, np.nan)
        signs.append(_sign(session.label, part, float((values <= grey).mean()) if len(values) else np.nan, ratio))
    return signs


def _sign(label: str, part: Part, black: float, ratio: tuple[float, float]) -> Sign:
    if part.refusal:
        why = f"{part.refusal}; a T1w image of the whole brain would supply it"
        return Sign(part.lesion, label, SIGN, Answer.NOT_ASSESSABLE, why)
    told = (
        f"darker than normal tissue of its kind in {part.fraction:.0%} (by chance {part.chance:.0%}), as dark as grey "
        f"matter or darker in {black:.0%}; median {ratio[0]:.2f} of normal white matter"
    )
    measures = (
        *part.measures("hypointense"),
        Measure("black_hole_fraction", black),
        Measure("t1_ratio", ratio[0], ratio[1]),
    )
    return Sign(part.lesion, label, SIGN, part.answer, told, "", measures)
