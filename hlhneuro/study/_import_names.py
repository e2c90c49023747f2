"""Names of imported files: BIDS, the same for the same source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hlhneuro.errors import StudyError

__all__ = ["BidsName", "ImportRow", "checked_label", "told_apart"]


@dataclass(frozen=True)
class ImportRow:
    """What became of one thing in the source.

    Parameters
    ----------
    source : str
        Series number and description, or file name.
    state : {"imported", "left out", "unknown", "failed"}
        `left out`: of a kind that nothing uses. `unknown`: what it is could not be told. `failed`: could not be read.
    name : str
        Path in the study; empty if it was not imported.
    why, remedy : str
    """

    source: str
    state: str
    name: str = ""
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class BidsName:
    """The parts of a name after subject and session; `suffix` may carry a contrast agent (``ce-gadolinium_T1w``)."""

    datatype: str
    suffix: str
    acq: str | None = None
    voi: str | None = None
    run: int | None = None

    def stem(self, subject: str, session: str) -> str:
        """Return the path in the study without its extension."""
        *agent, suffix = self.suffix.split("_")
        parts = [f"sub-{subject}", f"ses-{session}", f"acq-{self.acq}" if self.acq else "", *agent]
        parts += [f"voi-{self.voi}" if self.voi else "", f"run-{self.run}" if self.run else "", suffix]
        return f"sub-{subject}/ses-{session}/{self.datatype}/" + "_".join(part for part in parts if part)


def told_apart(names: Iterable[BidsName]) -> list[BidsName]:
    """Return the names with runs counted, in the given order, where several are the same."""
    names = list(names)
    total, seen, apart = Counter(names), Counter[BidsName](), []
    for name in names:
        seen[name] += 1
        apart.append(replace(name, run=seen[name]) if total[name] > 1 else name)
    return apart


def checked_label(label: str, entity: str) -> str:
    """Return a label without its ``sub-`` or the like.

    Raises
    ------
    StudyError
        If it holds anything but letters and digits.
    """
    plain = label.removeprefix(f"{entity}-")
    if not re.fullmatch(r"[A-Za-z0-9]+", plain):
        raise StudyError(
            "a label may only hold letters and digits", field=entity, found=label, remedy="choose another label"
        )
    return plain
