from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.spectroscopy import load_spectrum
from hlhneuro.spectroscopy.spectra import looks_conjugated

from . import made

HEADER = {"SpectrometerFrequency": [123.2], "ResonantNucleus": ["1H"], "EchoTime": 0.03, "RepetitionTime": 2.0}


def write(path, data, header, dwell=5e-4):
    image = nib.Nifti2Image(np.asarray(data, dtype=np.complex64), np.diag([20.0, 30.0, 10.0, 1.0]))
    image.header["pixdim"][4] = dwell
    if header is not None:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(44, json.dumps(header).encode()))
    nib.save(image, path)
    return path


@pytest.fixture
def fid():
    return made.line(2.008).reshape(1, 1, 1, -1)


def test_a_file_is_read_with_its_facts(tmp_path, fid):
    header = HEADER | {"SequenceName": "svs_se", "PatientName": "Doe^J", "ProtocolName": "short"}
    found = load_spectrum(write(tmp_path / "a.nii.gz", fid, header))
    assert (found.echo_time_s, found.repetition_time_s, found.sequence) == (0.03, 2.0, "press")
    assert found.volume_ml == pytest.approx(6.0)
    assert found.dwell_time_s == pytest.approx(5e-4)
    assert "PatientName" not in found.header
    assert "ProtocolName" in found.header


def test_a_line_lies_where_it_was_put(fid, tmp_path):
    found = load_spectrum(write(tmp_path / "a.nii", fid, HEADER))
    peak = found.ppm[np.argmax(np.abs(np.fft.fftshift(np.fft.fft(found.fid))))]
    assert peak == pytest.approx(2.008, abs=0.01)


def test_axes_of_length_one_are_dropped_and_others_named(tmp_path):
    data = np.ones((1, 1, 1, 128, 1, 4), dtype=complex)
    found = load_spectrum(write(tmp_path / "a.nii", data, HEADER | {"dim_5": "DIM_COIL", "dim_6": "DIM_DYN"}))
    assert found.dimensions == ("DIM_DYN",)
    assert found.fid.shape == (128, 4)


def test_the_sidecar_fills_gaps_and_the_file_wins(tmp_path, fid):
    path = write(tmp_path / "a.nii", fid, {k: v for k, v in HEADER.items() if k != "EchoTime"})
    found = load_spectrum(path, {"EchoTime": 0.035, "RepetitionTime": 9.0})
    assert (found.echo_time_s, found.repetition_time_s) == (0.035, 2.0)


def test_nothing_is_assumed_where_the_file_is_silent(tmp_path, fid):
    found = load_spectrum(write(tmp_path / "a.nii", fid, {"SpectrometerFrequency": 123.2, "ResonantNucleus": "1H"}))
    assert (found.echo_time_s, found.repetition_time_s, found.sequence) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"EchoTime": 30}, ["EchoTime", "30", "looks like milliseconds"]),
        ({"RepetitionTime": 2000}, ["RepetitionTime", "2000", "looks like milliseconds"]),
        ({"EchoTime": "soon"}, ["EchoTime", "soon"]),
        ({"SpectrometerFrequency": [123.2e6]}, ["SpectrometerFrequency", "MHz"]),
        ({"ResonantNucleus": ["31P"]}, ["ResonantNucleus", "31P"]),
        ({"SpectrometerFrequency": None}, ["SpectrometerFrequency", "does not say"]),
    ],
)
def test_impossible_facts_are_named_with_file_and_remedy(tmp_path, fid, change, words):
    path = write(tmp_path / "bad.nii", fid, HEADER | change)
    with pytest.raises(InputError) as error:
        load_spectrum(path)
    for word in ["bad.nii", "Remedy", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "data", [np.zeros((1, 1, 1, 128)), np.full((1, 1, 1, 128), np.nan), np.ones((2, 1, 1, 128)), np.ones((1, 1, 1, 8))]
)
def test_data_without_one_good_fid_are_refused(tmp_path, data):
    with pytest.raises(InputError, match=r"bad\.nii"):
        load_spectrum(write(tmp_path / "bad.nii", data, HEADER))


def test_real_valued_and_unreadable_files_are_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((1, 1, 1, 128), dtype=np.float32), np.eye(4)), tmp_path / "real.nii")
    (tmp_path / "text.nii").write_text("no image")
    for name in ("real.nii", "text.nii", "absent.nii"):
        with pytest.raises(InputError, match=name):
            load_spectrum(tmp_path / name)


def test_mirrored_metabolites_are_noticed():
    good = made.spectrum(made.HEALTHY, noise=0.05)
    assert not looks_conjugated(good, 4.0)
    assert looks_conjugated(good.with_fid(good.fid.conj()), 4.0)
    with pytest.raises(InputError):
        replace(good, fid=np.zeros(1024, dtype=complex))
