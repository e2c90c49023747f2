"""The sessions of one subject, read and prepared: each in a process of its own where there are workers for it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from hlhneuro.imaging import PreparedSession, Volume, load_volume, prepare
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.settings import PrepareSettings
from hlhneuro.study import Session

__all__ = ["prepare_all"]

Job = tuple[str, dict[str, Volume], PrepareSettings]


def prepare_all(task: SubjectRun, ledger: Ledger) -> list[PreparedSession]:
    """Prepare every session that has a usable image; what cannot be used is left out and said."""
    images = {session.label: read_images(ledger, session) for session in task.subject.sessions}
    images = {label: volumes for label, volumes in images.items() if volumes}
    prepared = []
    with _workers(min(task.workers, len(images))) as start:
        waiting = {label: start((label, volumes, task.settings.prepare)) for label, volumes in images.items()}
        for label, result in waiting.items():
            session = ledger.attempt("prepare", result, label)
            if session is None:
                continue
            noted = {f"{label} {name}: {note}" for name, volume in images[label].items() for note in volume.notes}
            for problem in session.problems:
                ledger.note("prepare", "done" if problem in noted else "failed", problem, label)
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


@contextmanager
def _workers(count: int) -> Iterator[Callable[[Job], Callable[[], PreparedSession]]]:
    """Give a function that starts a job and returns how to wait for its result."""
    if count < 2:
        yield lambda job: lambda: _prepare(job)
        return
    # Processes and not threads: the registration engine keeps Python's lock while it works.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda job: pool.submit(_prepare, job).result


def _prepare(job: Job) -> PreparedSession:
    label, volumes, settings = job
    with threadpool_limits(limits=1):
        return prepare(label, volumes, settings)
