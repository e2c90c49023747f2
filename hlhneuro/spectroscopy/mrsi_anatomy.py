"""Where the voxels of a spectroscopic grid lie on the anatomy: what each holds, and its maps in subject space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import FloatImage, Grid
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.mrsi_fit import GridFit

__all__ = [
    "GridContent",
    "GridResult",
    "content_of_grid",
    "lay_on_anatomy",
    "no_regions",
    "regions_of",
    "voxels_on_anatomy",
]

_Float = NDArray[np.float64]

_SAMPLES = 7  # per edge of a voxel: partial volumes are right to a few hundredths


@dataclass(frozen=True)
class GridContent:
    """What every voxel of a grid holds: volume fractions, shape (x, y, z).

    Parameters
    ----------
    brain : array
        Part inside the brain mask.
    gm, wm, csf, lesion : array
        They sum to one; NaN outside the brain, and everywhere where tissue could not be assessed. Without a lesion
        mask `lesion` is NaN alone.
    """

    brain: _Float
    gm: _Float
    wm: _Float
    csf: _Float
    lesion: _Float

    def tissue(self) -> dict[str, _Float]:
        """Return the fractions for the water reference; what is not known of lesions counts as none."""
        return {"gm": self.gm, "wm": self.wm, "csf": self.csf, "lesion": np.nan_to_num(self.lesion)}


@dataclass(frozen=True)
class GridResult:
    """One spectroscopic grid of one session, or why there is no fit.

    Parameters
    ----------
    session, name : str
        Session label; ``acq-slab`` .. from the file's entities.
    echo_time_s, sequence
        None where the file does not say.
    water_reference : bool
        Whether a water reference of the same voxels was used.
    fit : GridFit, optional
    content : GridContent, optional
        None where the images of the session could not be aligned, or the file does not say where the grid lies: all
        voxels with signal are fitted then.
    regions : DataFrame
        From `regions_of`.
    reason : str
        Why there is no fit; empty otherwise.
    """

    session: str
    name: str
    echo_time_s: float | None
    sequence: str | None
    water_reference: bool
    fit: GridFit | None
    content: GridContent | None
    regions: pd.DataFrame
    reason: str = ""


def content_of_grid(
    affine: _Float,
    shape: tuple[int, int, int],
    to_subject: AffineTransform,
    grid: Grid,
    brain: BoolImage,
    tissue: Mapping[str, FloatImage] | None = None,
    lesion: BoolImage | None = None,
) -> GridContent:
    """Look up what each voxel holds at evenly spaced points inside it.

    Parameters
    ----------
    affine : array, shape (4, 4)
        Voxel index of the spectroscopic grid to RAS+ scanner millimetres.
    to_subject : AffineTransform
        From scanner to subject space, in millimetres.
    grid : Grid
        The subject grid, of `brain`, `tissue` (``gm, wm, csf``) and `lesion`.
    """
    edge = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    centres = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    within = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1).reshape(-1, 3)
    to_index = AffineTransform(grid.affine).inverse().after(to_subject).after(AffineTransform(affine))
    points = to_index.map(centres[:, None] + within)  # (voxels, samples, 3)

    def mean(image: NDArray[np.generic]) -> _Float:
        # A point outside the images counts as not in the brain.
        found = ndimage.map_coordinates(
            np.asarray(image, dtype=np.float32), np.moveaxis(points, -1, 0), order=0, mode="constant"
        )
        return np.asarray(found.mean(axis=1, dtype=np.float64).reshape(shape))

    inside = mean(brain)
    unknown = np.full(shape, np.nan)
    damaged = np.zeros(shape) if lesion is None else mean(lesion)
    if tissue is None:
        return GridContent(inside, unknown, unknown, unknown, unknown if lesion is None else damaged)
    parts = {name: mean(tissue[name]) for name in ("gm", "wm", "csf")}
    healthy = sum(parts.values(), np.zeros(shape))
    known = (healthy + damaged > 0.01) & (inside > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Tissue maps leave the lesion out or not quite: the lesion mask is exact, the tissues share the rest.
        share = damaged / np.maximum(healthy + damaged, np.minimum(inside, 1.0))
        shares = {
            name: np.where(known, (1 - share) * np.where(healthy > 0, part / healthy, 0.0), np.nan)
            for name, part in parts.items()
        }
    held = unknown if lesion is None else np.where(known, share, np.nan)
    return GridContent(inside, shares["gm"], shares["wm"], shares["csf"], held)


def voxels_on_anatomy(
    affine: _Float, shape: tuple[int, int, int], to_subject: AffineTransform, target: Grid
) -> NDArray[np.int32]:
    """Return in which voxel of the spectroscopic grid each voxel of the subject grid lies.

    Returns
    -------
    int32 array, shape of `target`
        Index into the flattened grid, -1 outside. ``values.ravel()[index]`` is the map by nearest neighbour: each voxel
        keeps its own value in its whole box, so that a picture says how coarse the data are.
    """
    to_index = AffineTransform(np.asarray(affine, dtype=np.float64)).inverse().after(to_subject.inverse())
    matrix = to_index.after(AffineTransform(target.affine)).matrix
    x, y, z = (np.arange(n, dtype=np.float64) for n in target.shape)
    out = np.zeros(target.shape, dtype=np.int32)
    inside = np.ones(target.shape, dtype=bool)
    for row, count in enumerate(shape):
        along = matrix[row, 0] * x[:, None, None] + matrix[row, 1] * y[:, None] + matrix[row, 2] * z + matrix[row, 3]
        place = np.floor(along + 0.5).astype(np.int32)
        inside &= (place >= 0) & (place < count)
        out = out * count + place
    return np.where(inside, out, -1).astype(np.int32)


def lay_on_anatomy(values: _Float, valid: NDArray[np.bool_], index: NDArray[np.int32]) -> FloatImage:
    """Return a map on the subject grid, NaN where no valid voxel lies.

    Parameters
    ----------
    values, valid : array, shape (x, y, z)
    index : int32 array
        From `voxels_on_anatomy`.
    """
    flat = np.append(np.where(valid, values, np.nan).ravel(), np.nan).astype(np.float32)  # -1 picks the last
    laid: FloatImage = flat[index]
    return laid


def regions_of(fit: GridFit, content: GridContent | None, settings: SpectraSettings) -> pd.DataFrame:
    """Return mean ratios to total creatine in lesion and in normal-appearing brain.

    Returns
    -------
    DataFrame
        Columns ``region, metabolite, ratio_to_tcr, ratio_sd, spread, voxels, reason``. `ratio_sd` is the uncertainty of
        the mean from the bounds of its voxels, `spread` the standard deviation between them; a region without three
        voxels that can be trusted has no number and says why.
    """
    rows: list[dict[str, object]] = []
    for region in ("lesion", "normal_appearing"):
        inside, why = _region(fit, content, region, settings)
        for name in (name for name in settings.mrsi_maps if name in fit.names):
            ratio, sd = fit.map(name), fit.map(name, "ratio_sd")
            use = inside & fit.trusted(name, settings) & np.isfinite(ratio)
            count = int(use.sum())
            row: dict[str, object] = {"region": region, "metabolite": name, "voxels": count, "reason": why}
            if count >= _FEWEST:
                row |= {"ratio_to_tcr": float(ratio[use].mean()), "spread": float(ratio[use].std(ddof=1))}
                row["ratio_sd"] = float(np.sqrt(np.sum(sd[use] ** 2)) / count)
            elif not why:
                row["reason"] = f"{count} voxels of this region can be trusted, {_FEWEST} are needed"
            rows.append(row)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def no_regions() -> pd.DataFrame:
    """Return the table of `regions_of` without a row."""
    return pd.DataFrame(columns=list(_COLUMNS))


_COLUMNS = ("region", "metabolite", "ratio_to_tcr", "ratio_sd", "spread", "voxels", "reason")
_FEWEST = 3  # a spread needs as many


def _region(
    fit: GridFit, content: GridContent | None, region: str, settings: SpectraSettings
) -> tuple[NDArray[np.bool_], str]:
    if content is None or np.isnan(content.lesion).all():
        return np.zeros(fit.state.shape, dtype=bool), "where lesions lie in the grid is not known"
    part = np.nan_to_num(content.lesion, nan=-1.0)
    if region == "lesion":
        return part >= settings.mrsi_lesion_part, ""
    return (part >= 0) & (part <= settings.mrsi_normal_part), ""
