"""Small series whose masks are given, not segmented: for what is said of lesions once they are there."""

import numpy as np

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume
from hlhneuro.lesions import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import territories
from hlhneuro.lesions.uncertainty import mask_errors
from hlhneuro.settings import LesionSettings

SHAPE = (30, 24, 20)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 1.0, 1.0]))
EYE = AffineTransform.identity()
NOISE = 0.03


def box(*corners):
    """Return a mask with ones between the two corners of each box."""
    mask = np.zeros(SHAPE, bool)
    for low, high in corners:
        mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def made(*masks, contrast=0.4, noise=NOISE, slice_mm=1.0):
    """Return a series and its lesions: white matter of 1 that is brighter inside the masks."""
    sessions, found = [], []
    everywhere = np.ones(SHAPE, bool)
    native = Grid((30, 24, max(int(20 / slice_mm), 1)), np.diag([1.0, 1.0, slice_mm, 1.0]))
    for i, mask in enumerate(masks):
        label = f"{i + 1:02d}"
        rng = np.random.default_rng(i)
        data = (1 + contrast * mask + rng.normal(0, noise, SHAPE)).astype(np.float32)
        session = AlignedSession(
            label,
            "FLAIR",
            {"FLAIR": Volume(data, GRID.affine, "FLAIR")},
            everywhere,
            {"FLAIR": everywhere},
            {"FLAIR": EYE},
            {"FLAIR": native},
            {"FLAIR": noise},
        )
        errors = mask_errors(mask, session, "FLAIR", GRID, LesionSettings())
        sessions.append(session)
        found.append(
            SessionLesions(
                label,
                mask.astype(np.float32),
                mask,
                float(mask.sum() * GRID.voxel_volume_ml),
                errors.load_sd_ml,
                ("FLAIR",),
                "full",
                "rests on FLAIR",
                errors.border_sd_ml,
            )
        )
    maps = {name: np.zeros(SHAPE, np.float32) for name in ("gm", "wm", "csf")}
    series = AlignedSeries(GRID, tuple(sessions), everywhere, EYE, maps)
    labels = np.full(SHAPE, territories()[0].label, np.int16)
    labels[15:] = territories()[1].label
    return series, LesionSeries(GRID, tuple(found), maps, labels, {})
