"""How aligned images, lesions and their change are written to disk and read back, without loss."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging import (
    AffineTransform,
    AlignedSeries,
    AlignedSession,
    Grid,
    RegistrationQuality,
    Step,
    Volume,
    load_transform,
    resample_labels,
    save_itk,
    save_transform,
)
from hlhneuro.lesions import ChangeCode, IntervalChange, LesionChange, LesionSeries, SessionLesions, territory_table
from hlhneuro.lesions.change import carried_codes
from hlhneuro.pipeline.ledger import Kept
from hlhneuro.pipeline.stores.plain import (
    as_u8,
    frame_from_json,
    frame_to_json,
    grid_from_json,
    grid_to_json,
    read_image,
)
from hlhneuro.study import Provenance, derivative_path, write_image, write_json, write_table

__all__ = ["ImageStore"]

CHANGE, WHOLE_CHANGE = "change", "changefromfirst"  # against the session before; at the last one against the first
LOOKUP_COLUMNS = {
    "index": ("", "value in the image"),
    "name": ("", "what it means"),
    "side": ("", "left, right or midline"),
}


@dataclass(frozen=True)
class ImageStore:
    """Files of one subject.

    Parameters
    ----------
    out : path
        Output root.
    subject : str
    provenance : Provenance
        What the files of the current stage were made from.
    """

    out: Path
    subject: str
    provenance: Provenance

    # ------------------------------------------------------------------ names

    def _path(
        self, session: str | None, suffix: str, extension: str = ".nii.gz", space: str = "subject", **entities: str
    ) -> Path:
        named = {"space": space, **entities} if space else entities
        return derivative_path(self.out, self.subject, session, "anat", suffix, extension, **named)

    def _image(self, path: Path, data: NDArray[Any], grid: Grid, description: str) -> Path:
        write_image(path, data, grid.affine, self.provenance, description)
        return path

    def _xfm(self, session: str | None, contrast: str) -> Path:
        ce, suffix = split_contrast(contrast)
        entities = {**ce, "from": suffix, "to": "subject", "mode": "image"}
        return self._path(session, "xfm", ".txt", space="", **entities)

    def _preproc(self, session: str, contrast: str) -> Path:
        ce, suffix = split_contrast(contrast)
        return self._path(session, suffix, **ce, desc="preproc")

    def _coverage(self, session: str, contrast: str) -> Path:
        return self._path(session, "mask", desc="coverage" + re.sub(r"[^A-Za-z0-9]", "", contrast))

    # ---------------------------------------------------------------- aligned

    def keep_aligned(self, series: AlignedSeries) -> Kept:
        """Write an aligned series."""
        files = [
            self._image(self._path(None, "mask", desc="brain"), as_u8(series.brain_mask), series.grid,
                        "Brain common to all sessions"),
            *(self._image(self._path(None, "probseg", label=name.upper(), desc="template"), image, series.grid,
                          f"{series.template} template: {name} probability carried to subject space")
              for name, image in series.template_maps.items()),
        ]  # fmt: skip
        name = self._path(None, "xfm", ".txt", space="", **{"from": "MNI152", "to": "subject", "mode": "image"})
        stem = name.with_suffix("")
        stem.parent.mkdir(parents=True, exist_ok=True)
        files += save_transform(series.to_template, stem)
        described = self.provenance.to_dict() | {
            "Description": "Points of subject space to points of MNI152 (ITK, LPS mm)"
        }
        files.append(write_json(stem.with_suffix(".json"), described))
        sessions = []
        for session in series.sessions:
            written, described = self._keep_session(session, series.grid)
            files += written
            sessions.append(described)
        payload = {
            "grid": grid_to_json(series.grid),
            "to_template": stem.relative_to(self.out).as_posix(),
            "template_maps": list(series.template_maps),
            "sessions": sessions,
            "quality": [asdict(quality) for quality in series.quality],
            "problems": list(series.problems),
            "template": series.template,
            "template_valid": series.template_valid,
            "template_reason": series.template_reason,
        }
        return Kept(tuple(files), payload)

    def _keep_session(self, session: AlignedSession, grid: Grid) -> tuple[list[Path], dict[str, Any]]:
        label = session.label
        files = [self._image(self._path(label, "mask", desc="brain"), as_u8(session.brain_mask), grid, "Brain mask")]
        for contrast, volume in session.volumes.items():
            files.append(self._image(self._preproc(label, contrast), volume.data, grid,
                                     "Bias-corrected, aligned to subject space in one interpolation, "
                                     "normalised across sessions (quantitative maps unchanged)"))  # fmt: skip
            path = self._xfm(label, contrast)
            save_itk(session.to_subject[contrast].inverse(), path)  # ITK pulls: subject points to scanner points
            files.append(path)
            files.append(self._image(self._coverage(label, contrast), as_u8(session.coverage[contrast]), grid,
                                     f"Where the field of view of {contrast} covers subject space"))  # fmt: skip
        described = {
            "label": label,
            "reference": session.reference,
            "contrasts": list(session.volumes),
            "steps": {c: [asdict(step) for step in v.steps] for c, v in session.volumes.items()},
            "to_subject": {c: t.matrix.tolist() for c, t in session.to_subject.items()},
            "native_grids": {c: grid_to_json(g) for c, g in session.native_grids.items()},
            "noise_sd": {c: float(sd) for c, sd in session.noise_sd.items()},
            "quality": [asdict(quality) for quality in session.quality],
            "problems": list(session.problems),
        }
        return files, described

    def recall_aligned(self, payload: Mapping[str, Any]) -> AlignedSeries:
        """Read back what `keep_aligned` wrote."""
        grid = grid_from_json(payload["grid"])
        return AlignedSeries(
            grid=grid,
            sessions=tuple(self._recall_session(described, grid) for described in payload["sessions"]),
            brain_mask=read_image(self._path(None, "mask", desc="brain")) > 0,
            to_template=load_transform(self.out / payload["to_template"]),
            template_maps={
                name: read_image(self._path(None, "probseg", label=name.upper(), desc="template"))
                for name in payload["template_maps"]
            },
            quality=tuple(RegistrationQuality(**quality) for quality in payload["quality"]),
            problems=tuple(payload["problems"]),
            template=payload["template"],
            template_valid=payload["template_valid"],
            template_reason=payload["template_reason"],
        )

    def _recall_session(self, described: Mapping[str, Any], grid: Grid) -> AlignedSession:
        label = described["label"]
        to_subject = {c: AffineTransform(np.array(m, dtype=float)) for c, m in described["to_subject"].items()}
        native = {c: grid_from_json(g) for c, g in described["native_grids"].items()}
        volumes = {
            contrast: Volume(
                read_image(self._preproc(label, contrast)),
                grid.affine,
                contrast,
                tuple(Step(step["name"], step["parameters"]) for step in described["steps"][contrast]),
            )
            for contrast in described["contrasts"]
        }
        return AlignedSession(
            label=label,
            reference=described["reference"],
            volumes=volumes,
            brain_mask=read_image(self._path(label, "mask", desc="brain")) > 0,
            coverage={c: read_image(self._coverage(label, c)) > 0 for c in volumes},
            to_subject=to_subject,
            native_grids=native,
            noise_sd=described["noise_sd"],
            quality=tuple(RegistrationQuality(**quality) for quality in described["quality"]),
            problems=tuple(described["problems"]),
        )

    # ---------------------------------------------------------------- lesions

    def keep_lesions(self, lesions: LesionSeries) -> Kept:
        """Write tissue maps, territories, lesion probabilities and masks."""
        grid = lesions.grid
        territories = self._path(None, "dseg", desc="territories")
        files = [
            *(self._image(self._path(None, "probseg", label=name.upper()), image, grid, f"{name} probability")
              for name, image in lesions.tissue.items()),
            self._image(territories, lesions.territories, grid, "Territories; names in the table of the same name"),
            self._lookup(territories, territory_table()[["index", "name", "side"]]),
        ]  # fmt: skip
        for session in lesions.sessions:
            files.append(self._image(self._path(session.label, "probseg", label="lesion"), session.probability, grid,
                                     "Lesion probability"))  # fmt: skip
            files.append(self._image(self._path(session.label, "mask", label="lesion"), as_u8(session.mask), grid,
                                     "Lesion mask"))  # fmt: skip
        scalars = (
            "label",
            "volume_ml",
            "volume_sd_ml",
            "contrasts",
            "confidence",
            "reason",
            "border_sd_ml",
            "supplied",
            "detectable_contrast",
        )
        payload = {
            "grid": grid_to_json(grid),
            "tissue": list(lesions.tissue),
            "sessions": [{name: getattr(session, name) for name in scalars} for session in lesions.sessions],
            "not_assessable": dict(lesions.not_assessable),
        }
        return Kept(tuple(files), payload)

    def recall_lesions(self, payload: Mapping[str, Any]) -> LesionSeries:
        """Read back what `keep_lesions` wrote."""
        return LesionSeries(
            grid=grid_from_json(payload["grid"]),
            sessions=tuple(
                SessionLesions(
                    probability=read_image(self._path(scalars["label"], "probseg", label="lesion")),
                    mask=read_image(self._path(scalars["label"], "mask", label="lesion")) > 0,
                    **(dict(scalars) | {"contrasts": tuple(scalars["contrasts"])}),
                )
                for scalars in payload["sessions"]
            ),
            tissue={name: read_image(self._path(None, "probseg", label=name.upper())) for name in payload["tissue"]},
            territories=read_image(self._path(None, "dseg", desc="territories")).astype(np.int16),
            not_assessable=payload["not_assessable"],
        )

    # ----------------------------------------------------------------- change

    def keep_change(self, change: LesionChange, grid: Grid) -> Kept:
        """Write change maps and lesion identities."""
        files: list[Path] = []
        maps = [(interval, CHANGE) for interval in change.intervals]
        maps += [(change.first_to_last, WHOLE_CHANGE)] if change.first_to_last else []
        for interval, description in maps:
            path = self._path(interval.after, "dseg", desc=description)
            files.append(self._image(path, interval.codes, grid, f"Change against session {interval.before}"))
            files.append(self._lookup(path, change_lookup()))
        for label, identities in change.identities.items():
            path = self._path(label, "dseg", desc="lesions")
            files.append(self._image(path, identities, grid, "Lesion identities, the same number at every session"))
        payload = {
            "intervals": [_without_codes(interval) for interval in change.intervals],
            "first_to_last": _without_codes(change.first_to_last) if change.first_to_last else None,
            "sessions": list(change.identities),
            "lesions": frame_to_json(change.lesions),
            "territories": frame_to_json(change.territories),
        }
        return Kept(tuple(files), payload)

    def recall_change(self, payload: Mapping[str, Any]) -> LesionChange:
        """Read back what `keep_change` wrote."""

        def recalled(scalars: Mapping[str, Any], description: str) -> IntervalChange:
            codes = read_image(self._path(scalars["after"], "dseg", desc=description)).astype(np.uint8)
            return IntervalChange(codes=codes, **scalars)

        whole = payload["first_to_last"]
        return LesionChange(
            intervals=tuple(recalled(scalars, CHANGE) for scalars in payload["intervals"]),
            first_to_last=recalled(whole, WHOLE_CHANGE) if whole else None,
            identities={
                label: read_image(self._path(label, "dseg", desc="lesions")).astype(np.int32)
                for label in payload["sessions"]
            },
            lesions=frame_from_json(payload["lesions"]),
            territories=frame_from_json(payload["territories"]),
        )

    # ----------------------------------------------------------- native grids

    def keep_native(self, series: AlignedSeries, lesions: LesionSeries | None, change: LesionChange | None) -> Kept:
        """Carry masks and change maps back into each session's own FLAIR (or reference) grid, and write them."""
        files: list[Path] = []
        for session in series.sessions:
            contrast = "FLAIR" if "FLAIR" in session.native_grids else session.reference
            grid, to_subject = session.native_grids[contrast], session.to_subject[contrast]
            found = lesions.session(session.label) if lesions else None
            interval = next((i for i in change.intervals if i.after == session.label), None) if change else None
            maps = [
                ("mask", {"desc": "brain"}, as_u8(session.brain_mask)),
                *([("mask", {"label": "lesion"}, as_u8(found.mask))] if found else []),
                *([("dseg", {"desc": CHANGE}, interval.codes)] if interval else []),
            ]
            for suffix, entities, labels in maps:
                carry = carried_codes if entities.get("desc") == CHANGE else resample_labels
                carried = carry(labels, series.grid, grid, to_subject)
                path = self._path(session.label, suffix, space=split_contrast(contrast)[1], **entities)
                files.append(
                    self._image(path, carried.astype(np.uint8), grid, f"Carried to the scanner grid of {contrast}")
                )
                if entities.get("desc") == CHANGE:
                    files.append(self._lookup(path, change_lookup()))
        return Kept(tuple(files), {})

    def _lookup(self, image: Path, table: pd.DataFrame) -> Path:
        path = image.with_name(image.name.replace(".nii.gz", ".tsv"))
        write_table(path, table, {name: LOOKUP_COLUMNS[name] for name in table.columns}, self.provenance)
        return path


def _without_codes(interval: IntervalChange) -> dict[str, Any]:
    return {name: value for name, value in vars(interval).items() if name != "codes"}


def change_lookup() -> pd.DataFrame:
    """Return the codes of a change map and their names."""
    return pd.DataFrame(
        {"index": [int(code) for code in ChangeCode], "name": [code.name.lower() for code in ChangeCode]}
    )


def split_contrast(contrast: str) -> tuple[dict[str, str], str]:
    """Return the ``ce`` entity, if any, and the BIDS suffix of a contrast name."""
    prefix, _, suffix = contrast.rpartition("_")
    return ({"ce": prefix.removeprefix("ce-")} if prefix else {}), suffix
