"""Fit one spectrum from files, without a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import hlhneuro
from hlhneuro.errors import InputError
from hlhneuro.pipeline.stores.fits import write_fit
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy import SpectrumFit, TissueFractions, fit_spectrum, load_spectrum, mrsinmrs_table, read_basis
from hlhneuro.spectroscopy.spectra import Spectrum, spectrum_from_image
from hlhneuro.study import Provenance, SpectrumFacts, convert_spectrum, file_sha256, to_image
from hlhneuro.study.vendor_spectra import is_nifti

__all__ = ["fit_file"]


def fit_file(
    svs: str | Path,
    out: str | Path,
    *,
    water: str | Path | None = None,
    eddy_reference: str | Path | None = None,
    basis: str | Path | None = None,
    sidecar: Mapping[str, object] | None = None,
    told: SpectrumFacts | None = None,
    tissue: TissueFractions | None = None,
    settings: Settings | None = None,
) -> SpectrumFit:
    """Fit one spectrum; write ``concentrations.tsv``, ``qc.tsv``, ``mrsinmrs.tsv``, ``fit.json`` and ``fit.svg``.

    Parameters
    ----------
    svs, water : path
        The spectrum, and a water reference of the same voxel: NIfTI-MRS, or as the scanner wrote them. A file that
        holds both needs no `water`.
    eddy_reference : path, optional
        Water reference for eddy currents, where it is not the one for quantification.
    out : path
        Folder to write to; made if it is not there.
    basis : path, optional
        Basis set to use; simulated for the spectrum's sequence, echo time and field if left out.
    sidecar : mapping, optional
        BIDS fields that the file itself leaves out: ``EchoTime`` (s), ``RepetitionTime`` (s), ``PulseSequenceType``.
    told : SpectrumFacts, optional
        The same, and what further facts a raw file may lack.
    tissue : TissueFractions, optional
        Grey matter, white matter and CSF in the voxel, for the water reference.
    settings : Settings, optional

    Raises
    ------
    InputError
        If a file cannot be used; the error names the field and what to do.
    """
    settings = settings or Settings()
    spectrum, reference = _load(Path(svs), sidecar, told)
    if water is not None:
        other, own = _load(Path(water), sidecar, told)
        reference = own or other
    eddy: Spectrum | None = None
    if eddy_reference is not None:
        other, own = _load(Path(eddy_reference), sidecar, told)
        eddy = own or other
    fit = fit_spectrum(
        spectrum,
        read_basis(basis) if basis is not None else None,
        water=reference,
        eddy_reference=eddy,
        tissue=tissue,
        settings=settings.spectra,
    )
    used = [Path(path) for path in (svs, water, eddy_reference, basis) if path is not None]
    sources = {path.name: file_sha256(path) for path in used if path.is_file()}
    provenance = Provenance("fit", sources, settings.to_dict()["spectra"], hlhneuro.__version__)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "concentrations": folder / "concentrations.tsv",
        "qc": folder / "qc.tsv",
        "json": folder / "fit.json",
        "svg": folder / "fit.svg",
    }
    names["mrsinmrs"] = folder / "mrsinmrs.tsv"
    reporting = mrsinmrs_table(spectrum, fit, settings.spectra, software=f"hlhneuro {hlhneuro.__version__}")
    write_fit(fit, names, Path(svs).name.removesuffix(".gz").removesuffix(".nii"), provenance, reporting)
    return fit


def _load(
    path: Path, sidecar: Mapping[str, object] | None, told: SpectrumFacts | None
) -> tuple[Spectrum, Spectrum | None]:
    """Return the spectrum in a file, and the water reference that some files of scanners hold beside it."""
    told = told or SpectrumFacts()
    names = {"EchoTime": told.echo_time_s, "RepetitionTime": told.repetition_time_s, "PulseSequenceType": told.sequence}
    sidecar = {name: value for name, value in names.items() if value is not None} | dict(sidecar or {})
    raw_facts = (told.dwell_time_s, told.spectrometer_frequency_mhz, told.nucleus, told.conjugate or None)
    if is_nifti(path) and not any(fact is not None for fact in raw_facts):
        return load_spectrum(path, sidecar), None
    found: dict[bool, Spectrum] = {}
    for raw in convert_spectrum(path, told):
        try:
            found.setdefault(bool(raw.water), spectrum_from_image(to_image(raw, "hlhneuro"), sidecar))
        except InputError as error:
            raise error.in_file(path) from error
    return found.get(False) or found[True], found.get(True)
