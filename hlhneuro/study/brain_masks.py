"""Brain masks that the user supplies as BIDS derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlhneuro.study._supplied import BRAIN, find_supplied
from hlhneuro.study.layout import Subject

__all__ = ["BrainMask", "find_brain_masks"]


@dataclass(frozen=True)
class BrainMask:
    """The brain mask of one session.

    Parameters
    ----------
    path : path
    contrast : str
        The image that its name says it lies on (``space-T1w``), as a contrast; empty where it says none.
    """

    path: Path
    contrast: str


def find_brain_masks(folders: Sequence[str | Path], subjects: Sequence[Subject]) -> dict[str, dict[str, BrainMask]]:
    """Return the brain mask of each session, by subject and session label; the first folder that has one wins.

    Raises
    ------
    StudyError
        If a folder is not there, a session has two masks in one folder, or a mask lies in another space than a scan of
        its session.
    """
    found = find_supplied(BRAIN, folders, subjects)
    return {subject: {label: BrainMask(*mask) for label, mask in masks.items()} for subject, masks in found.items()}
