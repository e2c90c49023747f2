"""Where the spectroscopy voxel lies on the anatomy, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.imaging.alignment import BoolImage

__all__ = ["VoxelComposition"]


@dataclass(frozen=True)
class VoxelComposition:
    """The spectroscopy voxel in subject space.

    Parameters
    ----------
    mask : bool array on the subject grid
    volume_ml : float
        Volume of the voxel box.
    inside_fraction : float
        Part of the box that lies inside the subject grid.
    gm, wm, csf, lesion : float, optional
        Volume fractions; they sum to one inside the brain; None where tissue or lesions could not be assessed.
    reason : str
        Why fractions are missing; empty otherwise.
    """

    mask: BoolImage
    volume_ml: float
    inside_fraction: float
    gm: float | None
    wm: float | None
    csf: float | None
    lesion: float | None
    reason: str = ""
