"""Opening a study: what is found, what is told, and that only the study as a whole can fail."""

from __future__ import annotations

import datetime as dt
import os
import pickle

import pytest

from hlhneuro.errors import StudyError
from hlhneuro.study.layout import open_study


def only_session(build):
    (subject,) = open_study(build.root).subjects
    (session,) = subject.sessions
    return session


def said(problems, *words):
    """Return whether one sentence holds all the words."""
    return any(all(word in problem for word in words) for problem in problems)


def test_contrasts_are_found_in_a_fixed_order(build):
    for name in [
        "swi/minIP.nii.gz", "swi/swi.nii.gz", "swi/part-phase_GRE.nii.gz", "anat/T2starw.nii", "dwi/ADC.nii.gz",
        "dwi/FA.nii.gz", "dwi/trace.nii.gz", "anat/FLAIR.nii.gz", "anat/T2w.nii", "anat/ce-gadolinium_T1w.nii.gz",
        "anat/T1w.nii.gz", "mrs/acq-short_svs.nii.gz", "mrs/acq-short_mrsref.nii.gz", "mrs/acq-long_svs.nii.gz",
        "mrs/mrsi.nii.gz", "mrs/unloc.nii.gz", "dwi/dwi.nii.gz",
    ]:  # fmt: skip
        build.image(name)
    session = only_session(build)
    assert [scan.contrast for scan in session.images] == [
        "T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "ADC", "trace", "FA", "T2starw", "SWI", "dwi", "minIP",
        "part-phase_GRE",
    ]  # fmt: skip
    assert [scan.contrast for scan in session.spectra] == ["svs", "svs", "mrsi", "unloc"]
    assert [scan.entities.get("acq") for scan in session.spectra] == ["long", "short", None, None]
    assert [scan.entities["acq"] for scan in session.water_references] == ["short"]
    assert session.image("FLAIR").path.name == "sub-01_ses-01_FLAIR.nii.gz"
    assert session.image("PDw") is None


@pytest.mark.parametrize("agent", ["gadolinium", "gd", "GAD", "Gadovist", "postGd", "contrast"])
def test_every_spelling_of_the_contrast_agent_is_one_contrast(build, agent):
    build.image(f"anat/ce-{agent}_T1w.nii.gz")
    assert [scan.contrast for scan in only_session(build).images] == ["ce-gadolinium_T1w"]


@pytest.mark.parametrize(
    ("name", "contrast"),
    [("anat/T1W.nii.gz", "T1w"), ("anat/Flair.nii.gz", "FLAIR"), ("dwi/adc.nii.gz", "ADC"),
     ("dwi/acq-ADC_dwi.nii", "ADC")],
)  # fmt: skip
def test_near_names_are_read_and_told(build, name, contrast):
    path = build.image(name)
    session = only_session(build)
    assert [scan.contrast for scan in session.images] == [contrast]
    assert said(session.problems, path.name, f"read as {contrast}")


def test_a_study_without_session_folders_has_session_01(build):
    build.image("anat/T1w.nii.gz", session=None)
    build.participants("sub-01\t4.5\tF")
    session = only_session(build)
    assert (session.label, session.age_years, session.problems) == ("01", 4.5, ())


