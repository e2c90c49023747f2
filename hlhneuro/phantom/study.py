"""Write studies whose truth is known: the fixed sample study, and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from hlhneuro.errors import StudyError
from hlhneuro.phantom._files import write_json, write_nifti, write_table, write_text
from hlhneuro.phantom._images import FAST, FULL, Resolution, write_images
from hlhneuro.phantom._mrs import write_spectra
from hlhneuro.phantom._session import SessionTruth
from hlhneuro.phantom.anatomy import Head, make_head
from hlhneuro.phantom.cases import Patient, random_patient, sample_patients
from hlhneuro.phantom.lesions import map_lesions
from hlhneuro.phantom.records import EVENT_COLUMNS, OBSERVATION_COLUMNS

__all__ = ["write_sample_study", "write_study"]

_Rows = list[dict[str, object]]

TISSUE_CODES = {"gm": 1, "wm": 2, "csf": 3}


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
    _write_records(root, patients)
    lesion_rows: _Rows = []
    concentration_rows: _Rows = []
    for patient in patients:
        lesions, concentrations = _write_patient(root, patient, resolution, spectra)
        lesion_rows += lesions
        concentration_rows += concentrations
    write_table(root / "truth" / "lesions.tsv", lesion_rows, _LESION_COLUMNS)
    if concentration_rows:
        write_table(root / "truth" / "concentrations.tsv", concentration_rows, _CONCENTRATION_COLUMNS)
    return root


_LESION_COLUMNS = {
    "participant_id": "Patient",
    "session_id": "Session",
    "lesion": "Number of the lesion in the maps space-truth_desc-lesions_dseg, the same at every session",
    "name": "Name of the lesion",
    "territory": "Where it was put",
    "side": "left or right",
    "volume_ml": "Millilitres where the lesion fraction exceeds one half and this lesion is the deepest; 0: not there",
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
    write_json(
        root / "dataset_description.json",
        {
            "Name": name,
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "BSD-3-Clause; anatomy from the ICBM 152 2009a maps, see README.md",
            "Authors": ["The hlhneuro developers"],
            "GeneratedBy": [{"Name": "hlhneuro phantom"}],
        },
    )
    write_text(root / ".bidsignore", "truth/\n")
    write_text(root / "README.md", resources.files(__package__).joinpath("study_readme.md").read_text(encoding="utf-8"))
    write_table(
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
        write_table(
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


def _write_records(root: Path, patients: Sequence[Patient]) -> None:
    """Write treatment and clinical observations of all patients, one table each."""
    for name, columns in (("treatment", EVENT_COLUMNS), ("clinical", OBSERVATION_COLUMNS)):
        rows: _Rows = []
        for patient in patients:
            own = patient.events if name == "treatment" else patient.observations
            rows += [{"participant_id": f"sub-{patient.label}", **row} for row in own]
        write_table(root / "phenotype" / f"{name}.tsv", rows, columns)


def _write_patient(root: Path, patient: Patient, resolution: Resolution, spectra: bool) -> tuple[_Rows, _Rows]:
    """Write one patient; return the rows of the tables of lesions and of concentrations."""
    head = make_head(patient.seed, brain_scale=patient.brain_scale, voxel_mm=resolution.truth_mm)
    _write_anatomy(root / "truth" / f"sub-{patient.label}", patient.label, head)
    labels = [visit.label for visit in patient.visits]
    maps = map_lesions(head, patient.lesions, labels, patient.seed)
    lesion_rows: _Rows = []
    concentration_rows: _Rows = []
    for number, (visit, lesions) in enumerate(zip(patient.visits, maps, strict=True)):
        session = SessionTruth(root, patient, visit, number, head, lesions)
        write_images(session, resolution)
        lesion_rows += _lesion_rows(session)
        if spectra:
            concentration_rows += write_spectra(session)
    return lesion_rows, concentration_rows


def _write_anatomy(folder: Path, label: str, head: Head) -> None:
    stem = f"sub-{label}_space-truth"
    write_nifti(folder / f"{stem}_desc-brain_mask.nii.gz", head.brain.astype(np.uint8), head.grid.affine)
    tissues = np.zeros(head.grid.shape, dtype=np.uint8)
    for name, code in TISSUE_CODES.items():
        tissues[head.fractions[name] > 0.5] = code
    write_nifti(folder / f"{stem}_desc-tissue_dseg.nii.gz", tissues, head.grid.affine)


def _lesion_rows(session: SessionTruth) -> _Rows:
    patient, grid = session.patient, session.head.grid
    rows: _Rows = []
    for number, course in enumerate(patient.lesions, start=1):
        here = np.argwhere(session.lesions.identities == number)
        moment = course.moments.get(session.visit.label)
        row: dict[str, object] = {
            "participant_id": f"sub-{patient.label}",
            "session_id": f"ses-{session.visit.label}",
            "lesion": number,
            "name": course.name,
            "territory": course.territory,
            "side": course.side,
            "volume_ml": float(len(here) * grid.voxel_volume_ml),
        }
        if moment is not None and len(here):
            centroid = grid.affine[:3, :3] @ here.mean(axis=0) + grid.affine[:3, 3]
            row |= {"state": moment.state, "enhancing": int(moment.enhancing)}
            row |= {name: float(value) for name, value in zip(("x_mm", "y_mm", "z_mm"), centroid, strict=True)}
        rows.append(row)
    return rows
