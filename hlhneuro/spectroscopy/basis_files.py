"""Basis sets in files: read and write LCModel's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.spectroscopy.basis import Basis
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM

__all__ = ["read_basis", "write_basis"]

_ALIASES = {
    "ins": "mI", "mi": "mI", "scyllo": "sIns", "sins": "sIns", "si": "sIns", "pch": "PCho", "pcho": "PCho",
    "gpc": "GPC", "glu": "Glu", "gln": "Gln", "naa": "NAA", "naag": "NAAG", "cr": "Cr", "pcr": "PCr", "lac": "Lac",
    "gaba": "GABA", "gsh": "GSH", "tau": "Tau", "asp": "Asp", "asc": "Asc", "ala": "Ala", "gly": "Gly", "glc": "Glc",
    "pe": "PE", "act": "Ace", "ace": "Ace", "suc": "Suc", "pyr": "Pyr",
}  # fmt: skip


def read_basis(path: str | Path) -> Basis:
    """Read an LCModel ``.BASIS`` file or a folder of LCModel ``.RAW`` files that lie beside one.

    Raises
    ------
    InputError
        If the file cannot be read or lacks its dwell time or frequency.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() == ".basis")
        if len(found) != 1:
            raise InputError(
                "the folder does not hold exactly one .BASIS file",
                path=path,
                found=len(found),
                remedy="give the .BASIS file itself: .RAW files do not say their dwell time and frequency",
            )
        path = found[0]
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise InputError(
            f"the basis could not be read: {error}", path=path, remedy="give an LCModel .BASIS file"
        ) from error
    header, *entries = re.split(r"\$BASIS\s*\n", text)
    frequency, dwell = _number(header, "HZPPPM", path), _number(header, "BADELT", path)
    echo_ms = _number(header, "ECHOT", path, needed=False)
    sequence = re.search(r"\bSEQ\s*=\s*'([^']*)'", header)
    if not entries:
        raise InputError("the basis holds no function", path=path, remedy="give a complete LCModel .BASIS file")
    names, fids = zip(*(_entry(entry, path) for entry in entries), strict=True)
    if len({f.size for f in fids}) != 1:
        raise InputError("the functions of the basis differ in length", path=path, remedy="write the basis again")
    known = echo_ms is not None and echo_ms > 0
    name = (sequence.group(1).strip().lower() or None) if sequence else None
    try:
        return Basis(
            names=names,
            fids=np.stack(fids),
            dwell_time_s=dwell or 0.0,
            spectrometer_frequency_mhz=frequency or 0.0,
            kinds=tuple(_kind(n) for n in names),
            echo_time_s=echo_ms / 1000.0 if known and echo_ms is not None else None,
            sequence=name,
            reference_ppm=_number(header, "PPMSEP", path, needed=False) or REFERENCE_PPM,
            source=path.name,
        )
    except ValueError as error:
        raise InputError(str(error), path=path, remedy="write the basis again") from error


def _entry(text: str, path: Path) -> tuple[str, NDArray[np.complex128]]:
    """Return name and FID of one function; the file holds the unitary Fourier transform of the zero-filled FID."""
    head, _, body = text.partition("$END")
    name = re.search(r"METABO\s*=\s*'([^']*)'", head)
    try:
        numbers = np.array(body.split("$")[0].split(), dtype=np.float64)
        if name is None or numbers.size < 4 or numbers.size % 2:
            raise ValueError("incomplete")
    except ValueError as error:
        raise InputError(
            f"a function of the basis cannot be read: {error}",
            path=path,
            field="METABO",
            found=name.group(1) if name else None,
            remedy="write the basis again",
        ) from error
    spectrum = numbers[0::2] + 1j * numbers[1::2]
    fid = np.fft.ifft(spectrum)[: spectrum.size // 2] * np.sqrt(spectrum.size)
    raw = name.group(1).strip()
    return _ALIASES.get(raw.lower(), raw), fid


def _kind(name: str) -> str:
    lower = name.lower()
    if lower.startswith("lip"):
        return "lipid"
    return "macromolecule" if lower.startswith(("mm", "mac")) else "metabolite"


def _number(header: str, field: str, path: Path, *, needed: bool = True) -> float | None:
    match = re.search(rf"\b{field}\s*=\s*([-+0-9.EeDd]+)", header)
    if match is None:
        if needed:
            raise InputError(
                "the basis does not say this", path=path, field=field, remedy="give a complete LCModel .BASIS file"
            )
        return None
    return float(match.group(1).replace("D", "E").replace("d", "e"))


def write_basis(basis: Basis) -> str:
    """Return the basis as the text of an LCModel ``.BASIS`` file (the caller writes it)."""
    echo_ms = -1.0 if basis.echo_time_s is None else basis.echo_time_s * 1000.0
    size = 2 * basis.points
    head = (
        f" $SEQPAR\n FWHMBA = -1.,\n HZPPPM = {basis.spectrometer_frequency_mhz:.6f},\n ECHOT = {echo_ms:.3f},\n"
        f" SEQ = '{(basis.sequence or ' ').upper()}'\n $END\n"
        f" $BASIS1\n IDBASI = '{basis.source[:60]}',\n FMTBAS = '(2E16.8)',\n BADELT = {basis.dwell_time_s:.12f},\n"
        f" NDATAB = {size}\n $END\n"
    )
    parts = [head]
    for name, fid in zip(basis.names, basis.fids, strict=True):
        spectrum = np.fft.fft(fid, size) / np.sqrt(size)
        parts.append(
            f" $NMUSED\n PPMSEP = {basis.reference_ppm:.4f}\n $END\n $BASIS\n ID = '{name}',\n METABO = '{name}',\n"
            " CONC = 1.,\n TRAMP = 1.,\n VOLUME = 1.,\n ISHIFT = 0\n $END\n"
        )
        parts.append("".join(f"{z.real:16.8E}{z.imag:16.8E}\n" for z in spectrum))
    return "".join(parts)
