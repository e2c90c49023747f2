from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import bids2table
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nifti_mrs.nifti_mrs import NIFTI_MRS
from scipy import ndimage

from hlhneuro.errors import StudyError
from hlhneuro.imaging.transform_files import load_itk
from hlhneuro.lesions import territories
from hlhneuro.phantom import make_head, map_lesions, random_patient, sample_patients, write_study
from hlhneuro.phantom._images import FULL, write_images
from hlhneuro.phantom._mrs import write_spectra
from hlhneuro.phantom._session import SessionTruth
from hlhneuro.phantom.study import _write_records
from hlhneuro.study import CSF_ABNORMAL_BY, SYMPTOMS, open_study, read_clinical

SAMPLE = Path(__file__).parents[2] / "sample_data"


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype={"session_id": str})


def data(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("which", ["study", "sample"])
def test_every_raw_file_has_a_bids_name_and_is_indexed(which: str, study: Path) -> None:
    root = study if which == "study" else SAMPLE
    images = sorted(path for folder in root.glob("sub-*") for path in folder.rglob("*.nii.gz"))
    assert len(images) > 10
    for path in images:
        entities = bids2table.parse_bids_entities(path.relative_to(root))
        valid, unknown = bids2table.validate_bids_entities(entities)
        assert not unknown
        assert bids2table.format_bids_path(valid).name == path.name
        assert path.with_name(path.name.replace(".nii.gz", ".json")).exists()
    indexed = bids2table.index_dataset(str(root)).to_pandas()
    found = {f"{row['suffix']}{row['ext']}" for _, row in indexed.iterrows()}
    assert {"T1w.nii.gz", "FLAIR.nii.gz", "ADC.nii.gz", "svs.nii.gz", "mrsref.nii.gz"} <= found
    assert (root / ".bidsignore").read_text() == "truth/\n"


def test_sessions_have_dates_in_order_and_ages_that_follow(study: Path) -> None:
    sessions = read(study / "sub-01" / "sub-01_sessions.tsv")
    dates = [dt.datetime.fromisoformat(text) for text in sessions["acq_time"]]
    assert dates == sorted(dates)
    years = (dates[1] - dates[0]).days / 365.25
    assert sessions["age"][1] - sessions["age"][0] == pytest.approx(years, abs=0.02)
    assert {"treatment", "anaesthesia", "field_strength"} <= set(sessions.columns)
    everything = set(sessions.columns) | set(read(study / "participants.tsv").columns)
    assert not {name for name in everything if "birth" in name or name == "name"}


def test_the_clinical_tables_hold_a_course_that_can_be_read_without_a_remark(study: Path) -> None:
    for root in (study, SAMPLE):
        opened = open_study(root)
        for subject in opened.subjects:
            record = read_clinical(opened, subject)
            assert record.events
            assert not record.problems + record.remarks
            near = [record.nearest(session, 14, *CSF_ABNORMAL_BY, SYMPTOMS) for session in subject.sessions]
            assert all(near)
            assert {event.subject for event in record.events} == {subject.label}


def test_the_committed_tables_are_what_the_generator_writes(tmp_path: Path) -> None:
    _write_records(tmp_path, sample_patients())
    assert digests(tmp_path) == {
        name: digest for name, digest in digests(SAMPLE).items() if name.startswith("phenotype/")
    }


def test_the_table_of_lesions_says_what_the_masks_show(study: Path) -> None:
    table = read(study / "truth" / "lesions.tsv")
    patient = random_patient(1, 2, seed=3)
    for visit in patient.visits:
        folder = study / "truth" / "sub-01" / f"ses-{visit.label}"
        image = nib.load(folder / f"sub-01_ses-{visit.label}_space-truth_desc-lesions_dseg.nii.gz")
        labels, voxel_ml = np.asarray(image.dataobj), float(np.prod(image.header.get_zooms())) / 1000
        for number, course in enumerate(patient.lesions, start=1):
            row = table[(table["session_id"] == f"ses-{visit.label}") & (table["lesion"] == number)].iloc[0]
            assert row["volume_ml"] == pytest.approx((labels == number).sum() * voxel_ml)
            asked = course.moments[visit.label].volume_ml
            assert row["volume_ml"] == pytest.approx(asked, abs=voxel_ml + 0.1 * asked)  # less where two lesions meet


def test_the_written_transform_leads_from_the_image_to_the_truth(study: Path) -> None:
    truth = study / "truth" / "sub-01"
    tissue = nib.load(truth / "sub-01_space-truth_desc-tissue_dseg.nii.gz")
    for session in ("01", "02"):
        stem = f"sub-01_ses-{session}"
        path = study / "sub-01" / f"ses-{session}" / "anat" / f"{stem}_T1w.nii.gz"
        image = nib.load(path)
        to_truth = load_itk(truth / f"ses-{session}" / f"{stem}_from-T1w_to-truth_mode-points_xfm.txt")
        index = np.moveaxis(np.indices(image.shape), 0, -1)
        points = to_truth.map(nib.affines.apply_affine(image.affine, index))
        where = np.moveaxis(nib.affines.apply_affine(np.linalg.inv(tissue.affine), points), -1, 0)
        labels = ndimage.map_coordinates(np.asarray(tissue.dataobj), where, order=0)
        grey, white, fluid = (np.median(data(path)[labels == code]) for code in (1, 2, 3))
        assert white > 1.1 * grey > 1.2 * fluid


def test_lesions_are_bright_on_flair_where_the_mask_of_that_grid_says(study: Path) -> None:
    stem = "sub-01_ses-01"
    flair = data(study / "sub-01" / "ses-01" / "anat" / f"{stem}_FLAIR.nii.gz")
    mask = data(study / "truth" / "sub-01" / "ses-01" / f"{stem}_space-FLAIR_label-lesion_mask.nii.gz") > 0
    around = ndimage.binary_dilation(mask, iterations=5) & ~ndimage.binary_dilation(mask, iterations=3)
    assert mask.sum() > 50
    assert np.median(flair[mask]) > 1.3 * np.median(flair[around])


def test_adc_is_written_in_its_stated_unit(study: Path) -> None:
    adc = data(study / "sub-01" / "ses-01" / "dwi" / "sub-01_ses-01_ADC.nii.gz")
    inside = adc[adc > 0]
    assert 650 < np.percentile(inside, 40) < 1000  # brain, in 1e-6 mm²/s
    assert 2500 < np.percentile(inside, 99) < 3500  # fluid
    assert '"um^2/s"' in (study / "sub-01" / "ses-01" / "dwi" / "sub-01_ses-01_ADC.json").read_text()


def test_spectra_are_valid_nifti_mrs_and_agree_with_their_sidecars(study: Path) -> None:
    for path in sorted(SAMPLE.rglob("*_svs.nii.gz")) + sorted(study.rglob("*_svs.nii.gz")):
        spectrum = NIFTI_MRS(str(path))
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert spectrum.hdr_ext["EchoTime"] == sidecar["EchoTime"] < 0.3
        assert spectrum.spectrometer_frequency == sidecar["SpectrometerFrequency"]
        assert spectrum.nucleus == ["1H"]
        assert 1 / spectrum.dwelltime == pytest.approx(sidecar["SpectralWidth"], rel=1e-5)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, study: Path) -> None:
    again = write_study(tmp_path / "again", subjects=1, sessions=2, seed=3, fast=True)
    assert digests(again) == digests(study)


