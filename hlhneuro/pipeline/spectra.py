"""The spectra of one subject: read, fit, place on the anatomy."""

from __future__ import annotations

from dataclasses import replace

from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionSeries, territories
from hlhneuro.pipeline.ledger import Ledger, fingerprint_of
from hlhneuro.pipeline.store_spectra import SpectrumStore
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import (
    Spectrum,
    SpectrumResult,
    TissueFractions,
    VoxelComposition,
    fit_spectrum,
    load_spectrum,
    mrsinmrs_table,
    place_voxel,
)
from hlhneuro.study import Scan, Session, water_references_of

__all__ = ["run_spectra", "spectrum_name"]


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

    def compute() -> SpectrumResult:
        spectrum = load_spectrum(scan.path, scan.sidecar)
        water, eddy = (load_spectrum(s.path, s.sidecar) if s is not None else None for s in (water_scan, eddy_scan))
        voxel = _place(spectrum, session.label, aligned, lesions, task.settings.spectra)
        referred = water is not None or eddy is not None
        tissue = fractions_of(voxel) if referred else None
        settings, age = task.settings.spectra, session.age_years
        fit = fit_spectrum(spectrum, water=water, eddy_reference=eddy, tissue=tissue, settings=settings, age_years=age)
        timeless = {name: value for name, value in fit.quality.items() if name != "fit_seconds"}
        fit = replace(fit, quality=timeless)  # results of a study are the same, bit for bit, however long they took
        software, region = f"hlhneuro {provenance.version}", scan.entities.get("voi", "")
        reporting = mrsinmrs_table(spectrum, fit, settings, software=software, region=region)
        facts = (session.label, name, spectrum.echo_time_s, spectrum.sequence, referred, fit, voxel, ())
        return SpectrumResult(*facts, reporting=reporting)

    result = ledger.stage(
        "spectra",
        provenance.fingerprint(),
        compute=compute,
        keep=store.keep,
        recall=store.recall,
        session=session.label,
        name=name,
    )
    if result is not None:
        return result
    referred = water_scan is not None or eddy_scan is not None
    return SpectrumResult(session.label, name, None, None, referred, None, None, (), ledger.statuses[-1].reason)


def _place(
    spectrum: Spectrum,
    session: str,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
    settings: SpectraSettings,
) -> VoxelComposition | None:
    images = aligned.session(session) if aligned is not None else None
    if aligned is None or images is None or not spectrum.located:
        return None
    found = lesions.session(session) if lesions is not None else None
    # The voxel was planned on the scanner's coordinates of this visit; the session's reference stands for them.
    to_subject = images.to_subject[images.reference]
    return place_voxel(
        spectrum.affine,
        to_subject,
        aligned.grid,
        lesions.tissue if lesions is not None else None,
        found.mask if found is not None else None,
        lesion_probability=found.probability if found is not None else None,
        territories=(lesions.territories, _territory_names()) if lesions is not None else None,
        to_template=aligned.to_template,
        frequency_mhz=spectrum.spectrometer_frequency_mhz,
        settings=settings,
    )


def _territory_names() -> dict[int, str]:
    return {one.label: f"{one.side} {one.name}" for one in territories()}


def fractions_of(voxel: VoxelComposition | None) -> TissueFractions | None:
    """Return what the voxel holds, for the water reference; None where it could not be assessed."""
    if voxel is None or voxel.gm is None or voxel.wm is None or voxel.csf is None:
        return None
    return TissueFractions(
        *(voxel.gm, voxel.wm, voxel.csf, voxel.lesion or 0.0), *(voxel.gm_sd, voxel.csf_sd, voxel.lesion_sd)
    )


def spectrum_name(scan: Scan) -> str:
    """Return ``acq-short_voi-thalamus`` .. from the file's entities; its suffix where it has none."""
    parts = [f"{key}-{value}" for key, value in scan.entities.items() if key not in {"sub", "ses"}]
    return "_".join(parts) or scan.contrast
