"""NIfTI-MRS as a file: its header extension, and writing it without anything that names a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from hlhneuro.errors import InputError

__all__ = ["SIGN_NOTE", "UNLOCATED_MM", "RawSpectrum", "header_extension", "kept_fields", "read_raw", "to_image"]

_MRS_EXTENSION = 44  # the NIfTI extension code of NIfTI-MRS
_STANDARD = "mrs_v0_9"
SIGN_NOTE = "the format does not fix the sign of frequency"
UNLOCATED_MM = 10_000.0  # NIfTI-MRS: a voxel of unknown place is 10 m wide, qform and sform codes 0
# What a converted file keeps: what was acquired and how. All else (names, birth dates, identifiers, institutions, times
# of day, names of source files, comments) is left out, known or not.
_KEPT = re.compile(
    r"SpectrometerFrequency|ResonantNucleus|SpectralWidth|MagneticFieldStrength"
    r"|dim_[567](_info|_header)?|kSpace|VOI"
    r"|EchoTime|RepetitionTime|InversionTime|MixingTime|AcquisitionStartTime|ExcitationFlipAngle|TxOffset"
    r"|WaterSuppressed|WaterSuppressionType|SequenceTriggered|EditCondition|EditPulse|NumberOfTransients"
    r"|Manufacturer|ManufacturersModelName|SoftwareVersions|TxCoil|RxCoil"
    r"|SequenceName|ProtocolName|PulseSequenceType|PatientPosition"
)


@dataclass(frozen=True)
class RawSpectrum:
    """One converted acquisition, before it is named and written.

    Parameters
    ----------
    data : complex array, shape (x, y, z, points, ..)
        NIfTI-MRS sign convention.
    dwell_time_s : float
    header : mapping
        NIfTI-MRS header fields, personal ones left out.
    affine : array, shape (4, 4), optional
        Voxel index to RAS+ scanner millimetres; None where the source does not say where the voxel lies.
    name : str
        Where it comes from: name of the source file or series.
    water : bool, optional
        Whether it is a water reference, where the source says so.
    notes : tuple of str
        What a user should know of the conversion.
    """

    data: NDArray[np.complexfloating[Any, Any]]
    dwell_time_s: float
    header: Mapping[str, Any]
    affine: NDArray[np.float64] | None
    name: str
    water: bool | None = None
    notes: tuple[str, ...] = field(default=())


def header_extension(image: Any) -> dict[str, Any]:
    """Return the NIfTI-MRS header extension of a nibabel image; empty where there is none.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    for extension in image.header.extensions:
        if extension.get_code() == _MRS_EXTENSION:
            content = extension.get_content()
            text = content.decode("utf-8") if isinstance(content, bytes) else str(content)
            header = json.loads(text.rstrip("\x00"))
            return dict(header) if isinstance(header, dict) else {}
    return {}


def kept_fields(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say what was acquired and how, without those that could name a person, place or day."""
    kept = {name: value for name, value in header.items() if _KEPT.fullmatch(name) and value not in (None, "", [])}
    # Converters write zero for "none".
    return {name: value for name, value in kept.items() if name not in ("InversionTime", "MixingTime") or value}


def read_raw(path: Path, name: str = "") -> RawSpectrum:
    """Read a NIfTI-MRS file as it is.

    Raises
    ------
    InputError
        If it is not a NIfTI-MRS file.
    """
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj)
        header = header_extension(image)
    except (OSError, ValueError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            "it is not a readable NIfTI-MRS file", path=path, found=error, remedy="convert the raw data again"
        ) from error
    if not np.iscomplexobj(data) or data.ndim < 4:
        raise InputError(
            "it is not NIfTI-MRS: complex data with time as fourth axis are needed",
            path=path,
            found=f"{data.dtype}, shape {data.shape}",
            remedy="give the scanner's own file, or convert it with spec2nii",
        )
    scale = {"msec": 1e-3, "usec": 1e-6}.get(str(image.header.get_xyzt_units()[1]), 1.0)
    located = bool(image.header["qform_code"] > 0 or image.header["sform_code"] > 0)
    affine = np.asarray(image.affine, dtype=np.float64)
    if np.linalg.norm(affine[:3, 0]) >= UNLOCATED_MM:
        located = False
    water = {True: False, False: True}.get(header.get("WaterSuppressed"))  # type: ignore[arg-type]
    return RawSpectrum(
        data,
        float(image.header["pixdim"][4]) * scale,
        kept_fields(header),
        affine if located else None,
        name or path.name,
        water,
        () if header else (SIGN_NOTE,),
    )


def to_image(raw: RawSpectrum, method: str) -> Any:
    """Return the nibabel image of an acquisition, ready to be written.

    Parameters
    ----------
    raw : RawSpectrum
    method : str
        What converted it, for ``ConversionMethod``.
    """
    header = dict(raw.header) | {"SpectralWidth": 1.0 / raw.dwell_time_s, "ConversionMethod": method}
    for name in ("SpectrometerFrequency", "ResonantNucleus"):  # one entry for each spectral axis
        if name in header and not isinstance(header[name], list):
            header[name] = [header[name]]
    located = raw.affine is not None
    affine = raw.affine if raw.affine is not None else np.diag([*[UNLOCATED_MM] * 3, 1.0])
    image: Any = nib.Nifti2Image(raw.data, affine)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code=1 if located else 0)
    image.set_qform(affine, code=1 if located else 0)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = raw.dwell_time_s
    image.header["intent_name"] = _STANDARD.encode()
    content = json.dumps(header, sort_keys=True).encode("utf-8")
    image.header.extensions.append(nib.nifti1.Nifti1Extension(_MRS_EXTENSION, content))
    return image