def test_files_that_cannot_be_used_are_named(build):
    build.image("anat/T1w.nii.gz")
    folder = build.root / "sub-01" / "ses-01"
    for name, words in {
        "anat/T2w.nii.gz": ["T2w.nii.gz", "does not start with sub-01_ses-01"],
        "anat/sub-02_ses-01_T2w.nii.gz": ["sub-02", "rename"],
        "anat/sub-01_T2w.nii.gz": ["sub-01_T2w", "rename"],
        "anat/sub-01_ses-01_acq-x.nii.gz": ["acq-x", "contrast"],
        "anat/sub-01_ses-01_T2w.NII.GZ": ["NII.GZ", "small letters"],
        "anat/sub-01_ses-01_T1w.nii": ["T1w.nii is not read", "delete"],
        "anat/sub-01_ses-01_T2w.dcm": ["dcm", "hlhneuro import"],
        "mrs/sub-01_ses-01_FLAIR.nii.gz": ["FLAIR.nii.gz is not read", "spectra"],
        "anat/sub-01_ses-01_svs.nii.gz": ["svs.nii.gz is not read", "mrs/"],
        "sub-01_ses-01_FLAIR.nii.gz": ["FLAIR", "lies outside anat/"],
        "diffusion/sub-01_ses-01_ADC.nii.gz": ["diffusion/", "anat, dwi"],
        "anat/old/sub-01_ses-01_FLAIR.nii.gz": ["anat/old/", "further folder"],
    }.items():
        build.text(f"sub-01/ses-01/{name}", "")
        session = only_session(build)
        assert said(session.problems, *words), (name, session.problems)
        assert [scan.path.name for scan in session.images] == ["sub-01_ses-01_T1w.nii.gz"]
    before = only_session(build).problems
    (folder / "anat" / "._sub-01_ses-01_T2w.nii.gz").touch()
    (folder / "func").mkdir()
    assert only_session(build).problems == before


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_whose_file_is_not_fetched_is_named(build):
    build.image("anat/T1w.nii.gz")
    (build.root / "sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz").symlink_to("../../.git/annex/absent")
    session = only_session(build)
    assert session.image("FLAIR") is None
    assert said(session.problems, "FLAIR", "datalad get")


def test_of_several_runs_the_first_is_used(build):
    for run in ("10", "2", "1"):
        build.image(f"anat/run-{run}_FLAIR.nii.gz")
    session = only_session(build)
    assert session.image("FLAIR").entities["run"] == "1"
    assert said(session.problems, "3 images of FLAIR", "sub-01_ses-01_run-1_FLAIR.nii.gz is used", "run-2", "run-10")


def test_the_acquisition_that_most_sessions_have_is_used(build):
    build.image("anat/acq-a_FLAIR.nii.gz", session="01")
    build.image("anat/acq-thin_FLAIR.nii.gz", session="01")
    build.image("anat/acq-thin_FLAIR.nii.gz", session="02")
    (subject,) = open_study(build.root).subjects
    assert [session.image("FLAIR").entities["acq"] for session in subject.sessions] == ["thin", "thin"]


def test_the_nearer_sidecar_wins_and_the_rest_is_inherited(build):
    build.json("T1w.json", {"MagneticFieldStrength": 3, "EchoTime": 0.001, "Manufacturer": "root"})
    build.json("sub-01/sub-01_T1w.json", {"EchoTime": 0.002, "Manufacturer": "subject"})
    build.image("anat/T1w.nii.gz", sidecar={"EchoTime": 0.003})
    build.image("anat/FLAIR.nii.gz")
    session = only_session(build)
    assert session.image("T1w").sidecar == {"MagneticFieldStrength": 3, "EchoTime": 0.003, "Manufacturer": "subject"}
    assert session.image("FLAIR").sidecar == {}


def test_an_echo_time_is_never_borrowed_from_the_scan_beside(build):
    build.image("anat/T1w.nii.gz", sidecar={"EchoTime": 0.003})
    build.image("anat/ce-gadolinium_T1w.nii.gz")
    assert only_session(build).image("ce-gadolinium_T1w").sidecar == {}


def test_an_edited_sidecar_is_seen(build):
    path = build.image("mrs/svs.nii.gz", sidecar={"EchoTime": 30})
    assert only_session(build).spectra[0].sidecar["EchoTime"] == 30
    path.with_name("sub-01_ses-01_svs.json").write_text('{"EchoTime": 0.03}')
    assert only_session(build).spectra[0].sidecar["EchoTime"] == 0.03


