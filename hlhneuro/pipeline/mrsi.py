"""The spectroscopic grids of one subject: read, place on the anatomy, fit, average by region."""

from __future__ import annotations

from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionSeries
from hlhneuro.pipeline.ledger import Ledger, fingerprint_of
from hlhneuro.pipeline.session_spectra import spectrum_name
from hlhneuro.pipeline.stores.mrsi import GridStore
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.spectroscopy import (
    GridContent,
    GridResult,
    SpectrumGrid,
    content_of_grid,
    fit_mrsi,
    load_mrsi,
    regions_of,
)
from hlhneuro.spectroscopy.mrsi_anatomy import no_regions
from hlhneuro.study import Scan, Session, water_references_of

__all__ = ["run_mrsi"]


def run_mrsi(
    task: SubjectRun, ledger: Ledger, aligned: AlignedSeries | None, lesions: LesionSeries | None
) -> tuple[GridResult, ...]:
    """Fit every spectroscopic grid of every session; one that cannot be fitted says why."""
    return tuple(
        _run_one(task, ledger, session, scan, aligned, lesions)
        for session in task.subject.sessions
        for scan in session.spectra
        if scan.contrast == "mrsi"
    )


def _run_one(
    task: SubjectRun,
    ledger: Ledger,
    session: Session,
    scan: Scan,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
) -> GridResult:
    water_scan, eddy_scan = water_references_of(scan, session)
    name = spectrum_name(scan)
    sources = task.checksums(*(s.path for s in (scan, water_scan, eddy_scan) if s is not None))
    sources |= {"age": fingerprint_of(session.age_years)}
    provenance = task.provenance("mrsi", {**sources, **ledger.fingerprints("align", "lesions")}, "spectra")
    entities = {key: value for key, value in scan.entities.items() if key not in {"sub", "ses"}}
    store = GridStore(task.out, task.subject.label, session.label, entities, aligned, provenance, task.settings.spectra)

    def compute() -> GridResult:
        grid = load_mrsi(scan.path, scan.sidecar)
        water, eddy = _reference(water_scan, grid), _reference(eddy_scan, grid)
        referred = water is not None or eddy is not None
        content = _content(grid, session.label, aligned, lesions)
        settings = task.settings.spectra
        fit = fit_mrsi(
            grid,
            water=water,
            eddy_reference=eddy,
            brain=None if content is None else content.brain >= settings.mrsi_brain_part,
            tissue=content.tissue() if content is not None and referred else None,
            settings=settings,
            age_years=session.age_years,
        )
        regions = regions_of(fit, content, settings)
        return GridResult(session.label, name, grid.echo_time_s, grid.sequence, referred, fit, content, regions)

    result = ledger.stage(
        "mrsi",
        provenance.fingerprint(),
        compute=compute,
        keep=store.keep,
        recall=store.recall,
        session=session.label,
        name=name,
    )
    if result is not None:
        return result
    reason = ledger.statuses[-1].reason
    return GridResult(session.label, name, None, None, water_scan is not None, None, None, no_regions(), reason)


def _reference(scan: Scan | None, grid: SpectrumGrid) -> SpectrumGrid | None:
    """Read a water reference; one of a single voxel belongs to another spectrum of the session."""
    found = load_mrsi(scan.path, scan.sidecar) if scan is not None else None
    single = found is not None and found.shape == (1, 1, 1) != grid.shape
    return None if single else found


def _content(
    grid: SpectrumGrid, session: str, aligned: AlignedSeries | None, lesions: LesionSeries | None
) -> GridContent | None:
    images = aligned.session(session) if aligned is not None else None
    if aligned is None or images is None or not grid.facts.located:
        return None
    found = lesions.session(session) if lesions is not None else None
    # The grid was planned on the scanner's coordinates of this visit; the session's reference stands for them.
    return content_of_grid(
        grid.affine,
        grid.shape,
        images.to_subject[images.reference],
        aligned.grid,
        images.brain_mask,
        lesions.tissue if lesions is not None else None,
        found.mask if found is not None else None,
    )
