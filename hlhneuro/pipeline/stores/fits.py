"""How one fit of a spectrum is written to disk and read back, without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.pipeline.stores.plain import frame_from_json, frame_to_json
from hlhneuro.report import FIT_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS, figures
from hlhneuro.spectroscopy import SpectrumFit
from hlhneuro.spectroscopy.preprocessing import Stage
from hlhneuro.study import Provenance, write_json, write_table, write_text

__all__ = ["fit_from_json", "fit_to_json", "write_fit"]


def write_fit(
    fit: SpectrumFit,
    names: Mapping[str, Path],
    title: str,
    provenance: Provenance,
    reporting: pd.DataFrame | None = None,
) -> list[Path]:
    """Write one fit: ``concentrations``, ``qc`` and ``mrsinmrs`` tables, ``json`` with the curves, ``svg``."""
    write_table(names["concentrations"], fit.concentrations, FIT_COLUMNS, provenance)
    quality = pd.DataFrame([{name: as_text(value) for name, value in fit.quality.items()}])
    columns = {name: QC_COLUMNS.get(name, ("", name)) for name in map(str, quality.columns)}
    write_table(names["qc"], quality, columns, provenance)
    if reporting is not None:
        write_table(names["mrsinmrs"], reporting, MRSINMRS_COLUMNS, provenance)
    write_json(names["json"], fit_to_json(fit), provenance)
    write_text(names["svg"], figures.save_svg(figures.spectrum_fit(fit, title)))
    return list(names.values())


def as_text(value: object) -> object:
    """Join lists of reasons into one cell."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value


def fit_to_json(fit: SpectrumFit) -> dict[str, Any]:
    """Return a fit as plain JSON types, every digit kept."""
    return {
        "ppm": fit.ppm.tolist(),
        **{name: complex_to_json(getattr(fit, name)) for name in ("data", "fit", "baseline")},
        "components": {name: complex_to_json(curve) for name, curve in fit.components.items()},
        "concentrations": frame_to_json(fit.concentrations),
        "quality": {name: list(v) if isinstance(v, tuple) else v for name, v in fit.quality.items()},
        "record": [[name, dict(parameters)] for name, parameters in fit.record],
        "stages": [stage_to_json(stage) for stage in fit.stages],
        "correlations": fit.correlations.tolist(),
    }


def stage_to_json(stage: Stage) -> dict[str, Any]:
    """Return one step of the preparation as plain JSON types."""
    return {
        "name": stage.name,
        **{name: getattr(stage, name).tolist() for name in ("ppm", "before", "after")},
        "courses": {name: values.tolist() for name, values in stage.courses.items()},
    }


def stage_from_json(found: Mapping[str, Any]) -> Stage:
    """Read back what `stage_to_json` gave."""
    ppm, before, after = (np.array(found[name], dtype=float) for name in ("ppm", "before", "after"))
    courses = {name: np.array(values, dtype=float) for name, values in found["courses"].items()}
    return Stage(found["name"], ppm, before, after, courses)


def fit_from_json(found: Mapping[str, Any]) -> SpectrumFit:
    """Read back what `fit_to_json` gave."""
    return SpectrumFit(
        ppm=np.array(found["ppm"], dtype=float),
        data=complex_from_json(found["data"]),
        fit=complex_from_json(found["fit"]),
        baseline=complex_from_json(found["baseline"]),
        components={name: complex_from_json(curve) for name, curve in found["components"].items()},
        concentrations=frame_from_json(found["concentrations"]),
        quality=found["quality"],
        record=tuple((name, parameters) for name, parameters in found["record"]),
        stages=tuple(stage_from_json(stage) for stage in found["stages"]),
        correlations=np.array(found["correlations"], dtype=float),
    )


def complex_to_json(values: NDArray[np.complex128]) -> dict[str, list[float]]:
    """Split complex values into two lists."""
    return {"real": values.real.tolist(), "imag": values.imag.tolist()}


def complex_from_json(found: Mapping[str, list[float]]) -> NDArray[np.complex128]:
    """Join two lists into complex values."""
    return np.array(found["real"]) + 1j * np.array(found["imag"])
