"""Verdicts on registrations as the report reads them: which images they speak of, and their numbers in words."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from hlhneuro.imaging.series import AlignedSeries, RegistrationQuality
from hlhneuro.report.words import number, quantity

__all__ = [
    "MEASURES",
    "Measure",
    "measured",
    "measures_of",
    "parts_of",
    "template_verdicts",
    "verdict_text",
    "verdicts_between",
    "verdicts_of",
]


@dataclass(frozen=True)
class Measure:
    """One number of a verdict.

    Parameters
    ----------
    title : str
        Head of its column.
    short : str
        Its name in a line of text.
    unit : str
    good : str
        What is a good value, in plain words.
    """

    title: str
    short: str
    unit: str
    good: str

    def text(self, value: float) -> str:
        """Write a value."""
        return measured(value, self.unit)


def measured(value: float | None, unit: str) -> str:
    """Write a number of a verdict: two decimals of a millimetre, three digits of a ratio, ``n/a`` for none."""
    if unit == "mm" and value is not None and math.isfinite(value):
        return f"{number(value, 2)}\u00a0mm"
    return quantity(value, None, unit)


MEASURES = {
    "similarity": Measure(
        "Similarity (NMI)",
        "NMI",
        "",
        "normalised mutual information inside the brain: 1 means that the images share nothing; the higher, the better",
    ),
    "brain_overlap": Measure(
        "Brain overlap (Dice)",
        "Dice",
        "",
        "overlap of the two brain masks: 1 is the same; about 0.9 is usual where each contrast shows the brain's edge "
        "elsewhere",
    ),
    "inverse_consistency_mm": Measure(
        "Inverse consistency",
        "gap",
        "mm",
        "how far the coarse searches there and back miss each other, mean over the brain; the transform made from both "
        "is the same from either side",
    ),
    "null_similarity": Measure(
        "NMI by chance",
        "by chance",
        "",
        "the similarity after the values of one image were shuffled; the one above has to be well beyond it",
    ),
    "detail": Measure(
        "Detail",
        "detail",
        "",
        "how much better edges agree than after a shift by a few millimetres: 0 is no better, 1 twice as well",
    ),
}
_NOT_MEASURES = ("moving", "fixed", "accepted", "reason")


def measures_of(quality: RegistrationQuality) -> dict[str, tuple[Measure, float]]:
    """Return every number of a verdict with what it means; one that is not known here goes by its own name."""
    found = {}
    for field in dataclasses.fields(quality):
        value = getattr(quality, field.name)
        if field.name not in _NOT_MEASURES and (value is None or isinstance(value, int | float)):
            title = field.name.replace("_", " ")
            measure = MEASURES.get(field.name, Measure(title.capitalize(), title, "", ""))
            found[field.name] = (measure, float("nan") if value is None else float(value))
    return found


def verdict_text(quality: RegistrationQuality) -> str:
    """Write a verdict with its numbers in one line."""
    numbers = [
        f"{measure.short} {measure.text(value)}"
        for measure, value in measures_of(quality).values()
        if math.isfinite(value)
    ]
    return f"{'accepted' if quality.accepted else f'rejected, {quality.reason}'} ({', '.join(numbers)})"


def parts_of(name: str) -> tuple[str, str]:
    """Return session label and contrast of an image's name in a verdict, ``02 T1w`` or ``ses-02 T1w``."""
    label, _, contrast = name.removeprefix("ses-").partition(" ")
    return label, contrast


def verdicts_of(aligned: AlignedSeries) -> list[RegistrationQuality]:
    """Return the verdicts on all registrations: sessions and template first, then the contrasts of each session."""
    return [*aligned.quality, *(quality for session in aligned.sessions for quality in session.quality)]


def verdicts_between(aligned: AlignedSeries, one: str, other: str) -> list[RegistrationQuality]:
    """Return the verdicts on direct matches of two sessions, whichever of them was moved."""
    return [q for q in aligned.quality if {parts_of(q.moving)[0], parts_of(q.fixed)[0]} == {one, other}]


def template_verdicts(aligned: AlignedSeries) -> list[RegistrationQuality]:
    """Return the verdicts on the match with the template: affine first, then how it was deformed."""
    return [quality for quality in aligned.quality if "template" in f"{quality.moving} {quality.fixed}"]
