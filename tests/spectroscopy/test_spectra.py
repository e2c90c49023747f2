from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import load_spectrum, preprocess
from hlhneuro.spectroscopy.spectra import check_not_clipped, clipped_samples, looks_conjugated

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


@pytest.mark.parametrize("tags", [{}, {"dim_5": "DIM_DAY"}, {"dim_5": "DIM_DYN", "dim_6": "DIM_DYN"}])
def test_axes_without_one_known_meaning_each_are_refused(tmp_path, tags):
    data = np.ones((1, 1, 1, 128, 3, 2), dtype=complex)
    with pytest.raises(InputError, match=r"dim_[56].*DIM_COIL, DIM_DYN"):
        load_spectrum(write(tmp_path / "a.nii", data, HEADER | tags))


def test_the_sidecar_can_name_axes(tmp_path):
    data = np.ones((1, 1, 1, 128, 3, 2), dtype=complex)
    path = write(tmp_path / "a.nii", data, HEADER)
    assert load_spectrum(path, {"dim_5": "DIM_COIL", "dim_6": "DIM_EDIT"}).dimensions == ("DIM_COIL", "DIM_EDIT")


def test_the_sidecar_fills_gaps_and_may_round(tmp_path, fid):
    path = write(tmp_path / "a.nii", fid, {k: v for k, v in HEADER.items() if k != "EchoTime"})
    found = load_spectrum(path, {"EchoTime": 0.035, "RepetitionTime": 2.001})
    assert (found.echo_time_s, found.repetition_time_s) == (0.035, 2.0)


def test_a_sidecar_that_contradicts_the_file_is_told_and_one_that_corrects_its_unit_is_taken(tmp_path, fid):
    path = write(tmp_path / "a.nii", fid, HEADER)
    with pytest.raises(InputError, match=r"a\.nii: EchoTime: .*contradict.*0\.03 and 0\.144 s"):
        load_spectrum(path, {"EchoTime": 0.144})
    wrong = write(tmp_path / "b.nii", fid, HEADER | {"EchoTime": 30})
    assert load_spectrum(wrong, {"EchoTime": 0.03}).echo_time_s == 0.03


def test_nothing_is_assumed_where_the_file_is_silent(tmp_path, fid):
    found = load_spectrum(write(tmp_path / "a.nii", fid, {"SpectrometerFrequency": 123.2, "ResonantNucleus": "1H"}))
    assert (found.echo_time_s, found.repetition_time_s, found.sequence) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"EchoTime": 30}, ["EchoTime", "30", "looks like milliseconds"]),
        ({"RepetitionTime": 2000}, ["RepetitionTime", "2000", "looks like milliseconds"]),
        ({"EchoTime": 30000}, ["EchoTime", "30000", "looks like microseconds: give 0.03 s"]),
        ({"EchoTime": -0.03}, ["EchoTime", "-0.03", "give it in s"]),
        ({"EchoTime": float("nan")}, ["EchoTime", "nan"]),
        ({"EchoTime": "soon"}, ["EchoTime", "soon"]),
        ({"SpectrometerFrequency": [123.2e6]}, ["SpectrometerFrequency", "MHz"]),
        ({"ResonantNucleus": ["31P"]}, ["ResonantNucleus", "31P"]),
        ({"SpectrometerFrequency": [49.9], "MagneticFieldStrength": 2.89}, ["49.9 MHz", "protons at 2.89 T"]),
        ({"SpectrometerFrequency": None}, ["SpectrometerFrequency", "does not say"]),
        ({"ResonantNucleus": None}, ["ResonantNucleus", "does not say"]),
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


def test_naa_at_7_3_ppm_is_an_error_with_a_remedy(tmp_path):
    good = made.spectrum(made.HEALTHY, noise=0.02)
    path = write(tmp_path / "a.nii", good.fid.conj().reshape(1, 1, 1, -1), HEADER)
    with pytest.raises(InputError, match=r"conjugated.*--conjugate"):
        preprocess(load_spectrum(path), None, SpectraSettings())


def test_a_saturated_receiver_is_noticed_in_any_coil_and_transient():
    rng = np.random.default_rng(0)
    water = made.line(4.65, lorentz_hz=8.0) + 0.001 * (rng.standard_normal(1024) + 1j * rng.standard_normal(1024))
    water = water * np.exp(0.3j + 0.02j * np.arange(1024))
    assert clipped_samples(made.from_fid(water)) == 1
    limit = 0.9
    cut = np.clip(water.real, -limit, limit) + 1j * np.clip(water.imag, -limit, limit)
    beyond = int(np.argmax(np.abs(water.real) < limit))  # the signal begins above the limit and falls below it
    assert clipped_samples(made.from_fid(cut)) == beyond > 3
    raw = np.stack([np.stack([water, water], axis=1), np.stack([water, cut], axis=1)], axis=1)
    with pytest.raises(InputError, match=r"clipped.*gain"):
        check_not_clipped(made.from_fid(raw, ("DIM_COIL", "DIM_DYN")), 3)


@given(seed=st.integers(0, 2**16), transients=st.integers(1, 4))
def test_noise_is_not_called_clipped(seed, transients):
    rng = np.random.default_rng(seed)
    shape = (256, transients)
    fid = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    assert clipped_samples(made.from_fid(fid, ("DIM_DYN",))) < SpectraSettings().clipped_samples


def test_one_transient_of_many_axes_is_one_fid(tmp_path):
    path = write(tmp_path / "a.nii", made.line(2.0).reshape(1, 1, 1, -1, 1, 1), HEADER | {"dim_5": "DIM_DYN"})
    assert load_spectrum(path).fid.shape == (made.POINTS,)
