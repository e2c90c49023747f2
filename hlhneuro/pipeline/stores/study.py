"""What a report needs of the study, kept beside the results: pages can be made again when the raw data are gone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hlhneuro.errors import InputError
from hlhneuro.pipeline.places import name_only
from hlhneuro.pipeline.stores.plain import record_from_json
from hlhneuro.settings import Settings
from hlhneuro.study import ClinicalRecord, Scan, Session, Subject, write_json, write_text

__all__ = ["AGAIN", "Told", "forget_told", "keep_told", "recall_told", "saved_labels"]

# Goes up when saved results can no longer be read by what comes after; pages are then not made from them.
STORE_VERSION = 1
AGAIN = "run it without --reports-only; what is still valid is not computed again"
# What a report says of an image: how it was acquired, and nothing else of its sidecar.
_ACQUISITION = (
    *("EchoTime", "RepetitionTime", "RepetitionTimePreparation", "RepetitionTimeExcitation", "InversionTime"),
    *("MagneticFieldStrength", "FlipAngle", "SliceThickness", "Manufacturer", "ManufacturersModelName"),
    *("PulseSequenceType", "ScanningSequence", "SequenceName", "ReceiveCoilName", "ContrastBolusIngredient"),
)


@dataclass(frozen=True)
class Told:
    """What the study told of one patient when the results were made, and with which settings that was.

    Parameters
    ----------
    subject : Subject
        Paths of scans lie in the study; of sidecars, what `hlhneuro.study.read_acquisition` reads.
    clinical : ClinicalRecord
    settings : Settings
        Files of the user are named, not where they lie.
    version : str
        Of the program.
    """

    subject: Subject
    clinical: ClinicalRecord
    settings: Settings
    version: str

    @classmethod
    def of(
        cls,
        subject: Subject,
        clinical: ClinicalRecord,
        settings: Settings,
        version: str,
        *,
        root: Path,
        hide: Callable[[str], str],
    ) -> Told:
        """Return what is kept of a subject of the study at `root`; `hide` takes folders out of sentences."""
        sessions = tuple(_session(session, root, hide) for session in subject.sessions)
        subject = replace(subject, sessions=sessions, problems=tuple(map(hide, subject.problems)))
        problems, remarks = (tuple(map(hide, told)) for told in (clinical.problems, clinical.remarks))
        clinical = replace(clinical, problems=problems, remarks=remarks)
        return cls(subject, clinical, name_only(settings), version)


def _session(session: Session, root: Path, hide: Callable[[str], str]) -> Session:
    return replace(
        session,
        images=tuple(_scan(scan, root) for scan in session.images),
        spectra=tuple(_scan(scan, root) for scan in session.spectra),
        water_references=tuple(_scan(scan, root) for scan in session.water_references),
        problems=tuple(map(hide, session.problems)),
    )


def _scan(scan: Scan, root: Path) -> Scan:
    known = {name: scan.sidecar[name] for name in _ACQUISITION if name in scan.sidecar}
    return replace(scan, path=scan.path.absolute().relative_to(root.absolute()), sidecar=known)


def keep_told(folder: Path, told: Told, settings: Settings) -> Told:
    """Write what the study told, and the user's table of controls; return it as a later run will read it."""
    controls = Path(settings.patterns.norm_controls)
    if controls.is_file():
        with contextlib.suppress(UnicodeDecodeError):  # such a table cannot be used, then as now
            write_text(folder / "stages" / controls.name, controls.read_text("utf-8-sig"))
    write_json(_file(folder), {"store": STORE_VERSION, "told": told})
    return recall_told(folder)


def forget_told(folder: Path) -> None:
    """Say that the results of a subject are about to change: until the last stage ends there are none to report."""
    _file(folder).unlink(missing_ok=True)


def recall_told(folder: Path) -> Told:
    """Read back what `keep_told` wrote.

    Raises
    ------
    InputError
        If there is nothing, something of another version, or something damaged.
    """
    path = _file(folder)
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError("no complete results of this subject", path=path, remedy=AGAIN) from None
    except (OSError, ValueError) as error:
        raise InputError("the saved results cannot be read", path=path, found=error, remedy=AGAIN) from error
    store = found.get("store") if isinstance(found, dict) else None
    if store != STORE_VERSION:
        raise InputError(
            f"these results were kept by another version, this one reads store {STORE_VERSION}",
            path=path, field="store", found=store, remedy=AGAIN,
        )  # fmt: skip
    try:
        return record_from_json(Told, found["told"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        whose = "the saved results are damaged, or those of another version"
        raise InputError(whose, path=path, found=repr(error), remedy=AGAIN) from error


def saved_labels(out: Path) -> list[str]:
    """Return the labels of the subjects of whom an output folder holds anything."""
    return [path.parent.name.removeprefix("sub-") for path in out.glob("sub-*/stages")]


def _file(folder: Path) -> Path:
    return folder / "stages" / "study.json"
