"""What a study holds, what it lacks, and what therefore cannot be assessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from hlhneuro.errors import InputError
from hlhneuro.settings import ReportSettings
from hlhneuro.study._files import FileFacts, inspect_file, voxel_problem
from hlhneuro.study._supplied import check_mask_folders
from hlhneuro.study.brain_masks import BrainMask, find_brain_masks
from hlhneuro.study.clinical import ClinicalRecord, age_months, clinical_remarks, read_clinical
from hlhneuro.study.layout import Scan, Session, Study, Subject
from hlhneuro.study.lesion_masks import LesionMask, find_lesion_masks
from hlhneuro.study.metadata import Acquisition, read_acquisition
from hlhneuro.study.observations import CSF_ABNORMAL_BY, SYMPTOMS
from hlhneuro.study.water_references import water_references_of

__all__ = ["CheckRow", "StudyCheck", "check_study"]

State = Literal["present", "missing", "unusable"]

_FLAIR_FROM_MONTHS = 24.0  # expert-set: until then white matter is not yet bright and dark as in the adult
_LACTATE_INVERTS_S = (0.130, 0.150)  # 1/J = 144 ms (J = 6.93 Hz, Govindaraju 2000), and 135 ms as often used
_SHORT_ECHO_S, _LONG_ECHO_S = 0.05, 0.10  # expert-set: what is called a short and a long echo time
_MAPS = {"dwi", "sbref"}  # a series of volumes is what they are


@dataclass(frozen=True)
class CheckRow:
    """One thing that was looked for.

    Parameters
    ----------
    subject, session : str
        Labels; empty where the row speaks of the whole study or of the whole subject.
    item : str
    state : {"present", "missing", "unusable"}
    consequence, remedy : str
        What follows, and what to do; empty where nothing does.
    required : bool
        Whether a session without it fails the check.
    """

    subject: str
    session: str
    item: str
    state: State
    consequence: str = ""
    remedy: str = ""
    required: bool = False


@dataclass(frozen=True)
class StudyCheck:
    """All rows of a check, by subject and session."""

    rows: tuple[CheckRow, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is unusable and nothing required is missing."""
        return not any(row.state == "unusable" or (row.required and row.state == "missing") for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per thing looked for: subject, session, item, state, consequence, remedy."""
        columns = [field.name for field in dataclasses.fields(CheckRow) if field.name != "required"]
        return pd.DataFrame([[getattr(row, name) for name in columns] for row in self.rows], columns=columns)


def check_study(study: Study, derivatives: Sequence[str | Path] = ()) -> StudyCheck:
    """Look at every session and every file of a study; nothing is computed and nothing is written.

    Each file is read through once, because only its end tells whether it is whole. Of the masks in `derivatives` it is
    said which session has one.

    Raises
    ------
    StudyError
        If a folder of derivatives is not there or holds no mask of this study.
    """
    check_mask_folders(derivatives, study.subjects)
    masks: dict[str, Mapping[str, Mapping[str, BrainMask | LesionMask]]] = {
        "brain mask": find_brain_masks(derivatives, study.subjects),
        "lesion mask": find_lesion_masks(derivatives, study.subjects),
    }
    rows = [_remark("", "", sentence) for sentence in study.problems]
    rows += _table_rows(study)
    copies: dict[str, list[tuple[Session, Scan]]] = {}
    for subject in study.subjects:
        rows += [_remark(subject.label, "", sentence) for sentence in subject.problems]
        scanners: dict[str, str] = {}
        for session in subject.sessions:
            checked = _Checked(session)
            rows += [*checked.rows, *_contrast_rows(checked), *_spectrum_rows(checked), *_clinical_rows(session)]
            for scan, facts in checked.facts:
                copies.setdefault(facts.content_sha256, []).append((session, scan))
            if scanner := next((a.scanner for a in checked.acquisitions.values() if a.scanner), None):
                scanners[session.label] = scanner
        rows += _course_rows(subject, scanners)
        rows += _record_rows(subject, read_clinical(study, subject))
        for item, found in masks.items():
            rows += _mask_rows(subject, item, found[subject.label])
    return StudyCheck(tuple(rows + _copy_rows(copies)))


class _Checked:
    """One session with its files opened: what is sound, and a row for everything that is not."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rows: list[CheckRow] = []
        self.facts: list[tuple[Scan, FileFacts]] = []
        self.acquisitions: dict[str, Acquisition] = {}
        for sentence in session.problems:
            if not sentence.startswith("the age at"):  # has a row of its own
                self.rows.append(_remark(session.subject, session.label, sentence))
        for scan in (*session.images, *session.spectra, *session.water_references):
            self._open(scan)

    def has(self, *contrasts: str) -> bool:
        """Return whether a sound image of one of the contrasts is there."""
        return any(scan.contrast in contrasts for scan, _ in self.facts)

    def unusable(self, item: str, consequence: str, remedy: str) -> None:
        self.rows.append(CheckRow(self.session.subject, self.session.label, item, "unusable", consequence, remedy))

    def _open(self, scan: Scan) -> None:
        try:
            facts = inspect_file(scan.path)
        except InputError as error:
            found = f" ({error.found})" if error.found is not None else ""
            self.unusable(scan.path.name, f"{error.problem}{found}", error.remedy)
            return
        if scan.datatype != "mrs":
            if scan.contrast not in _MAPS and (wrong := voxel_problem(facts)):
                self.unusable(scan.path.name, wrong, "give one three-dimensional image in millimetres")
                return
            if not facts.oriented:
                self.unusable(
                    scan.path.name,
                    "its header does not say which side is left (qform and sform codes are 0)",
                    "convert it again from the scanner's data",
                )
        elif not facts.mrs_header:
            self.unusable(scan.path.name, "it has no NIfTI-MRS header", "convert it with `hlhneuro import`")
            return
        self.facts.append((scan, facts))
        try:
            merged = dataclasses.replace(scan, sidecar={**scan.sidecar, **facts.mrs_header})
            self.acquisitions[scan.path.name] = read_acquisition(merged)
        except InputError as error:
            self.unusable(f"{scan.path.name}, {error.field}", f"{error.problem} (found: {error.found})", error.remedy)


def _remark(subject: str, session: str, sentence: str) -> CheckRow:
    """Return a row for a sentence of `open_study`; red if something on disk is left unread or must go."""
    stops = (
        "not read",
        "cannot be",
        "not kept",
        "not UTF-8",
        "is empty",
        "can be taken",
        "contradict",
        "header has",
        "holds no",
    )
    state: State = "unusable" if any(words in sentence for words in stops) else "present"
    return CheckRow(subject, session, "remark", state, sentence)


def _contrast_rows(checked: _Checked) -> Iterable[CheckRow]:
    flair, t2w = checked.has("FLAIR"), checked.has("T2w")
    months = age_months(checked.session)
    young = months is not None and months < _FLAIR_FROM_MONTHS
    bright = "lesion load is not assessable"
    flair_lack = "lesion masks rest on T2w, with reduced confidence" if t2w else bright
    t2w_lack = "lesions seen on FLAIR cannot be confirmed" if flair else bright
    t1w_lack = "tissue and brain volumes, and the T1 signal of lesions, are not assessable"
    wanted: list[tuple[str, tuple[str, ...], str, str, bool]] = [
        ("FLAIR", ("FLAIR",), flair_lack, "acquire or add a FLAIR", not t2w),
        ("T2w", ("T2w",), t2w_lack, "add a T2w image", not flair),
        ("T1w", ("T1w",), t1w_lack, "add a T1w image", False),
        ("T1w after gadolinium", ("ce-gadolinium_T1w",), "enhancement is not assessable",
         "add it as _ce-gadolinium_T1w", False),
        ("ADC", ("ADC",), "restricted diffusion is not assessable", "add the scanner's map as dwi/.._ADC", False),
        ("SWI or T2starw", ("SWI", "T2starw"), "haemorrhage and calcification are not assessable",
         "add swi/.._swi or anat/.._T2starw", False),
    ]  # fmt: skip
    for item, contrasts, lack, remedy, required in wanted:
        if checked.has(*contrasts):
            consequence = "FLAIR is unreliable under 24 months; T2w is preferred" if item == "FLAIR" and young else ""
            yield CheckRow(checked.session.subject, checked.session.label, item, "present", consequence)
        else:
            yield CheckRow(checked.session.subject, checked.session.label, item, "missing", lack, remedy, required)


def _spectrum_rows(checked: _Checked) -> Iterable[CheckRow]:
    session = checked.session
    sound = {scan.path for scan, _ in checked.facts}
    spectra = [scan for scan in session.spectra if scan.path in sound]

    def row(item: str, there: bool, lack: str, remedy: str, *, required: bool = False) -> CheckRow:
        if there:
            return CheckRow(session.subject, session.label, item, "present")
        return CheckRow(session.subject, session.label, item, "missing", lack, remedy, required)

    yield row("MR spectra", bool(spectra), "metabolites and the spectral pattern are not assessable", "add mrs/.._svs")
    echo_times = []
    for scan in spectra:
        name = scan.path.name
        yield row(
            f"water reference of {name}",
            any(reference is not None and reference.path in sound for reference in water_references_of(scan, session)),
            "absolute concentrations are not assessable, and so is the necrotic pattern, which needs all of NAA, "
            "creatine and choline to be low",
            f"add {name.replace(f'_{scan.contrast}.', '_mrsref.')}",
        )
        acquisition = checked.acquisitions.get(name)
        if acquisition is not None:
            te = acquisition.echo_time_s
            echo_times += [te] if te is not None else []
            remedy = "write EchoTime in seconds into its JSON sidecar"
            yield row(f"echo time of {name}", te is not None, "the spectrum cannot be fitted", remedy, required=True)
    if spectra:
        low, high = _LACTATE_INVERTS_S
        both = any(te <= _SHORT_ECHO_S for te in echo_times) and any(te >= _LONG_ECHO_S for te in echo_times)
        yield row(
            "echo times for lactate",
            both or any(low <= te <= high for te in echo_times),
            "lactate cannot be told from lipid by its inversion at 135-144 ms, nor by a short and a long echo time",
            "acquire the voxel at 30 ms and at 144 ms",
        )


def _clinical_rows(session: Session) -> Iterable[CheckRow]:
    if session.age_years is None:
        yield CheckRow(
            session.subject,
            session.label,
            "age",
            "missing",
            "age norms, and whether the brain is too young for FLAIR, are not assessable",
            next((text for text in session.problems if text.startswith("the age at")), "write it into sessions.tsv"),
        )
    else:
        yield CheckRow(session.subject, session.label, "age", "present")


def _table_rows(study: Study) -> Iterable[CheckRow]:
    """Say what is wrong with the tables of treatment and of observations."""
    for remark in clinical_remarks(study):
        state: State = "unusable" if remark.fault else "present"
        known = remark.subject if study.subject(remark.subject) else ""
        yield CheckRow(known, "", "remark", state, remark.text)


def _record_rows(subject: Subject, record: ClinicalRecord) -> Iterable[CheckRow]:
    """Say whether treatment and observations are on record, and which session has none near it."""

    def row(item: str, there: bool, lack: str, remedy: str, session: str = "") -> CheckRow:
        if there:
            return CheckRow(subject.label, session, item, "present")
        return CheckRow(subject.label, session, item, "missing", lack, remedy)

    yield row(
        "treatment and events",
        bool(record.events),
        "what else may look like the disease (PRES, methotrexate, transplantation), and whether volumes may have moved "
        "under steroids, are not assessable",
        "write phenotype/treatment.tsv (participant_id, event, start_date, end_date, detail)",
    )
    yield row(
        "clinical observations",
        bool(record.observations),
        "neurological symptoms and cerebrospinal fluid, and with them the groups of Horne 2008, are not assessable",
        "write phenotype/clinical.tsv (participant_id, date, neurological_symptoms, csf_cells_per_ul, ..)",
    )
    if not record.observations:
        return
    days = ReportSettings().clinical_window_days
    for session in (session for session in subject.sessions if session.date is not None):
        for item, names in (("entry on symptoms", (SYMPTOMS,)), ("entry on cerebrospinal fluid", CSF_ABNORMAL_BY)):
            near = record.nearest(session, days, *names) is not None
            lack = f"none within {days} days of the session: not assessable at it"
            yield row(item, near, lack, "add a row near the session to the clinical table", session.label)


def _course_rows(subject: Subject, scanners: Mapping[str, str]) -> Iterable[CheckRow]:
    if len(subject.sessions) < 2:
        yield CheckRow(
            subject.label, "", "second session", "missing", "change over time is not assessable", "add a further visit"
        )
        return
    undated = [session.label for session in subject.sessions if session.date is None]
    if undated:
        yield CheckRow(
            subject.label,
            "",
            f"date of {', '.join('ses-' + label for label in undated)}",
            "missing",
            "intervals in days, and rates of change, are not assessable",
            f"write acq_time into sub-{subject.label}_sessions.tsv",
        )
    if len(set(scanners.values())) > 1:
        each = "; ".join(f"ses-{label} {scanner}" for label, scanner in scanners.items())
        yield CheckRow(
            subject.label,
            "",
            "one scanner",
            "missing",
            f"brain volume change across scanners is not assessable: {each}",
        )


def _mask_rows(subject: Subject, item: str, found: Mapping[str, BrainMask | LesionMask]) -> Iterable[CheckRow]:
    """Say which sessions have a mask of the user's; nothing is said of a subject without any."""
    for session in subject.sessions if found else ():
        mask = found.get(session.label)
        if mask is not None:
            yield CheckRow(subject.label, session.label, item, "present", f"{mask.path.name} takes the place of ours")
        elif item == "lesion mask":
            lack = "lesions are not assessable: no lesion mask, and ours are not mixed with those of other sessions"
            yield CheckRow(subject.label, session.label, item, "missing", lack, "add the mask of this session")


def _copy_rows(copies: Mapping[str, list[tuple[Session, Scan]]]) -> list[CheckRow]:
    rows = []
    for same in copies.values():
        (first, original), *others = same
        for session, scan in others:
            rows.append(
                CheckRow(
                    session.subject,
                    session.label,
                    scan.path.name,
                    "unusable",
                    f"it holds the very same samples as {original.path.name} of sub-{first.subject} ses-{first.label}",
                    "replace the copy by the right file",
                )
            )
    return rows
