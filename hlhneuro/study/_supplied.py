"""Masks in folders of BIDS derivatives that the user supplies: what brain and lesion masks have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlhneuro.errors import StudyError
from hlhneuro.study.layout import Session, Subject

__all__ = ["BRAIN", "LESION", "MaskKind", "check_mask_folders", "find_supplied"]

# Words in ``space-`` that name no image: the mask lies in the scanner space of its session.
_SCANNER = {"", "orig", "individual", "scanner"}


@dataclass(frozen=True)
class MaskKind:
    """One kind of mask.

    Parameters
    ----------
    name : str
    patterns : tuple of str
        File names in ``anat/``; of a session's files the first pattern that matches any is taken.
    loose : tuple of str
        File names as a program gives them, without the entities of BIDS; in the session's folder too.
    example : str
    """

    name: str
    patterns: tuple[str, ...]
    loose: tuple[str, ...]
    example: str


BRAIN = MaskKind(
    "brain mask", (r".*_desc-brain_mask\.nii(\.gz)?",), (), "sub-X/ses-Y/anat/sub-X_ses-Y_desc-brain_mask.nii.gz"
)
LESION = MaskKind(
    "lesion mask",
    tuple(rf".*_label-lesion_{suffix}\.(nii(\.gz)?|mgz)" for suffix in ("mask", "probseg", "dseg")),
    (
        r"(.*_)?space-[A-Za-z0-9]+_seg-lst\.nii(\.gz)?",  # LST-AI
        r"(.*_)?space-[A-Za-z0-9]+_desc-annotated_seg-lst\.nii(\.gz)?",  # LST-AI with the regions of its lesions
        r"seg\.mgz|.*samseg.*\.(mgz|nii(\.gz)?)",  # SAMSEG
    ),
    "sub-X/ses-Y/anat/sub-X_ses-Y_space-FLAIR_label-lesion_mask.nii.gz",
)


def check_mask_folders(folders: Sequence[str | Path], subjects: Sequence[Subject]) -> None:
    """Refuse a folder of derivatives that is not there or holds no mask, of any kind, of any of these sessions.

    Raises
    ------
    StudyError
    """
    for root in _roots(folders):
        if not any(
            _files(kind, root, subject, session)
            for kind in (BRAIN, LESION)
            for subject in subjects
            for session in subject.sessions
        ):
            raise StudyError(
                "the folder of derivatives holds no brain mask and no lesion mask of any session",
                path=root,
                field="--derivatives",
                found=str(root),
                remedy=f"name masks {BRAIN.example} or {LESION.example}",
            )


def find_supplied(
    kind: MaskKind, folders: Sequence[str | Path], subjects: Sequence[Subject]
) -> dict[str, dict[str, tuple[Path, str]]]:
    """Return path and contrast of each session's mask, by subject and session label; the first folder with one wins.

    Raises
    ------
    StudyError
        If a folder is not there, a session has two masks of the kind in one folder, or a mask lies in another space
        than an image of its session.
    """
    roots = _roots(folders)
    found: dict[str, dict[str, tuple[Path, str]]] = {}
    for subject in subjects:
        masks = {session.label: _mask_of(kind, roots, subject, session) for session in subject.sessions}
        found[subject.label] = {label: mask for label, mask in masks.items() if mask is not None}
    return found


def _roots(folders: Sequence[str | Path]) -> list[Path]:
    roots = [Path(folder).expanduser().absolute() for folder in folders]
    for root in roots:
        if not root.is_dir():
            raise StudyError("there is no such folder of derivatives", path=root, remedy="check the path")
    return roots


def _mask_of(kind: MaskKind, roots: Sequence[Path], subject: Subject, session: Session) -> tuple[Path, str] | None:
    for root in roots:
        paths = _files(kind, root, subject, session)
        if len(paths) > 1:
            raise StudyError(
                f"there is more than one {kind.name} of a session",
                path=paths[0].parent,
                found=", ".join(path.name for path in paths),
                remedy="keep the one that is meant",
            )
        if paths:
            return paths[0], _contrast(kind, paths[0], session)
    return None


def _files(kind: MaskKind, root: Path, subject: Subject, session: Session) -> list[Path]:
    """Return a session's files of the first pattern that any file matches."""
    folders = [root / f"sub-{subject.label}" / f"ses-{session.label}"]
    if len(subject.sessions) == 1:  # a study without session folders has none in its derivatives either
        folders.append(root / f"sub-{subject.label}")
    for folder in folders:
        bids = [path for path in sorted((folder / "anat").glob("*")) if path.is_file()]
        loose = [*bids, *(path for path in sorted(folder.glob("*")) if path.is_file())]
        for patterns, candidates in ((kind.patterns, bids), (kind.loose, loose)):
            for pattern in patterns:
                matched = [p for p in candidates if re.fullmatch(pattern, p.name) and _belongs(p, subject, session)]
                if matched:
                    return matched
    return []


def _belongs(path: Path, subject: Subject, session: Session) -> bool:
    """Return whether a file's name speaks of no other subject or session."""
    named = _entities(path)
    return named.get("sub", subject.label) == subject.label and named.get("ses", session.label) == session.label


def _entities(path: Path) -> dict[str, str]:
    return dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9+]+)", path.name))


def _contrast(kind: MaskKind, path: Path, session: Session) -> str:
    """Return the contrast that a mask's name says it lies on; empty where it names none."""
    space = _entities(path).get("space", "")
    if space.lower() in _SCANNER:
        return ""
    spaces = {_as_label(scan.contrast): scan.contrast for scan in session.images}
    for label, contrast in spaces.items():
        # LST-AI writes flair and t1
        if space == label or space.lower() in {label.lower(), label.lower().removesuffix("w")}:
            return contrast
    raise StudyError(
        f"the {kind.name} does not lie in the scanner space of its session",
        path=path,
        field="space",
        found=space,
        remedy=f"carry it to the space of a scan of the session: {', '.join(sorted(spaces)) or 'it has none'}",
    )


def _as_label(contrast: str) -> str:
    return contrast.replace("-", "").replace("_", "")
