"""Basis sets in files: LCModel's ``.BASIS`` and ``.RAW``, FSL-MRS folders, folders of NIfTI-MRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hlhneuro.errors import InputError, StudyError
from hlhneuro.spectroscopy._fsl_files import json_text, parse_json
from hlhneuro.spectroscopy._lcmodel_files import Function, basis_text, parse_basis, parse_raw, raw_text
from hlhneuro.spectroscopy.basis import Basis
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, load_spectrum
from hlhneuro.spectroscopy.spin_systems import metabolite_name, signal_kind

__all__ = ["read_basis", "write_basis", "write_basis_folder"]

_SEQUENCES = {"semi-laser": "slaser", "s-laser": "slaser", "se": "spin-echo"}
_FORMS = "give an LCModel .BASIS file, or a folder of FSL-MRS .json, LCModel .RAW or NIfTI-MRS files"
_SAME = 1e-4  # relative difference of dwell times or frequencies that is rounding


def read_basis(
    path: str | Path, *, dwell_time_s: float | None = None, spectrometer_frequency_mhz: float | None = None
) -> Basis:
    """Read a basis set.

    Parameters
    ----------
    path : path
        An LCModel ``.BASIS`` file, or a folder that holds one; else a folder of FSL-MRS ``.json``, of LCModel ``.RAW``
        or of NIfTI-MRS files, one function each.
    dwell_time_s, spectrometer_frequency_mhz : float, optional
        What the files leave out, as ``.RAW`` files mostly do; refused where the files say something else.

    Returns
    -------
    Basis
        Names that the package has another word for are replaced by it; unknown ones stay. Functions whose metabolites
        lie on the wrong side of water are conjugated, which `Basis.assumptions` then says: ``.RAW`` files exist in
        both conventions.

    Raises
    ------
    InputError
        If a file cannot be read, functions do not belong together, or dwell time or frequency are not known.
    """
    path = Path(path)
    functions = _functions(path)
    dwell = _shared(path, "dwell time", [f.dwell_time_s for f in functions], dwell_time_s)
    frequency = _shared(
        path, "proton frequency", [f.spectrometer_frequency_mhz for f in functions], spectrometer_frequency_mhz
    )
    if len({f.fid.size for f in functions}) != 1:
        raise InputError("the functions of the basis differ in length", path=path, remedy="write the basis again")
    first = functions[0]
    names = _own_names([f.name for f in functions])
    try:
        basis = Basis(
            names=names,
            fids=np.stack([f.fid for f in functions]),
            dwell_time_s=dwell,
            spectrometer_frequency_mhz=frequency,
            kinds=tuple(map(signal_kind, names)),
            echo_time_s=first.echo_time_s,
            sequence=_SEQUENCES.get(first.sequence or "", first.sequence),
            reference_ppm=first.reference_ppm or REFERENCE_PPM,
            source=path.name,
        )
    except ValueError as error:
        raise InputError(str(error), path=path, remedy="write the basis again") from error
    return _upright(basis)


def write_basis(basis: Basis) -> str:
    """Return the basis as the text of an LCModel ``.BASIS`` file (the caller writes it)."""
    return basis_text(_as_functions(basis), basis.source)


def write_basis_folder(basis: Basis, form: str) -> dict[str, str]:
    """Return the basis as the names and texts of the files of a folder (the caller writes them).

    Parameters
    ----------
    basis : Basis
    form : str
        ``fsl`` for FSL-MRS, ``raw`` for LCModel's ``.RAW``.
    """
    # Neither form says which shift is at zero frequency: it is moved to where their readers take it to be.
    functions = _as_functions(basis.resampled(basis.dwell_time_s, basis.points, basis.spectrometer_frequency_mhz))
    if form == "fsl":
        return {f"{f.name}.json": json_text(f, basis.source) for f in functions}
    if form == "raw":
        return {f"{f.name}.RAW": raw_text(f) for f in functions}
    raise StudyError("unknown form of a basis folder", field="form", found=form, remedy="use: fsl, raw")


def _as_functions(basis: Basis) -> list[Function]:
    return [
        Function(
            name,
            fid,
            basis.dwell_time_s,
            basis.spectrometer_frequency_mhz,
            basis.echo_time_s,
            basis.sequence,
            basis.reference_ppm,
        )
        for name, fid in zip(basis.names, basis.fids, strict=True)
    ]


def _functions(path: Path) -> list[Function]:
    if not path.is_dir():
        return _parsed(path)
    try:
        inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"the folder could not be read: {error}", path=path, remedy=_FORMS) from error
    whole = [p for p in inside if p.suffix.lower() == ".basis"]
    if len(whole) > 1:
        raise InputError(
            "the folder holds several .BASIS files", path=path, found=len(whole), remedy="give the one to use"
        )
    for files in (whole, *([p for p in inside if p.suffix.lower() == kind] for kind in (".json", ".raw"))):
        if files:
            return [function for file in files for function in _parsed(file)]
    if images := [p for p in inside if p.name.endswith((".nii", ".nii.gz"))]:
        return [_nifti(p) for p in images]
    raise InputError("the folder holds no basis set", path=path, remedy=_FORMS)


def _parsed(path: Path) -> list[Function]:
    kind = path.suffix.lower()
    try:
        text = path.read_text(encoding="utf-8" if kind == ".json" else "latin-1")
        if kind == ".json":
            return [parse_json(text)]
        return [parse_raw(text, path.stem)] if kind == ".raw" else parse_basis(text)
    except (OSError, ValueError) as error:
        raise InputError(f"the basis could not be read: {error}", path=path, remedy=_FORMS) from error


def _nifti(path: Path) -> Function:
    spectrum = load_spectrum(path)
    if spectrum.fid.ndim != 1:
        raise InputError(
            "a basis function is a single FID",
            path=path,
            found=f"dimensions {', '.join(spectrum.dimensions)}",
            remedy="give one NIfTI-MRS file without further dimensions per function",
        )
    return Function(
        path.name.removesuffix(".gz").removesuffix(".nii"),
        spectrum.fid,
        spectrum.dwell_time_s,
        spectrum.spectrometer_frequency_mhz,
        spectrum.echo_time_s,
        spectrum.sequence,
    )


def _shared(path: Path, what: str, found: Sequence[float | None], given: float | None) -> float:
    """Return the one value of all functions."""
    values = [value for value in (given, *found) if value is not None]
    if not values:
        raise InputError(
            f"the basis does not say its {what}",
            path=path,
            remedy=f"give the {what} with the basis, or a .BASIS file or FSL-MRS folder, which say it",
        )
    if not 0 < min(values) <= max(values) <= min(values) * (1 + _SAME):
        raise InputError(
            f"the {what} of the basis is not one positive number",
            path=path,
            found=", ".join(f"{value:g}" for value in sorted(set(values))),
            remedy="give functions that belong together",
        )
    return float(values[0])


def _own_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the package's names; where two functions would get the same one, the names of the file are kept."""
    own = [metabolite_name(name) for name in names]
    return tuple(o if own.count(o) == 1 else name for o, name in zip(own, names, strict=True))


def _upright(basis: Basis) -> Basis:
    """Conjugate a basis whose signals lie above water instead of below it."""
    energy = np.sum(np.abs(np.fft.fft(basis.fids, axis=1)) ** 2, axis=0)
    if energy[basis.ppm < basis.reference_ppm].sum() >= energy[basis.ppm > basis.reference_ppm].sum():
        return basis
    note = "the basis was read as complex conjugate: its metabolites lay on the wrong side of water"
    return replace(basis, fids=basis.fids.conj(), assumptions=(*basis.assumptions, note))
