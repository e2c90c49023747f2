"""Volume change: measured for a subject, kept in the record of its stage, read back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionSeries
from hlhneuro.lesions.visits import visit_of
from hlhneuro.lesions.volumes import StructureChange, VolumeChange, VolumeInterval, measure_volumes
from hlhneuro.pipeline.ledger import Kept, Ledger, fingerprint_of
from hlhneuro.pipeline.task import SubjectRun

__all__ = ["keep_volumes", "recall_volumes", "run_volumes"]


def run_volumes(
    task: SubjectRun, ledger: Ledger, aligned: AlignedSeries | None, lesions: LesionSeries | None
) -> VolumeChange | None:
    """Measure the change of brain and ventricle volume, or read it back."""
    if aligned is None:
        return None
    visits = {session.label: visit_of(session, task.clinical.events) for session in task.subject.sessions}
    told = {label: {name: str(value) for name, value in vars(visit).items()} for label, visit in visits.items()}
    sources = ledger.fingerprints("align", "lesions") | {"visits": fingerprint_of(told)}
    provenance = task.provenance("volumes", sources, "volumes")
    return ledger.stage(
        "volumes",
        provenance.fingerprint(),
        compute=lambda: measure_volumes(aligned, lesions, task.settings.volumes, visits),
        keep=keep_volumes,
        recall=recall_volumes,
    )


def keep_volumes(volumes: VolumeChange) -> Kept:
    """Return the whole result as plain JSON types; it has no file of its own."""
    return Kept((), asdict(volumes))


def recall_volumes(payload: Mapping[str, Any]) -> VolumeChange:
    """Read back what `keep_volumes` kept."""
    intervals = tuple(
        VolumeInterval(**{**told, "changes": tuple(StructureChange(**change) for change in told["changes"])})
        for told in payload["intervals"]
    )
    return VolumeChange(intervals, dict(payload["closing_log_change"]), float(payload["coverage_factor"]))