@pytest.mark.parametrize("broken", ["", "{", "[1]", "\ufeff{"])
def test_a_broken_sidecar_is_told_and_the_scan_kept(build, broken):
    build.image("anat/T1w.nii.gz")
    build.text("sub-01/ses-01/anat/sub-01_ses-01_T1w.json", broken)
    session = only_session(build)
    assert session.image("T1w").sidecar == {}
    assert said(session.problems, "sub-01_ses-01_T1w.json", "Remedy")


def test_a_byte_order_mark_does_not_hurt(build):
    build.image("anat/T1w.nii.gz")
    build.text("sub-01/ses-01/anat/sub-01_ses-01_T1w.json", '\ufeff{"EchoTime": 0.003}')
    build.text("participants.tsv", "\ufeffparticipant_id\tage\tsex\tgenotype\r\nsub-01\t4,5\tfemale\tPRF1\r\n\r\n")
    build.text(
        "sub-01/sub-01_sessions.tsv",
        "\ufeffsession_id\tacq_time\tanaesthesia\r\nses-01\t2021-03-04T10:20:30\tpropofol\r\n",
    )
    study = open_study(build.root)
    (subject,) = study.subjects
    (session,) = subject.sessions
    assert session.image("T1w").sidecar == {"EchoTime": 0.003}
    assert (subject.sex, subject.covariates) == ("F", {"genotype": "PRF1"})
    assert (session.date, session.age_years) == (dt.date(2021, 3, 4), 4.5)
    assert session.covariates == {"anaesthesia": "propofol"}
    assert (study.problems, subject.problems, session.problems) == ((), (), ())


@pytest.mark.parametrize(
    ("cell", "units", "years", "words"),
    [
        ("4.5", None, 4.5, None),
        ("89+", None, 89.0, "89 years or more"),
        ("18", "months", 1.5, None),
        ("n/a", None, None, "unknown"),
        ("", None, None, "unknown"),
        ("four", None, None, "not a number"),
        ("-1", None, None, "not a number"),
        ("450", None, None, "beyond 120"),
        ("4", "furlongs", None, "furlongs"),
    ],
)
def test_ages(build, cell, units, years, words):
    build.image("anat/T1w.nii.gz")
    build.participants(f"sub-01\t{cell}\tM")
    if units:
        build.json("participants.json", {"age": {"Units": units}})
    session = only_session(build)
    assert session.age_years == years
    assert said(session.problems, words) if words else session.problems == ()


def test_the_age_of_a_participant_is_not_that_of_several_sessions(build):
    build.image("anat/T1w.nii.gz", session="01")
    build.image("anat/T1w.nii.gz", session="02")
    build.participants("sub-01\t4.5\tM")
    build.sessions("ses-01\t2020-01-01\tn/a", "ses-02\t2020-02-01\t4.6")
    (subject,) = open_study(build.root).subjects
    assert [session.age_years for session in subject.sessions] == [None, 4.6]
    assert said(subject.sessions[0].problems, "the age at ses-01 is unknown")


def two_sessions(build, first, second, ages=("n/a", "n/a")):
    build.image("anat/T1w.nii.gz", session="1")
    build.image("anat/T1w.nii.gz", session="10")
    build.image("anat/T1w.nii.gz", session="2")
    build.sessions(f"ses-1\t{first}\t{ages[0]}", f"ses-2\t{second}\t{ages[1]}", "ses-10\t2022-01-01\tn/a")
    (subject,) = open_study(build.root).subjects
    return subject, [session.label for session in subject.sessions]


def test_sessions_stand_in_order_of_date(build):
    subject, labels = two_sessions(build, "2021-03-01", "2021-01-01T08:00:00.5Z")
    assert labels == ["2", "1", "10"]
    assert said(subject.problems, "ordered by date, not label: ses-2, ses-1, ses-10")


