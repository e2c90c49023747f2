"""What one subject's run is told, and what its results are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import hlhneuro
from hlhneuro.settings import Settings
from hlhneuro.study import BrainMask, LesionMask, Provenance, Study, Subject, bids_uri, file_sha256

__all__ = ["SubjectRun"]


@dataclass(frozen=True)
class SubjectRun:
    """What one subject's run is told.

    Parameters
    ----------
    study : Study
    subject : Subject
    out : path
        Output root.
    settings : Settings
    workers : int
        Threads the engines may use; the results do not depend on it.
    reports_only : bool
    brain_masks : mapping of session label to BrainMask
    lesion_masks : mapping of session label to LesionMask
        Those that the user supplies.
    """

    study: Study
    subject: Subject
    out: Path
    settings: Settings
    workers: int = 1
    reports_only: bool = False
    brain_masks: Mapping[str, BrainMask] = field(default_factory=dict)
    lesion_masks: Mapping[str, LesionMask] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Output folder of the subject."""
        return self.out / f"sub-{self.subject.label}"

    def provenance(self, stage: str, sources: Mapping[str, str], *settings: str) -> Provenance:
        """Say what a stage's files are made from: source checksums and the settings of the named stages."""
        chosen = {name: asdict(getattr(self.settings, name)) for name in settings}
        return Provenance(stage, sources, chosen, hlhneuro.__version__)

    def checksums(self, *paths: Path) -> dict[str, str]:
        """Return BIDS URI -> sha256 of raw files (unreadable ones are said to be so)."""
        return {bids_uri(self.study.root, path): checksum(path) for path in paths}

    def mask_checksums(self) -> dict[str, str]:
        """Return BIDS URI -> sha256 of the brain masks that the user supplies."""
        return {f"bids:brainmasks:{_inside(mask.path)}": checksum(mask.path) for mask in self.brain_masks.values()}

    def lesion_mask_checksums(self) -> dict[str, str]:
        """Return BIDS URI -> sha256 of the lesion masks that the user supplies."""
        return {f"bids:lesionmasks:{_inside(mask.path)}": checksum(mask.path) for mask in self.lesion_masks.values()}


def checksum(path: Path) -> str:
    """Return the sha256 of a file, or that it cannot be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _inside(path: Path) -> str:
    """Return the part of a derivative's path from its subject on: where its folder lies does not matter."""
    parts = path.parts
    first = max(n for n, part in enumerate(parts[:-1]) if part.startswith("sub-"))
    return "/".join(parts[first:])
