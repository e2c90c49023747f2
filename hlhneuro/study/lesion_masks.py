"""Lesion masks that the user supplies as BIDS derivatives: drawn by hand, or by another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlhneuro.study._supplied import LESION, find_supplied
from hlhneuro.study.layout import Subject

__all__ = ["LesionMask", "find_lesion_masks"]


@dataclass(frozen=True)
class LesionMask:
    """The lesion mask of one session.

    Parameters
    ----------
    path : path
    contrast : str
        The image that its name says it lies on (``space-FLAIR``), as a contrast; empty where it says none.
    """

    path: Path
    contrast: str


def find_lesion_masks(folders: Sequence[str | Path], subjects: Sequence[Subject]) -> dict[str, dict[str, LesionMask]]:
    """Return the lesion mask of each session, by subject and session label; the first folder that has one wins.

    Taken are, in this order, ``*_label-lesion_{mask,probseg,dseg}`` in ``sub-X/ses-Y/anat``, and there or in
    ``sub-X/ses-Y`` what LST-AI (``space-flair_seg-lst.nii.gz``) and SAMSEG (``seg.mgz``) call their result.

    Raises
    ------
    StudyError
        If a folder is not there, a session has two masks of the same kind of name in one folder, or a mask lies in
        another space than a scan of its session.
    """
    found = find_supplied(LESION, folders, subjects)
    return {subject: {label: LesionMask(*mask) for label, mask in masks.items()} for subject, masks in found.items()}
