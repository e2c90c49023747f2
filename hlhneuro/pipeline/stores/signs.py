"""The stage that measures the signs of lesions, and how they are written to disk and read back, without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.answers import Answer
from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionChange, LesionSeries, LesionSigns, Measure, Sign, measure_signs
from hlhneuro.pipeline.ledger import Kept, Ledger, fingerprint_of
from hlhneuro.pipeline.task import SubjectRun

__all__ = ["keep_signs", "recall_signs", "run_signs"]


def run_signs(
    task: SubjectRun,
    ledger: Ledger,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
    change: LesionChange | None,
) -> LesionSigns | None:
    """Measure what else the lesions show."""
    if aligned is None or lesions is None or change is None:
        ledger.note("signs", "not assessable", "the lesions could not be measured")
        return None
    ages = {session.label: session.age_years for session in task.subject.sessions}
    sources = ledger.fingerprints("align", "lesions", "change") | {"ages": fingerprint_of(ages)}
    return ledger.stage(
        "signs",
        task.provenance("signs", sources, "signs").fingerprint(),
        compute=lambda: measure_signs(aligned, lesions, change, task.settings.signs, ages),
        keep=keep_signs,
        recall=recall_signs,
    )


def keep_signs(signs: LesionSigns) -> Kept:
    """Return the signs as plain JSON types; they have no file of their own but the table of the report."""
    return Kept((), {"signs": [_to_json(sign) for sign in signs.signs]})


def recall_signs(payload: Mapping[str, Any]) -> LesionSigns:
    """Read back what `keep_signs` wrote."""
    return LesionSigns(
        tuple(
            Sign(
                **(
                    dict(found)
                    | {
                        "answer": Answer(found["answer"]),
                        "measures": tuple(Measure(*measure) for measure in found["measures"]),
                    }
                )
            )
            for found in payload["signs"]
        )
    )


def _to_json(sign: Sign) -> dict[str, Any]:
    measures = [[one.name, one.value, one.sd, one.unit] for one in sign.measures]
    return vars(sign) | {"answer": sign.answer.value, "measures": measures}
