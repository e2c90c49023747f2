"""The way back from saved results to what the report takes: nothing is computed, and the study need not be there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hlhneuro.errors import InputError, StudyError
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.places import hider
from hlhneuro.pipeline.stores.study import AGAIN, Told, saved_labels
from hlhneuro.pipeline.subject import run_stages
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.report import Findings, StageStatus, SubjectResults
from hlhneuro.settings import Settings
from hlhneuro.study import Session, Study, Subject, open_study, read_clinical

__all__ = ["load_findings", "load_subject", "saved_runs"]


def load_subject(out: str | Path, label: str) -> SubjectResults:
    """Return the saved results of one subject, as every figure of the report takes them; nothing is computed.

    The study is not read: what a report needs of it lies beside the results.

    Parameters
    ----------
    out : path
        Output folder of a run.
    label : str
        Subject label, with or without ``sub-``.

    Raises
    ------
    StudyError
        If the folder holds nothing of such a subject.
    InputError
        If its results are not complete, damaged, or those of another version.
    """
    folder, label = Path(out), label.removeprefix("sub-")
    _check_label(folder, label)
    task = SubjectRun.of_saved(folder, label)
    return run_stages(task, Ledger(task.folder, label, reports_only=True))


def load_findings(out: str | Path, label: str) -> Findings:
    """Return the saved account of one subject: with `load_subject`, all that `hlhneuro.write_report` takes.

    Parameters
    ----------
    out : path
        Output folder of a run.
    label : str
        Subject label, with or without ``sub-``.

    Raises
    ------
    StudyError
        If the folder holds nothing of such a subject.
    InputError
        If the account is missing, damaged, or that of another version.
    """
    folder, label = Path(out), label.removeprefix("sub-")
    _check_label(folder, label)
    path = folder / f"sub-{label}" / f"sub-{label}_findings.json"
    try:
        return Findings.from_json(json.loads(path.read_text("utf-8")))
    except InputError as error:
        raise error.in_file(path) from error
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("the account cannot be read", path=path, found=error, remedy=AGAIN) from error


def _check_label(out: Path, label: str) -> None:
    labels = sorted(saved_labels(out))
    if label not in labels:
        known = f"choose from: {', '.join(labels)}" if labels else "run `hlhneuro run STUDY OUT participant` first"
        raise StudyError("no results of this subject here", path=out, found=label, remedy=known)


def saved_runs(
    study: Study | str | Path, out: Path, participants: Sequence[str], settings: Settings | None
) -> tuple[list[SubjectRun], list[StageStatus]]:
    """Return what makes the reports of all subjects again, and a status for each of whom that cannot be.

    Parameters
    ----------
    study : Study or path
        Need not be there; where it is, it is asked whether it still tells the same.
    out : path
    participants : sequence of str
        Labels; empty for all.
    settings : Settings, optional
        Where given, its `report` and `patterns` are used instead of those of the run.

    Raises
    ------
    StudyError
        If there are no results, or none of a subject that was asked for.
    """
    opened = study if isinstance(study, Study) else _open_if_there(study)
    labels = {*saved_labels(out), *(subject.label for subject in (opened.subjects if opened else ()))}
    wanted = [label.removeprefix("sub-") for label in participants] or sorted(labels)
    if not saved_labels(out):
        raise StudyError("no results here", path=out, remedy="run `hlhneuro run STUDY OUT participant` first")
    if unknown := sorted(set(wanted) - labels):
        raise StudyError("no such subject in the results", path=out, field="--participant-label",
                         found=", ".join(unknown), remedy=f"choose from: {', '.join(sorted(labels))}")  # fmt: skip
    runs, lost = [], []
    for label in wanted:
        try:
            run = SubjectRun.of_saved(out, label, settings)
        except InputError as error:
            lost.append(StageStatus(label, "", "report", "failed", hider({out: "bids::"})(str(error))))
            continue
        runs.append(replace(run, outdated=_outdated(run.told, opened) if opened else ""))
    return runs, lost


def _open_if_there(study: str | Path) -> Study | None:
    try:
        return open_study(study)
    except StudyError:
        return None


def _outdated(told: Told, study: Study) -> str:
    """Return what the study tells otherwise now, as a sentence; raw files that are gone are no difference."""
    now = study.subject(told.subject.label)
    if now is None or not now.sessions:
        return ""
    changed = [] if _tables_of(now) == _tables_of(told.subject) else ["participants.tsv"]
    before = {session.label: session for session in told.subject.sessions}
    for session in now.sessions:
        if session.label not in before:
            changed.append(f"ses-{session.label} was not part of the run")
        elif _tables_of(session) != _tables_of(before[session.label]):
            changed.append(f"date, age or covariates of ses-{session.label}")
    record = read_clinical(study, now)
    if (record.events, record.observations) != (told.clinical.events, told.clinical.observations):
        changed.append("treatment and events")
    if not changed:
        return ""
    return f"the study has changed since the run, which the page does not show: {', '.join(changed)}. Remedy: {AGAIN}"


def _tables_of(one: Subject | Session) -> tuple[object, ...]:
    """Return what the tables of a study tell of a subject or a session."""
    own = (one.sex,) if isinstance(one, Subject) else (one.date, one.age_years)
    return *own, dict(one.covariates)
