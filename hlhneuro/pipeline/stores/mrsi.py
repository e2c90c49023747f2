"""How fitted spectroscopic grids are written to disk and read back, without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging import AlignedSeries
from hlhneuro.pipeline.ledger import Kept
from hlhneuro.pipeline.stores.plain import frame_from_json, frame_to_json, read_image
from hlhneuro.report import GRID_VOXEL_COLUMNS
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import (
    GridContent,
    GridFit,
    GridResult,
    VoxelState,
    lay_on_anatomy,
    voxels_on_anatomy,
)
from hlhneuro.study import Provenance, derivative_path, write_image, write_table

__all__ = ["GridStore"]

_TABLES = {
    "concentration": ("concentration", "Fitted concentrations ({unit})"),
    "sd": ("concentrationsd", "Standard uncertainty of the concentrations, of the fit and of its scale ({unit})"),
    "crlb": ("crlb", "Cramer-Rao lower bound of the concentrations, of the fit alone ({unit})"),
    "ratio": ("ratio", "Ratios to total creatine"),
    "ratio_sd": ("ratiosd", "Standard uncertainty of the ratios, from the Cramer-Rao bound"),
}
_QUALITY = ("snr", "linewidth_hz", "shift_hz", "residual_ratio")
_CONTENT = tuple(field.name for field in fields(GridContent))
_PLAIN = ("session", "name", "echo_time_s", "sequence", "water_reference", "reason")


@dataclass(frozen=True)
class GridStore:
    """Files of one spectroscopic grid of one session.

    Parameters
    ----------
    out : path
        Output root.
    subject, session : str
    entities : mapping
        ``acq`` .. of the acquired file.
    aligned : AlignedSeries, optional
        For the maps on the anatomy.
    provenance : Provenance
    settings : SpectraSettings
        Which maps are laid on the anatomy, and where they can be trusted.
    """

    out: Path
    subject: str
    session: str
    entities: Mapping[str, str]
    aligned: AlignedSeries | None
    provenance: Provenance
    settings: SpectraSettings

    def _path(self, suffix: str, extension: str, desc: str, **more: str) -> Path:
        named = {**self.entities, "desc": desc, **more}
        return derivative_path(self.out, self.subject, self.session, "mrs", suffix, extension, **named)

    def _write(
        self, maps: Sequence[NDArray[Any]] | NDArray[Any], affine: NDArray[np.float64], desc: str, text: str
    ) -> Path:
        data = np.stack(maps, axis=-1) if isinstance(maps, Sequence) else maps
        return write_image(self._path("mrsi", ".nii.gz", desc), data, affine, self.provenance, text)

    def keep(self, result: GridResult) -> Kept:
        """Write the maps on the grid and on the anatomy, and the table of voxels."""
        payload: dict[str, Any] = {name: getattr(result, name) for name in _PLAIN}
        payload["regions"] = frame_to_json(result.regions)
        fit = result.fit
        if fit is None:
            return Kept((), payload)
        volumes = f"volumes in order: {', '.join(fit.names)}"
        files = [
            self._write(getattr(fit, name), fit.affine, desc, f"{text.format(unit=fit.unit)}; {volumes}")
            for name, (desc, text) in _TABLES.items()
        ]
        told = f"Quality of the fits; volumes in order: {', '.join(_QUALITY)}"
        files.append(self._write([getattr(fit, name) for name in _QUALITY], fit.affine, "quality", told))
        if result.content is not None:
            told = f"Part of each voxel that is brain, and of what; volumes in order: {', '.join(_CONTENT)}"
            parts = [getattr(result.content, name) for name in _CONTENT]
            files.append(self._write(parts, fit.affine, "content", told))
        states = ", ".join(f"{state.value} {state.words}" for state in VoxelState)
        path = self._path("dseg", ".nii.gz", "quality")
        files.append(write_image(path, fit.state, fit.affine, self.provenance, f"What became of each voxel: {states}"))
        path = self._path("qc", ".tsv", "voxels")
        write_table(path, voxel_table(result), GRID_VOXEL_COLUMNS, self.provenance)
        files += [path, *(self._on_anatomy(fit) if result.content is not None else ())]
        payload["fit"] = {
            "names": list(fit.names),
            "unit": fit.unit,
            "affine": fit.affine.tolist(),
            "reasons": [[list(index), why] for index, why in fit.reasons.items()],
            "record": [[name, dict(parameters)] for name, parameters in fit.record],
        }
        payload["content"] = result.content is not None
        return Kept(tuple(files), payload)

    def _on_anatomy(self, fit: GridFit) -> list[Path]:
        images = self.aligned.session(self.session) if self.aligned is not None else None
        if self.aligned is None or images is None:
            return []
        x, y, z = fit.state.shape
        index = voxels_on_anatomy(fit.affine, (x, y, z), images.to_subject[images.reference], self.aligned.grid)
        files = []
        for name in (name for name in self.settings.mrsi_maps if name in fit.names):
            laid = lay_on_anatomy(fit.map(name), fit.trusted(name, self.settings), index)
            path = self._path("mrsi", ".nii.gz", "ratio", space="subject", label=name)
            text = f"{name} over total creatine by nearest neighbour; not a number where it cannot be trusted"
            files.append(write_image(path, laid, self.aligned.grid.affine, self.provenance, text))
        return files

    def recall(self, payload: Mapping[str, Any]) -> GridResult:
        """Read back what `keep` wrote."""
        fit = content = None
        if "fit" in payload:
            told = payload["fit"]
            maps = {name: self._read(desc) for name, (desc, _) in _TABLES.items()}
            quality = self._read("quality")
            fit = GridFit(
                names=tuple(told["names"]),
                unit=told["unit"],
                affine=np.array(told["affine"], dtype=np.float64),
                state=read_image(self._path("dseg", ".nii.gz", "quality")),
                reasons={(i, j, k): why for (i, j, k), why in told["reasons"]},
                record=tuple((name, parameters) for name, parameters in told["record"]),
                **maps,
                **{name: quality[..., i] for i, name in enumerate(_QUALITY)},
            )
            if payload["content"]:
                parts = self._read("content")
                content = GridContent(**{name: parts[..., i] for i, name in enumerate(_CONTENT)})
        plain = {name: payload[name] for name in _PLAIN}
        return GridResult(**plain, fit=fit, content=content, regions=frame_from_json(payload["regions"]))

    def _read(self, desc: str) -> NDArray[np.float64]:
        return np.asarray(read_image(self._path("mrsi", ".nii.gz", desc)), dtype=np.float64)


def voxel_table(result: GridResult) -> pd.DataFrame:
    """Return one row per voxel of the grid: its place, what it holds, the quality of its fit and the verdict."""
    fit = result.fit
    if fit is None:
        return pd.DataFrame(columns=list(GRID_VOXEL_COLUMNS))
    index = np.argwhere(np.ones(fit.state.shape, dtype=bool))
    places = index @ fit.affine[:3, :3].T + fit.affine[:3, 3]
    columns: dict[str, Any] = {name: index[:, axis] for axis, name in enumerate("ijk")}
    columns |= {f"{name}_mm": places[:, axis] for axis, name in enumerate("xyz")}
    columns["verdict"] = [VoxelState(int(state)).words for state in fit.state.ravel()]
    columns["reason"] = [fit.reasons.get((i, j, k), "") for i, j, k in index.tolist()]
    columns |= {name: getattr(fit, name).ravel() for name in _QUALITY}
    if result.content is not None:
        columns |= {f"voxel_{name}": getattr(result.content, name).ravel() for name in _CONTENT}
    return pd.DataFrame(columns, columns=list(GRID_VOXEL_COLUMNS))
