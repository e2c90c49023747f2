"""Write the images of one session and the truth that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlhneuro.imaging.transform_files import save_itk
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.phantom._files import write_nifti
from hlhneuro.phantom._session import SessionTruth
from hlhneuro.phantom.cases import ALL_CONTRASTS
from hlhneuro.phantom.physics import SEQUENCES, Sequence, signal, tissue
from hlhneuro.phantom.scanner import B_VALUE_S_PER_MM2, Acquisition, acquire, acquire_adc, sample, scanner_grid, weigh

__all__ = ["FAST", "FULL", "Resolution", "write_images"]

# Signal of white matter over the noise's standard deviation, by field; expert-set.
WHITE_MATTER_SNR = {1.5: 45.0, 3.0: 55.0}
ADC_SNR = 60.0
SLICE_TILT_DEG = -8.0
_SEQUENCE_OF = {"T1w": "T1w", "ce-gadolinium_T1w": "T1w", "T2w": "T2w", "FLAIR": "FLAIR", "ADC": "DWI"}


@dataclass(frozen=True)
class Resolution:
    """Voxel sizes in millimetres: truth grid, T1-weighted volumes, T2w and FLAIR slices, ADC slices."""

    truth_mm: float
    t1_mm: tuple[float, float, float]
    slices_mm: tuple[float, float, float]
    adc_mm: tuple[float, float, float]


FULL = Resolution(1.0, (1.5, 1.5, 1.5), (1.2, 1.2, 4.0), (2.0, 2.0, 4.0))
FAST = Resolution(2.0, (2.2, 2.2, 2.2), (2.0, 2.0, 4.0), (3.0, 3.0, 5.0))


def write_images(session: SessionTruth, resolution: Resolution) -> None:
    """Write every image of the session, its pose, and the lesion masks on the truth grid and on the reference's."""
    for contrast in session.visit.contrasts:
        # Seeded by the contrast, so that leaving one out changes nothing in the others.
        how = _acquisition(session, contrast, ALL_CONTRASTS.index(contrast), resolution)
        _write_image(session, contrast, how)
        session.truth.mkdir(parents=True, exist_ok=True)
        name = f"{session.stem}_from-{_label(contrast)}_to-truth_mode-points_xfm.txt"
        save_itk(how.to_truth, session.truth / name)
        if contrast == _reference(session):
            part = sample(session.lesions.total, session.head.grid, how.grid, how.to_truth)
            name = f"{session.stem}_space-{_label(contrast)}_label-lesion_mask.nii.gz"
            write_nifti(session.truth / name, (part > 0.5).astype(np.uint8), how.grid.affine)
    affine = session.head.grid.affine
    stem = f"{session.stem}_space-truth"
    write_nifti(session.truth / f"{stem}_label-lesion_mask.nii.gz", session.lesions.mask.astype(np.uint8), affine)
    write_nifti(session.truth / f"{stem}_desc-lesions_dseg.nii.gz", session.lesions.identities, affine)


def _label(contrast: str) -> str:
    """Return the contrast as one BIDS label."""
    return "T1wGadolinium" if contrast.startswith("ce-") else contrast


def _reference(session: SessionTruth) -> str:
    return next(name for name in ("FLAIR", "T2w", "T1w") if name in session.visit.contrasts)


def _acquisition(session: SessionTruth, contrast: str, number: int, resolution: Resolution) -> Acquisition:
    field_t = session.visit.field_t
    return Acquisition(
        _grid(contrast, session.head.grid, session.pose, resolution),
        session.moved_pose(11, number),
        field_t,
        ADC_SNR if contrast == "ADC" else WHITE_MATTER_SNR[field_t],
        session.seed(12, number),
    )


def _grid(contrast: str, head: Grid, pose: AffineTransform, resolution: Resolution) -> Grid:
    if contrast.endswith("T1w"):
        return scanner_grid(head, pose, resolution.t1_mm)
    voxel_mm = resolution.adc_mm if contrast == "ADC" else resolution.slices_mm
    return scanner_grid(head, pose, voxel_mm, tilt_deg=SLICE_TILT_DEG, first_axis_to_left=True)


def _write_image(session: SessionTruth, contrast: str, how: Acquisition) -> None:
    head, field_t = session.head, how.field_t
    sequence = SEQUENCES[_SEQUENCE_OF[contrast], field_t]
    white = signal(tissue("wm", field_t), sequence)
    clean = weigh(head, session.lesions, sequence, field_t, after_gadolinium=contrast.startswith("ce-"))
    if contrast == "ADC":
        diffusing = replace(sequence, b_value_s_per_mm2=B_VALUE_S_PER_MM2)
        weighted = weigh(head, session.lesions, diffusing, field_t, after_gadolinium=False)
        data = acquire_adc(clean, weighted, head.grid, how, white)
    else:
        data = acquire(clean, head.grid, how, white)
    path = session.folder / ("dwi" if contrast == "ADC" else "anat") / f"{session.stem}_{contrast}.nii.gz"
    write_nifti(path, data, how.grid.affine, _sidecar(contrast, sequence, how))


def _sidecar(contrast: str, sequence: Sequence, how: Acquisition) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "Modality": "MR",
        "Manufacturer": "hlhneuro phantom",
        "MagneticFieldStrength": how.field_t,
        "MRAcquisitionType": "3D" if sequence.kind == "gre" else "2D",
        "RepetitionTime": sequence.repetition_time_s,
        "EchoTime": sequence.echo_time_s,
        "SliceThickness": round(how.grid.voxel_size_mm[2], 3),
    }
    if sequence.kind == "gre":
        facts["FlipAngle"] = sequence.flip_angle_deg
    if sequence.kind == "ir":
        facts["InversionTime"] = sequence.inversion_time_s
    if contrast.startswith("ce-"):
        facts["ContrastBolusIngredient"] = "GADOLINIUM"
    if contrast == "ADC":
        facts |= {"Units": "um^2/s", "Description": "Apparent diffusion coefficient; 1 um^2/s is 1e-6 mm^2/s"}
    return facts
