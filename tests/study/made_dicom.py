"""Small DICOM series of an invented patient, as a scanner would send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR_IMAGE, MR_SPECTRUM = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.2"
# Whatever of this turns up in a study names the patient.
SECRETS = ("Doe", "Jane", "4711", "20180310", "2018-03-10", "Hospital of", "Smith", "SN98765", "0801", "08:01")


def write_series(
    folder: Path,
    number: int,
    description: str,
    *,
    echo_ms: float = 90.0,
    repetition_ms: float = 9000.0,
    inversion_ms: float | None = None,
    sequence: str | list[str] = "SE",
    slices: int = 4,
    first_instance: int = 1,
    **extra: Any,
) -> np.ndarray:
    """Write one axial series, 2 x 2 x 4 mm; return its samples, shape (columns, rows, slices), in DICOM order."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(1, 1000, (slices, 10, 8), dtype=np.uint16)
    for k in range(slices):
        data = _patient_and_visit(number)
        data.SeriesInstanceUID = generate_uid(entropy_srcs=[description, str(number)])
        data.SOPInstanceUID = generate_uid(entropy_srcs=[description, str(number), str(first_instance + k)])
        data.SOPClassUID = MR_IMAGE
        data.SeriesNumber, data.InstanceNumber, data.AcquisitionNumber = number, first_instance + k, first_instance
        data.SeriesDescription = data.ProtocolName = description
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        data.ScanningSequence, data.SequenceVariant, data.MRAcquisitionType = sequence, "SK", "2D"
        data.EchoTime, data.RepetitionTime, data.FlipAngle = echo_ms, repetition_ms, 90
        if inversion_ms is not None:
            data.InversionTime = inversion_ms
        data.SliceThickness = data.SpacingBetweenSlices = 4
        data.PixelSpacing, data.ImageOrientationPatient = [2, 2], [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-8, -10, -6 + 4 * k]
        data.Rows, data.Columns, data.SamplesPerPixel = 10, 8, 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelData = pixels[k].tobytes()
        for name, value in extra.items():
            setattr(data, name, value)
        _save(data, folder / f"{number:03d}_{k:03d}.dcm")
    return pixels.transpose(2, 1, 0)


def _patient_and_visit(number: int) -> Dataset:
    data = Dataset()
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "MR", "SIEMENS", "Skyra"
    data.MagneticFieldStrength, data.DeviceSerialNumber = "3", "SN98765"
    data.PatientName, data.PatientID, data.PatientSex = "Doe^Jane", "4711", "F"
    data.PatientBirthDate, data.PatientAge = "20180310", "006Y"
    data.InstitutionName, data.ReferringPhysicianName = "Hospital of Nowhere", "Smith"
    data.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    data.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = "20240517"
    data.StudyTime = "080100"
    data.SeriesTime = data.AcquisitionTime = data.ContentTime = f"09{number:02d}00"
    return data


def _save(data: Dataset, path: Path) -> None:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
