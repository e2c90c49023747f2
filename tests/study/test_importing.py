from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study import RawSpectrum, SpectrumFacts, check_study, open_study, to_image
from hlhneuro.study._additions import additions_to
from hlhneuro.study._contrasts import ImageFacts, guess_contrast
from hlhneuro.study.importing import ImportOptions, SpectrumOptions, import_data

from .made_dicom import SECRETS, write_series

pytest.importorskip("dcm2niix", reason="images need the extra hlhneuro[dicom]")

T1 = {"echo_ms": 2.3, "repetition_ms": 1900, "inversion_ms": 900, "sequence": ["GR", "IR"]}
FLAIR = {"echo_ms": 90, "repetition_ms": 9000, "inversion_ms": 2500, "sequence": ["SE", "IR"]}


def write_text_spectrum(path: Path, *, water: bool = False) -> Path:
    """Two columns: one line at 2.0 ppm (or water), at 123.2 MHz and 0.5 ms per sample."""
    time = np.arange(256) * 5e-4
    fid = np.exp((2j * np.pi * (0.0 if water else 2.65 * 123.2) - 30) * time) * 1000
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.column_stack([fid.real, fid.imag]))
    return path


TOLD = SpectrumFacts(echo_time_s=0.03, dwell_time_s=5e-4, spectrometer_frequency_mhz=123.2, nucleus="1H")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """One visit with six series, imported once."""
    root = tmp_path_factory.mktemp("visit")
    source, study = root / "dicom", root / "study"
    samples = {
        "FLAIR": write_series(source / "a", 3, "t2_tirm_tra_dark-fluid", **FLAIR),
        "T2w": write_series(source / "b", 4, "t2_tse_tra"),
        "T1w": write_series(source / "b", 5, "t1_mprage", **T1),
    }
    write_series(source / "c", 2, "localizer", echo_ms=5, repetition_ms=20, sequence="GR")
    write_series(source / "c", 6, "t1_mprage_km", **T1, ContrastBolusAgent="Gadovist")
    write_series(source / "c", 7, "ep2d_diff_ADC", echo_ms=80, repetition_ms=5000, sequence="EP")
    write_series(source / "c", 8, "funny sequence", echo_ms=45, repetition_ms=900)
    (source / "notes.pdf").write_text("x")
    return source, study, import_data(source, study, "P1", "02"), samples