@pytest.mark.parametrize("missing", ["n/a", "01/02/2021", "2021-13-01", "soon"])
def test_without_a_date_sessions_stand_in_order_of_label(build, missing):
    subject, labels = two_sessions(build, "2021-03-01", missing)
    assert labels == ["1", "2", "10"]
    assert said(subject.problems, "the date of ses-2 is missing", "ordered by label")
    if missing != "n/a":
        assert said(subject.sessions[1].problems, missing, "cannot be read as a date")


def test_two_sessions_of_one_day_stand_in_order_of_label(build):
    subject, labels = two_sessions(build, "2021-03-01", "2021-03-01")
    assert labels == ["1", "2", "10"]
    assert said(subject.problems, "ses-1 and ses-2 bear the same date")


def test_ages_that_contradict_the_dates_are_told(build):
    subject, _ = two_sessions(build, "2021-01-01", "2021-07-01", ("4", "5"))
    assert not said(subject.problems, "contradict")
    subject, _ = two_sessions(build, "2021-01-01", "2021-07-01", ("4", "6"))
    assert said(subject.problems, "contradict", "2.0 years by age", "0.5 years by date")


def test_the_date_can_come_from_scans_tsv(build):
    build.image("anat/T1w.nii.gz")
    build.text(
        "sub-01/ses-01/sub-01_ses-01_scans.tsv",
        "filename\tacq_time\nanat/b.nii.gz\t2020-05-02T10:00:00\nanat/a.nii.gz\t2020-05-01T23:00:00\n",
    )
    assert only_session(build).date == dt.date(2020, 5, 1)


def test_what_names_the_patient_is_not_kept(build):
    build.image(
        "anat/T1w.nii.gz", sidecar={"PatientName": "Doe^Jane", "PatientBirthDate": "20100101", "EchoTime": 0.01}
    )
    build.participants(
        "sub-01\t4\tF\tDoe\t2010-01-01\t77\tPRF1\t2.9",
        header="participant_id\tage\tsex\tName\tdate_of_birth\tPatient_ID\tgenotype\tbirth_weight",
    )
    build.sessions("ses-01\t2020-01-01\t4\tDoe", header="session_id\tacq_time\tage\tlast_name")
    study = open_study(build.root)
    (subject,) = study.subjects
    assert subject.covariates == {"genotype": "PRF1", "birth_weight": "2.9"}
    assert said(study.problems, "Name, date_of_birth, Patient_ID", "Remove")
    assert said(subject.problems, "last_name", "Remove")
    assert subject.sessions[0].image("T1w").sidecar == {"EchoTime": 0.01}
    assert said(subject.sessions[0].problems, "PatientName", "Remove")
    assert "Doe" not in repr(study)
    assert "2010" not in repr(study)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["participants.tsv", "empty"]),
        ("id\tage\nsub-01\t4\n", ["participants.tsv", "participant_id is missing"]),
        ("participant_id\nsub-01\t4\t5\n", ["row 2 has 3 cells"]),
        ("participant_id\tage\nsub-01\t4\nsub-01\t5\n", ["sub-01 is listed twice"]),
        ("participant_id\tage\nsub-01\t4\nsub-99\t5\n", ["99", "no folder sub-99"]),
    ],
)
def test_a_faulty_table_is_told_and_the_study_goes_on(build, content, words):
    build.image("anat/T1w.nii.gz")
    build.text("participants.tsv", content)
    study = open_study(build.root)
    assert said(study.problems, *words), study.problems
    assert study.subject("01").sessions[0].image("T1w") is not None
    assert study.subject("99") is None


def test_a_table_in_another_encoding_is_told(build):
    build.image("anat/T1w.nii.gz")
    build.text("participants.tsv", "participant_id\tnote\nsub-01\tfièvre\n", encoding="latin-1")
    assert said(open_study(build.root).problems, "participants.tsv", "UTF-8")


