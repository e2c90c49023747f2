"""Run a stage or take it from disk, and keep the account of what was done, skipped, failed and why."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hlhneuro.errors import HlhneuroError, InputError, NotAssessable, StudyError
from hlhneuro.pipeline.stores.study import AGAIN
from hlhneuro.report import StageStatus
from hlhneuro.study import file_sha256, write_json

__all__ = ["Kept", "Ledger"]

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """What a stage leaves on disk: the files it wrote, and what no file of its own holds.

    Parameters
    ----------
    files : tuple of Path
        Written files; a later run checks them by their checksum.
    payload : mapping
        Plain JSON types.
    """

    files: tuple[Path, ...]
    payload: Mapping[str, Any]


class Ledger:
    """The stages of one subject.

    A stage is skipped when its record (``stages/NAME.json``) holds the same fingerprint (sources, settings, version and
    the fingerprints of the stages before it) and every file it wrote is unchanged. The record is written last, so that
    an interrupted stage is run again. A stage that failed leaves a record of what it said, without a fingerprint.

    Parameters
    ----------
    folder : path
        Output folder of the subject.
    subject : str
    reports_only : bool
        Take every stage from disk whatever its fingerprint, compute none.
    notify : callable
        Called with each stage status as it comes.
    hide : callable
        Takes out of a sentence what results must not hold: where files lie on this machine.
    """

    def __init__(
        self,
        folder: Path,
        subject: str,
        *,
        reports_only: bool = False,
        notify: Callable[[StageStatus], None] = lambda status: None,
        hide: Callable[[str], str] = str,
    ) -> None:
        self.folder, self.subject, self.reports_only = folder, subject, reports_only
        self.notify, self.hide = notify, hide
        self.statuses: list[StageStatus] = []
        self.stayed: dict[str, str] = {}  # record name -> fingerprint of what is now on disk
        self.crashed = False  # a fault of the program, not of the input

    def note(self, stage: str, state: str, reason: str = "", session: str = "") -> None:
        """Add one row to the account."""
        status = StageStatus(self.subject, session, stage, state, self.hide(reason))
        self.statuses.append(status)
        level = logging.WARNING if state in {"failed", "not assessable"} else logging.INFO
        visit = f"ses-{session} " if session else ""
        logger.log(level, "sub-%s %s%s: %s %s", self.subject, visit, stage, state, status.reason)
        self.notify(status)

    def fingerprints(self, *stages: str) -> dict[str, str]:
        """Return what the results of those stages are identified by; a stage without a result is left out."""
        return {stage: self.stayed[stage] for stage in stages if stage in self.stayed}

    def attempt(self, stage: str, work: Callable[[], T], session: str = "") -> T | None:
        """Run `work`; what goes wrong becomes a row of the account and None."""
        try:
            return work()
        except NotAssessable as error:
            self.note(stage, "not assessable", str(error), session)
        except HlhneuroError as error:
            self.note(stage, "failed", str(error), session)
        except Exception as error:  # the other stages, sessions and subjects still finish
            self.crashed = True
            logger.exception("sub-%s %s %s", self.subject, session, stage)
            where = f"OUT/logs/sub-{self.subject}.log"
            self.note(
                stage,
                "failed",
                f"a fault of the program: {type(error).__name__}: {error} (traceback in {where})",
                session,
            )
        return None

    def stage(
        self,
        stage: str,
        fingerprint: str,
        *,
        compute: Callable[[], T],
        keep: Callable[[T], Kept],
        recall: Callable[[Mapping[str, Any]], T] | None,
        session: str = "",
        name: str = "",
    ) -> T | None:
        """Return the result of a stage: from disk if it is still valid, computed and kept otherwise.

        Parameters
        ----------
        stage : str
            Stage name, as in ``status.tsv``.
        fingerprint : str
            Identifies everything the result depends on.
        compute : callable
            Makes the result.
        keep : callable
            Writes the result and says what it wrote.
        recall : callable
            Makes the result from the payload of the record (and the files it knows); None if nothing needs it.
        session, name : str
            Session label, and a further name where a stage runs several times.

        Raises
        ------
        InputError
            If reports alone are made, and the saved result is missing, changed or damaged.
        """
        record = self.folder / "stages" / f"{'_'.join(filter(None, (stage, session, name)))}.json"
        if self.reports_only:
            return self._saved(record, recall)
        found = self._valid(record, fingerprint)
        if found is not None:
            try:
                saved = recall(found["payload"]) if recall else None
            except Exception:  # whatever is wrong with it, a stage that cannot be read back is computed again
                logger.exception("sub-%s %s: the saved result cannot be read", self.subject, record.stem)
            else:
                self._stay(record, found)
                return saved
        first = len(self.statuses)

        def work() -> T:
            result = compute()
            kept = keep(result)
            self.note(stage, "done", "", session)
            self._write(record, fingerprint, kept, self.statuses[first:])
            return result

        result = self.attempt(stage, work, session)
        if result is not None:
            self.stayed[record.stem] = fingerprint
        else:
            with contextlib.suppress(StudyError):  # nothing can be written: that was said
                self._write(record, None, Kept((), {}), self.statuses[first:])
        return result

    def _saved(self, record: Path, recall: Callable[[Mapping[str, Any]], T] | None) -> T | None:
        """Take a stage from disk whatever it was made from; a failure stands as it was told."""
        try:
            found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            files = found["files"] if recall else {}
            for path, sha in ((self.folder / name, sha) for name, sha in files.items()):
                if not path.is_file():
                    raise InputError("a file of the saved results is missing", path=path, remedy=AGAIN)
                if file_sha256(path) != sha:
                    raise InputError("this file is not what the run wrote", path=path, remedy=AGAIN)
            saved = recall(found["payload"]) if recall and found["fingerprint"] is not None else None
        except InputError:
            raise
        except FileNotFoundError as error:
            raise InputError("a stage of the saved results is missing", path=record, remedy=AGAIN) from error
        except Exception as error:  # whatever is wrong with it
            raise InputError("the saved result cannot be read", path=record, found=repr(error), remedy=AGAIN) from error
        self._stay(record, found)
        return saved

    def _stay(self, record: Path, found: Mapping[str, Any]) -> None:
        if found["fingerprint"] is not None:
            self.stayed[record.stem] = found["fingerprint"]
        self._replay(found["statuses"])

    def _valid(self, record: Path, fingerprint: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            same = found["fingerprint"] == fingerprint and all(
                (self.folder / name).is_file() and file_sha256(self.folder / name) == sha
                for name, sha in found["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged: as if it were not there
            return None
        return found if same else None

    def _replay(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Say again what the kept stage had said: its failures stand, what it had done is now skipped."""
        for row in rows:
            status = StageStatus(**row)
            if status.state == "done":
                status = replace(status, state="skipped")
            self.note(status.stage, status.state, status.reason, status.session)

    def _write(self, record: Path, fingerprint: str | None, kept: Kept, statuses: Iterable[StageStatus]) -> None:
        files = {path.relative_to(self.folder).as_posix(): file_sha256(path) for path in kept.files}
        rows = [status.__dict__ for status in statuses]
        record.parent.mkdir(parents=True, exist_ok=True)
        write_json(
            record, {"fingerprint": fingerprint, "files": files, "statuses": rows, "payload": dict(kept.payload)}
        )


def fingerprint_of(*parts: object) -> str:
    """Return one checksum of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