def test_a_folder_of_dicom_becomes_a_study_that_passes_the_check(imported):
    _, study, outcome, _ = imported
    assert {row.source.split()[1]: row.state for row in outcome.rows if row.source.startswith("series")} == {
        **{"2": "left out", "3": "imported", "4": "imported", "5": "imported", "6": "imported", "7": "imported"},
        "8": "unknown",
    }
    opened = open_study(study)
    session = opened.subjects[0].sessions[0]
    assert (opened.subjects[0].label, opened.subjects[0].sex, session.label) == ("P1", "F", "02")
    assert str(session.date) == "2024-05-17"
    assert session.age_years == pytest.approx(6.2, abs=0.05)  # born 2018-03-10
    assert [scan.contrast for scan in session.images] == ["T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "ADC"]
    assert not opened.problems
    assert check_study(opened).ok


def test_what_cannot_be_told_is_listed_with_the_option_that_tells_it(imported):
    _, _, outcome, _ = imported
    (row,) = [row for row in outcome.rows if row.state == "unknown"]
    assert not outcome.ok
    assert "--contrast 8=FLAIR" in row.remedy
    assert row.name == ""


def test_images_keep_their_samples_and_their_place(imported):
    _, study, _, samples = imported
    for contrast, pixels in samples.items():
        image = nib.load(study / f"sub-P1/ses-02/anat/sub-P1_ses-02_{contrast}.nii.gz")
        # Position of DICOM sample (0, 0, 0) is (-8, -10, -6) mm towards left and back: RAS (8, 10, -6).
        index = np.linalg.inv(image.affine) @ [8, 10, -6, 1]
        i, j, k = np.round(index[:3]).astype(int)
        np.testing.assert_allclose(index[:3], [i, j, k], atol=1e-4)
        assert np.asarray(image.dataobj)[i, j, k] == pixels[0, 0, 0]
        far = np.round(np.linalg.inv(image.affine) @ [8 - 2 * 7, 10 - 2 * 9, -6 + 4 * 3, 1])[:3].astype(int)
        assert np.asarray(image.dataobj)[tuple(far)] == pixels[7, 9, 3]


def test_nothing_in_the_study_names_the_patient(imported):
    _, study, _, _ = imported
    for path in study.rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for secret in SECRETS:
                assert secret.encode() not in content, f"{secret} in {path.name}"
                assert secret not in path.name


def test_a_name_typed_into_a_description_is_left_out(tmp_path):
    write_series(tmp_path / "in", 3, "flair DOE baseline", **FLAIR)
    import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    sidecar = json.loads((tmp_path / "study/sub-01/ses-01/anat/sub-01_ses-01_FLAIR.json").read_text())
    assert "doe" not in json.dumps(sidecar).lower()
    assert sidecar["EchoTime"] == 0.09


def test_a_second_import_changes_nothing_and_a_contrast_can_be_told(imported):
    source, study, first, _ = imported
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    again = import_data(source, study, "P1", "02")
    assert again.written == ()
    assert set(again.unchanged) >= {name for name in first.written if name.endswith(".nii.gz")}
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before
    told = import_data(source, study.parent / "other", "P1", "02", ImportOptions({"8": "PDw", "t2_tse_tra": "skip"}))
    assert told.ok
    names = {Path(name).name for name in told.written}
    assert "sub-P1_ses-02_PDw.nii.gz" in names
    assert "sub-P1_ses-02_T2w.nii.gz" not in names


def test_nothing_is_replaced_unless_asked_for(tmp_path):
    study = tmp_path / "study"
    write_series(tmp_path / "one", 3, "flair", **FLAIR)
    write_series(tmp_path / "two", 9, "flair", **FLAIR)
    write_series(tmp_path / "two", 10, "t2 tse")
    import_data(tmp_path / "one", study, "01", "01")
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    with pytest.raises(StudyError, match="--overwrite"):
        import_data(tmp_path / "two", study, "01", "01")
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before
    import_data(tmp_path / "two", study, "01", "01", ImportOptions(overwrite=True))
    image = study / "sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz"
    assert image.read_bytes() != before[image]
    assert not list(study.glob(".import*"))


def test_several_images_of_one_contrast_are_told_apart(tmp_path):
    write_series(tmp_path / "in", 3, "flair ax", **FLAIR)
    write_series(tmp_path / "in", 4, "flair ax again", **FLAIR)
    write_series(
        tmp_path / "in", 5, "flair cor", **FLAIR, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], slices=1
    )  # one slice: left out
    outcome = import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    names = [Path(row.name).name for row in outcome.rows if row.state == "imported"]
    assert names == ["sub-01_ses-01_acq-ax2d_run-1_FLAIR.nii.gz", "sub-01_ses-01_acq-ax2d_run-2_FLAIR.nii.gz"]


def test_the_name_of_the_whole_examination_does_not_mislead(tmp_path):
    write_series(tmp_path / "in", 3, "Ax T1", echo_ms=12, repetition_ms=600, ProtocolName="BRAIN FLAIR W CONTRAST")
    outcome = import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    assert [Path(row.name).name for row in outcome.rows] == ["sub-01_ses-01_T1w.nii.gz"]


def test_what_was_imported_keeps_its_name_when_more_comes(tmp_path):
    study = tmp_path / "study"
    write_series(tmp_path / "in", 4, "flair", **FLAIR)
    write_series(tmp_path / "in", 3, "funny", echo_ms=45, repetition_ms=900)
    import_data(tmp_path / "in", study, "01", "01")
    outcome = import_data(tmp_path / "in", study, "01", "01", ImportOptions({"3": "FLAIR"}))
    names = sorted(path.name for path in (study / "sub-01/ses-01/anat").glob("*.nii.gz"))
    assert names == ["sub-01_ses-01_FLAIR.nii.gz", "sub-01_ses-01_acq-ax2d_run-1_FLAIR.nii.gz"]
    assert check_study(open_study(study)).ok  # no image is there twice
    assert {Path(row.name).name for row in outcome.rows} == set(names)


