"""Spectra as text: LCModel RAW and H2O, jMRUI text, and plain columns."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.study.mrs_files import SIGN_NOTE, RawSpectrum

__all__ = ["read_columns", "read_jmrui", "read_lcmodel", "read_text"]

_Complex = NDArray[np.complex128]
_UNKNOWN_DWELL = float("nan")  # asked for later, where nobody says it


def read_text(path: Path) -> RawSpectrum:
    """Read a text file as jMRUI wrote it, or else as columns of numbers."""
    return read_jmrui(path) if "jmrui" in _text(path)[:200].lower() else read_columns(path)


def read_lcmodel(path: Path) -> RawSpectrum:
    """Read a RAW or H2O file of LCModel; one FID.

    Raises
    ------
    InputError
        If it is not such a file.

    References
    ----------
    Provencher SW. LCModel & LCMgui User's Manual, 2021: namelists SEQPAR and NMID; data are multiplied by TRAMP/VOLUME,
    and conjugated where BRUKER is true. Else their sign of frequency is that of NIfTI-MRS (seen in files of the fitting
    challenge of 2016 and of FSL-MRS, whose metabolites then lie above water in frequency).
    """
    text = _text(path)
    end = text.upper().rfind("$END")
    if end < 0:
        raise InputError("no namelist $NMID .. $END", path=path, remedy="give a RAW or H2O file of LCModel")
    namelist = dict(re.findall(r"(\w+)\s*=\s*('[^']*'|[^\s,$]+)", text[:end].lower()))
    if namelist.get("seqacq", "").strip(".").startswith("t"):
        raise InputError(
            "sequentially sampled data are not read", path=path, field="SEQACQ", found="true",
            remedy="convert them to simultaneous sampling first",
        )  # fmt: skip
    values = _numbers(text[end + len("$END") :].split(), path)
    fid: _Complex = values[0::2] + 1j * values[1::2]
    if namelist.get("bruker", "").strip(".").startswith("t"):
        fid = fid.conj()
    told = {
        name: _float(namelist, name, path) for name in ("tramp", "volume", "hzpppm", "echot", "dwelltime", "deltat")
    }
    fid = fid * ((told["tramp"] or 1.0) / (told["volume"] or 1.0))
    header: dict[str, object] = {}
    if told["hzpppm"]:
        header["SpectrometerFrequency"] = told["hzpppm"]
    if told["echot"]:
        header["EchoTime"] = told["echot"] / 1e3
    sequence = namelist.get("seq", "").strip("' ")
    if sequence:
        header["SequenceName"] = sequence
    dwell = told["dwelltime"] or told["deltat"] or _UNKNOWN_DWELL
    water = True if path.suffix.lower() == ".h2o" else None
    return RawSpectrum(fid.reshape(1, 1, 1, -1), dwell, header, None, path.name, water)


def read_jmrui(path: Path) -> RawSpectrum:
    """Read a text file of jMRUI: signals as columns real, imaginary (and their transform, which is left aside).

    Raises
    ------
    InputError
        If it is not such a file.

    References
    ----------
    Stefan D et al. Quantitation of magnetic resonance spectroscopy signals: the jMRUI software package. Meas Sci
    Technol 2009;20:104035. Programs that write this format differ in the sign of frequency.
    """
    text = _text(path)
    header = {name.lower(): value.strip() for name, value in re.findall(r"(?m)^(\w+)\s*:(.*)$", text)}
    parts = re.split(r"(?im)^\s*Signal\s+(?:number:\s*)?\d+\s+out of\s+\d+.*$", text)
    if len(parts) < 2:
        raise InputError("no line 'Signal 1 out of ..'", path=path, remedy="export it again from jMRUI as text")
    signals = []
    for part in parts[1:]:
        rows = [line.split()[:2] for line in part.splitlines() if line.strip()]
        values = _numbers([cell for row in rows for cell in row], path)
        signals.append(values[0::2] + 1j * values[1::2])
    if len({signal.size for signal in signals}) != 1:
        raise InputError("its signals differ in length", path=path, remedy="export it again from jMRUI as text")
    fid = np.stack(signals, axis=1).conj()
    fields: dict[str, object] = {}
    if frequency := _float(header, "transmitterfrequency", path):
        fields["SpectrometerFrequency"] = frequency / 1e6 if frequency > 1e5 else frequency
    if field_t := _float(header, "magneticfield", path):
        fields["MagneticFieldStrength"] = field_t
    if len(signals) > 1:
        fields["dim_5"] = "DIM_USER_0"
    interval_ms = _float(header, "samplinginterval", path)
    data = fid.reshape(1, 1, 1, *(fid.shape if len(signals) > 1 else fid.shape[:1]))
    dwell = interval_ms / 1e3 if interval_ms else _UNKNOWN_DWELL
    return RawSpectrum(data, dwell, fields, None, path.name, notes=(SIGN_NOTE,))


def read_columns(path: Path) -> RawSpectrum:
    """Read two columns of numbers, real and imaginary; lines that begin with ``#`` or ``%`` are comments.

    Raises
    ------
    InputError
        If it holds anything else.
    """
    rows = [line.replace(",", " ").split() for line in _text(path).splitlines()]
    rows = [row for row in rows if row and row[0][0] not in "#%"]
    if not rows or any(len(row) != 2 for row in rows):
        raise InputError(
            "not a text of two columns, real and imaginary part of the FID",
            path=path,
            found=f"{len(rows)} rows of {sorted({len(row) for row in rows})} cells",
            remedy="write one sample per line",
        )
    values = _numbers([cell for row in rows for cell in row], path)
    fid = values[0::2] + 1j * values[1::2]
    return RawSpectrum(fid.reshape(1, 1, 1, -1), _UNKNOWN_DWELL, {}, None, path.name, notes=(SIGN_NOTE,))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("latin-1")
    except OSError as error:
        raise InputError("it cannot be read", path=path, found=error, remedy="check its permissions") from error


def _numbers(cells: list[str], path: Path) -> NDArray[np.float64]:
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise InputError("a sample is not a number", path=path, found=error, remedy="export it again") from None
    if values.size < 2 or values.size % 2:
        raise InputError(
            "samples do not come in pairs of real and imaginary part", path=path, found=f"{values.size} numbers",
            remedy="export it again",
        )  # fmt: skip
    return values


def _float(fields: dict[str, str], name: str, path: Path) -> float | None:
    if name not in fields:
        return None
    try:
        return float(fields[name].strip("' ").replace("d", "e"))
    except ValueError:
        raise InputError(
            "not a number", path=path, field=name, found=fields[name], remedy="correct the header of the file"
        ) from None
