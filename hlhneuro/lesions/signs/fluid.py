"""How much fluid each voxel holds at one session, and fluid that came where a lesion was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hlhneuro.answers import Answer
from hlhneuro.imaging.alignment import AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage
from hlhneuro.lesions.signs.chance import Voxels, adjusted, placements
from hlhneuro.lesions.signs.reference import Reference, covered, normal_of
from hlhneuro.lesions.signs.table import Measure, Sign
from hlhneuro.lesions.tissues import order_free_sum
from hlhneuro.settings import SignSettings

__all__ = ["fluid_of", "volume_loss_signs"]

SIGN = "volume_loss"


def fluid_of(
    session: AlignedSession, reference: Reference, settings: SignSettings
) -> tuple[FloatImage, BoolImage] | str:
    """Return the fluid fraction of each voxel and where it is known, or why it is not.

    Fluid is dark on FLAIR and, where there is one, on T1w; the one that says less decides, so that neither a lesion
    that is dark on T1w nor one that is bright on FLAIR is taken for fluid. T1w alone shows the ventricles, not what is
    fluid in a lesion.
    """
    used = [name for name in ("FLAIR", "T1w") if name in session.volumes]
    if not used:
        return "no FLAIR or T1w image, on which fluid is dark; one would supply it"
    there = covered(session, used[0])
    shares = []
    for name in used:
        image = session.volumes[name].data
        here = covered(session, name)
        normal = normal_of(image, here, reference, settings)
        wet = reference.fluid & here & (reference.depth_mm > settings.core_mm)
        if isinstance(normal, str) or wet.sum() < settings.reference_voxels:
            continue
        tissue, fluid = float(normal.centre.min()), float(np.median(image[wet]))
        if fluid < tissue:
            share = np.clip((tissue - image) / (tissue - fluid), 0, 1).astype(np.float32)
            shares.append(np.where(here, share, 1) if name != used[0] else share)
    if not shares:
        return "the level of fluid could not be told; an image that shows the ventricles would supply it"
    return np.asarray(np.where(there, np.minimum.reduce(shares), 0), np.float32), there


def volume_loss_signs(
    label: str,
    order: Sequence[str],
    identities: Mapping[str, NDArray[np.int32]],
    fluids: Mapping[str, tuple[FloatImage, BoolImage] | str],
    reference: Reference,
    settings: SignSettings,
) -> list[Sign]:
    """Answer, of every lesion that has left voxels it held before, whether fluid has come in its place.

    Parameters
    ----------
    label : str
        Session.
    order : sequence of str
        Session labels in order of time.
    identities : mapping of session label to int32 array
    fluids : mapping of session label to what `fluid_of` returned
    """
    now, found = fluids[label], []
    earlier = [s for s in order[: order.index(label)] if s in identities]
    signs: list[Sign] = []
    gains: dict[tuple[str, ...], tuple[FloatImage, BoolImage]] = {}
    for lesion in sorted({int(i) for s in earlier for i in np.unique(identities[s])} - {0}):
        held = tuple(s for s in earlier if (identities[s] == lesion).any())
        site = np.logical_or.reduce([identities[s] == lesion for s in held]) & (identities[label] == 0)
        voxels = np.argwhere(site)
        if not len(voxels):
            continue
        site_ml = len(voxels) * reference.grid.voxel_volume_ml
        known = tuple(s for s in held if not isinstance(fluids[s], str))
        if isinstance(now, str) or not known:
            missing = now if isinstance(now, str) else str(fluids[held[0]])
            signs.append(Sign(lesion, label, SIGN, Answer.NOT_ASSESSABLE, missing))
            continue
        if site_ml < settings.site_ml:
            why = f"the former site ({site_ml:.2f} ml) is too small; thinner slices would supply it"
            signs.append(Sign(lesion, label, SIGN, Answer.NOT_ASSESSABLE, why))
            continue
        if known not in gains:
            gains[known] = _gain(now, [fluids[s] for s in known])
        gain, there = gains[known]
        found.append((lesion, site_ml, *_judged(gain, there, voxels, reference, settings)))
    if found:
        p = adjusted([one[-1] for one in found])
        signs += [_sign(label, *one[:-1], value, settings) for one, value in zip(found, p, strict=True)]
    return sorted(signs, key=lambda one: one.lesion)


def _gain(
    now: tuple[FloatImage, BoolImage], before: Sequence[tuple[FloatImage, BoolImage] | str]
) -> tuple[FloatImage, BoolImage]:
    known = [one for one in before if not isinstance(one, str)]
    mean = order_free_sum([image for image, _ in known]) / len(known)
    there = np.logical_and.reduce([now[1], *(mask for _, mask in known)])
    return np.asarray(now[0] - mean, np.float32), there


def _judged(
    gain: FloatImage, there: BoolImage, voxels: Voxels, reference: Reference, settings: SignSettings
) -> tuple[float, float, float]:
    """Return the site's mean gain of fluid, its standard uncertainty and how often tissue like it shows as much.

    The comparison is with places that touch fluid as much as the site does: there, what registration misses by, and
    ventricles that widen for other reasons, look like fluid that came.
    """
    fraction = float(gain[tuple(voxels.T)].mean())
    touching = reference.beside_fluid.astype(np.float32)
    tissue = there & ~reference.fluid & ~reference.suspect & (reference.depth_mm > settings.rim_mm)
    places = placements(voxels, tissue, (touching,), settings)
    if places is None:
        return fraction, float("nan"), float("nan")
    valid = tissue.ravel()[places]
    null = (gain.ravel()[places] * valid).sum(axis=1) / valid.sum(axis=1)
    p = (1 + int((null >= fraction).sum())) / (1 + len(null))
    return fraction, float(np.sqrt((null**2).mean())), p


def _sign(
    label: str, lesion: int, site_ml: float, fraction: float, sd: float, p: float, settings: SignSettings
) -> Sign:
    if np.isnan(sd):
        why = "too little tissue like the former site is left to compare with; none can be supplied"
        return Sign(lesion, label, SIGN, Answer.NOT_ASSESSABLE, why)
    present = p <= settings.false_discovery and fraction >= settings.loss_fraction
    told = f"{fraction:.0%} of the former site ({site_ml:.2f} ml) is fluid that was not there before"
    told += ", consistent with loss of tissue" if present else ", within error or less than counts"
    measures = (
        Measure("fluid_gain_fraction", fraction, sd),
        Measure("fluid_gain_ml", fraction * site_ml, sd * site_ml, "ml"),
    )
    return Sign(lesion, label, SIGN, Answer.PRESENT if present else Answer.ABSENT, told, "", measures)
