"""How fitted spectra are written to disk and read back, without loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlhneuro.answers import Answer, Finding
from hlhneuro.imaging import Grid
from hlhneuro.pipeline.ledger import Kept
from hlhneuro.pipeline.stores.fits import fit_from_json, write_fit
from hlhneuro.pipeline.stores.plain import as_u8, read_image
from hlhneuro.spectroscopy import SpectrumResult, VoxelComposition
from hlhneuro.study import Provenance, derivative_path, read_table, write_image

__all__ = ["SpectrumStore"]


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


def finding_from_json(found: Mapping[str, Any]) -> Finding:
    """Read back one finding."""
    return Finding(**(dict(found) | {"answer": Answer(found["answer"]), "sessions": tuple(found["sessions"])}))