def test_an_unmarked_t1_after_contrast_agent_is_not_guessed(tmp_path):
    write_series(tmp_path / "in", 3, "t1 se post gd", echo_ms=12, repetition_ms=600)
    write_series(tmp_path / "in", 4, "t1 se", echo_ms=12, repetition_ms=600)
    outcome = import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    assert [(row.source.split()[1], row.state) for row in outcome.rows] == [("4", "unknown"), ("3", "imported")]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"PatientID": "0815"}, "more than one patient"), ({"StudyDate": "20240601"}, "more than one day")],
)
def test_a_mixed_folder_is_refused_before_anything_is_written(tmp_path, change, words):
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    write_series(tmp_path / "in", 4, "t2 tse", **change)
    with pytest.raises(StudyError, match=words) as error:
        import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    assert not (tmp_path / "study").exists()
    assert not any(secret in str(error.value) for secret in ("Doe", "4711", "0815"))


def test_an_examination_that_goes_on_past_midnight_is_one_visit(tmp_path):
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    write_series(tmp_path / "in", 4, "t2 tse", AcquisitionDate="20240518", SeriesDate="20240518")
    import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    assert str(open_study(tmp_path / "study").subjects[0].sessions[0].date) == "2024-05-17"


def test_a_diffusion_series_keeps_its_b_values(tmp_path):
    for volume, b_value in enumerate((0.0, 1000.0)):
        write_series(
            tmp_path / "in" / str(volume), 3, "ep2d_diff", echo_ms=80, repetition_ms=5000, sequence="EP",
            first_instance=1 + 4 * volume, DiffusionBValue=b_value, DiffusionGradientOrientation=[0.0, 0.0, 1.0],
        )  # fmt: skip
    import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    stem = tmp_path / "study/sub-01/ses-01/dwi/sub-01_ses-01_dwi"
    assert nib.load(f"{stem}.nii.gz").shape == (8, 10, 4, 2)
    assert Path(f"{stem}.bval").read_text().split() == ["0", "1000"]
    assert len(Path(f"{stem}.bvec").read_text().splitlines()) == 3


def test_what_a_table_says_already_stays(tmp_path):
    study = tmp_path / "study"
    (study / "sub-01").mkdir(parents=True)
    (study / "participants.tsv").write_text("participant_id\tage\tsex\tdiagnosis\nsub-01\tn/a\tn/a\tHLH\n")
    (study / "sub-01/sub-01_sessions.tsv").write_text("session_id\tacq_time\nses-01\t2001-01-01\n")
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    import_data(tmp_path / "in", study, "01", "01")
    assert (study / "participants.tsv").read_text() == "participant_id\tage\tsex\tdiagnosis\nsub-01\tn/a\tF\tHLH\n"
    assert "ses-01\t2001-01-01\t6.2" in (study / "sub-01/sub-01_sessions.tsv").read_text()


def test_a_disk_that_refuses_leaves_the_study_as_it_was(tmp_path, monkeypatch):
    with additions_to(tmp_path / "study") as additions:
        additions.add_bytes("a.txt", b"1")
        additions.commit(overwrite=False)
    real, calls = Path.replace, []

    def fails_on_the_third(self, target):
        calls.append(self)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(self, target)

    with additions_to(tmp_path / "study") as additions, monkeypatch.context() as patch:
        additions.add_bytes("a.txt", b"2")
        additions.add_bytes("sub/b.txt", b"3")
        patch.setattr(Path, "replace", fails_on_the_third)
        with pytest.raises(StudyError, match="as it was"):
            additions.commit(overwrite=True)
    assert [path.name for path in (tmp_path / "study").rglob("*")] == ["a.txt"]
    assert (tmp_path / "study/a.txt").read_bytes() == b"1"


