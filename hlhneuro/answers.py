"""The three answers that every finding has, and the record that carries one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Answer", "Finding"]


class Answer(StrEnum):
    """Present, absent, or not assessable. Silence is not an answer."""

    PRESENT = "present"
    ABSENT = "absent"
    NOT_ASSESSABLE = "not assessable"


@dataclass(frozen=True)
class Finding:
    """One question about the patient and its answer.

    Parameters
    ----------
    code : str
        Stable identifier, for example ``lesion_load_change``.
    label : str
        The question in plain words.
    answer : Answer
        One of the three answers.
    reason : str
        What the answer rests on; for *not assessable*, what is missing and what would supply it.
    scope : str
        ``subject``, ``session``, ``interval`` or ``spectrum``.
    sessions : tuple of str
        Session labels the finding speaks of, in order of time.
    subject_of : str
        What inside the scope it speaks of: a territory, a lesion, a spectrum; empty if the whole.
    value, standard_uncertainty : float, optional
        The measured quantity and its standard uncertainty, in `unit`.
    unit : str
        Unit of `value`; empty for a count or a ratio.
    threshold : float, optional
        What `value` was compared with.
    threshold_source : str
        Where the threshold comes from ("expert-set, ..." or a paper).
    """

    code: str
    label: str
    answer: Answer
    reason: str
    scope: str
    sessions: tuple[str, ...] = ()
    subject_of: str = ""
    value: float | None = None
    standard_uncertainty: float | None = None
    unit: str = ""
    threshold: float | None = None
    threshold_source: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError(f"finding {self.code!r} gives no reason for its answer")

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return asdict(self) | {"answer": self.answer.value, "sessions": list(self.sessions)}
