"""Which files of a session folder are scans, of which contrast, and which one stands for its contrast."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bids2table import parse_bids_entities

from hlhneuro.study._values import natural_key

__all__ = ["FoundScan", "acquisition_of", "choose_images", "find_scans"]

IMAGE_DATATYPES = ("anat", "dwi", "swi")
_OTHER_DATATYPES = {"func", "fmap", "perf", "pet", "meg", "eeg", "ieeg", "nirs", "micr", "motion", "beh", "emg"}
_SPECTRA = ("svs", "mrsi", "unloc", "mrsref")
_KNOWN_SUFFIXES = (
    *("T1w", "T2w", "FLAIR", "PDw", "T2starw", "PDT2", "UNIT1", "inplaneT1", "inplaneT2", "angio", "MEGRE", "MP2RAGE"),
    *("T1map", "T2map", "T2starmap", "R1map", "R2map", "R2starmap", "PDmap", "Chimap", "MTRmap", "M0map", "S0map"),
    *("ADC", "FA", "trace", "colFA", "expADC", "dwi", "sbref", "SWI", "minIP", "GRE", *_SPECTRA),
)
_BY_LOWER_CASE = {suffix.lower(): suffix for suffix in _KNOWN_SUFFIXES} | {"tracew": "trace", "swi": "SWI"}
_CONTRAST_AGENT = re.compile(
    r"gd|gad\w*|contrast|post\w*|dotarem|clariscan|prohance|magnevist|multihance|omniscan|ce|yes"
)
_RAW_VENDOR = {".dcm", ".ima", ".sdat", ".spar", ".rda", ".7", ".dat", ".par", ".rec"}
# The order in which a session lists its images; others follow by name.
_ORDER = ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "ce-gadolinium_FLAIR", "ADC", "trace", "FA", "T2starw", "SWI")


@dataclass(frozen=True)
class FoundScan:
    """A NIfTI file that was recognised by its name."""

    path: Path
    datatype: str
    contrast: str
    entities: dict[str, str]


def find_scans(folder: Path, subject: str, session: str | None) -> tuple[list[FoundScan], list[str]]:
    """Return the scans in the datatype folders of a session, and every file that was passed over with the reason.

    Parameters
    ----------
    folder : path
        Session folder, or the subject's where there are no sessions.
    subject, session : str
        What the file names must say; None where names carry no session.
    """
    scans: list[FoundScan] = []
    problems: list[str] = []
    for child in _listed(folder):
        if child.is_dir() and child.name in (*IMAGE_DATATYPES, "mrs"):
            found, wrong = _find_in_datatype(child, subject, session)
            scans += found
            problems += wrong
        elif child.is_dir() and child.name not in _OTHER_DATATYPES and not child.name.startswith("ses-"):
            problems.append(f"{child.name}/ is not a BIDS data type and is not read; known are anat, dwi, swi and mrs")
        elif _is_nifti(child):
            problems.append(f"{child.name} lies outside anat/, dwi/, swi/ and mrs/ and is not read; move it into one")
    return scans, problems


def _find_in_datatype(folder: Path, subject: str, session: str | None) -> tuple[list[FoundScan], list[str]]:
    scans: list[FoundScan] = []
    problems: list[str] = []
    files = _listed(folder)
    names = {path.name for path in files}
    for path in files:
        if path.suffix.lower() in _RAW_VENDOR:
            problems.append(f"{path.name} is not NIfTI and is not read; convert it with `hlhneuro import`")
        elif path.is_dir() and next(path.rglob("*.nii*"), None) is not None:
            problems.append(
                f"{folder.name}/{path.name}/ holds images in a further folder, which are not read; move them up"
            )
        elif _is_nifti(path):
            why_not = _wrong_name(path, subject, session)
            if not why_not and path.name + ".gz" in names:
                why_not = "the same name exists with .nii.gz, which is read; delete one of them"
            if why_not:
                problems.append(f"{path.name} is not read: {why_not}")
                continue
            scan, remark = _recognise(path, folder.name)
            if (scan.contrast in _SPECTRA) != (folder.name == "mrs"):
                problems.append(f"{path.name} is not read: spectra, and only they, belong into mrs/; move or rename it")
                continue
            scans.append(scan)
            problems += [remark] if remark else []
    return scans, problems


def _listed(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.is_dir()


def _wrong_name(path: Path, subject: str, session: str | None) -> str:
    """Return why a NIfTI file cannot be a scan of this session; empty if it can."""
    entities = parse_bids_entities(Path(path.name))
    expected = f"sub-{subject}" + (f"_ses-{session}" if session is not None else "")
    if entities.get("sub") != subject or entities.get("ses") != session:
        return f"its name does not start with {expected}_ as its folder says; rename or move it"
    if "suffix" not in entities:
        return f"its name does not end in a contrast such as _T1w; rename it {expected}_.._T1w.nii.gz or the like"
    if not path.name.endswith((".nii", ".nii.gz")):
        return "the extension must be .nii or .nii.gz in small letters"
    if not path.exists():
        return "it is a link to a file that is not here; fetch the file (for example with `datalad get`)"
    return ""


def _recognise(path: Path, datatype: str) -> tuple[FoundScan, str]:
    parsed = parse_bids_entities(Path(path.name))
    written = parsed["suffix"]
    entities = {key: value for key, value in parsed.items() if key not in ("suffix", "ext", "datatype")}
    suffix, remark = _BY_LOWER_CASE.get(written.lower(), written), ""
    if suffix == "dwi" and (scanner_map := _BY_LOWER_CASE.get(entities.get("acq", "").lower())) in {
        "ADC",
        "FA",
        "trace",
    }:
        suffix = str(scanner_map)
    if suffix != written and (written, suffix) != ("swi", "SWI"):
        remark = f"{path.name} is read as {suffix}; BIDS names it _{suffix}"
    elif written.lower() not in _BY_LOWER_CASE:
        remark = f"{path.name}: the contrast {written} is not known here; nothing uses it"
    contrast = suffix
    if "ce" in entities and datatype == "anat":
        agent = "gadolinium" if _CONTRAST_AGENT.fullmatch(entities["ce"].lower()) else entities["ce"]
        contrast = f"ce-{agent}_{contrast}"
    # A magnitude image is the image itself; the other parts are something else.
    if (part := entities.get("part", "mag")) != "mag":
        contrast = f"part-{part}_{contrast}"
    return FoundScan(path, datatype, contrast, entities), remark


def acquisition_of(scan: FoundScan) -> tuple[tuple[str, str], ...]:
    """Return what tells one way of acquiring a contrast from another: all entities but subject, session, run, echo."""
    return tuple(
        sorted((key, value) for key, value in scan.entities.items() if key not in {"sub", "ses", "run", "echo"})
    )


def choose_images(scans: Iterable[FoundScan], common: Counter[tuple[object, ...]]) -> tuple[list[FoundScan], list[str]]:
    """Return one image per contrast, in a fixed order, and a sentence for each choice.

    The acquisition that most of the subject's sessions have comes first, because change is measured between like
    images; then the image with the fewest further entities, the lowest run, the lowest echo, the name.

    Parameters
    ----------
    scans : FoundScan
        Images of one session.
    common : Counter
        How many sessions of the subject have each (contrast, acquisition).
    """
    by_contrast: dict[str, list[FoundScan]] = {}
    for scan in scans:
        by_contrast.setdefault(scan.contrast, []).append(scan)

    def rank(scan: FoundScan) -> tuple[object, ...]:
        acquisition = acquisition_of(scan)
        run, echo = (natural_key(scan.entities.get(key, "0")) for key in ("run", "echo"))
        return -common[scan.contrast, acquisition], len(acquisition), run, echo, scan.path.name

    chosen, problems = [], []
    for contrast, candidates in by_contrast.items():
        first, *others = sorted(candidates, key=rank)
        chosen.append(first)
        if others:
            problems.append(
                f"{len(candidates)} images of {contrast}: {first.path.name} is used (the acquisition that most "
                f"sessions have, then the lowest run); left aside: {', '.join(other.path.name for other in others)}. "
                "Delete or move those not wanted to choose another"
            )
    position = {contrast: number for number, contrast in enumerate(_ORDER)}
    return sorted(chosen, key=lambda scan: (position.get(scan.contrast, len(_ORDER)), scan.contrast)), problems
