"""The exceptions a user meets: each names what was read, what was found there and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Self

__all__ = ["HlhneuroError", "InputError", "NotAssessable", "StudyError"]


class HlhneuroError(Exception):
    """Base of every error that is the input's fault and not the program's.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    remedy : str
        What the user can do about it.
    path : path, optional
        The file it was found in.
    field : str
        The field of that file, for example ``EchoTime``.
    found : object, optional
        The value that was found there.
    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str,
        path: str | Path | None = None,
        field: str = "",
        found: object = None,
    ) -> None:
        self.problem, self.remedy, self.field, self.found = problem, remedy, field, found
        self.path = Path(path) if path is not None else None
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        where = f"{self.path}: " if self.path else ""
        what = f"{self.field}: " if self.field else ""
        found = f" (found: {self.found})" if self.found is not None else ""
        return f"{where}{what}{self.problem}{found}. Remedy: {self.remedy}"

    def in_file(self, path: str | Path) -> Self:
        """Return the same error with the file that it was found in."""
        return type(self)(self.problem, remedy=self.remedy, path=path, field=self.field, found=self.found)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments: the default pickling would lose them between worker processes.
        return _rebuild, (type(self), self.problem, self.remedy, self.path, self.field, self.found)


def _rebuild(
    kind: type[HlhneuroError], problem: str, remedy: str, path: Path | None, field: str, found: object
) -> HlhneuroError:
    return kind(problem, remedy=remedy, path=path, field=field, found=found)


class StudyError(HlhneuroError):
    """The call or the study as a whole is wrong; nothing can be done with it (exit status 2)."""


class InputError(HlhneuroError):
    """One file or one value cannot be used; the rest of the study goes on (exit status 1)."""


class NotAssessable(HlhneuroError):
    """A step cannot be done with what is there: an answer, not a failure of the file."""
