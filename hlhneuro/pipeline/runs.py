"""Run a study: one subject is the unit of work that is spread over processes."""

from __future__ import annotations

import logging
import multiprocessing
import queue
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

import hlhneuro
from hlhneuro.errors import StudyError
from hlhneuro.imaging import template_paths
from hlhneuro.imaging.brain_engines import check_engine
from hlhneuro.pipeline.cohort import run_group
from hlhneuro.pipeline.saved import saved_runs
from hlhneuro.pipeline.subject import run_subject
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.report import StageStatus
from hlhneuro.settings import Settings
from hlhneuro.study import (
    Provenance,
    Study,
    Subject,
    check_mask_folders,
    find_brain_masks,
    find_lesion_masks,
    open_study,
    read_table,
    write_dataset_description,
    write_table,
)

__all__ = ["RunOutcome", "run"]

STATUS_COLUMNS = {
    "subject": ("", "label without sub-"),
    "session": ("", "label without ses-; n/a for a stage of the whole subject"),
    "stage": ("", "stage of the run"),
    "state": ("", "done, skipped (already there and still valid), failed, not assessable"),
    "reason": ("", "why it failed or is not assessable"),
}
TROUBLE = {"failed", "not assessable"}


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to.

    Parameters
    ----------
    statuses : tuple of StageStatus
    out : path
    """

    statuses: tuple[StageStatus, ...]
    out: Path

    @property
    def exit_status(self) -> int:
        """0 all well, 1 something could not be processed or assessed."""
        return int(any(status.state in TROUBLE for status in self.statuses))

    @property
    def troubles(self) -> tuple[StageStatus, ...]:
        """What could not be processed or assessed."""
        return tuple(status for status in self.statuses if status.state in TROUBLE)


def run(
    study: Study | str | Path,
    out: str | Path,
    level: str = "participant",
    *,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    derivatives: Sequence[str | Path] = (),
    settings: Settings | None = None,
    jobs: int = 1,
    reports_only: bool = False,
    keep_going: bool = False,
    dry_run: bool = False,
    on_status: Callable[[StageStatus], None] = lambda status: None,
) -> RunOutcome:
    """Run the stages of a study and write results and reports.

    Parameters
    ----------
    study : Study or path
    out : path
        Output folder; made if it is not there.
    level : {"participant", "group"}
    participants, sessions : sequence of str
        Labels to restrict the run to, with or without ``sub-`` and ``ses-``; empty for all.
    derivatives : sequence of path
        Folders of BIDS derivatives with brain masks (``*_desc-brain_mask.nii.gz``) or lesion masks
        (``*_label-lesion_{mask,probseg,dseg}.nii.gz``) that take the place of ours.
    settings : Settings, optional
    jobs : int
        Processors to use; the results do not depend on it.
    reports_only : bool
        Make reports again from saved results, as the run left them; the study need not be there. Without `settings`
        they are those of the run, with them `report` and `patterns` are taken from there.
    keep_going : bool
        Start further subjects even after a fault of the program was met (a fault of the input never stops the others).
    dry_run : bool
        Say what would be run, and write nothing.
    on_status : callable
        Called with each stage status as it comes.

    Raises
    ------
    StudyError
        If the call or the study as a whole is wrong.
    """
    out = Path(out)
    if level not in {"participant", "group"}:
        raise StudyError("unknown level", found=level, remedy="use participant or group")
    if jobs < 1:
        raise StudyError(
            "--jobs needs a whole number from 1", found=jobs, remedy="give the number of processors to use"
        )
    lost: list[StageStatus] = []
    if level == "group":
        return RunOutcome(tuple(run_group(out, (settings or Settings()).report)), out)
    if reports_only:
        if sessions:
            raise StudyError("reports are made of all sessions of the run", field="--session-label",
                             remedy="leave it out")  # fmt: skip
        tasks, lost = saved_runs(study, out.absolute(), participants, settings)
    else:
        study = study if isinstance(study, Study) else open_study(study)
        for problem in study.problems:  # such as a patient whose folder has no name that can be read
            on_status(StageStatus("", "", "study", "remark", problem))
        subjects = choose_subjects(study, participants, sessions)
        tasks = _tasks(study, subjects, out.absolute(), derivatives, settings or Settings(), jobs)
    if dry_run:
        planned = (
            StageStatus(task.subject.label, visit.label, "plan", "to do")
            for task in tasks
            for visit in task.subject.sessions
        )
        return RunOutcome((*lost, *planned), out)
    _check_writable(out)
    if isinstance(study, Study) and not reports_only:
        write_dataset_description(out, hlhneuro.__version__, study.root)
    for status in lost:
        on_status(status)
        _write_statuses(out, status.subject, [status])
    statuses = (*lost, *_run_all(tasks, min(jobs, len(tasks)), keep_going, on_status))
    write_status(out)
    return RunOutcome(statuses, out)


def _tasks(
    study: Study,
    subjects: Sequence[Subject],
    out: Path,
    derivatives: Sequence[str | Path],
    settings: Settings,
    jobs: int,
) -> list[SubjectRun]:
    """Check what a run needs, and return what each subject's run is told."""
    if out.resolve() == study.root.resolve():
        raise StudyError("results cannot be written over the study", path=out, remedy="choose another output folder")
    check_mask_folders(derivatives, subjects)
    brains, lesions = find_brain_masks(derivatives, subjects), find_lesion_masks(derivatives, subjects)
    check_engine(settings.prepare.brain_engine)
    template_paths(settings.template)
    # A subject may use as many workers as there are processors, so that none idles while the last subject is worked on.
    return [
        SubjectRun(study, one, out, settings, jobs, brain_masks=brains[one.label], lesion_masks=lesions[one.label])
        for one in subjects
    ]


