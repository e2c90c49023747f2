"""Simulate a basis set and write it where other programs find it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import hlhneuro
from hlhneuro.errors import StudyError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import Basis, simulate_basis, write_basis, write_basis_folder
from hlhneuro.study import RawSpectrum, to_image, write_text

__all__ = ["make_basis_set", "write_basis_set"]


def make_basis_set(
    out: str | Path,
    sequence: str,
    echo_time_s: float,
    *,
    field_t: float | None = None,
    spectrometer_frequency_mhz: float | None = None,
    first_echo_s: float | None = None,
    mixing_time_s: float | None = None,
    pulse_bandwidth_hz: float | None = None,
    points: int | None = None,
    dwell_time_s: float | None = None,
    metabolites: Sequence[str] | None = None,
    form: str = "fsl",
    settings: SpectraSettings | None = None,
) -> Basis:
    """Simulate a basis set, write it to `out` and return it.

    Parameters
    ----------
    out : path
        A file that ends in ``.BASIS`` for LCModel, or a folder, new or empty.
    points, dwell_time_s : optional
        Time axis; from `settings` where left out, which is finer and longer than a spectrum needs.
    form : str
        What a folder holds, one file per metabolite: ``fsl`` (JSON of FSL-MRS), ``raw`` (LCModel) or ``nifti-mrs``.

    Other parameters are those of `hlhneuro.spectroscopy.simulate_basis`.

    Raises
    ------
    StudyError
        If something asked for is impossible, or `out` cannot be written.
    """
    settings = settings or SpectraSettings()
    out = Path(out)
    _check_place(out)
    basis = simulate_basis(
        sequence,
        echo_time_s,
        dwell_time_s=settings.basis_dwell_time_s if dwell_time_s is None else dwell_time_s,
        points=settings.basis_points if points is None else points,
        field_t=field_t,
        spectrometer_frequency_mhz=spectrometer_frequency_mhz,
        first_echo_s=first_echo_s,
        mixing_time_s=mixing_time_s,
        pulse_bandwidth_hz=pulse_bandwidth_hz,
        names=metabolites,
        settings=settings,
    )
    write_basis_set(out, basis, form)
    return basis


def write_basis_set(out: str | Path, basis: Basis, form: str = "fsl") -> Path:
    """Write a basis set whole or not at all: LCModel's where `out` ends in ``.BASIS``, else a folder of that form.

    Raises
    ------
    StudyError
        If `out` is another kind of file, a folder with something in it, or cannot be written.
    """
    out = Path(out)
    _check_place(out)
    if out.suffix.lower() == ".basis":
        return write_text(out, write_basis(basis))
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        if form == "nifti-mrs":
            _write_images(part, basis)
        else:
            for name, text in write_basis_folder(basis, form).items():
                write_text(part / name, text)
        with contextlib.suppress(FileNotFoundError):
            out.rmdir()  # empty, as was checked
        part.rename(out)
    except OSError as error:
        raise StudyError(
            "the folder cannot be written", path=out, found=error.strerror, remedy="choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _write_images(folder: Path, basis: Basis) -> None:
    """Write one NIfTI-MRS file per function; the standard has no axis for the functions of a basis."""
    basis = basis.resampled(basis.dwell_time_s, basis.points, basis.spectrometer_frequency_mhz)
    header = {
        "SpectrometerFrequency": basis.spectrometer_frequency_mhz,
        "ResonantNucleus": "1H",
        "EchoTime": basis.echo_time_s,
        "SequenceName": basis.sequence,
    }
    known = {field: value for field, value in header.items() if value is not None}
    folder.mkdir(parents=True)
    for name, fid in zip(basis.names, basis.fids, strict=True):
        data = fid.astype(np.complex64).reshape(1, 1, 1, -1)
        raw = RawSpectrum(data, basis.dwell_time_s, known, None, name)
        to_image(raw, f"hlhneuro {hlhneuro.__version__}").to_filename(folder / f"{name}.nii")


def _check_place(out: Path) -> None:
    if out.suffix.lower() == ".basis":
        if out.is_dir():
            raise StudyError("a folder has the name of the .BASIS file", path=out, remedy="choose another name")
        return
    if out.suffix and not out.is_dir():
        raise StudyError(
            "the kind of basis set does not follow from the name",
            path=out,
            remedy="end it in .BASIS for LCModel, or give a folder, without an ending",
        )
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise StudyError("there is something already", path=out, remedy="give a folder that is new or empty")
