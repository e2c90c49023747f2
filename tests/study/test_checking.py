"""The check: what is said about files and sessions that are whole, lacking or damaged."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.study import check_study, open_study
from hlhneuro.study._files import inspect_file


def spectrum(build, name, header, session="01"):
    """Write a one-voxel complex series with a NIfTI-MRS header extension."""
    path = build.image(name, session=session)
    build.count = getattr(build, "count", 0) + 1
    data = np.exp(-np.arange(16) / 5 + 1j * build.count).astype(np.complex64).reshape(1, 1, 1, 16)
    image = nib.Nifti1Image(data, np.diag([20.0, 20.0, 20.0, 1.0]))
    content = json.dumps({"SpectrometerFrequency": [63.7], "ResonantNucleus": ["1H"]} | header).encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension(44, content))
    image.to_filename(path)
    return path


def complete(build, session="01"):
    for name in ("T1w", "T2w", "FLAIR", "ce-gadolinium_T1w", "T2starw"):
        build.image(f"anat/{name}.nii.gz", session=session)
    build.image("dwi/ADC.nii.gz", session=session)
    for acq, echo_time in (("short", 0.03), ("long", 0.144)):
        spectrum(build, f"mrs/acq-{acq}_svs.nii.gz", {"EchoTime": echo_time}, session)
        spectrum(build, f"mrs/acq-{acq}_mrsref.nii.gz", {"EchoTime": echo_time}, session)


def course(build, age="4.5"):
    complete(build, "01")
    complete(build, "02")
    build.participants("sub-01\tn/a\tM")
    build.sessions(f"ses-01\t2021-01-01\t{age}", f"ses-02\t2021-02-01\t{age}")
    build.text("sub-01/sub-01_events.tsv", "event\tstart_date\nHSCT\t2020-05-01\n")
    rows = "2021-01-03\tabsent\t2\n2021-01-31\tpresent\t30\n"
    build.text("sub-01/sub-01_clinical.tsv", f"date\tneurological_symptoms\tcsf_cells_per_ul\n{rows}")


def found(build, **where):
    """Return the rows that meet the given values, as dictionaries."""
    frame = check_study(open_study(build.root)).to_frame()
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.to_dict("records")


def test_a_complete_study_lacks_nothing(build):
    course(build)
    check = check_study(open_study(build.root))
    assert check.ok
    assert {row.state for row in check.rows} == {"present"}
    assert list(check.to_frame()) == ["subject", "session", "item", "state", "consequence", "remedy"]


@pytest.mark.parametrize(
    ("removed", "item", "words", "ok"),
    [
        (["anat/*_FLAIR*"], "FLAIR", "rest on T2w, with reduced confidence", True),
        (["anat/*_FLAIR*", "anat/*_T2w*"], "FLAIR", "lesion load is not assessable", False),
        (["anat/*_ses-02_T1w*"], "T1w", "volumes", True),
        (["anat/*_ce-*"], "T1w after gadolinium", "enhancement is not assessable", True),
        (["dwi/*"], "ADC", "diffusion is not assessable", True),
        (["anat/*_T2starw*"], "SWI or T2starw", "haemorrhage", True),
        (["mrs/*"], "MR spectra", "pattern are not assessable", True),
        (["mrs/*acq-long*"], "echo times for lactate", "lactate cannot be told", True),
        (["mrs/*acq-short_mrsref*"], "water reference of sub-01_ses-02_acq-short_svs.nii.gz", "necrotic pattern", True),
    ],
)
def test_what_is_missing_and_what_follows(build, removed, item, words, ok):
    course(build)
    for pattern in removed:
        for path in (build.root / "sub-01" / "ses-02").glob(pattern):
            path.unlink()
    (row,) = found(build, item=item, state="missing")
    assert (row["subject"], row["session"]) == ("01", "02")
    assert words in row["consequence"]
    assert row["remedy"]
    assert check_study(open_study(build.root)).ok is ok


def test_an_echo_time_is_asked_for(build):
    course(build)
    spectrum(build, "mrs/acq-long_svs.nii.gz", {}, "02")
    (row,) = found(build, state="missing", item="echo time of sub-01_ses-02_acq-long_svs.nii.gz")
    assert row["consequence"] == "the spectrum cannot be fitted"
    assert not check_study(open_study(build.root)).ok
    build.json("sub-01/ses-02/mrs/sub-01_ses-02_acq-long_svs.json", {"EchoTime": 0.144})
    assert check_study(open_study(build.root)).ok


def test_an_echo_time_in_milliseconds_is_recognised(build):
    course(build)
    build.json("sub-01/ses-02/anat/sub-01_ses-02_T1w.json", {"EchoTime": 3})
    (row,) = found(build, state="unusable")
    assert row["item"] == "sub-01_ses-02_T1w.nii.gz, EchoTime"
    assert "write 0.003" in row["remedy"]


def test_a_single_session_without_age(build):
    complete(build)
    (row,) = found(build, item="second session")
    assert (row["session"], row["consequence"]) == ("", "change over time is not assessable")
    (row,) = found(build, item="age")
    assert row["state"] == "missing"
    assert "norms" in row["consequence"]


def test_flair_of_a_young_child(build):
    course(build, age="1.9")
    assert all("unreliable under 24 months" in row["consequence"] for row in found(build, item="FLAIR"))
    course(build, age="2.0")
    assert all(row["consequence"] == "" for row in found(build, item="FLAIR"))


def test_missing_dates_and_two_scanners(build):
    course(build)
    build.json("T1w.json", {"Manufacturer": "A", "MagneticFieldStrength": 3})
    build.json("sub-01/ses-02/sub-01_ses-02_T1w.json", {"Manufacturer": "B"})
    build.sessions("ses-01\tn/a\t4", "ses-02\t2021-02-01\t4")
    (row,) = found(build, item="date of ses-01")
    assert "intervals in days" in row["consequence"]
    (row,) = found(build, item="one scanner")
    assert "ses-01 A 3 T; ses-02 B 3 T" in row["consequence"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-12])


def not_nifti(path):
    path.write_bytes(b"DICM" * 200)


def empty(path):
    path.write_bytes(b"")


def flipped_bit(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    packed = bytearray(gzip.compress(bytes(content), mtime=0))
    packed[-6] ^= 1  # in the checksum at the end
    path.write_bytes(packed)


def short_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-7]))


def four_dimensional(path):
    nib.Nifti1Image(np.ones((3, 3, 3, 5), np.int16), np.eye(4)).to_filename(path)


def one_slice(path):
    nib.Nifti1Image(np.ones((3, 3, 1), np.int16), np.eye(4)).to_filename(path)


def voxels_in_micrometres(path):
    nib.Nifti1Image(np.ones((3, 3, 3), np.int16), np.diag([1000.0, 1000, 1000, 1])).to_filename(path)


def flat_affine(path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.int16), np.eye(4))
    image.header["srow_z"] = 0
    image.header["sform_code"] = 1
    path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4) + bytes(54)))


def unoriented(path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.int16), np.eye(4))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    image.to_filename(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "damaged or ends early"),
        (not_nifti, "not a readable NIfTI"),
        (empty, "not a readable NIfTI"),
        (flipped_bit, "damaged or ends early"),
        (short_inside, "ends early"),
        (four_dimensional, "5 volumes"),
        (one_slice, "single slice"),
        (voxels_in_micrometres, "larger than any brain image"),
        (flat_affine, "position in space"),
        (unoriented, "which side is left"),
    ],
)
def test_a_damaged_image_is_found_and_the_rest_goes_on(build, damage, words):
    course(build)
    damage(build.root / "sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz")
    (row,) = found(build, state="unusable")
    assert row["item"] == "sub-01_ses-01_FLAIR.nii.gz"
    assert words in row["consequence"]
    assert row["remedy"]
    assert not check_study(open_study(build.root)).ok
    lacking = found(build, item="FLAIR", session="01")[0]["state"]
    assert lacking == ("present" if damage is unoriented else "missing")


def test_a_spectrum_without_its_header_is_unusable(build):
    course(build)
    nib.Nifti1Image(np.ones((1, 1, 1, 16), np.complex64), np.eye(4)).to_filename(
        build.root / "sub-01/ses-01/mrs/sub-01_ses-01_acq-long_svs.nii.gz"
    )
    (row,) = found(build, state="unusable")
    assert "no NIfTI-MRS header" in row["consequence"]


def test_the_same_image_in_two_sessions_is_found_under_any_wrapping(build):
    course(build)
    anat = build.root / "sub-01"
    source = anat / "ses-01/anat/sub-01_ses-01_T2w.nii.gz"
    target = anat / "ses-02/anat/sub-01_ses-02_T2w.nii.gz"
    for wrapped in (source.read_bytes(), gzip.compress(gzip.decompress(source.read_bytes()), 1)):
        target.write_bytes(wrapped)
        (row,) = found(build, state="unusable")
        assert (row["session"], row["item"]) == ("02", target.name)
        assert f"the very same samples as {source.name} of sub-01 ses-01" in row["consequence"]


def test_what_open_study_told_is_in_the_check(build):
    course(build)
    shutil.copy(
        build.root / "sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz", build.root / "sub-01/ses-01/anat/mine.nii.gz"
    )
    build.participants("sub-01\t4\tM\tDoe", header="participant_id\tage\tsex\tname")
    (build.root / "dataset_description.json").unlink()
    texts = {row["consequence"]: row["state"] for row in found(build, item="remark")}
    assert [state for text, state in texts.items() if "mine.nii.gz is not read" in text] == ["unusable"]
    assert [state for text, state in texts.items() if "name the patient" in text] == ["unusable"]
    assert [state for text, state in texts.items() if "dataset_description.json is missing" in text] == ["present"]


def test_a_check_writes_nothing(build):
    course(build)
    before = sorted((path, path.stat().st_mtime_ns) for path in build.root.rglob("*"))
    check_study(open_study(build.root))
    assert sorted((path, path.stat().st_mtime_ns) for path in build.root.rglob("*")) == before


@pytest.mark.realdata
def test_real_scans_are_sound():
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("the folder of real scans is not beside the project")
    for path in sorted(data.glob("glioma_thick_slice/*.nii.gz")):
        facts = inspect_file(path)
        assert len(facts.shape) == 3
        assert max(facts.voxel_size_mm) < 10
        assert facts.oriented


def test_a_study_without_tables_is_incomplete_but_not_damaged(build):
    course(build)
    (build.root / "participants.tsv").unlink()
    (build.root / "sub-01" / "sub-01_sessions.tsv").unlink()
    check = check_study(open_study(build.root))
    assert check.ok
    assert {row.item for row in check.rows if row.state == "missing"} == {"age", "date of ses-01, ses-02"}
    build.text("participants.tsv", "who\n1\n")
    assert not check_study(open_study(build.root)).ok


def test_what_the_clinical_tables_lack(build):
    course(build)
    (build.root / "sub-01" / "sub-01_events.tsv").unlink()
    build.text("sub-01/sub-01_clinical.tsv", "date\tneurological_symptoms\n2021-01-03\tabsent\n2021-02-20\tmaybe\n")
    check = check_study(open_study(build.root))
    assert not check.ok
    lacking = {(row.session, row.item) for row in check.rows if row.state == "missing"}
    assert lacking == {
        ("", "treatment and events"),
        ("01", "entry on cerebrospinal fluid"),
        ("02", "entry on symptoms"),
        ("02", "entry on cerebrospinal fluid"),
    }
    (wrong,) = (row for row in check.rows if row.state == "unusable")
    assert wrong.subject == "01"
    assert "sub-01_clinical.tsv, row 3: neurological_symptoms 'maybe'" in wrong.consequence
    assert any("Horne 2008" in row["consequence"] for row in found_without_tables(build))


def found_without_tables(build):
    (build.root / "sub-01" / "sub-01_clinical.tsv").unlink()
    return found(build, item="clinical observations")
