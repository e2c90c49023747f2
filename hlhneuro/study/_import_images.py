"""Series of images into a study: converted, recognised, named."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study._additions import Additions, packed
from hlhneuro.study._contrasts import CONTRASTS, ContrastGuess, ImageFacts, guess_contrast
from hlhneuro.study._dicom import DicomSeries
from hlhneuro.study._images import ConvertedImage, convert_series, plane_of
from hlhneuro.study._import_names import BidsName, ImportRow, told_apart

__all__ = ["import_images"]

_SKIP = "skip"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Candidate:
    key: str
    series: DicomSeries
    image: ConvertedImage
    guess: ContrastGuess
    told: bool

    @property
    def source(self) -> str:
        return f"series {self.key} {self.series.description}".strip()


def import_images(
    series: Sequence[DicomSeries],
    contrasts: Mapping[str, str],
    additions: Additions,
    work: Path,
    labels: tuple[str, str],
    acq: str | None,
) -> list[ImportRow]:
    """Add the images of all series; return what became of each.

    Parameters
    ----------
    series : sequence of DicomSeries
    contrasts : mapping
        What the user says: number or description of a series to contrast, or ``skip``.
    additions : Additions
    work : path
        Folder for files in between.
    labels : tuple of str
        Subject and session.
    acq : str, optional

    Raises
    ------
    StudyError
        If `contrasts` names a contrast that is not known, or dcm2niix is missing.
    """
    told = {name.strip().lower(): contrast for name, contrast in contrasts.items()}
    for contrast in told.values():
        if contrast != _SKIP and contrast not in CONTRASTS:
            raise StudyError(
                "not a contrast that is known",
                field="--contrast",
                found=contrast,
                remedy=f"choose one of {', '.join(CONTRASTS)}, or {_SKIP}",
            )
    rows: list[ImportRow] = []
    candidates: list[_Candidate] = []
    for number, one in enumerate(series):
        _log.info("series %d %s: %d files", one.number, one.description, len(one.files))
        try:
            images = convert_series(one, work / f"series-{number}")
        except InputError as error:
            rows.append(ImportRow(error.field, "failed", why=f"{error.problem} ({error.found})", remedy=error.remedy))
            continue
        candidates += [_candidate(one, image, told, alone=len(images) == 1) for image in images]
    candidates = _after_agent(candidates)
    rows += [_not_imported(one) for one in candidates if one.guess.contrast is None]
    wanted = [one for one in candidates if one.guess.contrast is not None]
    for chosen, name in zip(wanted, _names(wanted, acq), strict=True):
        stem = _add(chosen, name.stem(*labels), additions)
        rows.append(ImportRow(chosen.source, "imported", f"{stem}.nii.gz", chosen.guess.why))
    return rows


def _candidate(series: DicomSeries, image: ConvertedImage, told: Mapping[str, str], *, alone: bool) -> _Candidate:
    part = image.path.stem.removeprefix("image").strip("_")
    key = str(series.number) if alone or not part else f"{series.number}.{part}"
    names = (key.lower(), str(series.number), series.description.lower())
    said = next((told[name] for name in names if name in told), None)
    if said == _SKIP:
        guess = ContrastGuess(None, "as you said", unused=True)
    elif said is not None:
        guess = ContrastGuess(said, "as you said")
    elif len(image.shape) < 3 or min(image.shape[:3]) < 2:
        guess = ContrastGuess(None, "a single slice", unused=True)
    elif "Eq" in part.split("_"):
        guess = ContrastGuess(None, "a copy with equal gaps of a series whose slices are spaced unequally")
    else:
        # Not the protocol's name: some makers write that of the whole examination into it.
        facts = ImageFacts(
            series.description, image.sidecar, image.volumes, series.contrast_agent, image.bval is not None
        )
        guess = guess_contrast(facts)
    return _Candidate(key, series, image, guess, said is not None)


def _after_agent(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Doubt a T1w that nothing marks but that was acquired after one with contrast agent: the agent stays for hours."""
    marked = [one.series.time for one in candidates if one.guess.contrast == "ce-gadolinium_T1w" and one.series.time]
    first = min(marked, default="")
    doubt = ContrastGuess(None, "a T1w acquired after one with contrast agent, but its name and header name no agent")
    return [
        replace(one, guess=doubt)
        if first and one.guess.contrast == "T1w" and not one.told and one.series.time > first
        else one
        for one in candidates
    ]


def _not_imported(one: _Candidate) -> ImportRow:
    if one.guess.unused:
        return ImportRow(one.source, "left out", why=one.guess.why)
    return ImportRow(
        one.source,
        "unknown",
        why=one.guess.why,
        remedy=f"say what it is: --contrast {one.key}=FLAIR (or T1w, ce-gadolinium_T1w ..; {one.key}={_SKIP})",
    )


def _names(wanted: Sequence[_Candidate], acq: str | None) -> list[BidsName]:
    """Return a name for each; images of one contrast are told apart by plane and kind of acquisition, then by run."""
    names = [BidsName(*CONTRASTS[str(one.guess.contrast)], acq=acq) for one in wanted]
    if acq is None:
        total = Counter(names)
        names = [
            replace(name, acq=_acquisition(one.image)) if total[name] > 1 else name
            for one, name in zip(wanted, names, strict=True)
        ]
    return told_apart(names)


def _acquisition(image: ConvertedImage) -> str:
    kind = str(image.sidecar.get("MRAcquisitionType", "")).lower()
    return plane_of(image.path) + (kind if kind in ("2d", "3d") else "")


def _add(one: _Candidate, stem: str, additions: Additions) -> str:
    """Add an image with what belongs to it; return its stem, which is the old one if it was imported before."""
    content = packed(nib.load(one.image.path))
    stem = additions.same_in_study(stem, content) or stem
    additions.add_bytes(f"{stem}.nii.gz", content)
    additions.add_sidecar(stem, one.image.public_sidecar(one.series))
    for path, suffix in ((one.image.bval, ".bval"), (one.image.bvec, ".bvec")):
        if path is not None:
            additions.add_bytes(f"{stem}{suffix}", path.read_bytes())
    return stem
