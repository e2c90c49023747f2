"""Fit one spectrum from files, without a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import hlhneuro
from hlhneuro.pipeline.store_spectra import write_fit
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy import SpectrumFit, TissueFractions, fit_spectrum, load_spectrum, read_basis
from hlhneuro.study import Provenance, file_sha256

__all__ = ["fit_file"]


def fit_file(
    svs: str | Path,
    out: str | Path,
    *,
    water: str | Path | None = None,
    basis: str | Path | None = None,
    sidecar: Mapping[str, object] | None = None,
    tissue: TissueFractions | None = None,
    settings: Settings | None = None,
) -> SpectrumFit:
    """Fit a NIfTI-MRS file and write ``concentrations.tsv``, ``qc.tsv``, ``fit.json`` and ``fit.svg``.

    Parameters
    ----------
    svs, water : path
        The spectrum, and a water reference of the same voxel.
    out : path
        Folder to write to; made if it is not there.
    basis : path, optional
        Basis set to use; simulated for the spectrum's sequence, echo time and field if left out.
    sidecar : mapping, optional
        BIDS fields that the file itself leaves out: ``EchoTime`` (s), ``RepetitionTime`` (s), ``PulseSequenceType``.
    tissue : TissueFractions, optional
        Grey matter, white matter and CSF in the voxel, for the water reference.
    settings : Settings, optional

    Raises
    ------
    InputError
        If a file cannot be used; the error names the field and what to do.
    """
    settings = settings or Settings()
    spectrum = load_spectrum(svs, sidecar)
    reference = load_spectrum(water, sidecar) if water is not None else None
    fit = fit_spectrum(
        spectrum,
        read_basis(basis) if basis is not None else None,
        water=reference,
        tissue=tissue,
        settings=settings.spectra,
    )
    used = [Path(path) for path in (svs, water, basis) if path is not None]
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
    write_fit(fit, names, Path(svs).name.removesuffix(".gz").removesuffix(".nii"), provenance)
    return fit