def test_a_spectrum_and_its_water_reference_are_paired(tmp_path):
    study, said = tmp_path / "study", SpectrumOptions(TOLD, voi="lesion")
    import_data(write_text_spectrum(tmp_path / "a.txt"), study, "01", "01", ImportOptions(spectra=said))
    water = SpectrumOptions(TOLD, water={"b.txt": ""}, voi="lesion")
    import_data(write_text_spectrum(tmp_path / "b.txt", water=True), study, "01", "01", ImportOptions(spectra=water))
    session = open_study(study).subjects[0].sessions[0]
    assert dict(session.spectra[0].entities) == dict(session.water_references[0].entities)
    assert session.spectra[0].sidecar["EchoTime"] == 0.03
    assert session.spectra[0].sidecar["WaterSuppression"] is True
    assert session.water_references[0].sidecar["WaterSuppression"] is False
    rows = check_study(open_study(study)).rows
    assert any(row.item.startswith("water reference of") and row.state == "present" for row in rows)


def write_named_spectra(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        raw = RawSpectrum(
            (np.random.default_rng(number).standard_normal((1, 1, 1, 128)) + 1j).astype(np.complex64),
            5e-4,
            {"SpectrometerFrequency": 123.2, "ResonantNucleus": "1H", "EchoTime": 0.03},
            np.eye(4),
            name,
        )
        folder.mkdir(parents=True, exist_ok=True)
        nib.save(to_image(raw, "test"), folder / f"{name}.nii.gz")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            {"lesion_act", "lesion_ref"},
            {"lesion_act": "acq-te30_svs", "lesion_ref": "acq-te30_mrsref"},
        ),
        (  # two pairs: the words of the names say which belong together
            {"left_act", "left_ref", "right_act", "right_ref"},
            {
                **{"left_act": "acq-te30_run-1_svs", "right_act": "acq-te30_run-2_svs"},
                **{"left_ref": "acq-te30_run-1_mrsref", "right_ref": "acq-te30_run-2_mrsref"},
            },
        ),
        (  # nothing says to which the reference belongs: it gets the name of neither
            {"left", "right", "x_ref"},
            {"left": "acq-te30_run-1_svs", "right": "acq-te30_run-2_svs", "x_ref": "acq-te30_run-3_mrsref"},
        ),
        (  # one for eddy currents, one for quantification
            {"a_act", "a_ref", "a_ref_ecc"},
            {"a_act": "acq-te30_svs", "a_ref": "acq-te30_mrsref", "a_ref_ecc": "acq-te30ecc_mrsref"},
        ),
    ],
)
def test_which_reference_belongs_to_which_spectrum(tmp_path, names, expected):
    write_named_spectra(tmp_path / "in", *sorted(names))
    outcome = import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    found = {row.source.partition(".")[0]: Path(row.name).name.removesuffix(".nii.gz") for row in outcome.rows}
    assert found == {name: f"sub-01_ses-01_{stem}" for name, stem in expected.items()}
    for path in (tmp_path / "study").rglob("*_svs.json"):
        partner = json.loads(path.read_text()).get("ReferenceSignal")
        exists = path.with_name(path.name.replace("_svs.json", "_mrsref.nii.gz")).is_file()
        assert (partner is not None) == exists


def test_a_sidecar_corrected_by_hand_stays_and_is_completed(tmp_path):
    write_named_spectra(tmp_path / "in", "a_act")
    import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    (path,) = (tmp_path / "study").rglob("*_svs.json")
    path.write_text(json.dumps({"EchoTime": 0.03, "PulseSequenceType": "PRESS", "note": "mine"}))
    write_named_spectra(tmp_path / "in", "a_act", "a_ref")
    import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    fields = json.loads(path.read_text())
    assert fields["note"] == "mine"
    assert fields["ReferenceSignal"] == "bids::sub-01/ses-01/mrs/sub-01_ses-01_acq-te30_mrsref.nii.gz"


def test_a_text_spectrum_asks_for_what_it_does_not_say(tmp_path):
    path = write_text_spectrum(tmp_path / "a.txt")
    for facts, option in (
        (SpectrumFacts(), "--dwell-time-s"),
        (SpectrumFacts(dwell_time_s=5e-4), "--spectrometer-frequency-mhz"),
        (SpectrumFacts(dwell_time_s=5e-4, spectrometer_frequency_mhz=123.2), "--nucleus"),
    ):
        with pytest.raises(InputError, match=option):
            import_data(path, tmp_path / "study", "01", "01", ImportOptions(spectra=SpectrumOptions(facts)))
    assert not (tmp_path / "study").exists()


