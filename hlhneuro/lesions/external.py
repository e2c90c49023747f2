"""Lesion masks that the user supplies, in the place of ours: what their values mean, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from hlhneuro.errors import InputError
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid, read_values
from hlhneuro.lesions.confidence import usable_contrasts
from hlhneuro.lesions.normal_tissue import normal_tissue
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import territory_labels
from hlhneuro.lesions.tissues import TISSUES
from hlhneuro.lesions.uncertainty import mask_errors
from hlhneuro.settings import LesionSettings

__all__ = ["GivenLesions", "load_lesion_mask", "supplied_lesions"]

# FreeSurferColorLUT.txt: what SAMSEG calls a lesion, and what every whole-brain segmentation holds (cerebral white
# matter and cortex, left and right). Its 77 (WM-hypointensities) is a class of FreeSurfer's own, not a lesion.
_LESION, _WHOLE_BRAIN = 99, {2, 3, 41, 42}
_LST_REGIONS = {1, 2, 3, 4}  # of LST-AI: periventricular, juxtacortical, subcortical, infratentorial
_ROUNDING = 1e-4  # of probabilities that were stored as scaled integers


@dataclass(frozen=True)
class GivenLesions:
    """A lesion mask from elsewhere.

    Parameters
    ----------
    share : float32 array
        Part of each voxel that is lesion, or the probability that it is: 0..1.
    grid : Grid
        Where it lies, in the scanner space of the session.
    contrast : str
        The image it was drawn on; empty where it is not said: then it belongs to the session's reference.
    source : str
        Name of its file.
    meaning : str
        How its values were read.
    """

    share: FloatImage
    grid: Grid
    contrast: str
    source: str
    meaning: str


def load_lesion_mask(path: str | Path, contrast: str = "") -> GivenLesions:
    """Load a lesion mask: 0 and 1, 0 and 255, probabilities from 0 to 1, or labels of SAMSEG or LST-AI.

    An empty mask is an answer: no lesion.

    Raises
    ------
    InputError
        If the file cannot be read, does not say where it lies, or holds anything else.
    """
    values, affine, _ = read_values(path)
    share, meaning = _share(values, Path(path))
    x, y, z = share.shape
    return GivenLesions(share, Grid((x, y, z), affine), contrast, Path(path).name, meaning)


def _share(values: FloatImage, path: Path) -> tuple[FloatImage, str]:
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise InputError(
            "is not a lesion mask: it holds values that are not finite",
            path=path,
            found=f"{missing} of {values.size} voxels",
            remedy="give 0 outside and 1 inside lesions",
        )
    levels = np.unique(values)
    whole = {int(level) for level in levels} if np.array_equal(levels, np.round(levels)) else set()
    if whole and whole <= {0, 1}:
        return values, "0 and 1"
    if whole and whole <= {0, 255}:
        return (values > 0).astype(np.float32), "0 and 255"
    if levels[0] >= -_ROUNDING and levels[-1] <= 1 + _ROUNDING:
        return np.clip(values, 0, 1), "probabilities"
    if whole >= _WHOLE_BRAIN and _LESION in whole:
        return (values == _LESION).astype(np.float32), f"label {_LESION} of FreeSurfer's table"
    if whole and whole <= {0, *_LST_REGIONS} and "seg-lst" in path.name:
        return (values > 0).astype(np.float32), "all regions of LST-AI"
    shown = ", ".join(f"{level + 0:g}" for level in levels[:6]) + (" .." if levels.size > 6 else "")
    if whole >= _WHOLE_BRAIN:
        raise InputError(
            f"is a segmentation of the whole brain without lesions (label {_LESION})",
            path=path,
            found=shown,
            remedy="run samseg with --lesion; if it found none, give a mask of zeros",
        )
    raise InputError(
        "is not a lesion mask: it holds labels or intensities whose meaning is not known",
        path=path,
        found=shown,
        remedy="give 0 outside and 1 inside lesions, or probabilities from 0 to 1",
    )


def supplied_lesions(
    series: AlignedSeries, given: Mapping[str, GivenLesions], refused: Mapping[str, str], settings: LesionSettings
) -> LesionSeries:
    """Take the user's lesion masks in the place of ours; nothing is pooled over sessions and nothing left out.

    Parameters
    ----------
    series : AlignedSeries
    given : mapping of session label to GivenLesions
    refused : mapping of session label to str
        Masks that could not be read, and why.
    settings : LesionSettings

    Returns
    -------
    LesionSeries
        Sessions without a mask that can be used are in `not_assessable`: ours are not mixed with the user's, because
        the difference of two readers would be taken for change.

    Notes
    -----
    `volume_sd_ml` is what sampling the surface leaves (`mask_errors`); how well the mask's maker repeats himself is
    not known here.
    """
    not_assessable, results = dict(refused), []
    labels = ", ".join(f"ses-{label}" for label in sorted({*given, *refused}))
    for session in series.sessions:
        mask = given.get(session.label)
        if mask is None:
            without = (
                f"no lesion mask supplied for ses-{session.label}; {labels}: the user's, and ours are not mixed with "
                "them; a mask of this session in the same folder would supply it"
            )
            not_assessable.setdefault(session.label, without)
            continue
        found = _placed(series, session, mask, settings)
        if isinstance(found, str):
            not_assessable[session.label] = found
        else:
            results.append(found)
    union = np.logical_or.reduce([np.zeros(series.grid.shape, bool), *(found.mask for found in results)])
    tissue = {name: np.where(union, np.float32(0), image) for name, image in _tissue(series, settings).items()}
    return LesionSeries(series.grid, tuple(results), tissue, territory_labels(series), not_assessable)


def _placed(
    series: AlignedSeries, session: AlignedSession, given: GivenLesions, settings: LesionSettings
) -> SessionLesions | str:
    """Carry a mask to the subject grid, interpolated once; or say why it cannot be that of the session."""
    contrast = given.contrast or session.reference
    if contrast not in session.to_subject:
        there = ", ".join(session.to_subject)
        return (
            f"{given.source}: space: the lesion mask lies in the space of an image that could not be used (found: "
            f"{contrast}). Remedy: carry it to the space of one of {there}"
        )
    share = _nearest(given, series.grid, session.to_subject[contrast])
    mask = share >= settings.supplied_share
    drawn_ml = float((given.share >= settings.supplied_share).sum()) * given.grid.voxel_volume_ml
    inside_ml = float((mask & (series.brain_mask | session.brain_mask)).sum()) * series.grid.voxel_volume_ml
    part = min(inside_ml / drawn_ml, 1.0) if drawn_ml else 1.0
    if part < settings.supplied_in_brain:
        return (
            f"{given.source}: most of the lesion mask lies outside the brain (found: {part:.0%} of {drawn_ml:.2f} ml "
            f"inside, on {contrast}). Remedy: check that it is of this session and in the scanner space of {contrast}"
        )
    reason = (
        f"lesion mask supplied by the user: {given.source} ({given.meaning}"
        + (f", lesion from {settings.supplied_share:g} on" if given.meaning == "probabilities" else "")
        + "); the error of the volume is that of sampling its surface, the rater's is not included"
    )
    if f"{1 - part:.0%}" != "0%":
        reason += f"; {1 - part:.0%} of it lies outside the brain"
    return SessionLesions(
        label=session.label,
        probability=share,
        mask=mask,
        volume_ml=float(mask.sum() * series.grid.voxel_volume_ml),
        volume_sd_ml=mask_errors(mask, session, None, series.grid, settings).load_sd_ml,
        contrasts=(given.contrast,) if given.contrast else (),
        confidence="full",
        reason=reason,
        supplied=given.source,
    )


def _nearest(given: GivenLesions, grid: Grid, to_subject: AffineTransform) -> FloatImage:
    """Return the value of the mask's voxel in which the centre of each voxel of the grid lies.

    Interpolating and cutting at one half would take two thirds of a lesion of a single voxel.
    """
    to_index = (
        AffineTransform(given.grid.affine).inverse().after(to_subject.inverse()).after(AffineTransform(grid.affine))
    )
    share: FloatImage = ndimage.affine_transform(
        given.share, to_index.matrix, output_shape=grid.shape, order=0, mode="grid-constant"
    )
    return share


def _tissue(series: AlignedSeries, settings: LesionSettings) -> Mapping[str, FloatImage]:
    """Return the tissue of the subject from every image that can tell it, T1w alone too; else that of the template."""
    contrasts: dict[str, tuple[str, ...]] = {}
    for session in series.sessions:
        usable = usable_contrasts(series, session, settings)
        if not isinstance(usable, str):
            contrasts[session.label] = usable
        elif "T1w" in session.volumes:
            contrasts[session.label] = ("T1w",)
    sessions = [session for session in series.sessions if session.label in contrasts]
    if not sessions:
        return series.template_maps
    maps = normal_tissue(series, sessions, contrasts, settings).maps
    return dict(zip(TISSUES, maps, strict=True))
