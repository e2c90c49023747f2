"""Brain masks that the user supplies as BIDS derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bids2table import parse_bids_entities

from hlhneuro.errors import StudyError
from hlhneuro.study.layout import Session, Subject

__all__ = ["BrainMask", "find_brain_masks"]

_PATTERN = "sub-X/ses-Y/anat/sub-X_ses-Y_desc-brain_mask.nii.gz"


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
        If a folder is not there, no folder holds a mask of any of these sessions, a session has two masks in one
        folder, or a mask lies in another space than a scan of its session.
    """
    roots = [Path(folder).expanduser().absolute() for folder in folders]
    for root in roots:
        if not root.is_dir():
            raise StudyError("there is no such folder of derivatives", path=root, remedy="check the path")
    found: dict[str, dict[str, BrainMask]] = {}
    for subject in subjects:
        masks = {session.label: _mask_of(roots, subject.label, session) for session in subject.sessions}
        found[subject.label] = {label: mask for label, mask in masks.items() if mask is not None}
    if roots and not any(found.values()):
        raise StudyError(
            "the derivatives hold no brain mask of any session",
            path=roots[0],
            field="--derivatives",
            found=", ".join(str(root) for root in roots),
            remedy=f"name masks {_PATTERN}",
        )
    return found


def _mask_of(roots: Sequence[Path], subject: str, session: Session) -> BrainMask | None:
    for root in roots:
        # A study without session folders has none in its derivatives either.
        folders = (root / f"sub-{subject}" / f"ses-{session.label}", root / f"sub-{subject}")
        paths = next((p for folder in folders if (p := sorted(folder.glob("anat/*_desc-brain_mask.nii*")))), [])
        paths = [path for path in paths if parse_bids_entities(path).get("sub") == subject]
        if len(paths) > 1:
            raise StudyError(
                "there is more than one brain mask of a session",
                path=paths[0].parent,
                found=", ".join(path.name for path in paths),
                remedy="keep the one that is meant",
            )
        if paths:
            return BrainMask(paths[0], _contrast(paths[0], session))
    return None


def _contrast(path: Path, session: Session) -> str:
    """Return the contrast that a mask's name says it lies on."""
    entities = parse_bids_entities(path)
    space = entities.get("space", "")
    if space in {"", "orig", "individual"}:
        return ""
    spaces: Mapping[str, str] = {_as_label(scan.contrast): scan.contrast for scan in session.images}
    if space not in spaces:
        raise StudyError(
            "the brain mask does not lie in the scanner space of its session",
            path=path,
            field="space",
            found=space,
            remedy=f"carry it to the space of a scan of the session: {', '.join(sorted(spaces)) or 'it has none'}",
        )
    return spaces[space]


def _as_label(contrast: str) -> str:
    return contrast.replace("-", "").replace("_", "")