def test_a_spectrum_that_cannot_be_read_is_a_row_and_the_rest_is_imported(tmp_path):
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    (tmp_path / "in" / "broken.RAW").write_text("no header")
    (tmp_path / "in" / "alone.SDAT").write_bytes(b"")
    outcome = import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    states = {row.source: row.state for row in outcome.rows}
    assert states == {"series 3 flair": "imported", "broken.RAW": "failed", "alone.SDAT": "failed"}
    assert all(row.remedy for row in outcome.rows if row.state == "failed")


def test_without_dcm2niix_the_remedy_is_an_installation(tmp_path, monkeypatch):
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    monkeypatch.setitem(sys.modules, "dcm2niix", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match=r"pip install 'hlhneuro\[dicom\]'"):
        import_data(tmp_path / "in", tmp_path / "study", "01", "01")
    assert not (tmp_path / "study").exists()


def test_sources_and_studies_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    write_series(tmp_path / "in", 3, "flair", **FLAIR)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dataset_description.json").write_text(json.dumps({"DatasetType": "derivative"}))
    good = {"subject": "01", "session": "01"}
    for source, study, labels, options, words in (
        ("absent", "s", good, None, "nothing to import"),
        ("empty", "s", good, None, "nothing that can be imported"),
        ("in", "in/study", good, None, "inside the folder"),
        ("in", "out", good, None, "output folder"),
        ("in", "s", {"subject": "a b", "session": "01"}, None, "letters and digits"),
        ("in", "s", good, ImportOptions({"77": "FLAIR"}), "3 \\(flair\\)"),
        ("in", "s", good, ImportOptions({"3": "T9w"}), "not a contrast"),
    ):
        with pytest.raises(StudyError, match=words):
            import_data(tmp_path / source, tmp_path / study, **labels, options=options)
    assert not (tmp_path / "s").exists()


# ------------------------------------------------------------------ which contrast


