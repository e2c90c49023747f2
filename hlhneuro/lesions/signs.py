"""What else the lesions show: diffusion and contrast uptake, each against the subject's own normal white matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.evidence import smoothed
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.settings import LesionSettings

__all__ = ["enhancement", "restricted_diffusion"]

DIFFUSION = ("restricted_diffusion", "Is diffusion restricted within lesions?")
UPTAKE = ("contrast_enhancement", "Do lesions take up contrast medium?")


def restricted_diffusion(
    aligned: AlignedSession, session: SessionLesions, lesions: LesionSeries, settings: LesionSettings
) -> Finding:
    """Measure the part of the lesions whose ADC lies below normal-appearing white matter by more than its spread.

    No fixed ADC is used: it falls with age, so the subject's own white matter is the reference.
    """
    if "ADC" not in aligned.volumes:
        return _cannot(DIFFUSION, session, "no ADC map; a diffusion-weighted acquisition would supply it")
    adc = aligned.volumes["ADC"].data
    there = aligned.coverage.get("ADC", np.ones(adc.shape, bool)) & (adc > 0)
    refusal = _too_little(session.mask & there, session, "the ADC map")
    normal = _normal_white_matter(lesions, session) & there
    if refusal or normal.sum() < settings.reference_voxels:
        return _cannot(DIFFUSION, session, refusal or "too little normal white matter lies in the ADC map")
    centre, spread = _robust(adc[normal])
    low = centre - settings.sign_sd * spread
    values = adc[session.mask & there]
    restricted, raised = float((values < low).mean()), float((values > centre + settings.sign_sd * spread).mean())
    restricted_ml = restricted * values.size * lesions.grid.voxel_volume_ml
    present = restricted >= settings.restricted_fraction and restricted_ml >= settings.minimum_lesion_ml
    return Finding(
        *DIFFUSION,
        Answer.PRESENT if present else Answer.ABSENT,
        f"ADC below normal white matter in {restricted:.0%} of the lesion volume ({restricted_ml:.2f} ml), above it in "
        f"{raised:.0%}; days since intrathecal methotrexate bear on what it means",
        "session",
        (session.label,),
        value=restricted,
        threshold=settings.restricted_fraction,
        threshold_source=f"expert-set; voxel: median - {settings.sign_sd:g} robust SD of normal white matter",
    )


def enhancement(
    aligned: AlignedSession, session: SessionLesions, lesions: LesionSeries, settings: LesionSettings
) -> Finding:
    """Measure the part of the lesions whose post/pre ratio lies above that of normal white matter beyond its spread."""
    missing = [name for name in ("T1w", "ce-gadolinium_T1w") if name not in aligned.volumes]
    if missing:
        why = f"no {' and no '.join(missing)}; T1w images before and after contrast medium would supply it"
        return _cannot(UPTAKE, session, why)
    pre, post = (aligned.volumes[name].data for name in ("T1w", "ce-gadolinium_T1w"))
    there = (pre > 0) & (post > 0)
    for name in ("T1w", "ce-gadolinium_T1w"):
        there &= aligned.coverage.get(name, there)
    refusal = _too_little(session.mask & there, session, "both T1w images")
    normal = _normal_white_matter(lesions, session) & there
    if refusal or normal.sum() < settings.reference_voxels:
        return _cannot(UPTAKE, session, refusal or "too little normal white matter lies in both T1w images")
    ratio = np.zeros(pre.shape, np.float32)
    ratio[there] = np.log(post[there] / pre[there])
    ratio = smoothed(ratio, there, settings.context_mm / lesions.grid.mean_edge_mm)
    centre, spread = _robust(ratio[normal])
    enhancing = float((ratio[session.mask & there] > centre + settings.sign_sd * spread).mean())
    enhancing_ml = enhancing * float((session.mask & there).sum()) * lesions.grid.voxel_volume_ml
    present = enhancing >= settings.enhancing_fraction and enhancing_ml >= settings.minimum_lesion_ml
    return Finding(
        *UPTAKE,
        Answer.PRESENT if present else Answer.ABSENT,
        f"post/pre ratio above normal white matter in {enhancing:.0%} of the lesion volume ({enhancing_ml:.2f} ml); "
        "leptomeningeal enhancement is not measured by this version",
        "session",
        (session.label,),
        value=enhancing,
        threshold=settings.enhancing_fraction,
        threshold_source=f"expert-set; voxel: median + {settings.sign_sd:g} robust SD of normal white matter",
    )


def _cannot(question: tuple[str, str], session: SessionLesions, why: str) -> Finding:
    return Finding(*question, Answer.NOT_ASSESSABLE, why, "session", (session.label,))


def _too_little(seen: BoolImage, session: SessionLesions, where: str) -> str:
    if not session.mask.any():
        return "no lesion was found in this session, so there is none to measure"
    return "" if seen.any() else f"no lesion lies in the field of view of {where}"


def _normal_white_matter(lesions: LesionSeries, session: SessionLesions) -> BoolImage:
    normal: BoolImage = (lesions.tissue["wm"] > 0.9) & (session.probability < 0.1)
    return normal


def _robust(values: NDArray[np.float32] | FloatImage) -> tuple[float, float]:
    centre = float(np.median(values))
    return centre, float(max(1.4826 * np.median(np.abs(values - centre)), 1e-12))
