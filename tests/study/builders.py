"""Small BIDS folders for the tests of this room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np


def write_nifti(path: Path, seed: int = 0, shape: tuple[int, ...] = (3, 4, 5)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(0, 99, shape).astype(np.int16)
    nib.Nifti1Image(data, np.diag([1.0, 1.0, 2.0, 1.0])).to_filename(path)
    return path


class StudyBuilder:
    """A study that grows file by file; every image differs from the others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = 0
        root.mkdir(parents=True, exist_ok=True)
        self.json("dataset_description.json", {"Name": "test", "BIDSVersion": "1.10.0"})

    def image(self, name: str, subject: str = "01", session: str | None = "01", sidecar: Any = None) -> Path:
        """Write e.g. ``anat/ce-gd_T1w.nii.gz`` with the subject and session put in front of the name."""
        datatype, _, tail = name.partition("/")
        prefix = f"sub-{subject}" + (f"_ses-{session}" if session else "")
        folder = self.root / f"sub-{subject}" / (f"ses-{session}" if session else "") / datatype
        self._count += 1
        path = write_nifti(folder / f"{prefix}_{tail}", self._count)
        if sidecar is not None:
            path.with_name(path.name.partition(".")[0] + ".json").write_text(json.dumps(sidecar), encoding="utf-8")
        return path

    def text(self, name: str, content: str, encoding: str = "utf-8") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(encoding))
        return path

    def json(self, name: str, content: Any) -> Path:
        return self.text(name, json.dumps(content))

    def participants(self, *rows: str, header: str = "participant_id\tage\tsex") -> Path:
        return self.text("participants.tsv", "\n".join([header, *rows]) + "\n")

    def sessions(self, *rows: str, subject: str = "01", header: str = "session_id\tacq_time\tage") -> Path:
        return self.text(f"sub-{subject}/sub-{subject}_sessions.tsv", "\n".join([header, *rows]) + "\n")
