"""How fitted spectra are written to disk and read back, without loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging import Grid
from hlhneuro.pipeline.ledger import Kept
from hlhneuro.pipeline.store_images import as_u8, frame_from_json, frame_to_json, read_image
from hlhneuro.report import FIT_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS, figures
from hlhneuro.spectroscopy import SpectrumFit, SpectrumResult, VoxelComposition
from hlhneuro.spectroscopy.preprocessing import Stage
from hlhneuro.study import Provenance, derivative_path, read_table, write_image, write_json, write_table, write_text

__all__ = ["SpectrumStore", "fit_from_json", "fit_to_json", "write_fit"]


@dataclass(frozen=True)
class SpectrumStore:
    """Files of one spectrum of one session.

    Parameters
    ----------
    out : path
        Output root.
    subject, session : str
    entities : mapping
        ``acq``, ``voi`` .. of the acquired file.
    grid : Grid, optional
        Subject grid; None where there is no aligned anatomy.
    provenance : Provenance
    """

    out: Path
    subject: str
    session: str
    entities: Mapping[str, str]
    grid: Grid | None
    provenance: Provenance

    def _path(self, suffix: str, extension: str, desc: str = "fit") -> Path:
        return derivative_path(
            self.out, self.subject, self.session, "mrs", suffix, extension, **{**self.entities, "desc": desc}
        )

    def keep(self, result: SpectrumResult) -> Kept:
        """Write the fit, its figure and the voxel mask."""
        files: list[Path] = []
        payload: dict[str, Any] = {
            name: getattr(result, name)
            for name in ("session", "name", "echo_time_s", "sequence", "water_reference", "reason")
        }
        payload["findings"] = [finding.to_dict() for finding in result.findings]
        if result.fit is not None:
            names = {
                "concentrations": self._path("concentrations", ".tsv"),
                "qc": self._path("qc", ".tsv"),
                "json": self._path("svs", ".json"),
                "svg": self._path("svs", ".svg"),
            }
            title = f"sub-{self.subject} ses-{self.session} {result.name}"
            if result.reporting is not None:
                names["mrsinmrs"] = self._path("mrsinmrs", ".tsv")
            files += write_fit(result.fit, names, title, self.provenance, result.reporting)
            payload["fitted"] = True
            payload |= {"reporting": True} if result.reporting is not None else {}
        if result.voxel is not None and self.grid is not None:
            path = self._path("mask", ".nii.gz", desc="voxel")
            write_image(path, as_u8(result.voxel.mask), self.grid.affine, self.provenance, "Spectroscopy voxel")
            files.append(path)
            payload["voxel"] = {name: value for name, value in vars(result.voxel).items() if name != "mask"}
        return Kept(tuple(files), payload)

    def recall(self, payload: Mapping[str, Any]) -> SpectrumResult:
        """Read back what `keep` wrote."""
        voxel = None
        if "voxel" in payload:
            voxel = VoxelComposition(
                mask=read_image(self._path("mask", ".nii.gz", desc="voxel")) > 0, **payload["voxel"]
            )
        return SpectrumResult(
            session=payload["session"],
            name=payload["name"],
            echo_time_s=payload["echo_time_s"],
            sequence=payload["sequence"],
            water_reference=payload["water_reference"],
            fit=fit_from_json(json.loads(self._path("svs", ".json").read_text("utf-8")))
            if "fitted" in payload
            else None,
            voxel=voxel,
            findings=tuple(finding_from_json(found) for found in payload["findings"]),
            reason=payload["reason"],
            reporting=read_table(self._path("mrsinmrs", ".tsv")) if "reporting" in payload else None,
        )


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


def finding_from_json(found: Mapping[str, Any]) -> Finding:
    """Read back one finding."""
    return Finding(**(dict(found) | {"answer": Answer(found["answer"]), "sessions": tuple(found["sessions"])}))
