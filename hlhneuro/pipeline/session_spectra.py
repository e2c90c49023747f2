"""The spectra of one session, in memory: read, placed on the anatomy, fitted."""

from __future__ import annotations

from dataclasses import replace

import hlhneuro
from hlhneuro.errors import InputError
from hlhneuro.imaging import AlignedSeries
from hlhneuro.lesions import LesionSeries, territories
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

__all__ = ["fit_scan", "fit_spectra", "fractions_of", "place_spectrum", "spectrum_name", "unfitted"]


def fit_spectra(
    session: Session,
    aligned: AlignedSeries | None = None,
    lesions: LesionSeries | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
) -> tuple[SpectrumResult, ...]:
    """Fit every single-voxel spectrum of a session.

    Parameters
    ----------
    session : Session
        Of `open_study`; its age flags what the water reference cannot know.
    aligned : AlignedSeries, optional
        The subject's images: where the voxel lies.
    lesions : LesionSeries, optional
        What the voxel holds: tissue and lesion, which the water reference needs.
    settings : SpectraSettings, optional

    Returns
    -------
    tuple of SpectrumResult
        In the order of the session's spectra. One that cannot be fitted has no `fit`, and `reason` says why.
    """
    results = []
    for scan in session.spectra:
        if scan.contrast != "svs":
            continue  # grids are read and fitted by `load_mrsi` and `fit_mrsi`
        try:
            results.append(fit_scan(scan, session, aligned, lesions, settings))
        except InputError as error:
            results.append(unfitted(scan, session, str(error)))
    return tuple(results)


def unfitted(scan: Scan, session: Session, reason: str) -> SpectrumResult:
    """Return the result of a spectrum that could not be fitted."""
    referred = any(reference is not None for reference in water_references_of(scan, session))
    return SpectrumResult(session.label, spectrum_name(scan), None, None, referred, None, None, (), reason)


def fit_scan(
    scan: Scan, session: Session, aligned: AlignedSeries | None, lesions: LesionSeries | None, settings: SpectraSettings
) -> SpectrumResult:
    """Fit one spectrum of a session.

    Raises
    ------
    InputError
        If one of its files cannot be used.
    """
    spectrum = load_spectrum(scan.path, scan.sidecar)
    water, eddy = (
        load_spectrum(reference.path, reference.sidecar) if reference is not None else None
        for reference in water_references_of(scan, session)
    )
    voxel = place_spectrum(spectrum, session.label, aligned, lesions, settings)
    referred = water is not None or eddy is not None
    tissue = fractions_of(voxel) if referred else None
    age = session.age_years
    fit = fit_spectrum(spectrum, water=water, eddy_reference=eddy, tissue=tissue, settings=settings, age_years=age)
    referred = referred and "refused" not in dict(fit.record).get("water reference", {})
    timeless = {name: value for name, value in fit.quality.items() if name != "fit_seconds"}
    fit = replace(fit, quality=timeless)  # results of a study are the same, bit for bit, however long they took
    software, region = f"hlhneuro {hlhneuro.__version__}", scan.entities.get("voi", "")
    reporting = mrsinmrs_table(spectrum, fit, settings, software=software, region=region)
    name, echo_time_s = spectrum_name(scan), spectrum.echo_time_s
    return SpectrumResult(
        session.label, name, echo_time_s, spectrum.sequence, referred, fit, voxel, (), reporting=reporting
    )


def place_spectrum(
    spectrum: Spectrum,
    session: str,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
    settings: SpectraSettings,
) -> VoxelComposition | None:
    """Lay the voxel onto the anatomy; None where the images of the session were not aligned."""
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
