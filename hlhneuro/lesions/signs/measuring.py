"""All signs of all lesions at all sessions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hlhneuro.answers import Answer
from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.lesions.change import LesionChange
from hlhneuro.lesions.series import LesionSeries
from hlhneuro.lesions.signs.chance import Voxels
from hlhneuro.lesions.signs.diffusion import diffusion_signs
from hlhneuro.lesions.signs.enhancement import PAIR, enhancement_signs, uptake
from hlhneuro.lesions.signs.fluid import fluid_of, volume_loss_signs
from hlhneuro.lesions.signs.leptomeninges import leptomeningeal_sign, sulci
from hlhneuro.lesions.signs.mass_effect import mass_effect_signs
from hlhneuro.lesions.signs.mirror import Mirror, mirror_of
from hlhneuro.lesions.signs.reference import Reference, reference_of
from hlhneuro.lesions.signs.susceptibility import susceptibility_signs
from hlhneuro.lesions.signs.t1_signal import t1_signs
from hlhneuro.lesions.signs.table import QUESTIONS, WHOLE, LesionSigns, Sign
from hlhneuro.settings import SignSettings

__all__ = ["measure_signs"]

NO_LESION = "no lesion was found in this session, so there is none to measure"
NO_FLAIR = "no FLAIR, on which fluid is dark and lesion bright; one at each session would supply it"
FLUID_PAIR = ("FLAIR", "ce-gadolinium_FLAIR")


def measure_signs(
    series: AlignedSeries,
    lesions: LesionSeries,
    change: LesionChange,
    settings: SignSettings,
    ages_years: Mapping[str, float | None],
) -> LesionSigns:
    """Measure enhancement, diffusion, T1 signal, susceptibility, mass effect and loss of volume, lesion by lesion.

    Each sign is judged against normal-appearing tissue of the same subject: a lesion shows it if more of it lies beyond
    that tissue's spread than regions of the same shape do that are put anywhere in normal tissue of the same kind, at a
    false discovery rate over the lesions of the session. What cannot be judged says why and what would supply it.

    Parameters
    ----------
    change : LesionChange
        Its `identities` say which voxels are whose.
    ages_years : mapping of session label to age

    Returns
    -------
    LesionSigns
        Of the sessions in which lesions could be assessed. No answer depends on the order of the sessions but that on
        loss of volume, which compares with what was earlier.
    """
    reference = reference_of(series, lesions, settings)
    try:
        mirror: Mirror | str = mirror_of(series)
    except NotAssessable as error:
        mirror = str(error)
    straight, band = mirror_of(series, deformed=False), sulci(series, reference, settings)
    order = [session.label for session in lesions.sessions]
    here = {label: session for label in order if (session := series.session(label)) is not None}
    fluids = {label: fluid_of(session, reference, settings) for label, session in here.items()}
    on_flair = {label: fluid if "FLAIR" in here[label].volumes else NO_FLAIR for label, fluid in fluids.items()}
    signs: list[Sign] = []
    for label, session in here.items():
        regions = regions_of(change.identities[label])
        found = _of_lesions(session, regions, reference, mirror, ages_years.get(label), settings)
        found += mass_effect_signs(series, label, regions, fluids[label], straight, reference, settings)
        found += volume_loss_signs(label, order, change.identities, on_flair, reference, settings)
        found += [_leptomeninges(session, band, reference, settings)]
        signs += sorted(found, key=lambda sign: (list(QUESTIONS).index(sign.sign), sign.lesion))
    return LesionSigns(tuple(signs))


def regions_of(identities: NDArray[np.int32]) -> dict[int, Voxels]:
    """Return the voxels of each lesion of a session."""
    index = np.argwhere(identities)
    number = identities[tuple(index.T)]
    return {int(lesion): index[number == lesion] for lesion in np.unique(number)}


def _of_lesions(
    session: AlignedSession,
    regions: Mapping[int, Voxels],
    reference: Reference,
    mirror: Mirror | str,
    age_years: float | None,
    settings: SignSettings,
) -> list[Sign]:
    """Return the signs that only lesions can have."""
    if not regions:
        own = ("contrast_enhancement", "restricted_diffusion", "raised_diffusion", "t1_hypointensity", "susceptibility")
        return [Sign(WHOLE, session.label, sign, Answer.NOT_ASSESSABLE, NO_LESION) for sign in own]
    found = uptake(session, PAIR, reference, settings)
    return [
        *enhancement_signs(session, regions, found, reference, settings),
        *diffusion_signs(session, regions, reference, mirror, settings),
        *t1_signs(session, regions, reference, age_years, settings),
        *susceptibility_signs(session, regions, reference, settings),
    ]


def _leptomeninges(session: AlignedSession, band: BoolImage, reference: Reference, settings: SignSettings) -> Sign:
    pair = FLUID_PAIR if FLUID_PAIR[1] in session.volumes else PAIR
    found = uptake(session, pair, reference, settings)
    return leptomeningeal_sign(session, band, found, pair[0], reference, settings)
