"""Lesion probability and mask per session, jointly over the sessions of a subject."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlhneuro.imaging.alignment import AlignedSeries, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.abnormality import abnormality
from hlhneuro.lesions.agreement import follow_changes
from hlhneuro.lesions.anatomy import false_positive_places
from hlhneuro.lesions.bright_places import bright_places, normally_bright
from hlhneuro.lesions.candidates import touching
from hlhneuro.lesions.confidence import confidence, usable_contrasts
from hlhneuro.lesions.joint import (
    away_from_fluid,
    borders_of,
    compare,
    judge,
    large_enough,
    pooled,
    unchanged,
)
from hlhneuro.lesions.normal_tissue import covered_brain, normal_tissue
from hlhneuro.lesions.probability import lesion_probability
from hlhneuro.lesions.sensitivity import detectable_contrast
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import territory_labels
from hlhneuro.lesions.tissues import TISSUES
from hlhneuro.lesions.uncertainty import mask_errors
from hlhneuro.settings import LesionSettings

__all__ = ["segment_lesions"]


def segment_lesions(
    series: AlignedSeries, settings: LesionSettings, ages_years: Mapping[str, float | None]
) -> LesionSeries:
    """Segment lesions in every session of an aligned series.

    Parameters
    ----------
    ages_years : mapping of session label to age
        Under 24 months the confidence is reduced; an unknown age is said in the reason.

    Returns
    -------
    LesionSeries
        Sessions that hold neither FLAIR nor T2w are in `not_assessable`.

    Notes
    -----
    A voxel is compared with the tissues that the template allows at that place (tail of their mixture); the
    smoothed z map is judged against its own empirical null (Efron 2004) in places where the same tissue is
    expected, so the operating point comes from the image and not from training cases. Where two sessions do not
    differ beyond noise their evidence is pooled, so that masks differ only where the images do. A lesion found that
    way reaches down to a small share of lesion in a voxel; its border is then set where half of the voxel is
    lesion. `volume_sd_ml` says how well the volume repeats and how far its border may fairly be moved, not how it
    agrees with a reader.
    """
    parts = {session.label: usable_contrasts(series, session, settings) for session in series.sessions}
    not_assessable = {label: part for label, part in parts.items() if isinstance(part, str)}
    sessions = [s for s in series.sessions if s.label not in not_assessable]
    territories = territory_labels(series)
    if not sessions:
        return LesionSeries(series.grid, (), dict(series.template_maps), territories, not_assessable)
    contrasts = {label: part for label, part in parts.items() if not isinstance(part, str)}
    normal = normal_tissue(series, sessions, contrasts, settings)
    inside = [
        _judged(covered_brain(series, s, contrasts[s.label]), contrasts[s.label], normal.priors, settings)
        for s in sessions
    ]
    unlike = [
        abnormality(s, contrasts[s.label], here, normal, series.grid, settings)
        for s, here in zip(sessions, inside, strict=True)
    ]
    evidence = [found.z for found in unlike]
    fluid = np.where(np.max(evidence, axis=0) > 1, np.float32(0), normal.maps[2])  # fluid never outshines tissue
    excluded = false_positive_places(series.grid, series.brain_mask, fluid, normal.priors, settings)
    places = bright_places(series)
    allowed = [
        here & ~excluded & ~normally_bright(places, s, contrasts[s.label][0], normal, settings)
        for s, here in zip(sessions, inside, strict=True)
    ]
    calm = away_from_fluid(series.grid, normal.maps[TISSUES.index("csf")], settings)
    changes = compare(series, sessions, inside, allowed, normal.maps, calm, evidence, settings)
    same = unchanged(changes, inside, series.grid, settings)
    joint = [pooled(i, evidence, same) for i in range(len(sessions))]
    judged = judge(series.grid, joint, changes, allowed, calm, settings)
    witnesses = [contrasts[s.label][0] for s in sessions]
    rims = [where & (z > settings.rim_sd) for where, z in zip(allowed, joint, strict=True)]
    borders = borders_of(sessions, witnesses, normal, judged.found, rims, same, series.grid, settings)
    masks = [touching(b.mask(settings.boundary_share), s) for b, s in zip(borders, judged.seeds, strict=True)]
    masks = large_enough(series.grid, follow_changes(masks, changes, evidence, inside, series.grid, settings), settings)
    results = []
    for i, (session, mask, missed) in enumerate(zip(sessions, masks, judged.missed, strict=True)):
        label, age = session.label, ages_years.get(session.label)
        doubt = normal.one_sided.get(label, "")
        trust, reason = confidence(series, session, contrasts[label], age, settings, doubt)
        errors = mask_errors(mask, session, witnesses[i], series.grid, settings)
        results.append(
            SessionLesions(
                label=session.label,
                probability=lesion_probability(missed, borders[i], mask, session, witnesses[i], settings),
                mask=mask,
                volume_ml=float(mask.sum() * series.grid.voxel_volume_ml),
                volume_sd_ml=errors.load_sd_ml,
                border_sd_ml=errors.border_sd_ml,
                contrasts=contrasts[session.label],
                confidence=trust,
                reason=reason,
                detectable_contrast=detectable_contrast(
                    session, witnesses[i], allowed[i], normal, unlike[i], judged.height, series.grid, settings
                ),
            )
        )
    union = np.logical_or.reduce(masks)
    tissue = {name: np.where(union, np.float32(0), image) for name, image in zip(TISSUES, normal.maps, strict=True)}
    return LesionSeries(series.grid, tuple(results), tissue, territories, not_assessable)


def _judged(
    inside: BoolImage, contrasts: tuple[str, ...], priors: list[FloatImage], settings: LesionSettings
) -> BoolImage:
    """Leave out, where there is no FLAIR, the places that may hold fluid: on T2w it is as bright as a lesion."""
    return inside if contrasts[0] == "FLAIR" else inside & (priors[TISSUES.index("csf")] < settings.fluid_prior)
