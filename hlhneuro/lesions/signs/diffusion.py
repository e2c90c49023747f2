"""Diffusion within lesions: ADC against normal-appearing tissue of the same kind and against the mirrored place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.signs.chance import Part, Voxels, measure_parts, placements
from hlhneuro.lesions.signs.mirror import Mirror
from hlhneuro.lesions.signs.reference import Reference, calm, covered, median_of, normal_of, scored
from hlhneuro.lesions.signs.table import Measure, Sign, unanswered
from hlhneuro.settings import SignSettings

__all__ = ["adc_unit", "diffusion_signs"]

UNIT = "1e-3 mm2/s"
UNITS = {"mm2/s": 1e3, UNIT: 1.0, "1e-6 mm2/s": 1e-3}  # factor to 1e-3 mm2/s
CONTRAST = "ADC"


@dataclass(frozen=True)
class _Mirrored:
    """ADC of a lesion over that of its mirrored place, and what that ratio is and varies by in normal tissue."""

    ratio: float
    sd: float
    z: float


def adc_unit(normal_level: float, fluid_level: float, settings: SignSettings) -> str:
    """Tell the unit of an ADC map from normal-appearing tissue; empty if it fits none.

    Parameters
    ----------
    normal_level, fluid_level : float
        Median of tissue and of ventricular fluid (NaN if there is none to see), in the map's own unit.
    """
    low, high = settings.adc_tissue_range
    fits = [unit for unit, factor in UNITS.items() if low <= normal_level * factor <= high]
    faster = np.isnan(fluid_level) or fluid_level >= settings.adc_fluid_ratio * normal_level
    return fits[0] if len(fits) == 1 and faster else ""


def diffusion_signs(
    session: AlignedSession,
    regions: Mapping[int, Voxels],
    reference: Reference,
    mirror: Mirror | str,
    settings: SignSettings,
) -> list[Sign]:
    """Answer, of every lesion, whether diffusion is restricted and whether it is raised; both can be.

    No fixed ADC is used, since it falls with age: normal-appearing tissue of the same person and kind is the measure,
    and a part that is low must lie below the mirrored place too, where that is normal.

    Parameters
    ----------
    regions : mapping of lesion to voxels
    mirror : Mirror or str
        Or why there is none.
    """
    if CONTRAST not in session.volumes:
        return _neither(regions, session, "no ADC map; a diffusion-weighted acquisition would supply it")
    there = covered(session, CONTRAST)
    raw = session.volumes[CONTRAST].data
    if (reference.normal & there).sum() < settings.reference_voxels:
        return _neither(
            regions, session, "too little normal tissue lies in the ADC map; one of the whole brain would do"
        )
    tissue_level = float(np.median(raw[reference.normal & there]))
    wet = reference.fluid & there & (reference.depth_mm > settings.core_mm)
    fluid_level = float(np.median(raw[wet])) if wet.sum() >= settings.reference_voxels else float("nan")
    unit = adc_unit(tissue_level, fluid_level, settings)
    if not unit:
        why = (
            f"the values fit no unit of an ADC (normal tissue {tissue_level:.3g}, fluid {fluid_level:.3g}); "
            "a map in mm2/s, 1e-3 mm2/s or 1e-6 mm2/s would supply it"
        )
        return _neither(regions, session, why)
    adc = calm((raw * np.float32(UNITS[unit])).astype(np.float32), there, reference, settings)
    normal = normal_of(adc, there, reference, settings)
    if isinstance(normal, str):
        return _neither(regions, session, normal)
    z = scored(adc, there, normal, reference)
    seen = there & ~reference.beside_fluid
    levels: dict[int, tuple[Measure, ...]] = {}
    for lesion, every in regions.items():
        at = tuple(_seen(every, seen).T)
        if at[0].size:
            median, sd = median_of(adc[at], session, CONTRAST, reference, settings)
            levels[lesion] = Measure("adc", median, sd, UNIT), Measure("adc_z", float(np.median(z[at])))
    sides = _mirrored(adc, regions, seen, reference, mirror, settings)
    remark = f"the map was read in {unit}"
    if isinstance(mirror, str):
        remark = f"not compared with the mirrored place: {mirror}; {remark}"
    signs = []
    for sign, toward, least in (
        ("restricted_diffusion", -1, settings.restricted_fraction),
        ("raised_diffusion", 1, settings.raised_fraction),
    ):
        for part in measure_parts(regions, np.float32(toward) * z, seen, reference, settings, least):
            level, side = levels.get(part.lesion, ()), sides[part.lesion]
            answer, reason, measures = _judged(part, toward, side, level, settings)
            signs.append(Sign(part.lesion, session.label, sign, answer, f"{reason}; {remark}", "", measures))
    return signs


def _neither(regions: Mapping[int, Voxels], session: AlignedSession, why: str) -> list[Sign]:
    both = ("restricted_diffusion", "raised_diffusion")
    return [one for sign in both for one in unanswered(regions, session.label, sign, why)]


def _seen(voxels: Voxels, seen: BoolImage) -> Voxels:
    return np.asarray(voxels[seen[tuple(voxels.T)]])


def _mirrored(
    adc: FloatImage,
    regions: Mapping[int, Voxels],
    seen: BoolImage,
    reference: Reference,
    mirror: Mirror | str,
    settings: SignSettings,
) -> dict[int, _Mirrored | None]:
    """Compare each lesion with the mirrored place; None where that is no normal tissue."""
    if isinstance(mirror, str):
        return dict.fromkeys(regions)
    other = mirror.image(adc)
    usable = mirror.mask(seen & ~reference.suspect) & seen & (adc > 0) & (other > 0)
    log_ratio = np.zeros(adc.shape, np.float32)
    log_ratio[usable] = np.log(adc[usable] / other[usable])
    sides: dict[int, _Mirrored | None] = {}
    for lesion, voxels in regions.items():
        own = _seen(voxels, usable)
        sides[lesion] = None
        if len(own) < max(settings.mirror_part * len(voxels), settings.fewest_voxels):
            continue
        places = placements(own, reference.normal & usable, reference.kind, settings)
        if places is None:
            continue
        # A place and its mirror give the same ratio upside down, so normal tissue is centred on one.
        sd = float(np.sqrt((np.median(log_ratio.ravel()[places], axis=1) ** 2).mean()))
        median = float(np.median(log_ratio[tuple(own.T)]))
        sides[lesion] = _Mirrored(float(np.exp(median)), float(np.exp(median)) * sd, median / max(sd, 1e-9))
    return sides


def _judged(
    part: Part, toward: int, side: _Mirrored | None, level: tuple[Measure, ...], settings: SignSettings
) -> tuple[Answer, str, tuple[Measure, ...]]:
    if part.refusal:
        return Answer.NOT_ASSESSABLE, f"{part.refusal}; an ADC map of the whole brain would supply it", ()
    word, below = ("restricted", "below") if toward < 0 else ("raised", "above")
    measures = (*part.measures(word), *level)
    told = f"ADC {below} normal tissue of its kind in {part.fraction:.0%} (by chance {part.chance:.0%})"
    if side is None:
        remark = "not compared with the mirrored place, which is lesion or fluid itself at some session"
        return part.answer, f"{told}; {remark}", measures
    measures += (Measure("adc_mirror_ratio", side.ratio, side.sd), Measure("adc_mirror_z", side.z))
    told += f", median {side.ratio:.2f} of the mirrored place"
    # A part of the lesion need not move its median; most of it has to.
    if part.present and part.fraction >= 0.5 and toward * side.z <= settings.coverage_factor:
        return Answer.ABSENT, f"{told}, which is as far from normal tissue", measures
    return part.answer, told, measures
