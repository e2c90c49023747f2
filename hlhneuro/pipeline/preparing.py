"""The sessions of one subject, read and prepared: each in a process of its own where there are workers for it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from hlhneuro.imaging import PreparedSession, Volume, load_volume
from hlhneuro.imaging.brain_engines import GivenBrain, load_brain_mask
from hlhneuro.imaging.preparation import Job, prepare_job
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.study import Session

__all__ = ["prepare_all"]


def prepare_all(task: SubjectRun, ledger: Ledger) -> list[PreparedSession]:
    """Prepare every session that has a usable image; what cannot be used is left out and said."""
    jobs = []
    for visit in task.subject.sessions:
        volumes = read_images(ledger, visit)
        if volumes:
            brain = read_brain(task, ledger, visit)
            jobs.append(Job(visit.label, volumes, task.settings.prepare, brain, visit.age_years))
    prepared = []
    with _workers(min(task.workers, len(jobs))) as start:
        waiting = [(job.label, start(job)) for job in jobs]
        for label, result in waiting:
            session = ledger.attempt("prepare", result, label)
            if session is None:
                continue
            for problem in session.problems:
                ledger.note("prepare", "done" if problem in session.notes else "failed", problem, label)
            ledger.note("prepare", "done", "", label)
            prepared.append(session)
    return prepared


def read_images(ledger: Ledger, session: Session) -> dict[str, Volume]:
    """Return the images of one session that can be used."""
    volumes: dict[str, Volume] = {}
    for scan in session.images:
        volume = ledger.attempt("read", lambda scan=scan: load_volume(scan.path, scan.contrast), session.label)  # type: ignore[misc]
        if volume is not None:
            volumes[scan.contrast] = volume
    if session.images and not volumes:
        ledger.note("prepare", "failed", "none of the session's images could be read", session.label)
    return volumes


def read_brain(task: SubjectRun, ledger: Ledger, session: Session) -> GivenBrain | None:
    """Return the brain mask that the user supplies for a session; without a usable one it is found in the images."""
    mask = task.brain_masks.get(session.label)
    if mask is None:
        return None
    return ledger.attempt("read", lambda: load_brain_mask(mask.path, mask.contrast), session.label)


@contextmanager
def _workers(count: int) -> Iterator[Callable[[Job], Callable[[], PreparedSession]]]:
    """Give a function that starts a job and returns how to wait for its result."""
    if count < 2:
        yield lambda job: lambda: prepare_job(job)
        return
    # Processes and not threads: the registration engine keeps Python's lock while it works. What they run lives in
    # `imaging`, so that they do not load the report.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda job: pool.submit(prepare_job, job).result
