"""One invented session on its way to disk: who, when, what is there, where the head lies, and where files go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.phantom.anatomy import Head
from hlhneuro.phantom.cases import Patient, Visit
from hlhneuro.phantom.lesions import LesionMap
from hlhneuro.phantom.scanner import rigid

__all__ = ["SessionTruth", "random_pose"]

# Repositioning between visits and motion between the scans of one visit: standard deviations, expert-set.
REPOSITION_DEG, REPOSITION_MM = 3.0, 5.0
MOTION_DEG, MOTION_MM = 0.5, 0.5


def random_pose(seed: Sequence[int], angle_deg: float, shift_mm: float) -> AffineTransform:
    """Return a random rigid transform of these standard deviations."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
    return rigid(rng.normal(0.0, angle_deg, 3), rng.normal(0.0, shift_mm, 3))


@dataclass(frozen=True)
class SessionTruth:
    """Everything the files of one session follow from.

    Parameters
    ----------
    root : path
        Of the study.
    patient, visit : Patient, Visit
    number : int
        Position of the visit, from zero.
    head : Head
    lesions : LesionMap
    """

    root: Path
    patient: Patient
    visit: Visit
    number: int
    head: Head
    lesions: LesionMap

    @property
    def stem(self) -> str:
        """Beginning of every file name."""
        return f"sub-{self.patient.label}_ses-{self.visit.label}"

    @property
    def folder(self) -> Path:
        """Folder of the session."""
        return self.root / f"sub-{self.patient.label}" / f"ses-{self.visit.label}"

    @property
    def truth(self) -> Path:
        """Folder of the session's truth."""
        return self.root / "truth" / f"sub-{self.patient.label}" / f"ses-{self.visit.label}"

    def seed(self, *purpose: int) -> tuple[int, ...]:
        """Return the seed for one purpose."""
        return (self.patient.seed, self.number, *purpose)

    @property
    def pose(self) -> AffineTransform:
        """Where the head was put: from scanner space to the truth grid's space."""
        return random_pose(self.seed(10), REPOSITION_DEG, REPOSITION_MM)

    def moved_pose(self, *purpose: int) -> AffineTransform:
        """Return the pose after the small motion before one scan."""
        return self.pose.after(random_pose(self.seed(*purpose), MOTION_DEG, MOTION_MM))
