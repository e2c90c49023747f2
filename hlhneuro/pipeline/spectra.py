"""The spectra of one subject, as a stage that is run or skipped."""

from __future__ import annotations

from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionSeries
from hlhneuro.pipeline.ledger import Ledger, fingerprint_of
from hlhneuro.pipeline.session_spectra import fit_scan, spectrum_name, unfitted
from hlhneuro.pipeline.stores.spectra import SpectrumStore
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.spectroscopy import SpectrumResult
from hlhneuro.study import Scan, Session, water_references_of

__all__ = ["run_spectra"]


def run_spectra(
    task: SubjectRun, ledger: Ledger, aligned: AlignedSeries | None, lesions: LesionSeries | None
) -> tuple[SpectrumResult, ...]:
    """Fit every single-voxel spectrum of every session; one that cannot be fitted says why."""
    results: list[SpectrumResult] = []
    for session in task.subject.sessions:
        for scan in session.spectra:
            if scan.contrast == "svs":
                results.append(_run_one(task, ledger, session, scan, aligned, lesions))
            elif scan.contrast != "mrsi":  # grids are a stage of their own
                why = f"{spectrum_name(scan)}: {scan.contrast} data are not fitted, single voxels and grids are"
                ledger.note("spectra", "not assessable", why, session.label)
    return tuple(results)


def _run_one(
    task: SubjectRun,
    ledger: Ledger,
    session: Session,
    scan: Scan,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
) -> SpectrumResult:
    water_scan, eddy_scan = water_references_of(scan, session)
    name = spectrum_name(scan)
    sources = task.checksums(*(s.path for s in (scan, water_scan, eddy_scan) if s is not None))
    sources |= {"age": fingerprint_of(session.age_years)}
    anatomy = ledger.fingerprints("align", "lesions")
    provenance = task.provenance("spectra", {**sources, **anatomy}, "spectra")
    grid = aligned.grid if aligned is not None else None
    entities = {key: value for key, value in scan.entities.items() if key not in {"sub", "ses"}}
    store = SpectrumStore(task.out, task.subject.label, session.label, entities, grid, provenance)

    result = ledger.stage(
        "spectra",
        provenance.fingerprint(),
        compute=lambda: fit_scan(scan, session, aligned, lesions, task.settings.spectra),
        keep=store.keep,
        recall=store.recall,
        session=session.label,
        name=name,
    )
    return result if result is not None else unfitted(scan, session, ledger.statuses[-1].reason)
