"""One spectrum and its voxel as plain numbers, for the account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from hlhneuro.report.sections.section import Row
from hlhneuro.spectroscopy.fitting import SpectrumFit
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.spectroscopy.voxel import VoxelComposition

__all__ = ["finite", "spectrum_facts", "voxel_facts"]

# Govindaraju 2000, NMR Biomed 13:129: the signals that a voxel is read for, and how far they lie apart.
_LACTATE_PPM, _NAA_PPM = 1.31, 2.01
_PARTS = {"gm": "grey matter", "wm": "white matter", "csf": "CSF", "lesion": "lesion"}
_QUALITY = ("snr", "linewidth_hz", "linewidth_ppm", "shift_ppm", "residual_ratio")


def finite(value: object) -> float | None:
    """Return a number, or None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    return float(value) if np.isfinite(value) else None


def spectrum_facts(spectrum: SpectrumResult, main: Collection[str], detection_sd: float) -> Row:
    """Return what one spectrum gave.

    Parameters
    ----------
    spectrum : SpectrumResult
    main : collection of str
        Metabolites whose ratios are read first, in that order.
    detection_sd : float
        How many standard uncertainties a signal has to stand above zero.
    """
    fit = spectrum.fit
    return {
        "name": spectrum.name,
        "sequence": spectrum.sequence,
        "echo_time_ms": None if spectrum.echo_time_s is None else 1e3 * spectrum.echo_time_s,
        "field_t": spectrum.field_t,
        "water_reference": spectrum.water_reference,
        "reason": spectrum.reason,
        "verdict": "" if fit is None else str(fit.quality.get("verdict", "not judged")),
        "reasons": _listed(fit.quality.get("reasons") if fit is not None else ()),
        **{name: None if fit is None else finite(fit.quality.get(name)) for name in _QUALITY},
        "metabolites": [] if fit is None else _metabolites(fit, main, detection_sd),
        "steps": [] if fit is None else _steps(fit),
        "reporting": [] if spectrum.reporting is None else spectrum.reporting.to_dict(orient="records"),
    }


def _listed(reasons: object) -> list[str]:
    if isinstance(reasons, list | tuple):
        return [str(why) for why in reasons]
    return [str(reasons)] if reasons else []


def _metabolites(fit: SpectrumFit, main: Collection[str], detection_sd: float) -> list[Row]:
    """Return one row per metabolite, those that are read first on top."""
    order = {name: place for place, name in enumerate([*list(main)[:1], "tCr", *list(main)[1:]])}
    rows = [_metabolite(found, detection_sd) for found in fit.concentrations.to_dict(orient="records")]
    for row in rows:
        row["main"] = row["name"] in order
    return sorted(rows, key=lambda row: order.get(row["name"], len(order)))


def _metabolite(found: Mapping[Any, Any], detection_sd: float) -> Row:
    ratio_sd = finite(found["ratio_sd"])
    detected = found.get("detected")
    known = isinstance(detected, bool | np.bool_)
    return {
        "name": str(found["metabolite"]),
        "concentration": finite(found["concentration"]),
        "sd": finite(found["sd"]),
        "unit": str(found["unit"] or ""),
        "ratio_to_tcr": finite(found["ratio_to_tcr"]),
        "ratio_sd": ratio_sd,
        "crlb_percent": finite(found.get("crlb_percent")),
        "detected": bool(detected) if known else None,
        "ratio_limit": detection_sd * ratio_sd if known and not detected and ratio_sd is not None else None,
    }


def _steps(fit: SpectrumFit) -> list[Row]:
    """Return the steps that changed the spectrum, with what they found."""
    told, rows = dict(fit.record), []
    for stage in fit.stages:
        found = told.get(stage.name, {})
        row: Row = {"name": stage.name}
        if stage.name == "transients":
            rejected = found.get("rejected", ())
            row |= {"transients": found.get("count"), "drift_hz": found.get("drift_hz")}
            row["left_out"] = len(rejected) if isinstance(rejected, list | tuple) else 0
        elif stage.name == "coil combination":
            row["coils"] = found.get("coils")
        rows.append(row)
    return rows


def voxel_facts(voxel: VoxelComposition) -> Row:
    """Return where a voxel lies and what it holds, in per cent with standard uncertainties."""
    parts = [
        {"key": key, "name": name, "percent": 100 * part, "sd_percent": None if sd is None else 100 * sd}
        for key, name in _PARTS.items()
        if (part := getattr(voxel, key)) is not None
        for sd in (getattr(voxel, f"{key}_sd"),)
    ]
    places = sorted(voxel.territories.items(), key=lambda item: -item[1])
    per_ppm = voxel.displacement_mm_per_ppm
    return {
        "volume_ml": voxel.volume_ml,
        "inside_percent": 100 * voxel.inside_fraction,
        "parts": parts,
        "missing": [name for key, name in _PARTS.items() if getattr(voxel, key) is None],
        "reason": voxel.reason,
        "territories": [{"name": name, "percent": 100 * part} for name, part in places],
        "lactate_from_naa_mm": None if per_ppm is None else (_NAA_PPM - _LACTATE_PPM) * max(per_ppm),
    }
