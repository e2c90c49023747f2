"""Basis sets go to files and come back; what cannot be read is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nifti_mrs.create_nmrs import gen_nifti_mrs

from hlhneuro.errors import InputError, StudyError
from hlhneuro.spectroscopy import Basis, add_broad_signals, read_basis, write_basis, write_basis_folder

from . import made

COMPLETE = {"basis_re": [1], "basis_im": [1], "basis_dwell": 1, "basis_centre": 1, "basis_name": "x"}
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def small() -> Basis:
    return add_broad_signals(made.basis()).select(["NAA", "mI", "Lac", "Lip13a", "MM09"])


def in_folder(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def assert_same(found: Basis, expected: Basis) -> None:
    assert set(found.names) == set(expected.names)
    assert found.dwell_time_s == pytest.approx(expected.dwell_time_s)
    assert found.spectrometer_frequency_mhz == pytest.approx(expected.spectrometer_frequency_mhz)
    assert (found.echo_time_s, found.sequence) == (pytest.approx(expected.echo_time_s), expected.sequence)
    np.testing.assert_allclose(
        found.select(expected.names).fids, expected.fids, atol=1e-6 * np.abs(expected.fids).max()
    )
    assert found.select(expected.names).kinds == expected.kinds


def test_lcmodel_file_comes_back_as_it_was(tmp_path):
    (tmp_path / "b.BASIS").write_text(write_basis(small()))
    assert_same(read_basis(tmp_path / "b.BASIS"), small())
    assert_same(read_basis(tmp_path), small())  # the only .BASIS of its folder


@pytest.mark.parametrize("form", ["fsl", "raw"])
def test_folders_come_back_as_they_were(tmp_path, form):
    assert_same(read_basis(in_folder(tmp_path / form, write_basis_folder(small(), form))), small())


def test_the_reference_shift_survives_every_form(tmp_path):
    moved = replace(small(), reference_ppm=4.7)
    (tmp_path / "b.BASIS").write_text(write_basis(moved))
    axis = (moved.dwell_time_s, moved.points, moved.spectrometer_frequency_mhz)
    for place in (tmp_path / "b.BASIS", in_folder(tmp_path / "fsl", write_basis_folder(moved, "fsl"))):
        assert_same(read_basis(place).resampled(*axis), moved.resampled(*axis))


def test_the_fields_of_fsl_mrs_are_there():
    basis = json.loads(write_basis_folder(small(), "fsl")["NAA.json"])["basis"]
    assert basis["basis_name"] == "NAA"
    assert basis["basis_centre"] == pytest.approx(123.2)
    assert (basis["basis_dwell"], len(basis["basis_re"])) == (5e-4, 1024)
    # FSL-MRS conjugates what it reads and then has NAA at a negative frequency: in the file it is positive.
    fid = np.array(basis["basis_re"]) + 1j * np.array(basis["basis_im"])
    hz = np.fft.fftfreq(1024, 5e-4)[np.argmax(np.abs(np.fft.fft(fid)))]
    assert hz == pytest.approx((4.65 - 2.008) * 123.2, abs=2.0)


def test_raw_files_without_header_need_what_they_leave_out(tmp_path):
    texts = {name: " $NMID" + text.split("$NMID")[1] for name, text in write_basis_folder(small(), "raw").items()}
    folder = in_folder(tmp_path / "raw", texts)
    with pytest.raises(InputError, match="does not say its dwell time"):
        read_basis(folder)
    with pytest.raises(InputError, match="does not say its proton frequency"):
        read_basis(folder, dwell_time_s=5e-4)
    found = read_basis(folder, dwell_time_s=5e-4, spectrometer_frequency_mhz=123.2)
    assert found.echo_time_s is None
    np.testing.assert_allclose(found.fid("NAA"), small().fid("NAA"), atol=1e-6)


def test_what_is_given_may_not_contradict_the_files(tmp_path):
    folder = in_folder(tmp_path / "raw", write_basis_folder(small(), "raw"))
    with pytest.raises(InputError, match="dwell time of the basis is not one"):
        read_basis(folder, dwell_time_s=2.5e-4)


@pytest.mark.parametrize("form", ["fsl", "raw"])
def test_conjugated_functions_are_turned_and_told_of(tmp_path, form):
    mirrored = replace(small(), fids=small().fids.conj())
    found = read_basis(in_folder(tmp_path / form, write_basis_folder(mirrored, form)))
    assert_same(found, small())
    assert "conjugate" in found.assumptions[0]
    assert not read_basis(in_folder(tmp_path / "right", write_basis_folder(small(), form))).assumptions


def test_a_folder_of_nifti_mrs_is_a_basis(tmp_path):
    for name, fid in zip(small().names, small().fids, strict=True):
        # the writer conjugates what it is given
        image = gen_nifti_mrs(fid.conj().reshape(1, 1, 1, -1), 5e-4, 123.2)
        image.add_hdr_field("EchoTime", 0.03)
        image.save(tmp_path / f"{name}.nii.gz")
    found = read_basis(tmp_path)
    np.testing.assert_allclose(found.fid("NAA"), small().fid("NAA"), atol=1e-5)
    assert (found.echo_time_s, found.dwell_time_s) == (0.03, pytest.approx(5e-4))
    assert nib.load(tmp_path / "NAA.nii.gz").shape == (1, 1, 1, 1024)


def test_names_of_others_become_ours_and_unknown_ones_pass(tmp_path):
    text = write_basis(small()).replace("'mI'", "'Ins'").replace("'Lac'", "'Kryptonite'")
    (tmp_path / "b.BASIS").write_text(text)
    assert read_basis(tmp_path / "b.BASIS").names == ("NAA", "mI", "Kryptonite", "Lip13a", "MM09")


def test_two_names_of_one_molecule_stay_apart(tmp_path):
    text = write_basis(small()).replace("'mI'", "'Act'").replace("'Lac'", "'Ace'")
    (tmp_path / "b.BASIS").write_text(text)
    assert read_basis(tmp_path / "b.BASIS").names[1:3] == ("Act", "Ace")


def test_functions_that_their_file_shifted_are_shifted_back(tmp_path):
    text = write_basis(small())
    plain = read_basis_text(tmp_path, text)
    moved = read_basis_text(tmp_path, text.replace("ISHIFT = 0", "ISHIFT = 3"))
    turn = np.exp(-2j * np.pi * 3 * np.arange(1024) / 2048)
    np.testing.assert_allclose(moved.fid("NAA"), plain.fid("NAA") * turn, atol=1e-5)


def read_basis_text(folder: Path, text: str) -> Basis:
    (folder / "x.BASIS").write_text(text)
    return read_basis(folder / "x.BASIS")


def test_numbers_of_fortran_without_an_exponent_letter(tmp_path):
    texts = write_basis_folder(small().select(["NAA"]), "raw")
    head, body = texts["NAA.RAW"].rsplit("$END\n", 1)
    rows = body.splitlines()
    rows[5] = "   1.00000000-101   2.00000000-102"
    found = read_basis(in_folder(tmp_path / "f", {"NAA.RAW": head + "$END\n" + "\n".join(rows)}))
    assert abs(found.fid("NAA")[5]) < 1e-100


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no function"),
        (" $SEQPAR\n HZPPPM = 123.2,\n $END\n", "no function"),
        ("$BASIS\n METABO='x' $END 1 2 3", "BADELT"),
        (" HZPPPM = 123.2, BADELT = -0.1\n $BASIS\n METABO='x' $END 1 2 3 4", "encrypted"),
        (" HZPPPM = 123.2, BADELT = 0.1\n $BASIS\n METABO='x' $END 1 2 3", "incomplete"),
        (" HZPPPM = 123.2, BADELT = 0.1\n $BASIS\n METABO='x' $END 1 2 one 4", "cannot be read"),
        (" HZPPPM = 123.2, BADELT = 0.1\n $BASIS\n ID='x' $END 1 2 3 4", "without a name"),
    ],
)
def test_a_broken_basis_file_is_named(tmp_path, text, word):
    path = tmp_path / "broken.BASIS"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"broken\.BASIS.*{word}"):
        read_basis(path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "could not be read"),
        ("[]", "basis"),
        ('{"basis": {"basis_re": [1]}}', "basis_im"),
        (json.dumps({"basis": COMPLETE | {"basis_re": ["a"]}}), "read"),
        (json.dumps({"basis": COMPLETE}), "FID"),
    ],
)
def test_a_broken_file_of_a_folder_is_named(tmp_path, text, word):
    folder = in_folder(tmp_path / "fsl", write_basis_folder(small(), "fsl"))
    (folder / "broken.json").write_text(text)
    with pytest.raises(InputError, match=rf"broken\.json.*{word}"):
        read_basis(folder)


def test_functions_of_unlike_length_or_axis_are_refused(tmp_path):
    folder = in_folder(tmp_path / "fsl", write_basis_folder(small(), "fsl"))
    in_folder(folder, write_basis_folder(small().select(["Lac"]).resampled(5e-4, 512, 123.2), "fsl"))
    with pytest.raises(InputError, match="differ in length"):
        read_basis(folder)
    in_folder(folder, write_basis_folder(small().select(["Lac"]).resampled(2.5e-4, 1024, 123.2), "fsl"))
    with pytest.raises(InputError, match="dwell time"):
        read_basis(folder)


def test_folders_without_one_basis_are_named(tmp_path):
    with pytest.raises(InputError, match="holds no basis set"):
        read_basis(tmp_path)
    for name in ("a.BASIS", "b.BASIS"):
        (tmp_path / name).write_text(write_basis(small()))
    with pytest.raises(InputError, match="several"):
        read_basis(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.BASIS"):
        read_basis(tmp_path / "nowhere.BASIS")
    with pytest.raises(StudyError, match="form"):
        write_basis_folder(small(), "tarquin")


@pytest.mark.skipif(not (DATA / "mrs_challenge").is_dir(), reason="fitting challenge data not here")
@pytest.mark.realdata
def test_raw_and_basis_of_the_fitting_challenge_hold_the_same(tmp_path):
    whole = read_basis(DATA / "mrs_challenge" / "basis" / "press3T_30ms.BASIS")
    for name in ("Ins", "NAA", "Glu"):
        (tmp_path / f"{name}.RAW").write_text((DATA / "mrs_challenge" / "basis" / f"{name}.RAW").read_text())
    single = read_basis(
        tmp_path, dwell_time_s=whole.dwell_time_s, spectrometer_frequency_mhz=whole.spectrometer_frequency_mhz
    )
    assert single.assumptions == ()
    for name in single.names:
        a, b = whole.fid(name), single.fid(name)
        assert abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b) > 1 - 1e-6


@pytest.mark.skipif(not (DATA / "mrs_basis_reference").is_dir(), reason="reference basis not here")
@pytest.mark.realdata
def test_the_reference_basis_says_what_it_is():
    found = read_basis(DATA / "mrs_basis_reference" / "3T_PRESS_Siemens_35ms_noMM.BASIS")
    assert (found.echo_time_s, found.sequence, found.points) == (0.035, "press", 4096)
    assert {"mI", "sIns", "PCho"} <= set(found.names)
    assert found.assumptions == ()