def test_compressed_files_hold_no_time_and_no_name(study: Path) -> None:
    for path in study.rglob("*.nii.gz"):
        head = path.read_bytes()[:10]
        assert head[3] == 0  # no flags, so no name
        assert head[4:8] == b"\0\0\0\0"


def test_random_patients_follow_from_the_seed() -> None:
    assert random_patient(1, 3, seed=5) == random_patient(1, 3, seed=5)
    assert random_patient(1, 3, seed=5) != random_patient(2, 3, seed=5)
    for number in range(1, 12):
        patient = random_patient(number, 3, seed=9)
        assert len(patient.visits) == 3
        assert len({course.name for course in patient.lesions}) == len(patient.lesions) >= 3


def test_lesions_lie_in_territories_that_the_analysis_knows_by_name() -> None:
    known = {(territory.name, territory.side) for territory in territories()}
    for patient in (*sample_patients(), *(random_patient(number, 2, seed=2) for number in range(1, 9))):
        assert {(course.territory, course.side) for course in patient.lesions} <= known


@pytest.mark.parametrize("wrong", [{"subjects": 0}, {"sessions": 0}, {"subjects": 100}])
def test_an_impossible_number_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(StudyError, match=next(iter(wrong))):
        write_study(tmp_path, **wrong)  # type: ignore[arg-type]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(StudyError, match="not empty"):
        write_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_sample_study_is_small_and_has_the_gaps_it_promises() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 25e6
    assert not (SAMPLE / "sub-02" / "ses-02" / "anat" / "sub-02_ses-02_FLAIR.nii.gz").exists()
    assert not (SAMPLE / "sub-02" / "ses-03" / "mrs" / "sub-02_ses-03_acq-long_mrsref.nii.gz").exists()
    raw = NIFTI_MRS(str(SAMPLE / "sub-01" / "ses-01" / "mrs" / "sub-01_ses-01_acq-short_svs.nii.gz"))
    assert raw.dim_tags[:2] == ["DIM_COIL", "DIM_DYN"]


def test_the_sample_patients_follow_their_courses() -> None:
    lesions = read(SAMPLE / "truth" / "lesions.tsv")
    load = lesions.groupby(["participant_id", "session_id"])["volume_ml"].sum()
    worse, better = load["sub-01"].to_numpy(), load["sub-02"].to_numpy()
    assert worse[1] > 1.8 * worse[0]
    assert (np.diff(better) < 0).all()
    content = read(SAMPLE / "truth" / "concentrations.tsv").query("acq == 'short'")
    naa = content[content["metabolite"] == "NAA"].set_index(["participant_id", "session_id"])["mmol_per_kg"]
    assert naa["sub-01"].is_monotonic_decreasing
    assert naa["sub-02"].is_monotonic_increasing


def test_the_committed_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    patient = sample_patients()[0]
    head = make_head(patient.seed, brain_scale=patient.brain_scale, voxel_mm=FULL.truth_mm)
    labels = [visit.label for visit in patient.visits]
    lesions = map_lesions(head, patient.lesions, labels, patient.seed)
    visit = replace(patient.visits[1], contrasts=("FLAIR", "ADC"))
    session = SessionTruth(tmp_path, patient, visit, 1, head, lesions[1])
    write_images(session, FULL)
    write_spectra(session)
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) > 15
    for path in written:
        committed = SAMPLE / path.relative_to(tmp_path)
        if path.suffix == ".json":
            assert path.read_text() == committed.read_text()
        elif path.suffix == ".gz":
            _assert_same_image(path, committed)


def _assert_same_image(made: Path, committed: Path) -> None:
    """Equal but for the last digit of transcendental functions, which differs between processors."""
    new, old = nib.load(made), nib.load(committed)
    assert np.allclose(new.affine, old.affine, atol=1e-5)
    first, second = np.asarray(new.dataobj), np.asarray(old.dataobj)
    if np.iscomplexobj(first):
        assert np.allclose(first, second, rtol=1e-4, atol=1e-4 * np.abs(second).max())
    else:
        assert np.mean(first != second) < 1e-4