def test_rows_and_folders_that_do_not_meet_are_told(build):
    build.image("anat/T1w.nii.gz", session="01")
    build.image("anat/T1w.nii.gz", session="02")
    build.image("anat/T1w.nii.gz", session=None)
    build.participants("sub-02\t4\tF")
    build.sessions("ses-01\t2020-01-01\t4", "ses-3\t2020-02-01\t4")
    study = open_study(build.root)
    (subject,) = study.subjects
    assert said(study.problems, "lists 02")
    assert said(subject.problems, "sub-01 is not listed in participants.tsv")
    assert said(subject.problems, "lists 3", "no folder ses-3")
    assert said(subject.problems, "sub-01_T1w.nii.gz lies outside the session folders")
    assert said(subject.sessions[1].problems, "ses-02 is not listed")


def test_labels_that_bids_does_not_allow_are_told(build):
    build.image("anat/T1w.nii.gz")
    (build.root / "sub-01_b" / "anat").mkdir(parents=True)
    (build.root / "sub-01" / "ses-a_b").mkdir()
    study = open_study(build.root)
    assert said(study.problems, "sub-01_b/")
    assert said(study.subjects[0].problems, "ses-a_b/")


def test_an_empty_subject_and_an_empty_session_go_on(build):
    build.image("anat/T1w.nii.gz", subject="01")
    (build.root / "sub-02").mkdir()
    (build.root / "sub-03" / "ses-01").mkdir(parents=True)
    study = open_study(build.root)
    assert said(study.subject("02").problems, "no images and no spectra")
    assert study.subject("02").sessions == ()
    assert said(study.subject("03").sessions[0].problems, "no images and no spectra")


def test_the_folder_may_have_any_name(tmp_path, monkeypatch):
    from tests.study.builders import StudyBuilder

    for name in ("study.v2", "sub-9/study", "with space é"):
        build = StudyBuilder(tmp_path / name)
        build.image("dwi/ADC.nii.gz")
        (subject,) = open_study(build.root).subjects
        assert [(scan.datatype, scan.contrast) for scan in subject.sessions[0].images] == [("dwi", "ADC")]
    monkeypatch.chdir(tmp_path / "study.v2")
    assert len(open_study(".").subjects) == 1


def test_a_missing_description_is_a_problem_with_a_remedy(build):
    build.image("anat/T1w.nii.gz")
    (build.root / "dataset_description.json").unlink()
    study = open_study(build.root)
    assert study.name == "study"
    assert said(study.problems, "dataset_description.json is missing", "write one")
    build.text("dataset_description.json", "{")
    assert said(open_study(build.root).problems, "dataset_description.json", "Remedy")


def test_what_is_no_study_is_refused_with_a_remedy(build, tmp_path):
    with pytest.raises(StudyError, match=r"does not exist.*check the path"):
        open_study(tmp_path / "absent")
    with pytest.raises(StudyError, match="not a folder"):
        open_study(build.root / "dataset_description.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"empty.*hlhneuro"):
        open_study(tmp_path / "empty")
    with pytest.raises(StudyError, match=r"no folder sub-.*BIDS"):
        open_study(build.root)
    build.image("anat/T1w.nii.gz")
    with pytest.raises(StudyError, match=r"give the folder study inside"):
        open_study(tmp_path)
    with pytest.raises(StudyError, match=r"give the study folder above"):
        open_study(build.root / "sub-01")
    build.json("dataset_description.json", {"DatasetType": "derivative", "GeneratedBy": [{"Name": "hlhneuro"}]})
    with pytest.raises(StudyError, match="output folder"):
        open_study(build.root)


def test_opening_is_quiet_repeatable_and_travels_between_processes(build, capfd):
    for session in ("01", "02"):
        build.image("anat/T1w.nii.gz", session=session, sidecar={"EchoTime": 0.01})
    study = open_study(build.root)
    assert open_study(build.root) == study
    assert pickle.loads(pickle.dumps(study)) == study
    assert capfd.readouterr() == ("", "")