def choose_subjects(study: Study, participants: Sequence[str], sessions: Sequence[str]) -> tuple[Subject, ...]:
    """Return the subjects and sessions that were asked for."""
    wanted = [label.removeprefix("sub-") for label in participants]
    unknown = [label for label in wanted if study.subject(label) is None]
    known = ", ".join(subject.label for subject in study.subjects)
    if unknown:
        raise StudyError("no such subject in the study", path=study.root, field="--participant-label",
                         found=", ".join(unknown), remedy=f"choose from: {known}")  # fmt: skip
    chosen = [s for s in study.subjects if not wanted or s.label in wanted]
    visits = {label.removeprefix("ses-") for label in sessions}
    if visits:
        chosen = [replace(s, sessions=tuple(v for v in s.sessions if v.label in visits)) for s in chosen]
        chosen = [s for s in chosen if s.sessions]
        if not chosen:
            raise StudyError("no such session in the study", path=study.root, field="--session-label",
                             found=", ".join(sorted(visits)), remedy="see what `hlhneuro check` lists")  # fmt: skip
    return tuple(chosen)


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):  # no name of its own: other processes may try the same
            pass
    except OSError as error:
        raise StudyError(
            f"cannot write there: {error.strerror}", path=out, remedy="choose another output folder"
        ) from error


def _run_all(
    tasks: Sequence[SubjectRun], concurrent: int, keep_going: bool, on_status: Callable[[StageStatus], None]
) -> Iterator[StageStatus]:
    if concurrent <= 1:
        for done, task in enumerate(tasks):
            statuses, crashed = run_logged(task, on_status)
            yield from statuses
            if crashed and not keep_going:
                yield from _left_out(tasks[done + 1 :])
                return
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(concurrent, mp_context=context) as pool:
        channel = manager.Queue()
        waiting: list[Future[tuple[list[StageStatus], bool]]] = [pool.submit(_run_remote, t, channel) for t in tasks]
        futures = list(waiting)
        stopped = False
        while waiting:
            done_now, pending = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            waiting = list(pending)
            _drain(channel, on_status)
            if any(not f.cancelled() and f.exception() is None and f.result()[1] for f in done_now):
                stopped = stopped or not keep_going
            if stopped:
                waiting = [future for future in waiting if not future.cancel()]
        _drain(channel, on_status)
        for task, future in zip(tasks, futures, strict=True):  # in the order of the study, whoever came first
            if future.cancelled():
                yield from _left_out([task])
            elif (error := future.exception()) is not None:
                yield StageStatus(task.subject.label, "", "run", "failed", f"the worker process ended: {error}")
            else:
                yield from future.result()[0]


def _left_out(tasks: Sequence[SubjectRun]) -> Iterator[StageStatus]:
    reason = "not started after a fault of the program in another subject; --keep-going goes on"
    for task in tasks:
        yield StageStatus(task.subject.label, "", "run", "failed", reason)


def _drain(channel: Any, on_status: Callable[[StageStatus], None]) -> None:
    while True:
        try:
            on_status(channel.get_nowait())
        except queue.Empty:
            return


def _run_remote(task: SubjectRun, channel: Any) -> tuple[list[StageStatus], bool]:
    return run_logged(task, channel.put)


def run_logged(task: SubjectRun, on_status: Callable[[StageStatus], None]) -> tuple[list[StageStatus], bool]:
    """Run one subject with its own log file; write and return its statuses."""
    with _log_file(task.out / "logs" / f"sub-{task.subject.label}.log", task):
        ledger = run_subject(task, on_status)
    _write_statuses(task.out, task.subject.label, ledger.statuses)
    return ledger.statuses, ledger.crashed


def _write_statuses(out: Path, subject: str, statuses: Sequence[StageStatus]) -> None:
    frame = pd.DataFrame([vars(status) for status in statuses], columns=list(STATUS_COLUMNS))
    provenance = Provenance("status", {}, {}, hlhneuro.__version__)
    write_table(out / f"sub-{subject}" / f"sub-{subject}_status.tsv", frame, STATUS_COLUMNS, provenance)


class _WithoutPlaces(logging.Formatter):
    """Lines of a log that do not tell where files lie on this machine, those of a traceback included."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(super().format(record))


@contextmanager
def _log_file(path: Path, task: SubjectRun) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The log of the run stays when its reports are made again: tracebacks that a report speaks of stand there.
    handler = logging.FileHandler(path, mode="a" if task.reports_only else "w", encoding="utf-8")
    handler.setFormatter(_WithoutPlaces(task.hide))
    package = logging.getLogger("hlhneuro")
    level = package.level
    package.addHandler(handler)
    package.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        handler.close()


def write_status(out: Path) -> None:
    """Write ``status.tsv`` from the tables of all subjects, so that parallel jobs do not lose each other's rows."""
    frame = _all_statuses(out)
    while True:
        write_table(out / "status.tsv", frame, STATUS_COLUMNS, Provenance("status", {}, {}, hlhneuro.__version__))
        # Another run may have ended and written meanwhile: who writes last must have seen everybody's rows.
        before, frame = frame, _all_statuses(out)
        if frame.equals(before):
            return


def _all_statuses(out: Path) -> pd.DataFrame:
    frames = [read_table(path) for path in sorted(out.glob("sub-*/sub-*_status.tsv"))]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(STATUS_COLUMNS))
