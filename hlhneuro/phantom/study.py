"""Write studies whose truth is known: the fixed sample study, and random ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlhneuro import __version__
from hlhneuro.errors import StudyError
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.phantom import _files
from hlhneuro.phantom.anatomy import Head, make_head
from hlhneuro.phantom.cases import Patient, Visit, random_patient, sample_patients
from hlhneuro.phantom.lesions import LesionMap, map_lesions
from hlhneuro.phantom.physics import SEQUENCES, signal, tissue
from hlhneuro.phantom.physics import Sequence as Imaging
from hlhneuro.phantom.placement import place_voxel, voxel_fractions, voxel_water
from hlhneuro.phantom.scanner import (
    B_VALUE_S_PER_MM2,
    Acquisition,
    acquire,
    acquire_adc,
    rigid,
    sample,
    scanner_grid,
    weigh,
)
from hlhneuro.phantom.spectra import WATER_PPM, SpectrumPlan, make_spectrum, to_nifti_mrs

__all__ = ["FAST", "FULL", "Resolution", "write_sample_study", "write_study"]

# Repositioning between visits and motion between the images of one visit: standard deviations, expert-set.
REPOSITION_DEG, REPOSITION_MM = 3.0, 5.0
MOTION_DEG, MOTION_MM = 0.5, 0.5
WHITE_MATTER_SNR = {1.5: 45.0, 3.0: 55.0}
ADC_SNR = 60.0
SLICE_TILT_DEG = -8.0


@dataclass(frozen=True)
class Resolution:
    """Voxel sizes in millimetres."""

    truth_mm: float
    t1_mm: tuple[float, float, float]
    slices_mm: tuple[float, float, float]
    adc_mm: tuple[float, float, float]


FULL = Resolution(1.0, (1.5, 1.5, 1.5), (1.2, 1.2, 4.0), (2.0, 2.0, 4.0))
FAST = Resolution(2.0, (2.2, 2.2, 2.2), (2.0, 2.0, 4.0), (3.0, 3.0, 5.0))


def write_study(
    root: str | Path, *, subjects: int = 1, sessions: int = 2, seed: int = 0, fast: bool = False, spectra: bool = True
) -> Path:
    """Write a BIDS study of invented patients, with the truth beside it in ``truth/``.

    Parameters
    ----------
    root : path
        Folder of the study; made if needed, must be empty.
    subjects, sessions : int
        How many patients, and visits of each.
    seed : int
        The same seed gives the same bytes.
    fast : bool
        Coarser images (2 mm) in a few seconds, for trying things out.
    spectra : bool
        Leave the spectra out if False.

    Returns
    -------
    path
        The root of the study.

    Raises
    ------
    StudyError
        If a number is below one or the folder holds something already.
    """
    for name, count in (("subjects", subjects), ("sessions", sessions)):
        if not 1 <= count <= 99:
            raise StudyError("not a possible number", field=name, found=count, remedy="give a number from 1 to 99")
    patients = [random_patient(number, sessions, seed) for number in range(1, subjects + 1)]
    return _write(root, patients, FAST if fast else FULL, f"hlhneuro phantom, seed {seed}", spectra)


def write_sample_study(root: str | Path) -> Path:
    """Write the fixed sample study: one patient whose disease progresses and one who improves.

    Parameters
    ----------
    root : path
        Folder of the study; made if needed, must be empty.

    Raises
    ------
    StudyError
        If the folder holds something already.
    """
    return _write(root, sample_patients(), FULL, "hlhneuro sample study", spectra=True)


def _write(root: str | Path, patients: Sequence[Patient], resolution: Resolution, name: str, spectra: bool) -> Path:
    root = Path(root)
    if root.is_file() or (root.is_dir() and any(root.iterdir())):
        raise StudyError("the folder for the study is not empty", path=root, remedy="name a new folder or empty it")
    _write_study_files(root, patients, name)
    lesion_rows: list[dict[str, object]] = []
    concentration_rows: list[dict[str, object]] = []
    for patient in patients:
        for written in _write_patient(root, patient, resolution, spectra):
            lesion_rows += written[0]
            concentration_rows += written[1]
    _files.write_table(root / "truth" / "lesions.tsv", lesion_rows, _LESION_COLUMNS)
    if concentration_rows:
        _files.write_table(root / "truth" / "concentrations.tsv", concentration_rows, _CONCENTRATION_COLUMNS)
    return root


_LESION_COLUMNS = {
    "participant_id": "Patient",
    "session_id": "Session",
    "lesion": "Number of the lesion in the maps space-truth_desc-lesions_dseg, the same at every session",
    "name": "Name of the lesion",
    "territory": "Where it was put",
    "side": "left, right or midline",
    "volume_ml": "Volume in millilitres where the lesion fraction exceeds one half and this lesion is the deepest; 0: not there",
    "state": "Kind of tissue: inflamed, restricted (diffusion), necrotic or scar",
    "enhancing": "1 if it takes up gadolinium",
    "x_mm": "Centroid in the subject's own (truth) space, RAS+ millimetres",
    "y_mm": "Centroid, RAS+ millimetres",
    "z_mm": "Centroid, RAS+ millimetres",
}
_CONCENTRATION_COLUMNS = {
    "participant_id": "Patient",
    "session_id": "Session",
    "acq": "Acquisition label of the spectrum",
    "metabolite": "Basis function",
    "mmol_per_kg": "Concentration in mmol per kg of tissue water (cerebrospinal fluid excluded)",
    "ratio_to_tcr": "Ratio to Cr + PCr",
}


def _write_study_files(root: Path, patients: Sequence[Patient], name: str) -> None:
    _files.write_json(
        root / "dataset_description.json",
        {
            "Name": name,
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "BSD-3-Clause; anatomy from the ICBM 152 2009a template, see README",
            "Authors": ["The hlhneuro developers"],
            "GeneratedBy": [{"Name": "hlhneuro phantom", "Version": __version__}],
            "Acknowledgements": ICBM_NOTICE,
        },
    )
    _files.write_text(root / ".bidsignore", "truth/\n")
    _files.write_text(root / "README.md", README)
    _files.write_table(
        root / "participants.tsv",
        [
            {
                "participant_id": f"sub-{patient.label}",
                "age": round(patient.visits[0].age_years, 2),
                "sex": patient.sex,
                **patient.covariates,
            }
            for patient in patients
        ],
        {
            "participant_id": "Patient; all are invented",
            "age": "Age in years at the first session",
            "sex": "F or M",
            "diagnosis": "Disease",
            "trigger": "What set it off",
        },
    )
    for patient in patients:
        _files.write_table(
            root / f"sub-{patient.label}" / f"sub-{patient.label}_sessions.tsv",
            [
                {
                    "session_id": f"ses-{visit.label}",
                    "acq_time": f"{visit.date.isoformat()}T10:00:00",
                    "age": visit.age_years,
                    **visit.covariates,
                }
                for visit in patient.visits
            ],
            {
                "session_id": "Session",
                "acq_time": "Day of the session; invented",
                "age": "Age in years",
                "scanner": "Scanner",
                "field_strength": "Field strength in tesla",
                "anaesthesia": "Anaesthetic during the session",
                "treatment": "Treatment at the time of the session",
            },
        )


def _write_patient(
    root: Path, patient: Patient, resolution: Resolution, spectra: bool
) -> Iterator[tuple[list[dict[str, object]], list[dict[str, object]]]]:
    head = make_head(patient.seed, brain_scale=patient.brain_scale, voxel_mm=resolution.truth_mm)
    truth = root / "truth" / f"sub-{patient.label}"
    stem = f"sub-{patient.label}_space-truth"
    _files.write_nifti(truth / f"{stem}_desc-brain_mask.nii.gz", head.brain.astype(np.uint8), head.grid.affine, None)
    tissue_map = np.argmax([np.full(head.grid.shape, 0.5)] + [head.fractions[n] for n in ("gm", "wm", "csf")], axis=0)
    _files.write_nifti(truth / f"{stem}_desc-tissue_dseg.nii.gz", tissue_map.astype(np.uint8), head.grid.affine, None)
    labels = [visit.label for visit in patient.visits]
    maps = map_lesions(head, patient.lesions, labels, patient.seed)
    for at, (visit, lesions) in enumerate(zip(patient.visits, maps, strict=True)):
        pose = _pose([patient.seed, at, 10], REPOSITION_DEG, REPOSITION_MM)
        _write_images(root, patient, visit, at, head, lesions, pose, resolution)
        _write_masks(truth, patient.label, visit.label, head, lesions)
        plans = enumerate(visit.spectra if spectra else ())
        rows = [
            row
            for n, plan in plans
            for row in _write_spectrum(root, patient, visit, (at, n), head, lesions, pose, plan)
        ]
        yield _lesion_rows(patient, visit, head, lesions), rows


def _pose(seed: Sequence[int], angle_deg: float, shift_mm: float) -> AffineTransform:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
    return rigid(rng.normal(0.0, angle_deg, 3), rng.normal(0.0, shift_mm, 3))


def _write_images(
    root: Path,
    patient: Patient,
    visit: Visit,
    at: int,
    head: Head,
    lesions: LesionMap,
    pose: AffineTransform,
    resolution: Resolution,
) -> None:
    stem = f"sub-{patient.label}_ses-{visit.label}"
    folder = root / f"sub-{patient.label}" / f"ses-{visit.label}"
    truth = root / "truth" / f"sub-{patient.label}" / f"ses-{visit.label}"
    white = tissue("wm", visit.field_t)
    for number, contrast in enumerate(visit.contrasts):
        moved = _pose([patient.seed, at, 11, number], MOTION_DEG, MOTION_MM)
        to_truth = pose.after(moved)
        how = Acquisition(
            _grid(contrast, head.grid, pose, resolution),
            to_truth,
            visit.field_t,
            ADC_SNR if contrast == "ADC" else WHITE_MATTER_SNR[visit.field_t],
            (patient.seed, at, 12, number),
        )
        sequence = SEQUENCES[_SEQUENCE_OF[contrast], visit.field_t]
        if contrast == "ADC":
            weighted = _diffusion_weighted(sequence)
            clean = [weigh(head, lesions, s, visit.field_t, after_gadolinium=False) for s in (sequence, weighted)]
            data = acquire_adc(clean[0], clean[1], head.grid, how, signal(white, sequence))
        else:
            clean_map = weigh(head, lesions, sequence, visit.field_t, after_gadolinium=contrast.startswith("ce-"))
            data = acquire(clean_map, head.grid, how, signal(white, sequence))
        datatype = "dwi" if contrast == "ADC" else "anat"
        sidecar = _sidecar(contrast, sequence, visit.field_t, how.grid)
        _files.write_nifti(folder / datatype / f"{stem}_{contrast}.nii.gz", data, how.grid.affine, sidecar)
        _files.write_itk(truth / f"{stem}_from-{_plain(contrast)}_to-truth_mode-points_xfm.txt", to_truth.matrix)
        if contrast == _reference(visit):
            fraction = sample(lesions.total, head.grid, how.grid, to_truth)
            _files.write_nifti(
                truth / f"{stem}_space-{_plain(contrast)}_label-lesion_mask.nii.gz",
                (fraction > 0.5).astype(np.uint8),
                how.grid.affine,
                None,
            )


_SEQUENCE_OF = {"T1w": "T1w", "ce-gadolinium_T1w": "T1w", "T2w": "T2w", "FLAIR": "FLAIR", "ADC": "DWI"}


def _plain(contrast: str) -> str:
    """The contrast as one BIDS label."""
    return "T1wGadolinium" if contrast.startswith("ce-") else contrast


def _reference(visit: Visit) -> str:
    return next(name for name in ("FLAIR", "T2w", "T1w") if name in visit.contrasts)


def _diffusion_weighted(sequence: Imaging) -> Imaging:
    return Imaging(**{**vars(sequence), "b_value_s_per_mm2": B_VALUE_S_PER_MM2})


def _grid(contrast: str, head: Grid, pose: AffineTransform, resolution: Resolution) -> Grid:
    if contrast.endswith("T1w"):
        return scanner_grid(head, pose, resolution.t1_mm)
    voxel_mm = resolution.adc_mm if contrast == "ADC" else resolution.slices_mm
    return scanner_grid(head, pose, voxel_mm, tilt_deg=SLICE_TILT_DEG, first_axis_to_left=True)


def _sidecar(contrast: str, sequence: Imaging, field_t: float, grid: Grid) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "Modality": "MR",
        "Manufacturer": "hlhneuro phantom",
        "MagneticFieldStrength": field_t,
        "MRAcquisitionType": "3D" if sequence.kind == "gre" else "2D",
        "RepetitionTime": sequence.repetition_time_s,
        "EchoTime": sequence.echo_time_s,
        "SliceThickness": round(grid.voxel_size_mm[2], 3),
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


def _write_masks(truth: Path, subject: str, session: str, head: Head, lesions: LesionMap) -> None:
    stem = f"sub-{subject}_ses-{session}_space-truth"
    folder = truth / f"ses-{session}"
    for name, data in (("label-lesion_mask", lesions.mask.astype(np.uint8)), ("desc-lesions_dseg", lesions.identities)):
        _files.write_nifti(folder / f"{stem}_{name}.nii.gz", data, head.grid.affine, None)


def _lesion_rows(patient: Patient, visit: Visit, head: Head, lesions: LesionMap) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, course in enumerate(patient.lesions, start=1):
        here = np.argwhere(lesions.identities == number)
        moment = course.moments.get(visit.label)
        row: dict[str, object] = {
            "participant_id": f"sub-{patient.label}",
            "session_id": f"ses-{visit.label}",
            "lesion": number,
            "name": course.name,
            "territory": course.territory,
            "side": course.side,
            "volume_ml": float(len(here) * head.grid.voxel_volume_ml),
        }
        if moment is not None and len(here):
            centroid = head.grid.affine[:3, :3] @ here.mean(axis=0) + head.grid.affine[:3, 3]
            row |= {"state": moment.state, "enhancing": int(moment.enhancing)}
            row |= {name: float(value) for name, value in zip(("x_mm", "y_mm", "z_mm"), centroid, strict=True)}
        rows.append(row)
    return rows


def _write_spectrum(
    root: Path,
    patient: Patient,
    visit: Visit,
    number: tuple[int, int],
    head: Head,
    lesions: LesionMap,
    pose: AffineTransform,
    plan: SpectrumPlan,
) -> list[dict[str, object]]:
    """Write one spectrum with its water reference and its truth; return the rows of the table of concentrations."""
    stem = f"sub-{patient.label}_ses-{visit.label}_acq-{plan.name}"
    folder = root / f"sub-{patient.label}" / f"ses-{visit.label}" / "mrs"
    # All spectra of a visit are planned on the same voxel; the head moves a little between them.
    to_truth = pose.after(_pose([patient.seed, number[0], 13, number[1]], MOTION_DEG, MOTION_MM))
    affine = place_voxel(head, pose, plan)
    volumes = voxel_fractions(head, lesions, to_truth, affine)
    made = make_spectrum(plan, visit.field_t, voxel_water(volumes, visit.field_t), (patient.seed, *number, 14))
    facts = {
        "EchoTime": plan.echo_time_s,
        "RepetitionTime": plan.repetition_time_s,
        "SequenceName": "press",
        "ProtocolName": f"svs_press_te{plan.echo_time_s * 1e3:.0f}",
        "Manufacturer": "hlhneuro phantom",
    }
    for suffix, data in (("svs", made.fid), ("mrsref", made.water)):
        if data is None:
            continue
        suppressed = suffix == "svs"
        sidecar = {
            "MagneticFieldStrength": visit.field_t,
            "ResonantNucleus": ["1H"],
            "SpectrometerFrequency": [made.frequency_mhz],
            "SpectralWidth": 1.0 / made.dwell_time_s,
            "NumberOfSpectralPoints": data.shape[0],
            "NumberOfTransients": data.shape[2] if suppressed else 1,
            "AcquisitionVoxelSize": list(plan.size_mm),
            "PulseSequenceType": "PRESS",
            "WaterSuppression": suppressed,
            "ChemicalShiftReference": WATER_PPM,
            **facts,
        }
        if suppressed and made.water is not None:
            sidecar["ReferenceSignal"] = f"bids::{folder.relative_to(root).as_posix()}/{stem}_mrsref.nii.gz"
        image = to_nifti_mrs(data, made, affine, facts | {"WaterSuppressed": suppressed})
        _files.write_image(folder / f"{stem}_{suffix}.nii.gz", image, sidecar)
    truth = root / "truth" / f"sub-{patient.label}" / f"ses-{visit.label}" / f"{stem}"
    _files.write_json(
        truth.with_name(truth.name + "_truth.json"),
        {"VolumeFractions": {k: round(v, 6) for k, v in volumes.items()}, **made.record},
    )
    _files.write_itk(truth.with_name(truth.name + "_from-svs_to-truth_mode-points_xfm.txt"), to_truth.matrix)
    creatine = made.concentrations.get("Cr", 0.0) + made.concentrations.get("PCr", 0.0)
    return [
        {
            "participant_id": f"sub-{patient.label}",
            "session_id": f"ses-{visit.label}",
            "acq": plan.name,
            "metabolite": name,
            "mmol_per_kg": float(value),
            "ratio_to_tcr": value / creatine,
        }
        for name, value in made.concentrations.items()
    ]


ICBM_NOTICE = (
    "The tissue maps come from the ICBM 152 nonlinear atlas 2009a: Copyright (C) 1993-2009 Louis Collins, McConnell "
    "Brain Imaging Centre, Montreal Neurological Institute, McGill University. Permission to use, copy, modify, and "
    "distribute this software and its documentation for any purpose and without fee is hereby granted, provided that "
    "the above copyright notice appear in all copies. The authors and McGill University make no representations about "
    'the suitability of this software for any purpose. It is provided "as is" without express or implied warranty. '
    "The authors are not responsible for any data loss, equipment damage, property loss, or injury to subjects or "
    "patients resulting from the use or misuse of this software package."
)
README = "stub\n"
