"""LCModel's basis files as text: ``.BASIS`` (all functions, as spectra) and ``.RAW`` (one function, as FID)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Function", "basis_text", "parse_basis", "parse_raw", "raw_text"]

_Complex = NDArray[np.complex128]
_EXPONENT_WITHOUT_LETTER = re.compile(r"(?<=\d)([-+]\d{3})(?!\d)")  # Fortran writes 1.0-100 where two digits do not do


@dataclass(frozen=True)
class Function:
    """One basis function as its file has it; None where the file does not say.

    Parameters
    ----------
    name : str
    fid : complex array, shape (points,)
    dwell_time_s, spectrometer_frequency_mhz, echo_time_s : float, optional
    sequence : str, optional
        As written, in small letters.
    reference_ppm : float, optional
        Shift at zero frequency.
    """

    name: str
    fid: _Complex
    dwell_time_s: float | None = None
    spectrometer_frequency_mhz: float | None = None
    echo_time_s: float | None = None
    sequence: str | None = None
    reference_ppm: float | None = None


def parse_basis(text: str) -> list[Function]:
    """Return the functions of a ``.BASIS`` file: each the unitary Fourier transform of a zero-filled FID.

    Raises
    ------
    ValueError
        If the text is not a whole ``.BASIS`` file; it says what is missing.
    """
    header, *entries = re.split(r"\$BASIS\s*\n", text, flags=re.IGNORECASE)
    if not entries:
        raise ValueError("the basis holds no function")
    dwell, frequency = _number(header, "BADELT"), _number(header, "HZPPPM")
    for field, value in (("BADELT", dwell), ("HZPPPM", frequency)):
        if value is None:
            raise ValueError(f"{field}: the basis does not say this")
    if dwell is not None and dwell <= 0:
        raise ValueError("BADELT: a negative dwell time marks an encrypted basis, which only LCModel itself can read")
    reference = _number(header, "PPMSEP")
    functions = []
    for entry in entries:
        head, _, body = entry.partition("$END")
        name = _word(head, "METABO") or ""
        spectrum = _complex_numbers(body.split("$")[0], f"METABO {name!r}")
        if not name:
            raise ValueError("METABO: a function without a name")
        spectrum = np.roll(spectrum, -int(_number(head, "ISHIFT") or 0))
        fid = np.fft.ifft(spectrum)[: spectrum.size // 2] * np.sqrt(spectrum.size)
        functions.append(Function(name, fid, dwell, frequency, *_acquired(header), reference))
    return functions


def parse_raw(text: str, name: str) -> Function:
    """Return the function of a ``.RAW`` file; only some programs write its dwell time and frequency there.

    Raises
    ------
    ValueError
        If it holds no complex numbers, or interleaves real and imaginary parts in time (``SEQACQ``).
    """
    *sections, body = re.split(r"\$END\b", text, flags=re.IGNORECASE)
    header = "\n".join(sections)
    if re.search(r"\bSEQACQ\s*=\s*\.?T", header, re.IGNORECASE):
        raise ValueError("SEQACQ: sequentially sampled data cannot be read")
    fid = _complex_numbers(body, "data") * (_number(header, "TRAMP") or 1.0) / (_number(header, "VOLUME") or 1.0)
    return Function(name, fid, _number(header, "DWELLTIME"), _number(header, "HZPPPM"), *_acquired(header))


def basis_text(functions: Sequence[Function], source: str) -> str:
    """Return the text of a ``.BASIS`` file; the functions share dwell time, frequency, echo time and sequence."""
    first = functions[0]
    size = 2 * first.fid.size
    parts = [
        f" $SEQPAR\n FWHMBA = -1.,\n{_header(first)} $END\n $BASIS1\n IDBASI = '{_quoted(source)[:60]}',\n"
        f" FMTBAS = '(2E16.8)',\n BADELT = {first.dwell_time_s:.12f},\n NDATAB = {size}\n $END\n"
    ]
    for function in functions:
        name = _quoted(function.name)
        parts.append(
            f" $NMUSED\n PPMSEP = {function.reference_ppm or 4.65:.4f}\n $END\n $BASIS\n ID = '{name}',\n"
            f" METABO = '{name}',\n CONC = 1.,\n TRAMP = 1.,\n VOLUME = 1.,\n ISHIFT = 0\n $END\n"
        )
        parts.append(_rows(np.fft.fft(function.fid, size) / np.sqrt(size)))
    return "".join(parts)


def raw_text(function: Function) -> str:
    """Return the text of a ``.RAW`` file, with its dwell time and frequency."""
    return (
        f" $SEQPAR\n{_header(function)} dwellTime = {function.dwell_time_s:.12f},\n"
        f" NumberOfPoints = {function.fid.size}\n $END\n $NMID\n ID = '{_quoted(function.name)}',\n"
        f" FMTDAT = '(2E16.8)',\n TRAMP = 1.,\n VOLUME = 1.\n $END\n{_rows(function.fid)}"
    )


def _header(function: Function) -> str:
    echo_ms = -1.0 if function.echo_time_s is None else function.echo_time_s * 1e3
    sequence = _quoted(function.sequence or " ").upper()
    return f" HZPPPM = {function.spectrometer_frequency_mhz:.6f},\n ECHOT = {echo_ms:.3f},\n SEQ = '{sequence}',\n"


def _rows(values: _Complex) -> str:
    # Sixteen places hold two digits of exponent, and LCModel reads single precision: what is below both is zero.
    parts = np.stack([values.real, values.imag], axis=1)
    return "".join(f"{a:16.8E}{b:16.8E}\n" for a, b in np.where(np.abs(parts) < 1e-37, 0.0, parts))


def _quoted(text: str) -> str:
    return text.replace("'", " ").replace("\n", " ")


def _acquired(header: str) -> tuple[float | None, str | None]:
    echo_ms = _number(header, "ECHOT")
    sequence = (_word(header, "SEQ") or "").lower()
    return (echo_ms / 1e3 if echo_ms is not None and echo_ms > 0 else None), sequence or None


def _number(header: str, field: str) -> float | None:
    match = re.search(rf"\b{field}\s*=\s*([-+0-9.ED]+)", header, re.IGNORECASE)
    if match is None:
        return None
    try:
        return float(match.group(1).upper().replace("D", "E"))
    except ValueError:
        raise ValueError(f"{field}: {match.group(1)!r} is no number") from None


def _word(header: str, field: str) -> str | None:
    match = re.search(rf"\b{field}\s*=\s*'([^']*)'", header, re.IGNORECASE)
    return match.group(1).strip() if match else None


def _complex_numbers(text: str, what: str) -> _Complex:
    try:
        numbers = np.array(_EXPONENT_WITHOUT_LETTER.sub(r"E\1", text).split(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{what}: cannot be read: {error}") from None
    if numbers.size < 4 or numbers.size % 2 or not np.isfinite(numbers).all():
        raise ValueError(f"{what}: incomplete")
    values: _Complex = numbers[0::2] + 1j * numbers[1::2]
    return values
