"""Uptake of contrast medium in the sulci, asked apart from the lesions: vessels there take it up in everyone."""

from __future__ import annotations

import numpy as np

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.signs.mirror import affine_part
from hlhneuro.lesions.signs.reference import Reference
from hlhneuro.lesions.signs.table import WHOLE, Measure, Sign
from hlhneuro.settings import SignSettings

__all__ = ["leptomeningeal_sign", "sulci"]

SIGN = "leptomeningeal_enhancement"


def sulci(series: AlignedSeries, reference: Reference, settings: SignSettings) -> BoolImage:
    """Return fluid of the convexity's sulci: away from dura and surface veins, falx, tentorium and large arteries.

    The boxes are given in MNI152 millimetres of the affine match: the mid-plane (falx, sagittal sinus), what lies
    below the cerebrum (tentorium, cisterns, circle of Willis) and the Sylvian fissure (middle cerebral artery).
    """
    deep = (reference.depth_mm > settings.dura_mm) & (reference.depth_mm <= settings.core_mm)
    band: BoolImage = series.brain_mask & reference.fluid & deep
    index = np.argwhere(band)
    to_mm = reference.grid.affine
    x, y, z = affine_part(series.to_template).map(index @ to_mm[:3, :3].T + to_mm[:3, 3]).T
    falx, base = np.abs(x) < settings.falx_mm, z < settings.base_mm
    sylvian = (np.abs(x) > 25) & (y > -40) & (y < 25) & (z < 22)
    keep = ~(falx | base | sylvian)
    band = np.zeros_like(band)
    band[tuple(index[keep].T)] = True
    return band


def leptomeningeal_sign(
    session: AlignedSession,
    band: BoolImage,
    found: tuple[FloatImage, BoolImage] | str,
    contrast: str,
    reference: Reference,
    settings: SignSettings,
) -> Sign:
    """Answer whether the sulci take up contrast medium beyond what their vessels do.

    Parameters
    ----------
    band : bool array
        From `sulci`.
    found : what `uptake` returned
    contrast : str
        On which images: FLAIR shows uptake in fluid with little from vessels, T1w shows both.

    Notes
    -----
    Nobody's sulci are free of vessels, and no normal values are known for this measure: the two limits are set so that
    what lies between them is not decided.
    """

    def cannot(why: str) -> Sign:
        better = "a FLAIR before and after contrast medium, with the skull in the image, would supply it"
        return Sign(WHOLE, session.label, SIGN, Answer.NOT_ASSESSABLE, f"{why}; {better}")

    if isinstance(found, str):
        return Sign(WHOLE, session.label, SIGN, Answer.NOT_ASSESSABLE, found)
    z, there = found
    seen = band & there
    if seen.sum() * reference.grid.voxel_volume_ml < settings.sulci_ml:
        return cannot("hardly any fluid of the sulci lies in the images (they are narrow, or were cut with the skull)")
    fraction = float((z[seen] > settings.sign_sd).mean())
    half = [float((z[seen] > settings.sign_sd + move).mean()) for move in (-settings.limit_sd, settings.limit_sd)]
    measures = (Measure("sulcal_fraction", fraction, (half[0] - half[1]) / 2),)
    told = f"{contrast}: {fraction:.0%} of the fluid in the sulci of the convexity brightens beyond normal tissue"
    if fraction >= settings.sulcal_present:
        more = "more than vessels are expected to; consistent with leptomeningeal enhancement (or slow pial veins)"
        return Sign(WHOLE, session.label, SIGN, Answer.PRESENT, f"{told}, {more}", "", measures)
    if fraction <= settings.sulcal_absent:
        return Sign(WHOLE, session.label, SIGN, Answer.ABSENT, f"{told}, no more than vessels", "", measures)
    undecided = cannot(f"{told}, which vessels alone may do or meninges may")
    return Sign(WHOLE, session.label, SIGN, Answer.NOT_ASSESSABLE, undecided.reason, "", measures)
