"""DICOM images to NIfTI with dcm2niix, and a sidecar that names nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study._dicom import DicomSeries, names_person

__all__ = ["ConvertedImage", "convert_series", "link_files", "plane_of"]

_LONGEST_S = 1800.0  # a diffusion series of thousands of files on a slow disk
# As for spectra: what was acquired and how is kept, all else is left out, known or not.
_KEPT = re.compile(
    r"Modality|MagneticFieldStrength|ImagingFrequency|Manufacturer|ManufacturersModelName|SoftwareVersions"
    r"|PatientPosition|MRAcquisitionType|SeriesDescription|ProtocolName|ScanningSequence|SequenceVariant|ScanOptions"
    r"|SequenceName|PulseSequenceType|PulseSequenceName|ImageType|SliceThickness|SpacingBetweenSlices"
    r"|EchoTime[12]?|EchoNumber|EchoTrainLength|RepetitionTime|InversionTime|FlipAngle|RefocusFlipAngle"
    r"|NumberOfAverages|PercentPhaseFOV|PercentSampling|AcquisitionMatrixPE|ReconMatrixPE|PixelBandwidth|DwellTime"
    r"|PhaseEncoding(Direction|Axis|Steps)|EffectiveEchoSpacing|TotalReadoutTime|ParallelReductionFactorInPlane"
    r"|MultibandAccelerationFactor|SliceTiming|ReceiveCoil(Name|ActiveElements)|TransmitCoilName|CoilString"
    r"|ImageOrientation(PatientDICOM|Text)|DiffusionScheme|BValue|NonlinearGradientCorrection|WaterFatShift"
    r"|PhilipsRescale(Slope|Intercept)|PhilipsScaleSlope|UsePhilipsFloatNotDisplayScaling"
    r"|ConversionSoftware(Version)?"
)


@dataclass(frozen=True)
class ConvertedImage:
    """One NIfTI that dcm2niix wrote: uncompressed, with the sidecar as written and the tables of diffusion."""

    path: Path
    sidecar: Mapping[str, Any]
    shape: tuple[int, ...]
    bval: Path | None = None
    bvec: Path | None = None

    @property
    def volumes(self) -> int:
        """Number of volumes."""
        return self.shape[3] if len(self.shape) > 3 else 1

    def public_sidecar(self, series: DicomSeries) -> dict[str, Any]:
        """Return the sidecar without what could name a person, a place or a day."""
        kept = {name: value for name, value in self.sidecar.items() if _KEPT.fullmatch(name)}
        for name in ("SeriesDescription", "ProtocolName"):  # free text, into which a name may have been typed
            if names_person(str(kept.get(name, "")), series):
                del kept[name]
        if series.contrast_agent:
            kept["ContrastBolusIngredient"] = "GADOLINIUM"
        return kept


def convert_series(series: DicomSeries, folder: Path) -> list[ConvertedImage]:
    """Convert one series; return what came of it, in the order of names.

    Parameters
    ----------
    series : DicomSeries
    folder : path
        An empty folder to work in.

    Raises
    ------
    StudyError
        If dcm2niix is not installed.
    InputError
        If it converts nothing.

    References
    ----------
    Li X et al. The first step for neuroimaging data analysis: DICOM to NIfTI conversion. J Neurosci Methods
    2016;264:47.
    """
    dicom, out = folder / "dicom", folder / "nifti"
    out.mkdir(parents=True)
    link_files(series.files, dicom)
    command = [_program(), *("-b", "y", "-ba", "y", "-z", "n", "-g", "i", "-f", "image"), *("-o", str(out), str(dicom))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [str(error)]
    written = sorted(out.glob("*.nii"))
    if not written:
        raise InputError(
            "dcm2niix made no image of this series",
            path=series.files[0].parent,
            field=series.title,
            found=said[-1] if said else "nothing",
            remedy="export the series again from the scanner or the archive",
        )
    return [_converted(path) for path in written]


def link_files(files: Iterable[Path], folder: Path) -> None:
    """Lay files into a folder under plain numbers; links where the system has them, copies elsewhere."""
    folder.mkdir(parents=True)
    for number, path in enumerate(files):
        place = folder / f"{number:06d}.dcm"
        try:
            place.symlink_to(path.resolve())
        except OSError:
            shutil.copyfile(path, place)


def plane_of(path: Path) -> str:
    """Return how an image was sliced: ``ax``, ``cor`` or ``sag``."""
    image: Any = nib.load(path)
    through = np.asarray(image.affine)[:3, 2]
    return ("sag", "cor", "ax")[int(np.argmax(np.abs(through)))]


def _program() -> str:
    try:
        import dcm2niix

        return str(dcm2niix.bin)
    except ImportError:
        found = shutil.which("dcm2niix")
    if found is None:
        raise StudyError(
            "images in DICOM are converted by the program dcm2niix, which is not installed",
            remedy="install it with `pip install 'hlhneuro[dicom]'`",
        )
    return found


def _converted(path: Path) -> ConvertedImage:
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sidecar = {}
    image: Any = nib.load(path)
    tables = [table if (table := path.with_suffix(suffix)).is_file() else None for suffix in (".bval", ".bvec")]
    return ConvertedImage(path, sidecar, tuple(int(size) for size in image.shape), *tables)
