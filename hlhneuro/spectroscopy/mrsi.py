"""SpectrumGrid: a validated grid of spectra (MRSI), two- or three-dimensional."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.spectroscopy.nifti_mrs import MrsFile, read_nifti_mrs
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["Index", "SpectrumGrid", "check_water_grid", "load_mrsi"]

Index = tuple[int, int, int]


@dataclass(frozen=True)
class SpectrumGrid:
    """Spectra of one acquisition on a grid of voxels, reconstructed to space (not k-space).

    Parameters
    ----------
    fids : complex array, shape (x, y, z, points) or (x, y, z, points, dim 5, dim 6 ..)
        NIfTI-MRS sign convention. Voxels of zeros, or with values that are not finite, are empty.
    affine : array, shape (4, 4)
        Voxel index to RAS+ scanner millimetres.
    facts : Spectrum
        What all voxels share: axes, frequency, times, sequence, header. Its own FID is that of one of them.

    Raises
    ------
    InputError
        If the array does not have the axes that `facts` has.
    """

    fids: NDArray[np.complex128]
    affine: NDArray[np.float64]
    facts: Spectrum

    def __post_init__(self) -> None:
        if self.fids.ndim < 4 or self.fids.shape[3:] != self.facts.fid.shape:
            raise InputError(
                "the grid does not have the axes that are stated",
                field="dim",
                found=self.fids.shape,
                remedy="convert the raw data again, for example with spec2nii",
            )

    @property
    def shape(self) -> Index:
        """Voxels along x, y, z."""
        x, y, z = self.fids.shape[:3]
        return x, y, z

    @property
    def has_signal(self) -> NDArray[np.bool_]:
        """Which voxels hold anything, shape (x, y, z)."""
        axes = tuple(range(3, self.fids.ndim))
        return np.asarray(np.isfinite(self.fids).all(axis=axes) & (self.fids != 0).any(axis=axes))

    @property
    def echo_time_s(self) -> float | None:
        """Echo time; None where the file does not say."""
        return self.facts.echo_time_s

    @property
    def sequence(self) -> str | None:
        """``press``, ``slaser`` ..; None where unknown."""
        return self.facts.sequence

    def voxel(self, index: Index) -> Spectrum:
        """Return one voxel as a spectrum of its own, with its place.

        Raises
        ------
        InputError
            If the voxel is empty.
        """
        move = np.eye(4)
        move[:3, 3] = index
        return replace(self.facts, fid=self.fids[index], affine=self.affine @ move)

    def indices(self, mask: NDArray[np.bool_]) -> Iterator[Index]:
        """Return the voxels of a mask in the order of the array."""
        yield from zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True)


def load_mrsi(path: str | Path, sidecar: Mapping[str, Any] | None = None) -> SpectrumGrid:
    """Read one NIfTI-MRS grid; the BIDS sidecar fills what the header extension leaves out.

    Raises
    ------
    InputError
        If the file cannot be read, is not 1H, holds no signal in any voxel, or a value is outside its physical range.

    References
    ----------
    Clarke WT et al. NIfTI-MRS: a standard data format for magnetic resonance spectroscopy. Magn Reson Med 2022;88:2358.
    """
    file = read_nifti_mrs(path, sidecar)
    try:
        return _grid_of(file)
    except InputError as error:
        raise error.in_file(path) from error


def _grid_of(file: MrsFile) -> SpectrumGrid:
    fids = file.data.astype(np.complex128)
    axes = tuple(range(3, fids.ndim))
    full = np.argwhere(np.isfinite(fids).all(axis=axes) & (fids != 0).any(axis=axes))
    # Without any signal the first voxel stands for the grid, and its own check says what is wrong.
    first = tuple(int(i) for i in full[0]) if len(full) else (0, 0, 0)
    facts = Spectrum(
        fid=fids[first],
        dimensions=file.dimensions,
        dwell_time_s=file.dwell_time_s,
        spectrometer_frequency_mhz=file.spectrometer_frequency_mhz,
        nucleus=file.nucleus,
        affine=file.affine,
        echo_time_s=file.echo_time_s,
        repetition_time_s=file.repetition_time_s,
        sequence=file.sequence,
        header=file.header,
    )
    return SpectrumGrid(fids, file.affine, facts)


def check_water_grid(grid: SpectrumGrid, water: SpectrumGrid, tolerance_mm: float) -> None:
    """Raise unless the water reference has the voxels of the grid.

    Raises
    ------
    InputError
        If shape or place differ.
    """
    corners = np.stack(np.meshgrid(*([[0, n - 1] for n in grid.shape]), indexing="ij"), axis=-1).reshape(-1, 3)
    homogeneous = np.c_[corners, np.ones(len(corners))]
    apart_mm = float(np.abs(homogeneous @ (grid.affine - water.affine).T).max())
    if grid.shape != water.shape or apart_mm > tolerance_mm:
        raise InputError(
            "the water reference does not lie on the voxels of the spectra",
            field="dim, affine",
            found=f"{water.shape} voxels, up to {apart_mm:.1f} mm apart; the spectra have {grid.shape}",
            remedy="give the water reference of this grid, or none",
        )
