"""Lesions of one subject: ours, or those of the masks that the user supplies."""

from __future__ import annotations

from collections.abc import Mapping

from hlhneuro.errors import InputError
from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import GivenLesions, LesionSeries, load_lesion_mask, segment_lesions, supplied_lesions
from hlhneuro.pipeline.ledger import Ledger
from hlhneuro.pipeline.task import SubjectRun

__all__ = ["find_lesions"]


def find_lesions(
    task: SubjectRun, ledger: Ledger, aligned: AlignedSeries, ages_years: Mapping[str, float | None]
) -> LesionSeries:
    """Segment lesions, or take the user's masks where there is one for any session of the subject."""
    if not task.lesion_masks:
        return segment_lesions(aligned, task.settings.lesions, ages_years)
    given: dict[str, GivenLesions] = {}
    refused: dict[str, str] = {}
    for label, mask in task.lesion_masks.items():
        try:
            given[label] = load_lesion_mask(mask.path, mask.contrast)
        except InputError as error:
            refused[label] = task.hide(str(error))
            ledger.note("read", "failed", str(error), label)
    return supplied_lesions(aligned, given, refused, task.settings.lesions)