def guess(text: str, te: float | None = None, tr: float | None = None, ti: float | None = None, kind: str = "",
          types: tuple[str, ...] = (), **more: object):  # fmt: skip
    sidecar = {"EchoTime": te, "RepetitionTime": tr, "InversionTime": ti, "ScanningSequence": kind, "ImageType": types}
    return guess_contrast(ImageFacts(text, sidecar, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contrast", "text", "facts"),
    [
        # Names as the makers and technologists write them, times of clinical protocols.
        ("T1w", "t1_mprage_sag_p2_iso", {"te": 0.00226, "tr": 1.9, "ti": 0.9, "kind": "GR\\IR"}),
        ("T1w", "Ax T1 FLAIR", {"te": 0.022, "tr": 2.2, "ti": 0.75, "kind": "SE\\IR"}),
        ("T1w", "Sag 3D BRAVO", {"te": 0.003, "tr": 0.0084, "ti": 0.45, "kind": "GR"}),
        ("T1w", "t1 posterior fossa", {"te": 0.012, "tr": 0.65, "kind": "SE"}),
        ("T1w", "t1 without contrast", {}),
        ("T1w", "T1W_3D_TFE_pre", {"te": 0.0038, "tr": 0.0082, "kind": "GR"}),
        ("ce-gadolinium_T1w", "t1_se_tra_KM", {"te": 0.0078, "tr": 0.6, "kind": "SE"}),
        ("ce-gadolinium_T1w", "AX T1 +C", {"te": 0.012, "tr": 0.65, "kind": "SE"}),
        ("ce-gadolinium_T1w", "sT1W_3D_TFE", {"te": 0.0038, "tr": 0.0082, "kind": "GR", "agent": True}),
        ("ce-gadolinium_T1w", "T1 post-contrast", {}),
        ("FLAIR", "t2_tirm_tra_dark-fluid", {"te": 0.09, "tr": 9.0, "ti": 2.5, "kind": "SE\\IR"}),
        ("FLAIR", "Sag CUBE T2 FLAIR", {"te": 0.12, "tr": 6.0, "ti": 1.8, "kind": "SE"}),
        ("FLAIR", "FLAIR_longTR", {"te": 0.125, "tr": 11.0, "ti": 2.8, "agent": True}),
        ("ce-gadolinium_FLAIR", "FLAIR +C", {"te": 0.125, "tr": 11.0, "ti": 2.8}),
        ("T2w", "t2_tse_tra_512", {"te": 0.1, "tr": 5.0, "kind": "SE"}),
        ("T1w", "3DT1", {"te": 0.0046, "tr": 0.0098, "kind": "GR"}),
        ("T2w", "sT2W_TSE", {"te": 0.08, "tr": 3.0, "kind": "SE"}),
        ("T2starw", "sT2W_FFE", {"te": 0.023, "tr": 0.7, "kind": "GR"}),
        ("T2w", "T2W_TSE", {"te": 0.08, "tr": 3.0, "kind": "SE"}),
        ("T2starw", "t2_fl2d_tra_hemo", {"te": 0.02, "tr": 0.6, "kind": "GR"}),
        ("T2starw", "AX T2* GRE", {"te": 0.02, "tr": 0.65, "kind": "GR"}),
        ("SWI", "SWI_Images", {"te": 0.02, "tr": 0.027, "kind": "GR"}),
        ("minIP", "mIP_Images(SW)", {"types": ("DERIVED", "PRIMARY", "MNIP")}),
        ("ADC", "ep2d_diff_3scan_ADC", {"types": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}),
        ("trace", "ep2d_diff_TRACEW", {"types": ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"), "volumes": 2}),
        ("dwi", "DTI_64", {"volumes": 65, "diffusion": True}),
        ("PDw", "pd_tse", {"te": 0.015, "tr": 3.0, "kind": "SE"}),
        ("PDw", "PD/T2 dual", {"te": 0.015, "tr": 3.0, "kind": "SE"}),
        ("T2w", "PD/T2 dual", {"te": 0.1, "tr": 3.0, "kind": "SE"}),
        ("T2w", "Brain axial", {"te": 0.1, "tr": 5.0, "kind": "SE"}),  # by its timing alone
        ("FLAIR", "Brain axial", {"te": 0.1, "tr": 9.0, "ti": 2.5, "kind": "SE\\IR"}),
    ],
)
def test_contrasts_of_clinical_protocols(contrast, text, facts):
    assert guess(text, **facts).contrast == contrast


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("FLAIR", {"te": 0.09, "tr": 9.0, "ti": 0.9}),  # the name and the timing contradict each other
        ("t1_tse", {"te": 0.1, "tr": 5.0}),
        ("t1_mp2rage_UNI", {"te": 0.003, "tr": 5.0, "ti": 0.7}),
        ("T2 STIR", {"te": 0.08, "tr": 5.0, "ti": 0.17}),
        ("t1_pre", {"te": 0.012, "tr": 0.6, "agent": True}),  # before and after contrast agent at once
        ("Brain axial", {}),  # nothing is known
        ("Brain axial", {"te": 0.1, "tr": 9.0}),  # may be T2w or FLAIR: no kind of echo
        ("Planning", {"te": 0.0025, "tr": 0.008, "kind": "GR"}),  # timed like a T1w, but so are localizers
        ("Mag_Images", {"te": 0.02, "tr": 0.027, "kind": "GR"}),
        ("t2 dynamic", {"te": 0.1, "tr": 5.0, "volumes": 40}),
    ],
)
def test_what_is_not_certain_is_not_guessed(text, facts):
    found = guess(text, **facts)
    assert found.contrast is None
    assert found.why
    assert not found.unused


@pytest.mark.parametrize(
    "text",
    ["localizer", "AAHead_Scout", "3-plane Loc", "TOF_3D", "ep2d_perf", "ASSET calibration", "T1 MPR cor", "SUB"],
)
def test_images_of_no_use_are_left_out(text):
    assert guess(text).unused
