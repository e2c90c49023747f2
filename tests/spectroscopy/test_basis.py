from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hlhneuro.errors import InputError, StudyError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import add_broad_signals, check_basis_fits, read_basis, simulate_basis, write_basis

from . import made

SETTINGS = SpectraSettings()
DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_challenge = pytest.mark.skipif(not (DATA / "mrs_challenge").is_dir(), reason="fitting challenge data not here")


def test_an_assumed_first_echo_is_said():
    assert "PRESS first echo time not known" in made.basis().assumptions[0]
    known = simulate_basis(
        "press", 0.03, first_echo_s=0.011, dwell_time_s=5e-4, points=256, field_t=3.0, names=("Lac",)
    )
    assert known.assumptions == ()
    assert known.spectrometer_frequency_mhz == pytest.approx(127.73, abs=0.01)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"sequence": "epsi"}, "sequence"),
        ({"echo_time_s": 30.0}, "EchoTime"),
        ({"names": ("Kryptonite",)}, "Kryptonite"),
        ({"spectrometer_frequency_mhz": 123.2}, "field"),
        ({"field_t": 123.2}, "field"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(change, word):
    call = {"sequence": "press", "echo_time_s": 0.03, "dwell_time_s": 5e-4, "points": 256, "field_t": 3.0} | change
    with pytest.raises(StudyError, match=word):
        simulate_basis(**call)


def test_lcmodel_file_comes_back_as_it_was(tmp_path):
    made_basis = made.basis()
    path = tmp_path / "b.BASIS"
    path.write_text(write_basis(made_basis))
    found = read_basis(path)
    assert found.names == made_basis.names
    assert (found.echo_time_s, found.sequence) == (0.03, "press")
    assert found.dwell_time_s == pytest.approx(made_basis.dwell_time_s)
    np.testing.assert_allclose(found.fids, made_basis.fids, atol=1e-5)


def test_resampling_keeps_the_signal_and_its_ppm():
    fine = simulate_basis("press", 0.03, dwell_time_s=2.5e-4, points=2048, spectrometer_frequency_mhz=123.2)
    coarse = simulate_basis("press", 0.03, dwell_time_s=4e-4, points=1024, spectrometer_frequency_mhz=123.2)
    found = fine.resampled(4e-4, 1024, 123.2)
    inner = slice(8, 1000)  # a spline needs neighbours
    error = np.abs(found.fids[:, inner] - coarse.fids[:, inner]).max(axis=1) / np.abs(coarse.fids).max(axis=1)
    assert error.max() < 2e-3


def test_broad_signals_have_the_stated_width_and_are_not_doubled():
    grown = add_broad_signals(made.basis())
    spectrum = np.fft.fftshift(np.fft.fft(grown.fid("MM09"))).real
    ppm = np.fft.fftshift(grown.ppm)
    assert ppm[np.argmax(spectrum)] == pytest.approx(0.91, abs=0.01)
    assert np.ptp(ppm[spectrum > spectrum.max() / 2]) == pytest.approx(0.14, abs=0.02)
    assert add_broad_signals(grown).names == grown.names


@pytest.mark.parametrize(
    ("change", "field"),
    [({"spectrometer_frequency_mhz": 63.9}, "SpectrometerFrequency"), ({"echo_time_s": 0.144}, "EchoTime")],
)
def test_a_basis_of_another_field_or_echo_time_is_refused(change, field):
    spectrum = made.from_fid(made.line(2.0), **change)
    with pytest.raises(InputError, match=field):
        check_basis_fits(made.basis(), spectrum, SETTINGS)


def test_an_unknown_echo_time_is_accepted_with_a_note():
    _, notes = check_basis_fits(replace(made.basis(), echo_time_s=None), made.from_fid(made.line(2.0)), SETTINGS)
    assert any("does not say its echo time" in note for note in notes)


@pytest.mark.parametrize("text", ["", " $SEQPAR\n HZPPPM = 123.2,\n $END\n", "$BASIS\n METABO='x' $END 1 2 3"])
def test_a_broken_basis_file_is_named(tmp_path, text):
    path = tmp_path / "broken.BASIS"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.BASIS"):
        read_basis(path)


def test_a_folder_without_basis_is_named(tmp_path):
    with pytest.raises(InputError, match="exactly one"):
        read_basis(tmp_path)


@needs_challenge
@pytest.mark.realdata
def test_simulation_agrees_with_the_basis_of_the_fitting_challenge():
    # PRESS TE 30 ms, TE1 11 ms, ideal pulses, made by others; 4 Hz of line broadening, shift and width left free.
    given = read_basis(DATA / "mrs_challenge" / "basis")
    ours = simulate_basis(
        "press",
        0.03,
        first_echo_s=0.011,
        dwell_time_s=given.dwell_time_s,
        points=given.points,
        spectrometer_frequency_mhz=given.spectrometer_frequency_mhz,
    )
    time = np.arange(given.points) * given.dwell_time_s
    inside = (given.ppm > 0.5) & (given.ppm < 4.2)
    for name in ours.names:
        theirs = np.fft.fft(given.fid(name) * np.exp(-4 * np.pi * time))[inside]
        best = 0.0
        for hz in np.arange(-1.0, 1.01, 0.25):
            own = np.fft.fft(ours.fid(name) * np.exp(-6 * np.pi * time + 2j * np.pi * hz * time))[inside]
            best = max(best, abs(np.vdot(own, theirs)) / np.linalg.norm(own) / np.linalg.norm(theirs))
        assert best > 0.98, name
