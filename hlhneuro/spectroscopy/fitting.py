"""Linear-combination fit of one spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["SpectrumFit"]


@dataclass(frozen=True)
class SpectrumFit:
    """A fitted spectrum.

    Parameters
    ----------
    ppm : array, shape (points,)
        Chemical shift axis of the fitted range, descending as drawn.
    data, fit, baseline : complex arrays, shape (points,)
        Phased and shifted like the data that were fitted; ``residual = data - fit``; `fit` holds the baseline.
    components : mapping of name to complex array
        Contribution of each basis function with its fitted amplitude, without baseline.
    concentrations : DataFrame
        Columns ``metabolite, concentration, unit, sd, crlb_percent, ratio_to_tcr, ratio_sd, detected``.
    quality : mapping
        ``snr, linewidth_hz, linewidth_ppm, shift_ppm, phase0_deg, residual_ratio, fit_seconds, verdict, reasons``;
        verdict is ``good``, ``usable`` or ``not usable``.
    record : tuple of (str, mapping)
        Preprocessing steps with their parameters, in order.
    """

    ppm: NDArray[np.float64]
    data: NDArray[np.complex128]
    fit: NDArray[np.complex128]
    baseline: NDArray[np.complex128]
    components: Mapping[str, NDArray[np.complex128]]
    concentrations: pd.DataFrame
    quality: Mapping[str, object]
    record: tuple[tuple[str, Mapping[str, object]], ...] = ()
