"""Philips SDAT/SPAR: a spectrum and its text header.

The converter spec2nii reads them too, but stops on headers of older software, which lack fields not needed here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError
from hlhneuro.study.mrs_files import RawSpectrum

__all__ = ["partner_of", "read_philips", "read_spar", "vax_to_float"]

_AXES = ("lr", "ap", "cc")  # left-right, anterior-posterior, foot-head (craniocaudal)


def read_philips(path: Path) -> RawSpectrum:
    """Read a SDAT/SPAR pair; either file names the pair.

    Raises
    ------
    InputError
        If the other file is missing, the two contradict each other, or a needed field is not there.

    Notes
    -----
    Millimetres and degrees of the header count towards left, posterior and head; rotations are about these axes, in
    that order, each turning with the voxel. Verified against spec2nii 0.8.15 (Clarke 2022, Magn Reson Med 88:2358).
    """
    sdat, spar = (partner_of(path, suffix) for suffix in (".sdat", ".spar"))
    header = read_spar(spar)
    samples, rows = int(_number(header, "samples", spar)), int(_number(header, "rows", spar))
    if _is_grid(header):
        raise InputError(
            "a grid of spectra in SDAT/SPAR is not read",
            path=spar,
            field="nr_phase_encoding_profiles",
            remedy="export it from the scanner as DICOM and import that",
        )
    values = vax_to_float(sdat.read_bytes())
    if samples < 1 or rows < 1 or values.size != 2 * samples * rows:
        raise InputError(
            f"the file does not hold the {samples} x {rows} complex samples that its header announces",
            path=sdat,
            found=f"{values.size / 2:g}",
            remedy="export the pair again from the scanner, and keep both files together",
        )
    # The scanner's sign of frequency is opposite to that of NIfTI-MRS.
    fids = (values[0::2] - 1j * values[1::2]).astype(np.complex64).reshape(rows, samples).T
    data = fids.reshape(1, 1, 1, samples) if rows == 1 else fids.reshape(1, 1, 1, samples, rows)
    fields: dict[str, object] = {
        "SpectrometerFrequency": _number(header, "synthesizer_frequency", spar) / 1e6,
        "ResonantNucleus": header.get("nucleus", ""),
        "EchoTime": _number(header, "echo_time", spar) / 1e3,
        "RepetitionTime": _number(header, "repetition_time", spar) / 1e3,
        "Manufacturer": "Philips",
        "ProtocolName": header.get("scan_id", ""),
        "NumberOfTransients": int(float(header.get("averages") or 0)) * rows or None,
    }
    if rows > 1:
        fields["dim_5"] = "DIM_DYN"
    return RawSpectrum(
        data=data,
        dwell_time_s=1.0 / _number(header, "sample_frequency", spar),
        header={name: value for name, value in fields.items() if value not in (None, "")},
        affine=_affine(header, spar) if header.get("volume_selection_enable") == "yes" else None,
        name=sdat.name,
    )


def read_spar(path: Path) -> dict[str, str]:
    """Return the fields of a SPAR file as text, without the quotes around them.

    Raises
    ------
    InputError
        If it cannot be read or holds no field.
    """
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise InputError("it cannot be read", path=path, found=error, remedy="check its permissions") from error
    fields = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("!"):
            fields[name.strip()] = value.strip().strip('"')
    if "samples" not in fields:
        raise InputError(
            "it is not the header of a Philips spectrum",
            path=path,
            field="samples",
            remedy="export the SDAT/SPAR pair again from the scanner",
        )
    return fields


def vax_to_float(raw: bytes) -> NDArray[np.float64]:
    """Return the numbers of VAX F-floating bytes; bytes beyond the last whole number are left out.

    References
    ----------
    VAX Architecture Reference Manual (1987): sign, 8 bits of exponent with bias 128, hidden bit 0.1, in 16-bit words of
    which the more significant comes first.
    """
    words = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<u2").astype(np.uint32).reshape(-1, 2)
    bits = (words[:, 0] << 16) | words[:, 1]
    exponent = ((bits >> 23) & 0xFF).astype(np.int64)
    fraction = 0.5 + (bits & 0x7FFFFF) / 2.0**24
    signed = np.where(bits >> 31, -fraction, fraction)
    return np.where(exponent == 0, 0.0, np.ldexp(signed, exponent - 128))


def partner_of(path: Path, suffix: str) -> Path:
    """Return the file of a pair with this suffix, in whatever case it is written.

    Raises
    ------
    InputError
        If it is not there.
    """
    wanted = (path.stem + suffix).lower()
    found = sorted(other for other in path.parent.iterdir() if other.name.lower() == wanted)
    if not found:
        raise InputError(
            f"its {suffix.upper()[1:]} file is not beside it",
            path=path,
            remedy="keep the files that belong together in one folder, under one name",
        )
    return found[0]


def _number(header: dict[str, str], name: str, path: Path) -> float:
    try:
        return float(header[name])
    except (KeyError, ValueError):
        raise InputError(
            "the header does not say this",
            path=path,
            field=name,
            found=header.get(name),
            remedy="export the SDAT/SPAR pair again from the scanner",
        ) from None


def _is_grid(header: dict[str, str]) -> bool:
    counts = (header.get(name) or "1" for name in ("nr_phase_encoding_profiles", "nr_of_phase_encoding_profiles_ky"))
    return any(count.replace(".", "", 1).isdigit() and float(count) > 1 for count in counts)


def _affine(header: dict[str, str], path: Path) -> NDArray[np.float64]:
    """Return voxel index to RAS+ millimetres."""
    to_ras = np.array([-1.0, -1.0, 1.0])
    size, centre, angle = (
        np.array([_number(header, f"{axis}_{what}", path) for axis in _AXES])
        for what in ("size", "off_center", "angulation")
    )
    affine = np.eye(4)
    affine[:3, :3] = _rotation(np.deg2rad(to_ras * angle)) * size
    affine[:3, 3] = to_ras * centre
    return affine


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn about x, then about the turned y, then about the z that results."""
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[one, other], [one, other]] = np.cos(angle)
        step[other, one], step[one, other] = np.sin(angle), -np.sin(angle)
        turned = turned @ step
    return turned
