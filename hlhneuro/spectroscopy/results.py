"""What one acquired spectrum gave: its fit, its place and the answers that rest on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hlhneuro.answers import Finding
from hlhneuro.spectroscopy.fitting import SpectrumFit
from hlhneuro.spectroscopy.voxel import VoxelComposition

__all__ = ["SpectrumResult"]


@dataclass(frozen=True)
class SpectrumResult:
    """One spectrum of one session, or why there is no fit.

    Parameters
    ----------
    session : str
        Session label.
    name : str
        ``acq-short_voi-thalamus`` .. from the file's entities; ``svs`` where it has none.
    echo_time_s : float, optional
    sequence : str, optional
    water_reference : bool
        Whether a water reference of the same voxel was used.
    fit : SpectrumFit, optional
        None where the spectrum could not be fitted.
    voxel : VoxelComposition, optional
        None where the images of the session could not be aligned.
    findings : tuple of Finding
        Lactate, lipid, NAA .. each present, absent or not assessable.
    reason : str
        Why there is no fit; empty otherwise.
    reporting : DataFrame, optional
        The MRSinMRS table: ``section, item, value``.
    """

    session: str
    name: str
    echo_time_s: float | None
    sequence: str | None
    water_reference: bool
    fit: SpectrumFit | None
    voxel: VoxelComposition | None
    findings: tuple[Finding, ...]
    reason: str = ""
    reporting: pd.DataFrame | None = None

    @property
    def place(self) -> str:
        """The voxel: the name of the spectrum without what only tells acquisitions apart."""
        parts = [part for part in self.name.split("_") if not part.startswith(("acq-", "run-"))]
        return "_".join(parts) or "svs"

    @property
    def field_t(self) -> float | None:
        """Field strength in tesla, from the record of the fit; None where there is no fit."""
        value = self.acquisition.get("field_t")
        return float(value) if isinstance(value, int | float) else None

    @property
    def acquisition(self) -> Mapping[str, object]:
        """What the fit recorded of the acquisition; empty where there is no fit."""
        if self.fit is None:
            return {}
        return next((facts for name, facts in self.fit.record if name == "acquisition"), {})
